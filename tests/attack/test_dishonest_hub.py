"""A hub that alters what it relays: the bank names the party, keeps no score, tells the regulator.

Each attack is mounted by the hub of a bank's real node, over mutual TLS; the honest hub before and
after it shows that nothing else made the query fail.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from federation.answers import UnlockAnswer
from federation.consent import consent_hash
from federation.entries import Kind
from federation.errors import Reason
from federation.exchange.regulator import KEY_PURPOSE, seal_to_bank
from federation.failure import Failed
from federation.identity import SpiffeId
from federation.signed import SigningKey
from node.bank.asking import Ask
from node.bank.bank import Bank
from node.bank.counted import Counted
from node.bank.errors import BankError, Rejected
from node.bank.records import Model
from node.bank.texts import Code
from node.rpc.convert import logged_to_wire, signed_from_wire, signed_to_wire
from node.rpc.errors import RemoteRefusal
from scoring.oprf import blind_evaluate, derive_key_pair
from support.chain import HUB, INSURANCE, POWER, TAX, UNNAMED, Chain
from support.small import small_scorecard
from tests.node.bank.world import World, honest, world
from yinxin.v1 import hub_pb2


@pytest.fixture(scope="module")
def bank_chain() -> Chain:
    return Chain()


@pytest.fixture
async def attacked(tmp_path: Path, bank_chain: Chain) -> AsyncIterator[World]:
    async with world(tmp_path, bank_chain) as made:
        yield made


async def certified(attacked: World, bank: Bank, name: str = "alpha") -> Model:
    participants = [(h, attacked.chain.holders[h].kind) for h in UNNAMED]
    raw = small_scorecard(name, participants, ()).to_json()
    model = await bank.certification.certify(raw)
    await bank.installation.install(model)
    return model


async def prepared(attacked: World, bank: Bank, name: str = "alpha") -> Model:
    model = await certified(attacked, bank, name)
    await bank.preparation.prepare(model, (await bank.sessions.epochs(model))[0])
    return model


def asking(attacked: World, number: int = 0) -> Ask:
    return Ask(attacked.chain.consent(attacked.chain.firms[number]).compact, "02")


def at(holder: SpiffeId) -> int:
    return UNNAMED.index(holder)


# --- key statements ---------------------------------------------------------------------------


def swap_keys(reply: hub_pb2.HubKeyReply) -> hub_pb2.HubKeyReply:
    first, second, third = reply.statements
    return hub_pb2.HubKeyReply(statements=[second, first, third])


def drop_key(reply: hub_pb2.HubKeyReply) -> hub_pb2.HubKeyReply:
    return hub_pb2.HubKeyReply(statements=list(reply.statements)[:-1])


def unpromised_key(reply: hub_pb2.HubKeyReply) -> hub_pb2.HubKeyReply:
    reply.statements[at(TAX)].promise.CopyFrom(reply.statements[at(POWER)].promise)
    return reply


@pytest.mark.parametrize(
    ("attack", "party"), [(swap_keys, INSURANCE), (drop_key, HUB), (unpromised_key, TAX)]
)
async def test_altered_key_statements(
    attacked: World, attack: Callable[[Any], Any], party: SpiffeId
) -> None:
    async with attacked.bank() as bank:
        model = await certified(attacked, bank)
        (epoch, *_) = await bank.sessions.epochs(model)
        attacked.hub.tamper.keys = attack
        with pytest.raises(Rejected) as caught:
            await bank.preparation.prepare(model, epoch)
        assert caught.value.party == str(party)
        assert attacked.hub.prepared == []
        attacked.hub.tamper.keys = honest
        assert (await bank.preparation.prepare(model, epoch)).fetched == 1


async def test_key_statement_of_another_epoch(attacked: World) -> None:
    async with attacked.bank() as bank:
        model = await certified(attacked, bank)
        (epoch, *_) = await bank.sessions.epochs(model)
        known = attacked.chain.model_of(model.hash)
        assert known is not None
        older = attacked.chain.statement(TAX, known, attacked.chain.epochs[1])

        def replay(reply: hub_pb2.HubKeyReply) -> hub_pb2.HubKeyReply:
            reply.statements[at(TAX)].CopyFrom(logged_to_wire(older))
            return reply

        attacked.hub.tamper.keys = replay
        with pytest.raises(Rejected) as caught:
            await bank.preparation.session(model, epoch)
        assert caught.value.party == str(TAX)


# --- tables -----------------------------------------------------------------------------------


def flip_table(message: Any) -> Any:
    if message.holder == str(POWER):
        message.table = message.table[:-1] + bytes([message.table[-1] ^ 1])
    return message


def drop_table(message: Any) -> Any:
    return None if message.holder == str(POWER) else message


class SwapTables:
    """Gives power's table out as tax's."""

    def __init__(self, attacked: World, model: Model) -> None:
        known = attacked.chain.model_of(model.hash)
        assert known is not None
        self._other = attacked.hub.table(known, POWER, attacked.chain.epochs[2])

    def __call__(self, message: Any) -> Any:
        if message.holder == str(TAX):
            message.table = self._other[0]
            message.answer.CopyFrom(signed_to_wire(self._other[1]))
        return message


class ReplayTables:
    """Gives the last epoch's table out as today's."""

    def __init__(self, attacked: World, model: Model) -> None:
        known = attacked.chain.model_of(model.hash)
        assert known is not None
        self._other = attacked.hub.table(known, TAX, attacked.chain.epochs[1])

    def __call__(self, message: Any) -> Any:
        if message.holder == str(TAX):
            message.table = self._other[0]
            message.answer.CopyFrom(signed_to_wire(self._other[1]))
        return message


@pytest.mark.parametrize(
    ("attack", "party"),
    [(flip_table, POWER), (drop_table, HUB), (SwapTables, TAX), (ReplayTables, TAX)],
)
async def test_altered_tables(
    attacked: World, attack: Any, party: SpiffeId, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[int] = []
    async with attacked.bank() as bank:
        model = await certified(attacked, bank)
        (epoch, *_) = await bank.sessions.epochs(model)
        mounted = attack(attacked, model) if isinstance(attack, type) else attack
        attacked.hub.tamper.table = mounted
        run = bank.agent.runtime.pool.run

        async def watched(job: Any, *arguments: Any) -> Any:
            parsed.append(1)
            return await run(job, *arguments)

        monkeypatch.setattr(bank.agent.runtime.pool, "run", watched)
        with pytest.raises(Rejected) as caught:
            await bank.preparation.prepare(model, epoch)
        assert caught.value.party == str(party)
        assert parsed == []  # nothing was parsed before its signature was checked
        assert await bank.agent.read(lambda c: bank.agent.records.prepared(c, model.hash)) == {}
        attacked.hub.tamper.table = honest
        await bank.preparation.prepare(model, epoch)
        await bank.queries.ask(asking(attacked))
    assert [report.failed for report in attacked.regulator.reports] == [Failed.SIGNATURE]


# --- answers ----------------------------------------------------------------------------------


def change_answer(reply: Any, holder: SpiffeId, key: SigningKey | None, **changes: bytes) -> Any:
    """An answer with other contents, signed by `key` or with the signature it had."""
    signed = signed_from_wire(reply.answers[at(holder)].answer)
    answer = UnlockAnswer.parse(signed.payload).model_copy(update=changes)
    if key is None:
        forged = type(signed)(
            signed.payload_type, answer.payload(), signed.key_id, signed.signature
        )
    else:
        forged = answer.sign(key)
    reply.answers[at(holder)].answer.CopyFrom(signed_to_wire(forged))
    return reply


def swap_answers(reply: Any) -> Any:
    first, second, third = reply.answers
    return hub_pb2.QueryReply(permits=reply.permits, answers=[second, first, third])


def drop_answer(reply: Any) -> Any:
    return hub_pb2.QueryReply(permits=reply.permits, answers=list(reply.answers)[:-1])


def drop_permit(reply: Any) -> Any:
    return hub_pb2.QueryReply(permits=[], answers=reply.answers)


def alter_answer(reply: Any) -> Any:
    return change_answer(reply, POWER, None, evaluated=bytes(32))


def alter_permit(reply: Any) -> Any:
    reply.permits[0].document.payload = reply.permits[0].document.payload.replace(b"02", b"09")
    return reply


def unlogged_permit(reply: Any) -> Any:
    reply.permits[0].entry = reply.permits[0].entry.replace(b"permit", b"unlock")
    return reply


ANSWERS = [
    (swap_answers, INSURANCE),
    (drop_answer, HUB),
    (drop_permit, HUB),
    (alter_answer, POWER),
    (alter_permit, HUB),
    (unlogged_permit, HUB),
]


async def test_altered_answers(attacked: World) -> None:
    async with attacked.bank() as bank:
        await prepared(attacked, bank)
        for number, (attack, party) in enumerate(ANSWERS):
            attacked.hub.tamper.query = attack
            key, ask = f"attack {number}", asking(attacked, number)
            with pytest.raises(Rejected) as caught:
                await bank.queries.ask(ask, key)
            assert caught.value.party == str(party), attack
            attacked.hub.tamper.query = honest
            asked = len(attacked.hub.requests)
            with pytest.raises(Rejected):  # final: no retry, not even with an honest hub
                await bank.queries.ask(ask, key)
            assert len(attacked.hub.requests) == asked
        states = await bank.agent.read(bank.queries.ledger.count)
        assert states == {"open": 0, "answered": 0, "rejected": len(ANSWERS)}
        counts = await bank.agent.runtime.log.count_by_kind()
        assert counts[Kind.FAILURE] == len(ANSWERS) and Kind.QUERY not in counts
        await bank.queries.ask(asking(attacked, 20))
    assert len(attacked.regulator.reports) == len(ANSWERS)


async def test_answer_of_another_query(attacked: World) -> None:
    """The hub answers the second query with the holders' answers to the first."""
    replies: list[Any] = []

    def replay(reply: Any) -> Any:
        replies.append(reply)
        return replies[0]

    async with attacked.bank() as bank:
        await prepared(attacked, bank)
        attacked.hub.tamper.query = replay
        await bank.queries.ask(asking(attacked, 0))
        with pytest.raises(Rejected) as caught:
            await bank.queries.ask(asking(attacked, 1))
        assert caught.value.party == str(HUB)


