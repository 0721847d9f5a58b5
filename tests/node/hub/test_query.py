"""A query through the hub: permits first, then every holder, and nothing kept of the answers."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select

from federation.answers import UnlockAnswer
from federation.entries import Kind, check_logged
from federation.exchange.bank import OpenQuery
from federation.permit import Permit
from federation.signed import Signed
from node.errors import StorageUnavailable
from node.hub.tables import hub_consents, hub_permits
from node.log.tables import log_attachments
from node.rpc.errors import PartyUnavailable, RemoteError, RemoteRefusal
from node.rpc.identity import peer
from support.chain import COURT, DELTA, HARBOUR, HUB, INSURANCE, NOW, POWER, TAX, UNNAMED, Chain
from tests.node.hub.world import Node, World


async def uses(node: Node) -> list[int]:
    def look(connection: Connection) -> list[int]:
        return list(connection.execute(select(hub_consents.c.uses)).scalars())

    return await node.hub.store.read(look)


def evaluated(answer: Signed) -> bytes:
    return UnlockAnswer.parse(answer.payload).evaluated


async def test_the_bank_gets_the_record_of_the_reference(
    tmp_path: Path, hub_chain: Chain, database_url: str
) -> None:
    world = World(tmp_path, hub_chain, database_url)
    model, firm = hub_chain.alpha, hub_chain.firms[3]
    async with world.serving() as node, node.calling(HARBOUR) as bank:
        await node.install(model)
        query = world.network.begin(model, hub_chain.consent(firm))
        reply = await node.query(bank, query)
        assert world.network.open(query, reply, model, firm) == hub_chain.reference(model, 1, firm)
        assert await uses(node) == [1]
        assert len(await node.entries(Kind.PERMIT)) == 1


async def test_permits_are_durable_before_any_holder_is_called(world: World) -> None:
    chain, model = world.chain, world.chain.with_court
    seen: list[tuple[str, int, int, int]] = []
    async with world.serving() as node, node.calling(HARBOUR) as bank:
        await node.install(model)

        def look(connection: Connection) -> tuple[int, int]:
            tables = (hub_permits, log_attachments)
            counts = [connection.execute(select(func.count()).select_from(t)) for t in tables]
            permits, attachments = (count.scalar_one() for count in counts)
            return permits, attachments

        async def examine() -> None:
            # Another transaction than the hub's own: what it sees has been committed.
            logged = len(await node.entries(Kind.PERMIT))
            seen.append((str(peer()), logged, *await node.hub.store.read(look)))

        for stub in world.holders.values():
            stub.before = examine
        consent = chain.consent(chain.firms[0])
        reply = await node.query(bank, world.network.begin(model, consent))
        assert await uses(node) == [1]
    # Two permits, one of them for the court alone, both before the first of three calls, each
    # with the evidence sealed to the regulator.
    assert seen == [(str(HUB), 2, 2, 4)] * 3
    assert len(reply.permits) == 2
    answers = [UnlockAnswer.parse(answer.payload).holder for answer in reply.answers]
    assert answers == [COURT, POWER, TAX]
    for logged in reply.permits:
        public = chain.signing[HUB].public
        assert check_logged(logged, Kind.PERMIT, HUB, public, NOW).body["bank"] == str(HARBOUR)
    named = [bool(world.holders[h].requests[0].named) for h in (COURT, POWER, TAX)]
    assert named == [True, False, False]


async def test_a_repeated_query_gets_the_same_permits_and_costs_no_use(world: World) -> None:
    chain, model = world.chain, world.chain.alpha
    async with world.serving() as node, node.calling(HARBOUR) as bank:
        await node.install(model)
        consent = chain.consent(chain.firms[1], uses=1)
        query = world.network.begin(model, consent)
        first, again = await node.query(bank, query), await node.query(bank, query)
        assert [p.document for p in first.permits] == [p.document for p in again.permits]
        assert [p.entry for p in first.permits] == [p.entry for p in again.permits]
        answers = [[evaluated(a) for a in reply.answers] for reply in (first, again)]
        assert answers[0] == answers[1]
        assert await uses(node) == [1]
        assert len(await node.entries(Kind.PERMIT)) == 1
        # The same consent with a fresh element is another query, and no use is left for it.
        with pytest.raises(RemoteRefusal):
            await node.query(bank, world.network.begin(model, consent))
        assert await node.reasons() == ["uses_exhausted"]


async def test_a_holder_that_is_down_is_named_and_the_same_query_succeeds_later(
    world: World,
) -> None:
    chain, model, firm = world.chain, world.chain.alpha, world.chain.firms[2]
    async with world.serving() as node, node.calling(HARBOUR) as bank:
        await node.install(model)
        query = world.network.begin(model, chain.consent(firm, uses=1))
        await node.holders[POWER].stop(0)
        with pytest.raises(PartyUnavailable) as caught:
            await node.query(bank, query)
        assert caught.value.party == POWER
        assert await uses(node) == [1]
        # It comes back at another address, which takes effect with the next call.
        async with world.holder(POWER) as server:
            await world.reach(node.hub, POWER, server)
            reply = await node.query(bank, query)
        assert world.network.open(query, reply, model, firm) == chain.reference(model, 1, firm)
        assert await uses(node) == [1]
        assert len(await node.entries(Kind.PERMIT)) == 1


async def test_a_holder_that_fails_is_named(world: World) -> None:
    model = world.chain.alpha
    async with world.serving() as node, node.calling(HARBOUR) as bank:
        await node.install(model)
        world.holders[INSURANCE].down = True
        with pytest.raises(PartyUnavailable) as caught:
            await node.query(bank, fresh(world))
        assert caught.value.party == INSURANCE
        assert await node.reasons() == []  # an outage is no refusal of the hub's


async def test_a_holder_that_hangs_is_named_before_the_banks_own_deadline(world: World) -> None:
    model = world.chain.alpha
    async with world.serving() as node, node.calling(HARBOUR) as bank:
        await node.install(model)
        await node.query(bank, fresh(world))  # every connection is up
        world.holders[TAX].hangs = True
        begin = time.monotonic()
        with pytest.raises(PartyUnavailable) as caught:
            await node.query(bank, fresh(world, 1), deadline=2.0)
        assert time.monotonic() - begin < 2.0
        assert caught.value.party == TAX


async def test_what_a_holder_refused_is_told_as_that_holders(world: World) -> None:
    model = world.chain.alpha
    async with world.serving() as node, node.calling(HARBOUR) as bank:
        await node.install(model)
        world.network.ledger(TAX).stopped_banks.add(HARBOUR)
        with pytest.raises(RemoteRefusal) as caught:
            await node.query(bank, fresh(world))
        assert caught.value.party == TAX
        assert await node.reasons() == []


async def test_a_holder_without_an_address_is_named(world: World) -> None:
    chain, model = world.chain, world.chain.alpha
    async with world.serving() as node, node.calling(HARBOUR) as bank:
        await node.install(model)

        def forget(connection: Connection) -> None:
            from node.hub.tables import hub_routes

            connection.execute(hub_routes.delete().where(hub_routes.c.member == str(TAX)))

        await node.hub.store.run(forget)
        with pytest.raises(PartyUnavailable) as caught:
            await node.query(bank, fresh(world))
        assert caught.value.party == TAX
    assert chain.alpha is model


async def test_the_hub_keeps_no_answer(world: World) -> None:
    chain, model, firm = world.chain, world.chain.alpha, world.chain.firms[5]
    async with world.serving() as node, node.calling(HARBOUR) as bank:
        await node.install(model)
        consent = chain.consent(firm)
        query = world.network.begin(model, consent)
        reply = await node.query(bank, query)
        await node.hub.store.scrub()
    kept = everything(world)
    permits = [Permit.parse(permit.document.payload) for permit in reply.permits]
    # Planted: the search finds what is kept.
    assert all(permit.blinded in kept for permit in permits)
    for answer in reply.answers:
        opened = UnlockAnswer.parse(answer.payload)
        assert opened.evaluated not in kept
        assert opened.proof not in kept
        assert answer.signature not in kept
        assert answer.payload not in kept


async def test_nothing_of_a_consent_is_in_the_hubs_files_in_the_clear(world: World) -> None:
    chain, model, firm = world.chain, world.chain.alpha, world.chain.firms[6]
    async with world.serving() as node, node.calling(HARBOUR) as bank:
        await node.install(model)
        consent = chain.consent(firm)
        query = world.network.begin(model, consent, officer="officer-17", reference="loan-4711")
        await node.query(bank, query)
    kept = everything(world)
    # The firm is on the roster, which is public: once as such, and nowhere else.
    entry = f'"{firm.uscc}"'.encode()
    assert kept.count(firm.uscc.encode()) == kept.count(entry)
    _, payload, signature = consent.compact.split(".")
    for secret in (
        payload.encode(),
        signature.encode(),
        consent.payload(),
        consent.hash,
        consent.hash.hex().encode(),
        consent.id,
        query.request.blindings[0].proof,
        hashlib.sha256(firm.uscc.encode()).digest(),
        b"officer-17",
        b"loan-4711",
    ):
        assert secret not in kept


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ("no model", "uncertified_model"),
        ("another bank", "foreign_certificate"),
        ("epoch", "not_open"),
        ("far epoch", "not_open"),
        ("context", "wrong_context"),
        ("purpose", "wrong_purpose"),
        ("officer", "malformed"),
    ],
)
async def test_what_a_query_is_refused_for_stands_in_the_log_and_no_holder_hears_of_it(
    world: World, wrong: str, reason: str
) -> None:
    import dataclasses

    model = world.chain.alpha
    query = fresh(world)
    caller = DELTA if wrong == "another bank" else HARBOUR
    changes: dict[str, object] = {
        "epoch": {"epoch": 7},
        "far epoch": {"epoch": 2**64 - 1},
        "context": {"ctx": bytes(32)},
        "purpose": {"purpose": "05"},
        "officer": {"officer": "o" * 65},
    }.get(wrong, {})
    request = dataclasses.replace(query.request, **changes)  # type: ignore[arg-type]
    async with world.serving() as node, node.calling(caller) as bank:
        if wrong != "no model":
            await node.install(model)
        with pytest.raises(RemoteError):
            await node.query(bank, dataclasses.replace(query, request=request))
        (entry,) = await node.entries("refusal")
        assert (entry.body["reason"], entry.body["caller"]) == (reason, str(caller))
        assert entry.body["method"] == "Query"
        assert await uses(node) == []
    assert not any(stub.requests for stub in world.holders.values())


async def test_a_hub_that_cannot_write_its_log_asks_no_holder(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = world.chain.alpha
    async with world.serving() as node, node.calling(HARBOUR) as bank:
        await node.install(model)

        def full(*_: object) -> None:
            raise StorageUnavailable("no space is left on the disk")

        with monkeypatch.context() as patch:
            patch.setattr(node.hub.log, "append", full)
            with pytest.raises(PartyUnavailable) as caught:
                await node.query(bank, fresh(world))
            assert caught.value.party == HUB
        assert not any(stub.requests for stub in world.holders.values())
        assert await node.entries(Kind.PERMIT) == []
        assert await uses(node) == []


async def test_banks_alone_ask(world: World) -> None:
    async with world.serving(*UNNAMED) as node:
        await node.install(world.chain.alpha)
        for caller in (TAX, HUB):
            async with node.calling(caller) as channel:
                with pytest.raises(RemoteRefusal):
                    await node.query(channel, fresh(world))
        assert await node.reasons() == ["foreign_certificate"] * 2


def fresh(world: World, firm: int = 0) -> OpenQuery:
    chain = world.chain
    return world.network.begin(chain.alpha, chain.consent(chain.firms[firm]))


def everything(world: World) -> bytes:
    """Every byte that the hub keeps, and the same with what is base64 in it."""
    import base64
    import re

    raw = b"".join(p.read_bytes() for p in sorted(world.home.rglob("*")) if p.is_file())
    found = [raw]
    for match in re.findall(rb"[A-Za-z0-9_-]{20,}", raw):
        for start in range(4):
            part = match[start:]
            found.append(base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
                         if len(part) % 4 != 1 else b"")  # fmt: skip
    return b"\n".join(found)
