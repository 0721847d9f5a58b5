"""Who calls: exactly one SPIFFE id in the peer's certificate, of a role that the method allows.

The rules, in order; the first that fails refuses the call:

1. The method stands in the server's table. What is not in the table is denied.
2. The connection is TLS and the peer presented a certificate (TLS has verified its chain).
3. The certificate has exactly one URI name and that is a SPIFFE id of this protocol. gRPC itself
   accepts certificates with two.
4. Its trust domain is one of the server's, its role one of the method's, and the id one of the
   allowed ones where the server has such a list.

The other direction, that a server is who the client wants, is `peer_options`: gRPC cannot compare
URI names, but it does compare host names. An authority issues a certificate with the DNS name
`dns_name(id)` only together with that one id, so a channel to the party that demands this DNS
name reaches the party and nobody else, whatever the address resolves to.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from functools import lru_cache

from cryptography import x509

from federation.errors import IdentityError, Reason, Refusal
from federation.identity import Role, SpiffeId, dns_name, peer_identity
from node.errors import Busy, NodeError
from node.rpc.around import AroundInterceptor, Context

EVERY_ROLE = frozenset(Role)
# Open to every member: they say which services exist and whether they serve.
COMMON_METHODS: Mapping[str, frozenset[Role]] = {
    "/grpc.health.v1.Health/Check": EVERY_ROLE,
    "/grpc.health.v1.Health/List": EVERY_ROLE,
    "/grpc.health.v1.Health/Watch": EVERY_ROLE,
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": EVERY_ROLE,
}

_peer: ContextVar[SpiffeId] = ContextVar("yinxin_peer")


def peer() -> SpiffeId:
    """The caller of the current RPC. Raises NodeError outside of one."""
    try:
        return _peer.get()
    except LookupError:
        raise NodeError("no caller: peer() is for handlers behind an IdentityInterceptor") from None


def certificate_identity(certificate: x509.Certificate) -> SpiffeId:
    """The SPIFFE id of a certificate. Raises IdentityError unless there is exactly one URI name."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError) as error:
        raise IdentityError("certificate has no readable subject alternative name") from error
    return peer_identity(names.get_values_for_type(x509.UniformResourceIdentifier))


def peer_options(party: SpiffeId) -> tuple[tuple[str, str], ...]:
    """Channel options that accept only the certificate of `party` on the other side."""
    name = dns_name(party)
    return (("grpc.ssl_target_name_override", name), ("grpc.default_authority", name))


class TooManyCalls(Busy):
    """One caller has as many calls running as one of its role may have."""


class IdentityInterceptor(AroundInterceptor):
    """Applies the rules of this module to every call. Raises Refusal towards the client.

    `most` bounds the calls that one caller of a role has running; it raises TooManyCalls. A call
    may last as long as its caller likes, and a server runs only so many: without the bound one
    caller takes them all, and nobody else can so much as cancel a consent.
    """

    def __init__(
        self,
        *,
        trust_domains: Collection[str],
        roles: Mapping[str, frozenset[Role]],
        allowed: Collection[SpiffeId] | None = None,
        most: Mapping[Role, int] | None = None,
    ) -> None:
        if not trust_domains:
            raise NodeError("trust_domains: name at least one")
        self._most = dict(most or {})
        self._running: Counter[SpiffeId] = Counter()
        self._trust_domains = frozenset(trust_domains)
        self._roles = {**COMMON_METHODS, **roles}
        self._allowed = None if allowed is None else frozenset(allowed)

    @asynccontextmanager
    async def around(self, method: str, context: Context) -> AsyncIterator[None]:
        """Refuses, or makes the caller known to `peer()`."""
        caller = self.authorise(method, context.auth_context())
        # Not reset on the way out: the call's task ends, and a generator may end elsewhere.
        _peer.set(caller)
        if self._running[caller] >= self._most.get(caller.role, math.inf):
            raise TooManyCalls(f"a {caller.role} has {self._running[caller]} calls running")
        self._running[caller] += 1
        try:
            yield
        finally:
            self._running[caller] -= 1
            if not self._running[caller]:
                del self._running[caller]

    def trusts(self, domain: str) -> bool:
        """Whether callers of that trust domain are let in."""
        return domain in self._trust_domains

    def authorise(self, method: str, auth_context: Mapping[str, object]) -> SpiffeId:
        """The caller, allowed to call `method`. Raises Refusal."""
        roles = self._roles.get(method)
        if roles is None:
            raise _refused(f"{method} is not in the table of methods")
        try:
            caller = _identity(certificate_pem(auth_context))
        except IdentityError as error:
            raise _refused("no identity in the peer's certificate") from error
        # An enterprise's name is its credit code, which no log may hold.
        who = "an enterprise" if caller.role is Role.ENTERPRISE else str(caller)
        if not self.trusts(caller.trust_domain):
            raise _refused(f"{who} is of the foreign trust domain {caller.trust_domain}")
        if caller.role not in roles:
            raise _refused(f"{who}: role {caller.role} may not call {method}")
        if self._allowed is not None and caller not in self._allowed:
            raise _refused(f"{who} is not one of the allowed callers")
        return caller


def certificate_pem(auth_context: Mapping[str, object]) -> bytes:
    """The peer's own certificate as gRPC passes it on after the handshake. Raises IdentityError."""
    found = auth_context.get("x509_pem_cert")
    if auth_context.get("transport_security_type") not in ([b"ssl"], [b"tls"]):
        raise IdentityError("connection is not TLS")
    if not isinstance(found, list | tuple) or len(found) != 1:
        raise IdentityError("peer presented no certificate")
    pem: bytes = found[0]
    return pem


@lru_cache(maxsize=1024)
def _identity(pem: bytes) -> SpiffeId:
    try:
        certificate = x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise IdentityError("peer certificate cannot be read") from error
    return certificate_identity(certificate)


def _refused(detail: str) -> Refusal:
    return Refusal(Reason.FOREIGN_CERTIFICATE, detail)
