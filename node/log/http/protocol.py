"""HTTP/1.1 that tells the application who calls: the SPIFFE id of the client's certificate."""

from __future__ import annotations

import asyncio
import ssl
from typing import Final

from cryptography import x509
from uvicorn.protocols.http.h11_impl import H11Protocol

from federation.errors import IdentityError
from federation.identity import SpiffeId
from node.rpc.identity import certificate_identity

CALLER: Final = "caller"
GOODBYE_SECONDS: Final = 0.5
MAX_CONNECTIONS_OF_ONE: Final = 32
"""Of one caller at once. Witnesses answer on this port, and a log without its witnesses stands
still: no member may use up what all others need."""
REQUEST_SECONDS: Final = 30.0
"""Within which a connection has its first request."""


class MutualTlsProtocol(H11Protocol):
    """Puts the peer's id into the state of every request's scope; absent if it has none.

    TLS has verified the certificate's chain; exactly one SPIFFE id is this protocol's own rule.
    """

    _caller: SpiffeId | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called once the handshake is done."""
        super().connection_made(transport)
        self._caller = _identity(transport)
        if self._caller is not None:
            self.app_state = {**self.app_state, CALLER: self._caller}
        held = [one for one in self.connections if getattr(one, "_caller", None) == self._caller]
        if len(held) > MAX_CONNECTIONS_OF_ONE:
            transport.abort()
        self.loop.call_later(REQUEST_SECONDS, self._require_request)

    def _require_request(self) -> None:
        if getattr(self, "cycle", None) is None:
            self.transport.abort()

    def shutdown(self) -> None:
        """Ends an idle connection soon.

        A client that keeps it for its next call does not read meanwhile, and so does not answer
        the end of TLS, for which closing alone waits 30 seconds.
        """
        super().shutdown()
        if self.transport.is_closing():
            self.loop.call_later(GOODBYE_SECONDS, self.transport.abort)


def _identity(transport: asyncio.Transport) -> SpiffeId | None:
    """The one SPIFFE id of the client's certificate, if that is what it has."""
    session: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    raw = session.getpeercert(binary_form=True) if session is not None else None
    if raw is None:
        return None
    try:
        return certificate_identity(x509.load_der_x509_certificate(raw))
    except (IdentityError, ValueError):
        return None
