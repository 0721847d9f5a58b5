"""Exported evidence verifies from the trust root alone, and nothing in it can be changed."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from federation.canonical import b64, unb64
from federation.consent import consent_hash, sign_consent
from federation.exchange.evidence import knowledge_context
from federation.membership import TrustRoot
from node.bank.bank import Bank
from node.bank.errors import BankError, Rejected
from node.bank.texts import Code
from node.bank.verification import verify_evidence
from scoring.oprf import hash_to_group, prove_knowledge
from scoring.words import MODULUS
from support.chain import HARBOUR, UNNAMED, Chain
from tests.node.bank.test_queries import asking, ready
from tests.node.bank.world import World


async def exported(world: World, bank: Bank, *, full: bool) -> tuple[dict[str, Any], Any]:
    answer = await bank.queries.ask(asking(world, world.chain.firms[3]))
    return await bank.evidence.export(answer.id, full=full), answer


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from leaves(member, (*path, name))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from leaves(member, (*path, index))
    else:
        yield path, value


def changed(value: Any, path: tuple[Any, ...]) -> Any:
    copied = copy.deepcopy(value)
    place = copied
    for step in path[:-1]:
        place = place[step]
    old = place[path[-1]]
    if isinstance(old, str):
        middle = len(old) // 2
        place[path[-1]] = (
            old[:middle] + ("A" if old[middle : middle + 1] != "A" else "B") + old[middle + 1 :]
        )
    else:
        place[path[-1]] = old + 1
    return copied


async def test_evidence_verifies_and_shows_the_record(bank_world: World) -> None:
    async with bank_world.bank() as bank:
        model = await ready(bank_world, bank)
        plain, answer = await exported(bank_world, bank, full=False)
        full = await bank.evidence.export(answer.id, full=True)
        # Tables are erased with their epoch; evidence outlives them.
        bank_world.clock.advance(86_400)
        await bank.preparation.erase_closed()
        assert await bank.evidence.export(answer.id, full=True) == full
    root = bank_world.chain.root
    shown = verify_evidence(json.dumps(plain).encode(), root)
    assert (shown.certificate, shown.holders, shown.record) == (model.hash, UNNAMED, None)
    assert len(shown.permits) == 1 and shown.purpose == "02"
    firm = bank_world.chain.firms[3]
    assert firm.uscc not in json.dumps(plain)
    assert not {"scalars", "word", "consent", "record"} & {
        str(step) for path, _ in leaves(plain) for step in path
    }
    record = verify_evidence(json.dumps(full, indent=2).encode(), root).record
    assert record is not None
    assert dict(record.values) == answer.result["record"]["fields"]


async def test_no_member_of_evidence_can_be_changed(bank_world: World) -> None:
    async with bank_world.bank() as bank:
        await ready(bank_world, bank)
        full, _ = await exported(bank_world, bank, full=True)
    root = bank_world.chain.root
    verify_evidence(json.dumps(full).encode(), root)
    # What the officer and the loan were called is the bank's own note; nothing binds it.
    free = {("opening", "open", "officer"), ("opening", "open", "reference")}
    free.add(("time",))  # which may move by seconds, within the permit's own time
    survived = []
    for path, _ in leaves(full):
        try:
            verify_evidence(json.dumps(changed(full, path)).encode(), root)
        except BankError as error:
            assert error.code is Code.EVIDENCE_INVALID
        else:
            survived.append(path)
    assert set(survived) <= free, survived


async def test_a_record_in_evidence_is_the_banks_word_and_is_called_so(bank_world: World) -> None:
    """A bank that states another padded word states another record, and nothing contradicts it."""
    async with bank_world.bank() as bank:
        model = await ready(bank_world, bank)
        full, _ = await exported(bank_world, bank, full=True)
    field = model.scorecard.layout().fields[0]
    own = full["opening"]
    true = own["record"]["fields"][field.name]
    other = (true + 1) % (field.maximum + 1)
    own["record"]["fields"][field.name] = other
    own["word"] = (own["word"] + ((other - true) << field.offset)) % MODULUS
    shown = verify_evidence(json.dumps(full).encode(), bank_world.chain.root)
    assert shown.record is not None and shown.record.values[field.name] == other
    assert shown.to_dict()["record_stated_by"] == str(shown.bank)


async def test_evidence_shows_that_the_consent_covers_what_the_model_tells(
    bank_world: World,
) -> None:
    """A hub that let fields pass which the enterprise did not name is found out by the file."""
    chain = bank_world.chain
    async with bank_world.bank() as bank:
        await ready(bank_world, bank)
        full, _ = await exported(bank_world, bank, full=True)
    root, firm = chain.root, chain.firms[3]
    request = full["opening"]["open"]
    narrow = sign_consent(chain.claims(firm, fields=("money",)), firm.key, firm.certificate)
    request["consent"] = narrow
    statement = knowledge_context(
        root.chain, HARBOUR, consent_hash(narrow), unb64(request["ctx"], "ctx")
    )
    base = hash_to_group(request["code"].encode())
    for blinding, scalar in zip(request["blindings"], request["scalars"], strict=True):
        element = unb64(blinding["blinded"])
        blinding["proof"] = b64(prove_knowledge(unb64(scalar), base, element, statement))
    with pytest.raises(BankError) as caught:
        verify_evidence(json.dumps(full).encode(), root)
    assert "wrong_fields" in str(caught.value)


async def test_evidence_of_another_chain_or_of_nothing(bank_world: World) -> None:
    other = Chain(firms=2).root
    async with bank_world.bank() as bank:
        await ready(bank_world, bank)
        plain, _ = await exported(bank_world, bank, full=False)
        with pytest.raises(BankError):
            await bank.evidence.export(bytes(16))
        bank_world.hub.tamper.query = lambda reply: type(reply)()
        with pytest.raises(Rejected):
            await bank.queries.ask(asking(bank_world, bank_world.chain.firms[4]), "k")
    root: TrustRoot = bank_world.chain.root
    for raw, against in (
        (json.dumps(plain).encode(), other),
        (b"{}", root),
        (b"[]", root),
        (b"no json", root),
        (json.dumps({**plain, "keys": plain["keys"][:-1]}).encode(), root),
        (json.dumps({**plain, "answers": []}).encode(), root),
        (json.dumps({**plain, "permits": []}).encode(), root),
        (json.dumps({**plain, "answers": plain["answers"][::-1]}).encode(), root),
    ):
        with pytest.raises(BankError):
            verify_evidence(raw, against)