async def test_holder_that_tags_the_bank_with_another_key(attacked: World) -> None:
    """The holder itself signs, but evaluates under a key that it did not log."""

    def tag(reply: Any) -> Any:
        signed = signed_from_wire(reply.answers[at(TAX)].answer)
        permit = attacked.hub.requests[-1].blindings[0].blinded
        done = blind_evaluate(derive_key_pair(bytes(32), b"tag"), [permit])
        key = attacked.chain.holders[TAX].signing
        assert signed.key_id == key.key_id
        return change_answer(reply, TAX, key, evaluated=done.elements[0], proof=done.proof)

    async with attacked.bank() as bank:
        await prepared(attacked, bank)
        attacked.hub.tamper.query = tag
        with pytest.raises(Rejected) as caught:
            await bank.queries.ask(asking(attacked))
        assert caught.value.party == str(TAX)
    (report,) = attacked.regulator.reports
    assert report.failed is Failed.PROOF and report.parties == (TAX,)


async def test_spoilt_row_is_an_error_and_no_score(attacked: World) -> None:
    """A holder pads with something else than its key gives: only the record's checks show it."""
    rejected = 0
    async with attacked.bank() as bank:
        model = await certified(attacked, bank)
        (epoch, *_) = await bank.sessions.epochs(model)
        known = attacked.chain.model_of(model.hash)
        assert known is not None
        side = attacked.chain.holders[TAX]
        honest_pads = side.pads
        side.pads = lambda *a: honest_pads(*a) ^ (1 << 47)  # type: ignore[method-assign]
        try:
            await bank.preparation.prepare(model, epoch)
        finally:
            side.pads = honest_pads  # type: ignore[method-assign]
        for number in range(3):
            with pytest.raises(Rejected):
                await bank.queries.ask(asking(attacked, number))
            rejected += 1
    assert [r.failed for r in attacked.regulator.reports] == [Failed.RECORD] * rejected
    assert attacked.regulator.reports[0].parties == UNNAMED


