"""Who is a member, until when, and the keys that open evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from federation.auditkeys import SubjectClass, calendar_month
from federation.interchain.guest import Guest
from node.chain.store import GUEST
from node.days import DAY
from node.pages.duties import Duty
from node.pages.parties import own_title
from node.pages.site import Site
from node.pages.visit import Visit, day
from node.regulator.auditkeys.issuing import IssuedKey, issued
from node.regulator.membership import Regulator, enrolled
from node.regulator.pages.names import Names
from node.regulator.pages.texts import MEMBERS
from scoring.documents import Text

SOON: Final = 30
"""Days before its end from which a credential stands out."""


@dataclass(frozen=True)
class _Row:
    """A credential as it is shown. `kind` is a holder's, or a guest's home chain."""

    id: str
    title: dict[str, str]
    kind: str
    named: bool
    begins: int
    ends: int


class MemberPages:
    """`/members`."""

    def __init__(self, regulator: Regulator) -> None:
        self._regulator = regulator

    def add(self, site: Site) -> None:
        """Adds the page."""
        site.add("/members", self.page, duties={Duty.INSPECTOR})

    async def page(self, visit: Visit) -> Response:
        """Members, guests and audit keys."""
        regulator = self._regulator
        now = regulator.clock.now()
        own = [
            _Row(str(m.id), m.title, m.kind, m.named, m.not_before, m.not_after)
            for m in (one.member for one in await enrolled(regulator))
        ]
        documents = await regulator.store.read(lambda c: regulator.chain.documents(c, GUEST))
        newest = {str(g.id): g for g in (Guest.parse(one.payload) for one in documents)}
        guests = [
            _Row(str(g.id), g.title, g.home, False, g.not_before, g.not_after)
            for g in newest.values()
        ]
        keys = await regulator.store.read(issued)
        return visit.render(
            "node.regulator.pages",
            "members.html.j2",
            words=MEMBERS,
            members=[(row, *_state(visit, row, now)) for row in own],
            guests=[(row, *_state(visit, row, now)) for row in guests],
            months=_months(visit, keys, calendar_month(now)),
            classes=[one.value for one in SubjectClass],
            years=regulator.config.retention_years,
            names=Names.of(await regulator.members()),
            own_title=own_title,
        )


def _state(visit: Visit, row: _Row, now: int) -> tuple[str, str]:
    """In words, and its tone."""
    if now < row.begins:
        return visit.say(MEMBERS["later"]), "soft"
    if now >= row.ends:
        return visit.say(MEMBERS["expired"]), "bad"
    left = (row.ends - now) // DAY
    if left < SOON:
        return visit.say(MEMBERS["soon"], days=left), "warn"
    return visit.say(MEMBERS["valid"]), "good"


def _months(
    visit: Visit, keys: Sequence[IssuedKey], current: int
) -> list[tuple[str, list[tuple[str, str]]]]:
    """Each month, the newest first, with the state of the key of each class."""
    found = {(key.statement.month, key.statement.subjects): key for key in keys}
    months = {month for month, _ in found}
    rows = []
    for month in sorted(months | ({current} if months else set()), reverse=True):
        cells = [_key(visit, found.get((month, one)), month, current) for one in SubjectClass]
        rows.append((f"{month // 100}-{month % 100:02}", cells))
    return rows


def _key(visit: Visit, key: IssuedKey | None, month: int, current: int) -> tuple[str, str]:
    if key is None:
        return visit.say(MEMBERS["missing"]), "bad" if month >= current else "soft"
    if key.erased is not None:
        text: Text = MEMBERS["erased"]
        return visit.say(text, day=day(key.erased)), "soft"
    if month == current:
        return visit.say(MEMBERS["current"]), "good"
    return visit.say(
        MEMBERS["ahead" if month > current else "past"]
    ), "" if month > current else "soft"
