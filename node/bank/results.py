"""What a caller gets for an answered query: one document, which holds the profile."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from federation.exchange.bank import OpenQuery
from node.bank.ledger import QueryRow, State
from node.bank.places import Place
from scoring.profile import Profile, build_profile
from scoring.record import Record

RESULT: Final = "yinxin-query-result/1"


@dataclass(frozen=True)
class Answer:
    """A final answer. `result` is the document that callers get, `profile` a part of it."""

    id: bytes
    result: dict[str, Any] = field(repr=False)

    @property
    def profile(self) -> Profile:
        """The subject's profile."""
        return Profile.build(self.result["profile"])


def result_of(
    row: QueryRow, query: OpenQuery, place: Place, record: Record, now: int
) -> dict[str, Any]:
    """The document that a caller gets."""
    manifests = place.session.epoch.manifests
    as_of = {
        str(h): date.fromisoformat(manifests[h].as_of) for h in place.session.certificate.holders
    }
    profile = build_profile(place.model.scorecard, record, as_of)
    return {
        "format": RESULT,
        "id": row.id.hex(),
        "state": State.ANSWERED.value,
        "model": place.model.name,
        "chain": place.session.certificate.chain,
        "certificate": place.model.hash.hex(),
        "epoch": place.session.epoch.number,
        "uscc": query.code.decode("ascii"),
        "purpose": query.request.purpose,
        "officer": query.request.officer,
        "reference": query.request.reference,
        "answered_at": now,
        "record": {"fields": dict(record.values), "coverage": record.coverage},
        "profile": profile.model_dump(mode="json"),
    }
