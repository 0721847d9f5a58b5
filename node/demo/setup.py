"""Founds the demo's chain: authorities, folders, enrolment, roster, catalogue, first epoch."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from federation.identity import Role, SpiffeId
from federation.pki import SubjectAuthority
from federation.signed import Signed
from federation.uscc import Uscc
from node.bank.administration import add_token
from node.config import PeerConfig
from node.demo.layout import LICENCE_DOMAIN, Layout, Party
from node.demo.opened import bank_of, hub_of, regulator_of
from node.enrolment import (
    HomeSettings,
    init_home,
    join_home,
    read_request_file,
)
from node.enrolment.folder import REQUEST
from node.hub import publication
from node.hub.auditkeys import put_audit_keys
from node.licence.authority import LicenceAuthority
from node.regulator.auditkeys.issuing import MONTHS_AHEAD, issue_ahead, issued
from node.regulator.membership import Regulator, enrol
from node.regulator.root import init_regulator
from scoring.catalogue import Catalogue

DAY = 86_400
MEMBER_DAYS = 365
BUDGET = 10_000
FIRST_EPOCH = 1


def licence_authority(folder: Path, now: int) -> SubjectAuthority:
    """Makes the business-licence authority."""
    return LicenceAuthority.create(folder, LICENCE_DOMAIN, now, MEMBER_DAYS).authority


def found(
    layout: Layout, now: int, budget: int = BUDGET, licence: SubjectAuthority | None = None
) -> SubjectAuthority:
    """Makes the licence authority, the chain's root of trust, and every member's folder.

    `budget` is how many permits of one bank each holder answers in a day; `licence` is an authority
    that there is already, because another chain has it as well.
    """
    licence = licence or licence_authority(layout.licence_authority, now)
    hub = PeerConfig(name=layout.hub.id.name, address=layout.hub.address)
    regulator = PeerConfig(name=layout.regulator.id.name, address=layout.regulator.address)
    root = init_regulator(
        layout.regulator.folder,
        chain=layout.chain,
        trust_domain=layout.trust_domain,
        name=layout.regulator.id.name,
        licence_authority=licence.certificate_pem,
        title=layout.regulator.title,
        settings=_settings(layout.regulator, hub=hub, peer_hub=layout.hub.peers),
        now=now,
        days=MEMBER_DAYS,
        addresses=layout.regulator.hosts,
    )
    members: list[tuple[Party, str, Mapping[str, Any]]] = [
        (layout.hub, "", {"consents": layout.hub.extra}),
        (layout.bank, "", {"hub": hub, "regulator": regulator, "api": layout.bank.extra}),
        (layout.rival, "", {"hub": hub, "regulator": regulator, "api": layout.rival.extra}),
        *((party, kind, {"hub": hub, "budget": budget}) for kind, party in layout.holders.items()),
    ]
    for party, kind, settings in members:
        init_home(
            party.id.role,
            party.folder,
            name=party.id.name,
            trust_root=root,
            title=party.title,
            settings=_settings(party, **settings),
            kind=kind,
            addresses=party.hosts,
        )
    return licence


async def enrol_members(layout: Layout) -> None:
    """The regulator grants every member's request, the members join, the hub publishes them."""
    await enrol_first(layout)
    await enrol_later(layout, [layout.rival])


async def enrol_first(layout: Layout, months: int = MONTHS_AHEAD) -> None:
    """Enrols those that run a node, and has the hub seal to audit keys of so many months."""
    joining = [layout.hub, layout.bank, *layout.holders.values()]
    async with regulator_of(layout) as regulator:
        credentials = [await _granted(regulator, party) for party in joining]
        credentials.append((regulator.identity.credential, layout.regulator))
        await issue_ahead(regulator, months)
        keys = await regulator.store.read(lambda c: [key.signed for key in issued(c)])
    await _publish(layout, credentials, keys)


async def enrol_later(layout: Layout, joining: Sequence[Party]) -> None:
    """Enrols more members; the chain may be running."""
    async with regulator_of(layout) as regulator:
        credentials = [await _granted(regulator, party) for party in joining]
    await _publish(layout, credentials, [])


async def _granted(regulator: Regulator, party: Party) -> tuple[Signed, Party]:
    request = read_request_file(party.folder / REQUEST)
    grant = await enrol(regulator, request, days=MEMBER_DAYS - 1)
    join_home(party.folder, grant, regulator.clock.now())
    return grant.credential, party


async def _publish(
    layout: Layout, credentials: Sequence[tuple[Signed, Party]], keys: Sequence[Signed]
) -> None:
    async with hub_of(layout) as hub:

        def unit(connection: Connection) -> None:
            for credential, party in credentials:
                address = party.address if party.id.role is Role.HOLDER else ""
                publication.add_member(hub, connection, credential, address)
            put_audit_keys(hub, connection, keys)

        await hub.store.run(unit)


def enterprises(layout: Layout) -> list[Uscc]:
    """The codes of the sample's enterprises."""
    with (layout.sample / "enterprises.csv").open(encoding="utf-8", newline="") as file:
        return [Uscc.parse(row["uscc"]) for row in csv.DictReader(file)]


async def announce(
    layout: Layout, codes: list[Uscc], catalogue: Catalogue | None, days: float
) -> int:
    """The hub enrols enterprises, publishes the catalogue if one is given, and announces the next
    epoch, whose number is returned.
    """
    async with hub_of(layout) as hub:

        def unit(connection: Connection) -> int:
            if catalogue is not None:
                publication.publish_catalogue(hub, connection, catalogue)
            publication.enrol(hub, connection, codes)
            now = hub.clock.now()
            return publication.announce(hub, connection, now, now + int(days * DAY)).epoch

        return await hub.store.run(unit)


async def open_epoch(layout: Layout, number: int) -> list[SpiffeId]:
    """The hub signs the opening; returns the holders that take part."""
    async with hub_of(layout) as hub:
        members = await hub.members()
        opening = await hub.store.run(
            lambda connection: publication.open_epoch(hub, connection, number, members)
        )
    return [manifest.holder for manifest in opening.manifests]


async def api_token(layout: Layout) -> str:
    """A token with which the demo calls the bank's agent; the agent's log has who made it."""
    async with bank_of(layout) as bank:
        return await add_token(bank, "demo", "demo")


def _settings(party: Party, **more: Any) -> HomeSettings:
    return HomeSettings(
        listen=party.address,
        metrics=party.metrics,
        database=party.database,
        peers=party.peers,
        pages=party.pages,
        pages_url=party.pages_url,
        **more,
    )
