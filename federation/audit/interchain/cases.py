"""What both chains say of one permit between them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Seen:
    """An entry of somebody's log. `document` is the permit beside a routing, where it was shown."""

    log: str
    index: int
    time: int
    document: bytes = b""


@dataclass(frozen=True, slots=True)
class Peer:
    """A chain that is, or was, pinned: SPIFFE ids as text. `trusted` while its pin holds."""

    chain: str
    domain: str
    hub: str
    regulator: str
    trusted: bool = True


@dataclass(frozen=True, slots=True)
class PermitFacts:
    """A permit between chains: times in unix seconds, SPIFFE ids as text, as `AuditedQuery`."""

    id: bytes
    time: int
    expires: int
    bank: str
    ctx: bytes
    audience: tuple[str, ...]
    participants: tuple[str, ...]

    @property
    def group(self) -> tuple[str, bytes, int]:
        """What all permits of one query have in common; two queries of a bank under one context
        within one second are taken for one.
        """
        return self.bank, self.ctx, self.time

    @property
    def digest(self) -> bytes:
        """16 bytes, other ones for other facts."""
        return hashlib.sha256(repr(self).encode()).digest()[:16]


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Permits between this chain and one peer: `outward` of own banks there, `inward` of its banks
    here. `reconciled` of them were judged, `open` wait for their graces or for the peer's shares,
    which are complete up to `covered` (unix seconds, 0 for none).
    """

    outward: int
    inward: int
    reconciled: int
    open: int
    covered: int


@dataclass(slots=True)
class Case:
    """One permit. `outward` for one of an own bank in the peer chain, else of a guest here."""

    chain: str
    """The peer chain; empty while only an own bank's entry is known."""
    time: int
    outward: bool
    facts: PermitFacts | None = None
    unlocks: dict[str, Seen] = field(default_factory=dict)
    routed: Seen | None = None
    router: str = ""
    """The bank that the home hub's entry names, where that log is the own chain's."""
    results: list[Seen] = field(default_factory=list)
    failures: list[Seen] = field(default_factory=list)
