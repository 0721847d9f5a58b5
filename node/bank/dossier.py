"""All that the bank knows of one query, for the officer who asked it.

The record as a profile with what each dimension is worth in points; the same firm in earlier
epochs; what the consent still allows; what the query told the bank, and whom it told what. Of the
model there is nothing here but its dimensions: points of features stay with its developers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from sqlalchemy import Connection, Row

from federation.canonical import unb64
from federation.certificate import CertifiedField, ModelCertificate
from federation.consent import Consent, read_unverified
from federation.errors import Refusal
from federation.identity import Role, SpiffeId
from federation.membership import Members
from node.bank.asked import earlier, uses
from node.bank.bank import Bank
from node.bank.chains import ChainView
from node.bank.ledger import QueryRow, State
from node.pages.parties import own_title
from scoring.documents import Text
from scoring.profile import THIN_DATA, Profile, points_of, shortfalls
from scoring.record import Record
from scoring.scorecard import Scorecard

MOST_EARLIER: Final = 48
"""Earlier results that a trend has at most."""


@dataclass(frozen=True)
class DimensionPoints:
    """A dimension: `value` of 100, and the score points that it has of those that it can have."""

    title: Text
    value: int
    gained: float
    most: float


@dataclass(frozen=True)
class ReasonPoints:
    """A reason, and the score points that it costs; None for thin data, which has none."""

    code: str
    text: Text
    lost: float | None


@dataclass(frozen=True)
class EarlierResult:
    """A result about the same firm in the same chain, this one included."""

    id: bytes
    epoch: int
    answered_at: int
    model: str
    score: int
    grade: str


@dataclass(frozen=True)
class ConsentState:
    """What the query's consent says, and how often this bank has asked under it in the chain. The
    hub's count decides, and a cancellation is known there: the bank hears of it when it asks.
    """

    consent: Consent = field(repr=False)
    used: int
    over: bool

    @property
    def left(self) -> int:
        """Uses that are left, as this bank counts."""
        return max(0, self.consent.uses - self.used)


@dataclass(frozen=True)
class HolderPart:
    """A holder's part in the answer. `named`: it is told by law who the firm is."""

    id: str
    title: Text
    kind: str
    named: bool
    as_of: date | None


@dataclass(frozen=True)
class Disclosure:
    """What the query told the bank at most: `fields` with their greatest values, `bits` in all, and
    the features that the consent discloses.
    """

    fields: tuple[CertifiedField, ...]
    bits: float
    disclosed: tuple[str, ...]


@dataclass(frozen=True)
class Dossier:
    """A query with everything about it. What is about the answer is None or empty for a query that
    has none; `party` and `problem` say why one was rejected.
    """

    row: Row[Any] = field(repr=False)
    state: State
    chain: str
    model: str
    uscc: str = field(repr=False)
    consent: ConsentState | None
    holders: tuple[HolderPart, ...]
    disclosure: Disclosure
    result: Mapping[str, Any] | None = field(default=None, repr=False)
    profile: Profile | None = field(default=None, repr=False)
    dimensions: tuple[DimensionPoints, ...] = field(default=(), repr=False)
    reasons: tuple[ReasonPoints, ...] = field(default=(), repr=False)
    trend: tuple[EarlierResult, ...] = field(default=(), repr=False)
    permits: int = 0
    fetched: int | None = None
    """Bytes of the prepared tables that the answer was opened with; None once they are erased."""
    party: str = ""
    problem: str = ""


async def dossier(bank: Bank, row: Row[Any]) -> Dossier | Rejection:
    """The dossier of a query by its row of the index; a Rejection for one that did not verify."""
    kept = await bank.queries.row(bytes(row.id))
    if kept.state is State.REJECTED:
        return Rejection(row, kept.content["party"], kept.content["problem"])
    answered = kept.state is State.ANSWERED
    asked = kept.content["evidence"]["open"] if answered else kept.content["open"]
    model = await bank.agent.model_of(unb64(asked["certificate"]))
    view = await bank.agent.chains.view(model.chain)
    certificate = await view.certified(model.hash)
    found = Dossier(
        row=row,
        state=kept.state,
        chain=view.name,
        model=model.name,
        uscc=asked["code"],
        consent=await _consent(bank, view, asked["consent"], row),
        holders=_holders(certificate, await view.members(), _as_of(kept)),
        disclosure=_disclosure(certificate),
    )
    if not answered:
        return found
    return await _answered(bank, found, kept, model.scorecard)


