"""Exported evidence verifies from the trust root alone, and nothing in it can be changed."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from federation.membership import TrustRoot
from node.bank.bank import Bank
from node.bank.errors import BankError, Rejected
from node.bank.texts import Code
from node.bank.verification import verify_evidence
from support.chain import UNNAMED, Chain
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
