"""A bank's side of development: exact where holders add no noise, and nothing unproved believed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from federation.development.certificate import DevelopmentCertificate
from federation.development.statement import make_statement, sign_statement
from federation.entries import Kind, Logged, promise, read_entry
from federation.identity import SpiffeId
from node.bank.bank import Bank
from node.bank.development.errors import LabelsInvalid, LabelsRefused
from node.bank.development.lines import Labels, read_labels
from node.bank.development.submitting import Terms
from node.bank.errors import BankError
from node.bank.texts import Code
from node.cli.model_develop_build import kept
from node.rpc.errors import ChunkError, PartyUnavailable
from scoring.development.counts import Counts
from support.chain import CHAIN, HARBOUR, LICENCE_DOMAIN, NOW, POWER, REGULATOR, TAX, UNNAMED, Chain
from support.development import development_consent, label_lines
from tests.node.bank.developing import LabelHub, LabelRegulator, true_columns
from tests.node.bank.world import World, world

GOOD, BAD = 14, 7
TERMS = Terms(UNNAMED)


@pytest.fixture
async def developing(tmp_path: Path, bank_chain: Chain) -> AsyncIterator[World]:
    async with world(tmp_path, bank_chain, hubs=LabelHub, regulators=LabelRegulator) as made:
        yield made


@cache
def given(chain: Chain, good: int = GOOD, bad: int = BAD) -> Labels:
    firms = chain.firms[: good + bad]
    lines = label_lines(
        (int(n >= good), development_consent(firm, LICENCE_DOMAIN, HARBOUR, CHAIN, NOW))
        for n, firm in enumerate(firms)
    )
    return Labels(tuple(lines), good, bad)


def hub_of(world: World) -> LabelHub:
    assert isinstance(world.hub, LabelHub)
    return world.hub


def regulator_of(world: World) -> LabelRegulator:
    assert isinstance(world.regulator, LabelRegulator)
    return world.regulator


async def certify(bank: Bank, world: World, name: str = "spring", **terms: Any) -> None:
    labels = given(world.chain)
    await bank.labels.certify(name, labels, dataclasses.replace(TERMS, **terms), "admin")


async def logged(bank: Bank, kind: Kind) -> list[dict[str, Any]]:
    log = bank.agent.runtime.log
    found = [read_entry(one.entry) async for one in log.iterate()]
    return [one.body for one in found if one.kind is kind]


def columns(counts: Counts, holder: SpiffeId) -> list[tuple[int, int]]:
    return [
        pair
        for feature in counts.features
        if feature.holder == str(holder)
        for pair in zip(feature.good, feature.bad, strict=True)
    ]


async def test_counts_are_those_of_the_labels_to_the_last_firm(developing: World) -> None:
    async with developing.bank() as bank:
        await certify(bank, developing)
        counts = await bank.counting.fetch("spring")
        assert (counts.good, counts.bad, counts.epoch) == (GOOD, BAD, 2)
        outcomes = regulator_of(developing).outcomes
        for holder in UNNAMED:
            expected = true_columns(developing.chain, holder, 2, outcomes)
            assert np.array_equal(np.array(columns(counts, holder)), expected)
        counts.check(developing.chain.catalogue)
        assert await kept(bank, "spring") == (counts, developing.chain.catalogue)
        received = await logged(bank, Kind.COUNTS_RECEIVED)
        assert sorted(entry["holder"] for entry in received) == sorted(map(str, UNNAMED))
        assert len(await logged(bank, Kind.LABELS)) == 1
        assert len(await logged(bank, Kind.LABELS_INSTALLED)) == len(UNNAMED)
        assert not list((developing.folder / "data" / "labels").iterdir())
    async with developing.bank() as bank:  # and nobody is asked again
        calls = list(hub_of(developing).counted)
        assert await bank.counting.fetch("spring") == counts
        assert hub_of(developing).counted == calls
        raw = (developing.folder / "data" / "bank.sqlite").read_bytes()
    assert json.dumps(columns(counts, TAX)[0]).encode() not in raw
    assert developing.chain.firms[0].uscc.encode() not in raw


async def test_a_holder_that_is_down_is_named_and_asked_in_the_same_epoch(
    developing: World,
) -> None:
    hub = hub_of(developing)
    async with developing.bank() as bank:
        await certify(bank, developing)
        with pytest.raises(BankError) as unknown:
            await bank.counting.fetch("autumn")
        assert unknown.value.code is Code.DEVELOPMENT_UNKNOWN
        hub.down = {TAX}
        with pytest.raises(PartyUnavailable, match="tax-1"):
            await bank.counting.fetch("spring", 1)
        hub.down = set()
        with pytest.raises(BankError) as other:
            await bank.counting.fetch("spring", 2)
        assert other.value.code is Code.DEVELOPMENT_EPOCH
        counts = await bank.counting.fetch("spring")
        with pytest.raises(BankError) as other:
            await bank.counting.fetch("spring", 2)
        assert other.value.code is Code.DEVELOPMENT_EPOCH
    assert counts.epoch == 1
    assert {epoch for _, epoch in hub.counted} == {1}
    assert sorted(hub.installed) == sorted(map(str, UNNAMED))


def other_bytes(chain: Chain, about: DevelopmentCertificate, made: Logged, answers: bytes) -> Any:
    """As long, and not what was signed."""
    return made, answers[:-1] + bytes([answers[-1] ^ 1])


def unlogged(chain: Chain, about: DevelopmentCertificate, made: Logged, answers: bytes) -> Any:
    """The hub promises what the holder has to."""
    return Logged(
        made.document, made.entry, promise(REGULATOR, b"", chain.signing[REGULATOR], NOW)
    ), answers


def another_epoch(chain: Chain, about: DevelopmentCertificate, made: Logged, answers: bytes) -> Any:
    """The holder's own word, about its data of another epoch."""
    side = chain.holders[POWER]
    digest = hashlib.sha256(answers).digest()
    statement = make_statement(about, POWER, chain.epochs[1], digest)
    signed, raw = sign_statement(statement, HARBOUR, side.signing, NOW)
    return Logged(signed, raw, promise(POWER, raw, side.signing, NOW)), answers


