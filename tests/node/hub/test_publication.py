"""What the hub's administrator may publish, and what of it members and log see."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import pytest
from sqlalchemy import Connection

from federation.entries import read_entry
from federation.epoch import Manifest
from federation.errors import Reason, Refusal, SignatureInvalid
from federation.identity import Role, SpiffeId
from federation.signed import Signed, SigningKey
from node.config import HubConfig
from node.hub import publication
from node.hub.proposals import ProposalError
from node.hub.publication import PublicationError
from node.runtime import Runtime
from scoring.catalogue import Catalogue
from support.chain import DAY, DELTA, DOMAIN, HARBOUR, HUB, NOW, POWER, REGULATOR, TAX, Chain
from support.checks import refused
from tests.node.hub.world import World, codes, credential_of

T = TypeVar("T")


class Office:
    """The hub's administrator, before anything is published."""

    def __init__(self, hub: Runtime[HubConfig], world: World) -> None:
        self.hub = hub
        self.chain: Chain = world.chain
        self.clock = world.clock

    def do(self, unit: Callable[[Connection], T]) -> T:
        return self.hub.store.run_blocking(unit)

    def add(self, credential: Signed, address: str = "") -> object:
        return self.do(lambda c: publication.add_member(self.hub, c, credential, address))

    def add_all(self) -> None:
        for party in (HUB, REGULATOR, HARBOUR, DELTA):
            self.add(credential_of(self.chain, party))
        for party in self.chain.holders:
            self.add(credential_of(self.chain, party), "127.0.0.1:7443")

    def member(self, party: SpiffeId, **changes: object) -> Signed:
        made = self.chain.member(party, SigningKey.generate().public, **changes)
        return made.sign(self.chain.signing[REGULATOR])

    def ready(self) -> None:
        self.add_all()
        self.do(lambda c: publication.publish_catalogue(self.hub, c, self.chain.catalogue))
        self.do(lambda c: publication.enrol(self.hub, c, codes(1, 2, 3)))

    def announce(self, opens: int = NOW, closes: int = NOW + DAY) -> int:
        return self.do(lambda c: publication.announce(self.hub, c, opens, closes)).epoch

    def manifest(self, number: int, holder: SpiffeId = TAX) -> Manifest:
        descriptor = self.hub.store.read_blocking(lambda c: self.hub.chain.descriptor(c, number))
        assert descriptor is not None
        return Manifest(
            chain=descriptor.chain,
            epoch=number,
            descriptor=descriptor.hash,
            holder=holder,
            as_of="2027-01-14",
            rows=descriptor.roster_rows,
            data_hash=bytes(32),
        )

    async def submit(self, number: int, holder: SpiffeId = TAX) -> None:
        members = await self.hub.members()
        signed = self.manifest(number, holder).sign(self.chain.holders[holder].signing)
        await self.hub.store.run(
            lambda c: publication.receive_manifest(self.hub, c, signed, holder, members)
        )

    async def open(self, number: int) -> list[SpiffeId]:
        members = await self.hub.members()
        made = await self.hub.store.run(
            lambda c: publication.open_epoch(self.hub, c, number, members)
        )
        return [one.holder for one in made.manifests]

    async def log(self) -> list[tuple[str, dict[str, str | int]]]:
        found = [read_entry(one.entry) async for one in self.hub.log.iterate()]
        return [(entry.kind.value, entry.body) for entry in found]


@pytest.fixture
async def office(world: World) -> AsyncIterator[Office]:
    async with world.state() as hub:
        yield Office(hub, world)


# --- members --------------------------------------------------------------------------------------


async def test_members_are_published_logged_and_reached(office: Office) -> None:
    office.add_all()
    members = await office.hub.members()
    assert members.credentials() == office.chain.members.credentials()
    routes = await office.hub.store.read(publication.routes)
    assert routes == dict.fromkeys(office.chain.holders, "127.0.0.1:7443")
    office.add(credential_of(office.chain, TAX), "[::1]:7444")  # it has moved
    assert (await office.hub.store.read(publication.routes))[TAX] == "[::1]:7444"
    logged = [body["member"] for kind, body in await office.log() if kind == "member"]
    assert logged.count(str(TAX)) == 2
    assert set(logged) == {str(m) for m in (HUB, REGULATOR, HARBOUR, DELTA, *office.chain.holders)}


async def test_a_holder_needs_an_address(office: Office) -> None:
    with pytest.raises(PublicationError, match="give the address"):
        office.add(credential_of(office.chain, TAX))
    assert await office.log() == []


async def test_only_what_the_regulator_signed_is_a_member(office: Office) -> None:
    forged = office.chain.member(HARBOUR, SigningKey.generate().public)
    with pytest.raises(SignatureInvalid):
        office.add(forged.sign(office.chain.signing[HUB]))
    assert await office.log() == []


@pytest.mark.parametrize(
    ("party", "chain"),
    [
        (SpiffeId("zsj.example", Role.BANK, "bay"), "zsj"),
        (SpiffeId("zsj.example", Role.BANK, "bay"), "csj"),
        (SpiffeId(DOMAIN, Role.BANK, "bay"), "zsj"),
    ],
)
async def test_a_member_of_another_chain_would_spoil_this_ones_list(
    office: Office, party: SpiffeId, chain: str
) -> None:
    """A regulator of two chains may use one key."""
    office.add_all()
    with pytest.raises(PublicationError, match="not of csj"):
        office.add(office.member(party, chain=chain))
    assert (await office.hub.members()).hub.id == HUB