async def test_failure_is_told_to_the_regulator_alone_and_once_it_is_back(
    attacked: World,
) -> None:
    async with attacked.bank() as bank:
        await prepared(attacked, bank)
        attacked.hub.tamper.query = swap_answers
        reachable = bank.agent.regulator
        nowhere = bank.agent.runtime.channel(reachable.party, "127.0.0.1:1")
        bank.agent.regulator = Counted(nowhere, bank.agent.runtime.metrics)
        with pytest.raises(Rejected):
            await bank.queries.ask(asking(attacked))
        asked = len(attacked.hub.requests)
        assert attacked.regulator.reports == []
        bank.agent.regulator = reachable
        await bank.failures.deliver()
        await bank.failures.deliver()
        assert len(attacked.regulator.reports) == 1
        assert len(attacked.hub.requests) == asked


# --- certification ----------------------------------------------------------------------------


def raise_maximum(certificate: Any) -> Any:
    field = certificate.fields[0]
    changed = field.model_copy(update={"maximum": field.maximum + 1})
    return certificate.model_copy(update={"fields": (changed, *certificate.fields[1:])})


def other_name(certificate: Any) -> Any:
    return certificate.model_copy(update={"name": "other"})


def longer(certificate: Any) -> Any:
    return certificate.model_copy(update={"not_after": certificate.not_after + 1})


