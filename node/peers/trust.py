"""The peer chains that are trusted now, read from the pins of the node's own chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cryptography import x509
from sqlalchemy import Connection

from federation.errors import IdentityError, Reason, Refusal
from federation.identity import SpiffeId
from federation.interchain.bundle import TrustBundle
from federation.interchain.pin import Pin
from federation.membership import TrustRoot
from node.chain import ChainStore
from node.clock import Clock
from node.rpc.identity import certificate_identity
from node.storage import Store


@dataclass(frozen=True)
class TrustedChain:
    """A peer chain: its newest pin, and what the pinned bundle says. `root` verifies its documents,
    `authorities` (PEM) are behind its nodes' certificates.
    """

    pin: Pin
    bundle: TrustBundle
    root: TrustRoot
    authorities: bytes

    @classmethod
    def of(cls, pin: Pin) -> TrustedChain:
        """What that pin makes trusted, as long as it holds. Raises DocumentError, IdentityError."""
        bundle = pin.trust()
        return cls(pin, bundle, bundle.root(), bundle.authorities_pem())


class PeerTrust:
    """What the node's own chain pinned. Every question is one short read of the database, so that
    what another process withdraws counts at once.
    """

    def __init__(self, store: Store, chain: ChainStore, clock: Clock) -> None:
        self._store = store
        self._chain = chain
        self._clock = clock
        self._read: dict[bytes, TrustedChain] = {}

    async def trusted(self) -> Mapping[str, TrustedChain]:
        """The peer chains that are trusted now, by name. Raises StorageError."""
        return await self._store.read(self._trusted)

    async def require(self, chain: str) -> TrustedChain:
        """The peer chain of that name. Raises Refusal(unknown_chain) unless it is trusted now."""
        found = (await self.trusted()).get(chain)
        if found is None:
            raise Refusal(Reason.UNKNOWN_CHAIN, f"chain {chain} is not trusted here")
        return found

    async def caller(
        self, certificate: x509.Certificate, *, withdrawn: bool = False
    ) -> TrustedChain:
        """The peer chain whose hub or regulator has that certificate; with `withdrawn` also one
        whose trust was withdrawn, as long as its bundle is valid.

        Raises Refusal(unknown_chain) when no trusted chain has its trust domain, and
        Refusal(foreign_certificate) when that chain's own authorities did not issue it, it is not
        valid now, or it is of another member.
        """
        try:
            party = certificate_identity(certificate)
        except IdentityError as error:
            raise Refusal(Reason.FOREIGN_CERTIFICATE, str(error)) from error
        query = self._known if withdrawn else self._trusted
        found = self._of_domain(await self._store.read(query), party)
        found.bundle.require_issued(certificate, self._clock.now())
        if party not in (found.bundle.yinxin_hub, found.bundle.yinxin_regulator):
            raise Refusal(Reason.FOREIGN_CERTIFICATE, f"{party} does not speak for its chain")
        return found

    def authorities(self) -> bytes:
        """The authorities of all trusted chains (PEM), and of withdrawn ones, for TLS to begin
        with: whether a call is let in is another matter. Empty where there are none. Blocks for a
        short read.
        """
        found = self._store.read_blocking(self._known)
        return b"".join(found[name].authorities for name in sorted(found))

    def _of_domain(self, trusted: Mapping[str, TrustedChain], party: SpiffeId) -> TrustedChain:
        for found in trusted.values():
            if found.bundle.yinxin_trust_domain == party.trust_domain:
                return found
        raise Refusal(Reason.UNKNOWN_CHAIN, f"{party} is of no chain that is trusted here")

    def _trusted(self, connection: Connection) -> Mapping[str, TrustedChain]:
        now = self._clock.now()
        return {n: found for n, found in self._known(connection).items() if found.pin.holds(now)}

    def _known(self, connection: Connection) -> Mapping[str, TrustedChain]:
        """Trusted ones and withdrawn ones, whose bundle is valid."""
        now, read = self._clock.now(), self._read
        pins = [pin for pin in self._chain.pins(connection).values() if now < pin.not_after]
        found = {pin.hash: read.get(pin.hash) or TrustedChain.of(pin) for pin in pins}
        self._read = found  # replaced, not changed: readers run in several threads
        return {one.pin.peer: one for one in found.values()}
