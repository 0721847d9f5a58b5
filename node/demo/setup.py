"""Founds the demo's chain: authorities, folders, enrolment, roster, catalogue, first epoch."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from federation.identity import Role, SpiffeId
from federation.pki import SubjectAuthority
from federation.uscc import Uscc
from node.bank.administration import add_token
from node.config import BankConfig, HubConfig, PeerConfig, RegulatorConfig, load
from node.demo.layout import LICENCE_DOMAIN, Layout, Party
from node.enrolment import (
    HomeSettings,
    init_home,
    join_home,
    read_request_file,
)
from node.enrolment.folder import CONFIG, REQUEST
from node.hub import publication
from node.hub.auditkeys import put_audit_keys
from node.licence.authority import LicenceAuthority
from node.regulator.auditkeys.issuing import issue_ahead, issued
from node.regulator.membership import enrol
from node.regulator.root import init_regulator
from node.runtime import running
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
    joining = [layout.hub, layout.bank, layout.rival, *layout.holders.values()]
    credentials = []
    async with running(load(RegulatorConfig, layout.regulator.folder / CONFIG)) as regulator:
        for party in joining:
            request = read_request_file(party.folder / REQUEST)
            grant = await enrol(regulator, request, days=MEMBER_DAYS - 1)
            join_home(party.folder, grant, regulator.clock.now())
            credentials.append((grant.credential, party))
        credentials.append((regulator.identity.credential, layout.regulator))
        await issue_ahead(regulator)
        keys = await regulator.store.read(lambda c: [key.signed for key in issued(c)])
    async with running(load(HubConfig, layout.hub.folder / CONFIG)) as hub:

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


async def announce(layout: Layout, codes: list[Uscc], catalogue: Catalogue, days: int) -> None:
    """The hub enrols enterprises, publishes the catalogue, announces epoch 1."""
    async with running(load(HubConfig, layout.hub.folder / CONFIG)) as hub:

        def unit(connection: Connection) -> None:
            publication.publish_catalogue(hub, connection, catalogue)
            publication.enrol(hub, connection, codes)
            now = hub.clock.now()
            publication.announce(hub, connection, now, now + days * DAY)

        await hub.store.run(unit)


async def open_epoch(layout: Layout, number: int) -> list[SpiffeId]:
    """The hub signs the opening; returns the holders that take part."""
    async with running(load(HubConfig, layout.hub.folder / CONFIG)) as hub:
        members = await hub.members()
        opening = await hub.store.run(
            lambda connection: publication.open_epoch(hub, connection, number, members)
        )
    return [manifest.holder for manifest in opening.manifests]


async def api_token(layout: Layout) -> str:
    """A token with which the demo calls the bank's agent; the agent's log has who made it."""
    async with running(load(BankConfig, layout.bank.config)) as bank:
        return await add_token(bank, "demo", "demo")


def _settings(party: Party, **more: Any) -> HomeSettings:
    return HomeSettings(
        listen=party.address,
        metrics=party.metrics,
        database=party.database,
        peers=party.peers,
        **more,
    )
