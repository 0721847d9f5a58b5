"""What the roles say to each other in a query, as values; the wire form is protobuf."""

from __future__ import annotations

from dataclasses import dataclass

from federation.entries import Logged
from federation.identity import SpiffeId
from federation.signed import Signed


@dataclass(frozen=True)
class Blinding:
    """One blinded element B (32 bytes), who may evaluate it, and the proof of knowledge of r."""

    audience: tuple[SpiffeId, ...]
    blinded: bytes
    proof: bytes


@dataclass(frozen=True)
class QueryRequest:
    """A bank asks its hub about the subject of `consent` (a compact JWS).

    The first blinding is for all participants that need not know the subject, one more follows
    for each that must. `officer` and `reference` are pseudonyms of at most 64 characters.
    """

    certificate_hash: bytes
    epoch: int
    ctx: bytes
    purpose: str
    consent: str
    blindings: tuple[Blinding, ...]
    officer: str
    reference: str


@dataclass(frozen=True)
class UnlockRequest:
    """The hub asks a holder to evaluate one permitted element. `named` is empty for most."""

    permit: Logged
    named: bytes


@dataclass(frozen=True)
class QueryReply:
    """Permits in the order of the blindings, and one signed answer a participant, in order."""

    permits: tuple[Logged, ...]
    answers: tuple[Signed, ...]
