"""A bank asks in a peer chain through its own hub, and believes nothing that it cannot verify."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from federation.entries import Kind
from federation.errors import Reason, Refusal
from federation.interchain.pin import Pin
from federation.permit import Permit
from node.bank.asking import Ask
from node.bank.bank import Bank
from node.bank.chains.listing import chain_views
from node.bank.errors import BankError, Rejected
from node.bank.records import Model
from node.bank.texts import Code
from node.bank.verifying import verify_file
from node.rpc.convert import signed_to_wire
from node.rpc.errors import PartyUnavailable
from support.chain import CHAIN, DAY, HUB, NOW, REGULATOR, Chain
from support.small import small_scorecard
from tests.node.bank.second import (
    ZSJ,
    ZSJ_HUB,
    ZSJ_REGULATOR,
    Crossing,
    second_chain,
    two_chains,
)
from tests.node.bank.test_queries import asking, raises
from tests.node.bank.world import World

HOUR = 3600
Place = tuple[World, Crossing]


@pytest.fixture(scope="session")
def other_chain(bank_chain: Chain) -> Any:
    return second_chain(bank_chain)


@pytest.fixture
async def place(tmp_path: Path, bank_chain: Chain, other_chain: Any) -> AsyncIterator[Place]:
    async with two_chains(tmp_path, bank_chain, other_chain) as made:
        yield made


def card(chain: Any, name: str, **changes: Any) -> str:
    """A scorecard of the holders of a chain that are not told the subject."""
    kinds = ("insurance", "power", "tax")
    sides = sorted((s for s in chain.holders.values() if s.kind in kinds), key=lambda s: s.kind)
    made = small_scorecard(name, [(side.id, side.kind) for side in sides])
    return json.dumps(json.loads(made.to_json()) | changes)


async def abroad(crossing: Crossing, bank: Bank, name: str = "alpha", **changes: Any) -> Model:
    """A model of zsj that is certified, installed and prepared."""
    await bank.agent.chains.refresh()
    raw = card(crossing.chain, name, **changes)
    model = await bank.certification.certify(raw, chain=ZSJ)
    await bank.installation.install(model)
    await bank.preparation.prepare(model, (await bank.sessions.epochs(model))[0])
    return model


def everywhere(world: World, number: int = 0, **changes: Any) -> Ask:
    return asking(world, world.chain.firms[number], **{"chains": (CHAIN, ZSJ)} | changes)


def truth(crossing: Crossing, model: Model, number: int = 0) -> dict[str, Any]:
    chain = crossing.chain
    known = chain.model_of(model.hash)
    record = chain.reference(known, 2, chain.firms[number])
    return {"fields": dict(record.values), "coverage": record.coverage}


async def test_a_query_in_a_peer_chain_equals_the_reference(place: Place) -> None:
    world, crossing = place
    async with world.bank() as bank:
        model = await abroad(crossing, bank)
        assert model.chain == ZSJ
        ask = everywhere(world)
        answer = await bank.queries.ask(ask, "k")
        assert answer.result["chain"] == ZSJ
        assert answer.result["record"] == truth(crossing, model)
        # The own hub saw a sealed query, signed by the bank, and no query of its own chain.
        (sent,) = crossing.routed
        assert ask.consent.encode() not in sent.payload and world.hub.requests == []
        assert (await bank.queries.ask(ask, "k")).id == answer.id
        counts = await bank.agent.runtime.log.count_by_kind()
        assert counts[Kind.QUERY] == 1 and Kind.DESCRIPTOR in counts
        own, zsj = await chain_views(bank.agent)
        assert (own["chain"], own["state"], zsj["chain"], zsj["state"]) == (
            CHAIN, "own", ZSJ, "pinned",
        )  # fmt: skip
        assert zsj["usable"] and (zsj["enterprises"], zsj["models"]) == (12, 1)


async def test_a_firm_that_the_chain_does_not_enrol_and_a_consent_without_the_chain(
    place: Place,
) -> None:
    """Told by the bank itself: no hub hears of the firm."""
    world, crossing = place
    async with world.bank() as bank:
        await abroad(crossing, bank)
        error = await raises(Code.ENTERPRISE_UNKNOWN, bank, everywhere(world, 20))
        assert ZSJ in str(error) and ZSJ in error.problem("zh")
        error = await raises(Code.CONSENT_WRONG_CHAIN, bank, everywhere(world, chains=(CHAIN,)))
        assert ZSJ in str(error)
        assert crossing.routed == []


async def test_a_chain_that_is_not_pinned_withdrawn_or_expired(place: Place) -> None:
    world, crossing = place
    regulator = world.chain.signing[REGULATOR]
    async with world.bank() as bank:
        with pytest.raises(BankError) as caught:
            await bank.certification.certify(card(crossing.chain, "alpha"), chain="jjj")
        assert caught.value.code is Code.CHAIN_UNKNOWN and "jjj" in caught.value.problem("zh")
        model = await abroad(crossing, bank)
        ask = everywhere(world)
        answer = await bank.queries.ask(ask, "k")
        first = crossing.pins[0]
        withdrawn = Pin.parse(first.payload).model_copy(update={"number": 2, "state": "withdrawn"})
        crossing.pins.append(withdrawn.sign(regulator))
        await bank.agent.chains.refresh()
        error = await raises(Code.CHAIN_WITHDRAWN, bank, everywhere(world, 1))
        assert ZSJ in error.problem("zh")
        with pytest.raises(BankError) as caught:
            await bank.installation.install(model)
        assert caught.value.code is Code.CHAIN_WITHDRAWN
        # Records stay: the answer, its evidence, the model.
        assert (await bank.queries.ask(ask, "k")).result == answer.result
        assert (await bank.evidence.export(answer.id))["chain"] == ZSJ
        assert (await chain_views(bank.agent))[1]["state"] == "withdrawn"
        again = withdrawn.model_copy(update={"number": 3, "state": "pinned"})
        crossing.pins.append(again.sign(regulator))
        await bank.agent.chains.refresh()
        await bank.queries.ask(everywhere(world, 1))
        world.clock.advance(91 * DAY)
        with pytest.raises(BankError) as caught:
            await (await bank.agent.chains.view(ZSJ)).require()
        assert caught.value.code is Code.CHAIN_EXPIRED and ZSJ in str(caught.value)


async def test_a_directory_that_is_stale_and_one_that_is_rolled_back(place: Place) -> None:
    world, crossing = place
    async with world.bank() as bank:
        await abroad(crossing, bank)
        crossing.issued = NOW - 60  # older than the one that was seen
        with pytest.raises(Refusal) as caught:
            await (await bank.agent.chains.view(ZSJ)).sync()
        assert caught.value.reason is Reason.STALE_DIRECTORY
    async with world.bank() as bank:  # it is remembered
        with pytest.raises(Refusal) as caught:
            await (await bank.agent.chains.view(ZSJ)).sync()
        assert caught.value.reason is Reason.STALE_DIRECTORY
        # What was verified before is used for a time, and then no more.
        await bank.queries.ask(everywhere(world))
        crossing.away = True
        world.clock.advance(23 * HOUR)
        with pytest.raises(PartyUnavailable) as gone:
            await bank.queries.ask(everywhere(world, 1, expires=NOW + 3 * DAY))
        assert gone.value.chain == ZSJ and f"chain {ZSJ}" in str(gone.value)
        world.clock.advance(2 * HOUR)
        error = await raises(
            Code.DIRECTORY_STALE, bank, everywhere(world, 1, expires=NOW + 3 * DAY)
        )
        assert ZSJ in str(error)
        crossing.away, crossing.issued = False, NOW - 60
        error = await raises(
            Code.DIRECTORY_REFUSED, bank, everywhere(world, 1, expires=NOW + 3 * DAY)
        )


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        ({"state": lambda raw: raw[:-40]}, None),
        ({"directory": lambda d: d.model_copy(update={"state": bytes(32)})}, Reason.CONFLICT),
        ({"directory": lambda d: d.model_copy(update={"audience": "jjj"})}, Reason.WRONG_AUDIENCE),
        ({"directory": lambda d: d.model_copy(update={"chain": "jjj"})}, Reason.WRONG_CHAIN),
        ({"directory": lambda d: d.model_copy(update={"roster_rows": 13})}, Reason.CONFLICT),
        ({"issued": NOW + HOUR}, Reason.NOT_YET_VALID),
        ({"issued": NOW - 25 * HOUR}, Reason.STALE_DIRECTORY),
    ],
)
async def test_states_that_are_not_believed(
    place: Place, spoil: dict[str, Any], reason: Reason | None
) -> None:
    world, crossing = place
    async with world.bank() as bank:
        await bank.agent.sync.sync()
        for name, value in spoil.items():
            setattr(crossing, name, value)
        view = await bank.agent.chains.view(ZSJ)
        with pytest.raises(Exception) as caught:  # a cut state breaks in many ways
            await view.sync()
        if reason is not None:
            assert isinstance(caught.value, Refusal) and caught.value.reason is reason
        with pytest.raises(BankError) as told:
            await view.require()
        assert told.value.code is Code.DIRECTORY_REFUSED and ZSJ in str(told.value)


async def test_a_certificate_of_another_chains_regulator(place: Place) -> None:
    world, crossing = place
    other = world.regulator.other  # type: ignore[attr-defined]
    async with world.bank() as bank:
        await bank.agent.chains.refresh()
        raw = card(crossing.chain, "alpha")
        regulator = ZSJ_REGULATOR
        own = crossing.chain.signing[regulator]
        crossing.chain.signing[regulator] = world.chain.signing[REGULATOR]
        try:
            with pytest.raises(BankError) as caught:
                await bank.certification.certify(raw, chain=ZSJ)
        finally:
            crossing.chain.signing[regulator] = own
            other.results.clear()
        assert caught.value.code is Code.CERTIFICATE_WRONG
        other.change = lambda c: c.model_copy(update={"chain": CHAIN})
        with pytest.raises(BankError) as caught:
            await bank.certification.certify(raw, chain=ZSJ)
        assert caught.value.code is Code.CERTIFICATE_WRONG and "chain" in str(caught.value)
        assert await bank.agent.read(bank.agent.records.models) == []
        # Holders of another chain do not fit either.
        with pytest.raises(BankError) as caught:
            await bank.certification.certify(card(world.chain, "alpha"), chain=ZSJ)
        assert caught.value.code is Code.SCORECARD_INVALID


async def test_a_bank_that_is_no_guest_there_yet(place: Place) -> None:
    world, crossing = place
    async with world.bank() as bank:
        crossing.guest = False
        await bank.agent.chains.refresh()
        model = await bank.certification.certify(card(crossing.chain, "alpha"), chain=ZSJ)
        with pytest.raises(BankError) as caught:
            await bank.installation.install(model)
        assert caught.value.code is Code.NOT_A_GUEST and ZSJ in str(caught.value)
        crossing.guest = True
        await bank.installation.install(model)  # fetched by itself


async def test_answers_of_another_chain_are_rejected_and_told_to_the_own_regulator(
    place: Place,
) -> None:
    """Permits that the own chain's hub signed do not open a record of zsj."""
    world, crossing = place
    async with world.bank() as bank:
        await abroad(crossing, bank)

        def foreign(reply: Any) -> Any:
            permit = Permit.parse(reply.permits[0].document.payload)
            signed = permit.sign(world.chain.signing[HUB])
            reply.permits[0].document.CopyFrom(signed_to_wire(signed))
            return reply

        for number, reply in enumerate((foreign, lambda reply: type(reply)())):
            crossing.reply = reply
            with pytest.raises(Rejected) as caught:
                await bank.queries.ask(everywhere(world, number))
            assert caught.value.party == str(ZSJ_HUB)
        counts = await bank.agent.runtime.log.count_by_kind()
        assert counts[Kind.FAILURE] == 2 and Kind.QUERY not in counts