def undisclosed(certificate: Any) -> Any:
    return certificate.model_copy(update={"disclosed": ("tax.f0",)})


def other_key(certificate: Any) -> Any:
    return certificate.model_copy(update={"public_key": bytes(32)})


def other_bundle(certificate: Any) -> Any:
    first, *rest = certificate.participants
    changed = first.model_copy(update={"bundle": bytes(32)})
    return certificate.model_copy(update={"participants": (changed, *rest)})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (raise_maximum, "fields"),
        (other_name, "name"),
        (longer, "validity"),
        (undisclosed, "disclosed"),
        (other_key, "public_key"),
        (other_bundle, "bundle"),
    ],
)
async def test_certificate_that_says_something_else_than_was_submitted(
    attacked: World, change: Callable[[Any], Any], told: str
) -> None:
    attacked.regulator.change = change
    async with attacked.bank() as bank:
        with pytest.raises(BankError) as caught:
            await certified(attacked, bank)
        assert caught.value.code is Code.CERTIFICATE_WRONG
        assert told in str(caught.value)
        assert await bank.agent.read(bank.agent.records.models) == []


async def test_secret_key_that_is_none_is_not_kept(attacked: World) -> None:
    """The regulator seals garbage where the model's key belongs."""
    kept: list[Any] = []

    def spoil(purpose: str, model: bytes, content: bytes, bank: bytes) -> bytes:
        kept.append(purpose)
        spoilt = content[:-8] + b"\xff" * 8 if purpose == KEY_PURPOSE else content
        return seal_to_bank(purpose, model, spoilt, bank)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.node.bank.world.seal_to_bank", spoil)
        async with attacked.bank() as bank:
            with pytest.raises(BankError) as caught:
                await certified(attacked, bank)
            assert "secret_key" in str(caught.value) and KEY_PURPOSE in kept


async def test_bank_without_the_consent_gets_a_refusal_that_names_the_hub(
    attacked: World,
) -> None:
    async with attacked.bank() as bank:
        await prepared(attacked, bank)
        ask = asking(attacked)
        attacked.hub.network.registry.cancelled_hashes.add(consent_hash(ask.consent))
        with pytest.raises(RemoteRefusal) as caught:
            await bank.queries.ask(ask)
        assert caught.value.party == HUB
        assert Reason.CANCELLED.value not in str(caught.value)