@dataclass(frozen=True)
class Rejection:
    """A query whose answer did not verify: whose part was wrong, and what was wrong with it."""

    row: Row[Any] = field(repr=False)
    party: str
    problem: str


async def _answered(bank: Bank, found: Dossier, kept: QueryRow, scorecard: Scorecard) -> Dossier:
    result, evidence = kept.content["result"], kept.content["evidence"]
    profile = Profile.build(result["profile"])
    known = result["record"]
    record = Record(values=known["fields"], coverage=known["coverage"])
    return Dossier(
        **{name: getattr(found, name) for name in _COMMON},
        result=result,
        profile=profile,
        dimensions=_dimensions(scorecard, record, profile),
        reasons=_reasons(scorecard, record, profile),
        trend=await _trend(bank, found.row),
        permits=len(evidence["permits"]),
        fetched=await bank.agent.read(lambda c: _fetched(bank, c, evidence)),
    )


_COMMON: Final = (
    "row", "state", "chain", "model", "uscc", "consent", "holders", "disclosure",
)  # fmt: skip


def _dimensions(
    scorecard: Scorecard, record: Record, profile: Profile
) -> tuple[DimensionPoints, ...]:
    points = points_of(scorecard, record)
    return tuple(
        DimensionPoints(one.title, one.value, *points[one.name]) for one in profile.dimensions
    )


def _reasons(scorecard: Scorecard, record: Record, profile: Profile) -> tuple[ReasonPoints, ...]:
    lost = shortfalls(scorecard, record)
    return tuple(
        ReasonPoints(one.code, one.text, None if one.code == THIN_DATA else lost.get(one.code))
        for one in profile.reasons
    )


async def _trend(bank: Bank, row: Row[Any]) -> tuple[EarlierResult, ...]:
    """The oldest first; only these results are opened."""

    def look(connection: Connection) -> list[QueryRow]:
        identifiers = earlier(connection, row, MOST_EARLIER)
        return list(bank.queries.ledger.some(connection, identifiers).values())

    results = [one.content["result"] for one in await bank.agent.read(look)]
    found = [
        EarlierResult(
            id=bytes.fromhex(one["id"]),
            epoch=one["epoch"],
            answered_at=one["answered_at"],
            model=one["model"],
            score=one["profile"]["score"],
            grade=one["profile"]["grade"],
        )
        for one in results
    ]
    return tuple(sorted(found, key=lambda one: (one.answered_at, one.epoch, one.id)))


async def _consent(bank: Bank, view: ChainView, compact: str, row: Row[Any]) -> ConsentState:
    consent = read_unverified(compact.strip())  # it was verified before it was first sent
    used = await bank.agent.read(lambda c: uses(c, bytes(row.consent), view.name))
    return ConsentState(consent, used, over=bank.agent.now() >= consent.expires)


def _holders(
    certificate: ModelCertificate, members: Members, as_of: Mapping[str, str]
) -> tuple[HolderPart, ...]:
    found = []
    for participant in certificate.participants:
        name = str(participant.holder)
        found.append(
            HolderPart(
                id=name,
                title=_title(members, participant.holder),
                kind=participant.kind,
                named=participant.named,
                as_of=date.fromisoformat(as_of[name]) if name in as_of else None,
            )
        )
    return tuple(found)


def _title(members: Members, holder: SpiffeId) -> Text:
    """What people call a member; its id's name for one that is a member no more."""
    try:
        member = members.require(holder, Role.HOLDER)
    except Refusal:
        return Text(zh=holder.name, en=holder.name)
    titles = {one: own_title(member.title, one, holder.name) for one in ("zh", "en")}
    return Text(**titles)


def _as_of(kept: QueryRow) -> Mapping[str, str]:
    found: Mapping[str, str] = kept.content.get("result", {}).get("profile", {}).get("as_of", {})
    return found


def _disclosure(certificate: ModelCertificate) -> Disclosure:
    parts = (*certificate.fields, certificate.coverage)
    bits = math.fsum(math.log2(part.maximum + 1) for part in parts)
    return Disclosure(certificate.fields, bits, certificate.disclosed)


def _fetched(bank: Bank, connection: Connection, evidence: Mapping[str, Any]) -> int | None:
    kept = bank.agent.records.prepared(connection, unb64(evidence["open"]["ctx"]))
    return kept.get(evidence["bucket"])