async def test_evidence_of_a_peer_chain_verifies_under_its_own_root_alone(place: Place) -> None:
    world, crossing = place
    async with world.bank() as bank:
        await abroad(crossing, bank)
        answer = await bank.queries.ask(everywhere(world))
        raw = json.dumps(await bank.evidence.of(answer.id, full=True)).encode()
        root = crossing.chain.root
        found = verify_file(raw, {ZSJ: root}, world.chain.root)
        assert found.to_dict()["chain"] == ZSJ
        with pytest.raises(BankError):
            verify_file(raw, {}, world.chain.root)
        without = json.loads(raw) | {"guests": []}
        with pytest.raises(BankError) as caught:
            verify_file(json.dumps(without).encode(), {ZSJ: root}, world.chain.root)
        assert "foreign" in str(caught.value)


async def test_a_hub_without_an_envelope_key_takes_no_queries(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, crossing = place
    async with world.bank() as bank:
        await abroad(crossing, bank)
        view = await bank.agent.chains.view(ZSJ)
        members = await view.members()
        bare = members.hub.model_copy(update={"sealing": b""})
        monkeypatch.setattr(type(members), "hub", property(lambda _: bare))
        error = await raises(Code.CHAIN_TAKES_NONE, bank, everywhere(world))
        assert ZSJ in str(error) and crossing.routed == []


async def test_a_withdrawn_model_of_a_peer_chain(place: Place) -> None:
    world, crossing = place
    async with world.bank() as bank:
        model = await abroad(crossing, bank)
        done = await bank.withdrawal.withdraw(model)
        assert done.withdrawal.chain == ZSJ
        await raises(Code.MODEL_WITHDRAWN, bank, everywhere(world))
