"""The address at which a hub or regulator takes calls of peer chains.

TLS accepts the authorities of all pinned chains, and with that says only that one of them issued
the caller's certificate. At every call the certificate is verified again, by the bundle of its own
trust domain: an authority of one chain must not vouch for another, and a pin that was withdrawn
must end the calls of a connection that is open.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, Final

from cryptography import x509

from federation.errors import IdentityError, Reason, Refusal
from federation.identity import Role
from node.errors import NodeError
from node.peers.trust import PeerTrust
from node.rpc.around import Context
from node.rpc.identity import IdentityInterceptor, certificate_pem
from node.rpc.server import Register
from node.runtime import Runtime

SHARE: Final = 4
"""One peer's hub or regulator has this part of the calls that run at once, at most."""

_home: ContextVar[str] = ContextVar("yinxin_home_chain")


def home_chain() -> str:
    """The caller's chain, by the name it is pinned with. Raises NodeError outside of a call that a
    peer chain makes.
    """
    try:
        return _home.get()
    except LookupError:
        raise NodeError("no peer chain: home_chain() is for handlers of a peers' server") from None


class PeerInterceptor(IdentityInterceptor):
    """Lets the hubs and regulators of trusted chains in, as `PeerTrust.caller` has it; those of
    withdrawn ones to the methods in `withdrawn` alone.
    """

    def __init__(
        self,
        trust: PeerTrust,
        roles: Mapping[str, frozenset[Role]],
        most: Mapping[Role, int],
        withdrawn: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__(trust_domains=["peers"], roles=roles, most=most)
        self._trust = trust
        self._withdrawn = withdrawn

    @asynccontextmanager
    async def around(self, method: str, context: Context) -> AsyncIterator[None]:
        """Refuses, or makes the caller known to `peer()` and `home_chain()`."""
        try:
            certificate = x509.load_pem_x509_certificate(certificate_pem(context.auth_context()))
        except (IdentityError, ValueError) as error:
            raise Refusal(Reason.FOREIGN_CERTIFICATE, "peer has no readable certificate") from error
        withdrawn = method in self._withdrawn
        caller = await self._trust.caller(certificate, withdrawn=withdrawn)
        _home.set(caller.pin.peer)
        async with super().around(method, context):
            yield

    def trusts(self, domain: str) -> bool:
        """Every one that comes here: `PeerTrust.caller` has found its chain."""
        return True


def add_peer_server(
    runtime: Runtime[Any],
    trust: PeerTrust,
    address: str,
    roles: Mapping[str, frozenset[Role]],
    register: Register,
    *,
    withdrawn: frozenset[str] = frozenset(),
) -> None:
    """Adds the server for peer chains to the node. Arguments as in `Runtime.add_server`.

    `withdrawn` are the methods that chains may call whose trust was withdrawn, to learn of it.
    """
    share = max(1, runtime.config.limits.concurrent_calls // SHARE)
    runtime.add_server(
        address,
        roles,
        register,
        identity=PeerInterceptor(trust, roles, {Role.HUB: share, Role.REGULATOR: share}, withdrawn),
        authorities=_accepted(runtime, trust),
    )


def _accepted(runtime: Runtime[Any], trust: PeerTrust) -> Callable[[], bytes]:
    """The authorities that TLS accepts. Without any, TLS would ask for no certificate at all: then
    the own chain's stands there, whose members the interceptor refuses.
    """
    own = runtime.identity.root.authority.encode("ascii")
    return lambda: trust.authorities() or own
