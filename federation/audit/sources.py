"""What the audit asks of whoever runs it: documents that it mirrored, and nothing of a network.

Every answer must come from mirrored logs or from the regulator's own books, never from the member
that is being audited.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from federation.audit.findings import Finding
from federation.audit.records import AuditedQuery
from federation.epoch import OpenEpoch
from federation.membership import Members
from federation.signed import Signed


class Documents(Protocol):
    """Documents by name, for the verification of one query; each call is cheap or cached."""

    def members(self, time: int) -> Members:
        """The members of the chain as they were at `time` (unix seconds)."""

    def certificate(self, digest: bytes) -> Signed | None:
        """The model certificate of that payload hash, if the regulator's own log has it."""

    def withdrawn(self, digest: bytes) -> int | None:
        """From when on, by the hub's own clock, the hub must permit nothing under the certificate
        of that payload hash: when it promised to have logged the withdrawal. None for any other.
        """

    def epoch(self, number: int) -> OpenEpoch | None:
        """The epoch of that number, as the mirrored logs have it."""


class Books(Protocol):
    """What checks over many records look up."""

    def hub_signed(self, permit: bytes) -> bool:
        """Whether a permit of this payload hash that the hub signed is anywhere in the mirror,
        such as among the documents that holders keep beside their logs.
        """

    def hub_keys(self) -> Collection[bytes]:
        """The keys that the chain's hub signs with, or signed with."""

    def permits(self, permit: bytes) -> Sequence[bytes]:
        """What is kept anywhere in the mirror as the permit of that payload hash, as signed (DSSE
        JSON): by whom is not established.
        """

    def points(self, certificate: bytes) -> Mapping[str, int] | None:
        """The points of a certified model by column, columns of no points left out."""

    def counting_cost(self, certificate: bytes, holder: str) -> int | None:
        """ρ in 10⁻⁹ that counts of `holder` (SPIFFE id) cost under the development certificate of
        that payload hash: 0 for who takes no part, None where the regulator certified no such.
        """

    def group(self, bank: str) -> str:
        """What a bank has in common with its affiliates; itself if it has none."""


@dataclass(frozen=True)
class PermitRecord:
    """One `permit` entry of the hub's log, at `index` of it, with what is kept beside it: None
    where that is lost.
    """

    index: int
    entry: bytes
    document: Signed | None
    envelope: bytes | None


@dataclass(frozen=True)
class Examined:
    """The query of a permit entry, and what is wrong with it: nothing exactly when verified."""

    query: AuditedQuery
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class CancellationRecord:
    """One `consent-cancelled` entry of the hub's log, and the envelope kept beside it."""

    index: int
    entry: bytes
    envelope: bytes | None