def fewer(chain: Chain, about: DevelopmentCertificate, made: Logged, answers: bytes) -> Any:
    return made, answers[: len(answers) // 2]


async def test_counts_that_do_not_verify_are_not_kept(developing: World) -> None:
    hub, chain = hub_of(developing), developing.chain
    async with developing.bank() as bank:
        await certify(bank, developing)
        certificate = (await bank.counting._work("spring")).certificate
        honest = hub.change
        for tamper in (other_bytes, unlogged, another_epoch, fewer):

            def change(
                holder: SpiffeId, *made: Any, lie: Callable[..., Any] = tamper
            ) -> tuple[Logged, bytes]:
                found = lie(chain, certificate, *made) if holder == POWER else made
                return found  # type: ignore[no-any-return]

            hub.change = change
            with pytest.raises((BankError, ChunkError)) as wrong:
                await bank.counting.fetch("spring", 2)
            if isinstance(wrong.value, BankError):
                assert wrong.value.code is Code.COUNTS_WRONG and "power-1" in str(wrong.value)
            assert len(await logged(bank, Kind.COUNTS_RECEIVED)) == len(UNNAMED) - 1
            with pytest.raises(BankError) as missing:
                await bank.counting.counts("spring")
            assert missing.value.code is Code.DEVELOPMENT_OPEN
        hub.change = honest
        await bank.counting.fetch("spring")
        assert len(await logged(bank, Kind.COUNTS_RECEIVED)) == len(UNNAMED)


async def test_a_certificate_that_is_not_for_what_was_sent_is_refused(developing: World) -> None:
    regulator = regulator_of(developing)
    async with developing.bank() as bank:
        for changes in (
            {"name": "other"},
            {"id": bytes(16)},
            {"epsilon_micro": 9_000_000},
            {"bundle": bytes(32)},
            {"public_key": bytes(32)},
            {"roster_root": bytes(32)},
            {"not_after": NOW + 99},
            {"parameter_set": "weaker"},
        ):
            regulator.results.clear()
            regulator.change = lambda made, update=changes: made.model_copy(update=update)
            with pytest.raises(BankError) as wrong:
                await certify(bank, developing)
            assert wrong.value.code is Code.CERTIFICATE_WRONG, changes
        assert await logged(bank, Kind.LABELS) == []
        regulator.results.clear()
        regulator.change = lambda made: made
        await certify(bank, developing)


async def test_an_interrupted_certification_is_repeated_and_a_name_is_of_one_thing(
    developing: World,
) -> None:
    regulator = regulator_of(developing)
    regulator.hang_up = True
    async with developing.bank() as bank:
        with pytest.raises(PartyUnavailable):
            await certify(bank, developing)
    regulator.hang_up = False
    async with developing.bank() as bank:
        await certify(bank, developing)
        first, second = regulator.asked
        assert first == second
        await certify(bank, developing)  # known by now: nobody is asked
        assert len(regulator.asked) == 2
        assert len(await logged(bank, Kind.LABELS)) == 1
        with pytest.raises(BankError) as taken:
            await certify(bank, developing, epsilon_micro=1_000_000)
        assert taken.value.code is Code.DEVELOPMENT_EXISTS


async def test_a_refusal_says_why_and_frees_the_name(developing: World) -> None:
    async with developing.bank() as bank:
        few = given(developing.chain, GOOD, 3)
        with pytest.raises(LabelsRefused) as refused:
            await bank.labels.certify("spring", few, TERMS, "admin")
        (reason,) = refused.value.verdict.reasons("en")
        assert reason == "3 firms that defaulted, at least 5 are needed; add labels"
        assert "reasons: 1" in str(refused.value) and "1 项" in refused.value.problem("zh")
        await certify(bank, developing)


def test_files_that_cannot_be_used_name_the_line(tmp_path: Path, bank_chain: Chain) -> None:
    firms = bank_chain.firms[:4]
    table, consents = tmp_path / "labels.csv", tmp_path / "consents.jsonl"
    signed = [
        json.dumps({"consent": development_consent(f, LICENCE_DOMAIN, HARBOUR, CHAIN, NOW)})
        for f in firms
    ]
    rows = [f"{firm.uscc},{n % 2}" for n, firm in enumerate(firms)]

    def written(lines: list[str], given_consents: list[str]) -> Labels:
        table.write_text("\n".join(lines), encoding="utf-8-sig")
        consents.write_text("\n".join(given_consents))
        return read_labels(table, consents)

    found = written(["uscc,outcome", *rows], [*signed, ""])
    assert (found.good, found.bad, len(found.lines)) == (2, 2, 4)
    head = "uscc,outcome"
    for lines, given_consents, text in (
        (rows, signed, "line 1 is not uscc,outcome"),
        ([head], signed, "there is no label"),
        ([head, *rows, rows[0]], signed, "line 6 is of a firm that an earlier line is of"),
        ([head, rows[0][:-1] + "2"], signed, "line 2 has an outcome that is not 0 or 1"),
        ([head, rows[0], "912345,1"], signed, "line 3 has no credit code"),
        ([head, rows[0], "", rows[1]], signed, "line 3 has no credit code"),
        ([head, *rows], signed[1:], "no development consent for 1 of the firms, from line 2 on"),
        ([head, *rows], [*signed, "{}"], "line 5 is no development consent"),
        ([head, *rows], ["[1]"], "line 1 is no development consent"),
        ([head, *rows], ['{"consent": "a.b.c"}'], "line 1 is no development consent"),
    ):
        with pytest.raises(LabelsInvalid) as wrong:
            written(lines, given_consents)
        assert text in str(wrong.value)
        assert firms[0].uscc not in str(wrong.value)
        assert "行" in wrong.value.problem("zh") or "没有" in wrong.value.problem("zh")