async def test_a_chain_has_one_hub(office: Office) -> None:
    office.add_all()
    with pytest.raises(PublicationError, match="one hub"):
        office.add(office.member(SpiffeId(DOMAIN, Role.HUB, "second")))
    assert (await office.hub.members()).hub.id == HUB


# --- roster ---------------------------------------------------------------------------------------


async def test_enterprises_are_enrolled_once(office: Office) -> None:
    office.add_all()
    enrol = publication.enrol
    assert office.do(lambda c: enrol(office.hub, c, codes(1, 2, 3))) == (3, 3)
    assert office.do(lambda c: enrol(office.hub, c, codes(3, 4))) == (1, 4)
    assert office.do(lambda c: enrol(office.hub, c, codes(1, 2, 3, 4))) == (0, 4)
    assert office.do(lambda c: enrol(office.hub, c, [])) == (0, 4)
    roster = await office.hub.store.read(lambda c: office.hub.chain.roster(c, NOW))
    assert (roster.size, roster.next_number) == (4, 2)
    batches = [body for kind, body in await office.log() if kind == "roster-batch"]
    assert [(b["batch"], b["rows"]) for b in batches] == [(0, 3), (1, 1)]


async def test_an_enrolment_that_fails_can_be_done_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.add_all()

    def broken(*_: object) -> None:
        raise Refusal(Reason.CONFLICT, "somebody else writes")

    with monkeypatch.context() as patch:
        patch.setattr(office.hub.log, "append", broken)
        with pytest.raises(Refusal):
            office.do(lambda c: publication.enrol(office.hub, c, codes(1, 2)))
    assert office.do(lambda c: publication.enrol(office.hub, c, codes(1, 2))) == (2, 2)


async def test_enrolment_and_announcement_fit_into_one_unit(office: Office) -> None:
    office.add_all()
    hub = office.hub

    def unit(connection: Connection) -> int:
        publication.publish_catalogue(hub, connection, office.chain.catalogue)
        publication.enrol(hub, connection, codes(5, 6))
        return publication.announce(hub, connection, NOW, NOW + DAY).roster_rows

    assert office.do(unit) == 2


# --- catalogue ------------------------------------------------------------------------------------


async def test_a_catalogue_is_published_once_and_the_newest_counts(office: Office) -> None:
    office.ready()
    first = office.chain.catalogue
    publish = publication.publish_catalogue
    with pytest.raises(ProposalError, match="small-1 is published already"):
        office.do(lambda c: publish(office.hub, c, first))
    second: Catalogue = first.model_copy(update={"version": "small-2"})
    number = office.announce()
    office.do(lambda c: publish(office.hub, c, second))
    later = office.announce()
    read = office.hub.store.read_blocking
    current = publication.current_catalogues
    raw = [c.to_json().encode() for c in (first, second)]
    assert read(lambda c: current(office.hub, c, [number, later])) == raw
    assert read(lambda c: current(office.hub, c, [later])) == raw[1:]
    assert read(lambda c: current(office.hub, c, [])) == raw[1:]
    descriptors = [read(lambda c, n=n: office.hub.chain.descriptor(c, n)) for n in (number, later)]  # type: ignore[misc]
    assert [d.catalogue for d in descriptors if d] == [first.digest(), second.digest()]


# --- epochs ---------------------------------------------------------------------------------------


async def test_an_epoch_needs_a_roster_a_catalogue_and_a_future(office: Office) -> None:
    office.add_all()
    with pytest.raises(PublicationError, match="enrol enterprises before"):
        office.announce()
    office.do(lambda c: publication.enrol(office.hub, c, codes(1)))
    with pytest.raises(PublicationError, match="publish one before"):
        office.announce()
    office.do(lambda c: publication.publish_catalogue(office.hub, c, office.chain.catalogue))
    with pytest.raises(PublicationError, match="in the past; give a later"):
        office.announce(NOW - DAY, NOW)
    with pytest.raises(PublicationError, match="give an earlier time"):
        office.announce(NOW, 10_000_000_000)
    assert office.hub.store.read_blocking(office.hub.chain.epoch_numbers) == ()
    assert (office.announce(), office.announce()) == (1, 2)
    assert [k for k, _ in await office.log() if k == "epoch-descriptor"] == ["epoch-descriptor"] * 2


async def test_an_epoch_opens_over_what_has_arrived_and_stays_so(office: Office) -> None:
    office.ready()
    number = office.announce()
    with pytest.raises(PublicationError, match="no holder has sent"):
        await office.open(number)
    with pytest.raises(PublicationError, match="not announced"):
        await office.open(number + 1)
    await office.submit(number)
    assert await office.open(number) == [TAX]
    with pytest.raises(Refusal) as late:
        await office.submit(number, POWER)
    assert late.value.reason is Reason.CLOSED
    assert await office.open(number) == [TAX]
    assert [k for k, _ in await office.log()].count("epoch-opening") == 1
    opened = await office.hub.store.read(lambda c: office.hub.chain.epoch(c, number, NOW))
    assert opened is not None and set(opened.manifests) == {TAX}


async def test_a_holder_that_left_since_is_not_opened_with(office: Office) -> None:
    office.ready()
    number = office.announce()
    await office.submit(number)
    office.clock.advance(365 * DAY)
    members = await office.hub.members()
    refused(
        Reason.FOREIGN_CERTIFICATE,
        lambda: office.do(lambda c: publication.open_epoch(office.hub, c, number, members)),
    )
