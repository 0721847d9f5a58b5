"""Members: credentials and when they end, addresses, and when each was last seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection
from starlette.responses import Response

from federation.identity import Role, SpiffeId
from federation.membership import Member
from node.chain.store import MEMBER
from node.days import DAY
from node.hub.logs import log_addresses
from node.hub.pages.texts import CREDENTIALS, MEMBERS, ROLES
from node.hub.publication import Hub, routes
from node.hub.seen import AWAY_SECONDS, last_seen
from node.pages.duties import Duty
from node.pages.parties import own_title
from node.pages.site import Site
from node.pages.visit import Visit

ENDING = 30 * DAY
_ORDER = (Role.REGULATOR, Role.HUB, Role.HOLDER, Role.BANK)


@dataclass(frozen=True)
class MemberRow:
    """A member by its newest credential; times in unix seconds, `seen` 0 for never."""

    member: Member
    state: str
    address: str
    log: str
    seen: int


def add(site: Site, hub: Hub) -> None:
    """Adds the page."""

    async def members(visit: Visit) -> Response:
        now = hub.clock.now()
        rows = await hub.store.read(lambda connection: member_rows(hub, connection, now))
        return visit.render(
            "node.hub.pages",
            "members.html.j2",
            words=MEMBERS,
            rows=rows,
            own_title=own_title,
            roles=ROLES,
            states=CREDENTIALS,
            now=now,
            away_after=AWAY_SECONDS,
            own=hub.identity.id,
        )

    site.add_section("/members", MEMBERS["title"], "members", {Duty.OPERATOR})
    site.add("/members", members, duties={Duty.OPERATOR})


def member_rows(hub: Hub, connection: Connection, now: int) -> list[MemberRow]:
    """Every member that ever was, by role and name."""
    newest: dict[str, Member] = {}
    for signed in hub.chain.documents(connection, MEMBER):  # in order of when they begin
        member = Member.parse(signed.payload)  # verified when it was kept
        newest[str(member.id)] = member
    addresses, seen = routes(connection), last_seen(connection)
    logs: Mapping[SpiffeId, str] = log_addresses(connection, hub.identity.id)
    rows = [
        MemberRow(
            member,
            credential_state(member, now),
            addresses.get(member.id, ""),
            logs.get(member.id, ""),
            seen.get(name, 0),
        )
        for name, member in newest.items()
    ]
    return sorted(rows, key=lambda row: (_ORDER.index(row.member.id.role), str(row.member.id)))


def credential_state(member: Member, now: int) -> str:
    """A key of CREDENTIALS."""
    if now < member.not_before:
        return "later"
    if now >= member.not_after:
        return "ended"
    return "ending" if member.not_after - now < ENDING else "valid"
