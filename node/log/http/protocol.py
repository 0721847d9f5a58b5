"""HTTP/1.1 that tells the application who calls: the SPIFFE id of the client's certificate."""

from __future__ import annotations

import asyncio
import ssl
from typing import Final

from cryptography import x509
from uvicorn.protocols.http.h11_impl import H11Protocol

from federation.errors import IdentityError
from node.rpc.identity import certificate_identity

CALLER: Final = "caller"
GOODBYE_SECONDS: Final = 0.5


class MutualTlsProtocol(H11Protocol):
    """Puts the peer's id into the state of every request's scope; absent if it has none.

    TLS has verified the certificate's chain; exactly one SPIFFE id is this protocol's own rule.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called once the handshake is done."""
        super().connection_made(transport)
        session: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        raw = session.getpeercert(binary_form=True) if session is not None else None
        if raw is None:
            return
        try:
            caller = certificate_identity(x509.load_der_x509_certificate(raw))
        except (IdentityError, ValueError):
            return
        self.app_state = {**self.app_state, CALLER: caller}

    def shutdown(self) -> None:
        """Ends an idle connection soon.

        A client that keeps it for its next call does not read meanwhile, and so does not answer
        the end of TLS, for which closing alone waits 30 seconds.
        """
        super().shutdown()
        if self.transport.is_closing():
            self.loop.call_later(GOODBYE_SECONDS, self.transport.abort)
