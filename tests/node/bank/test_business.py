"""Applications, loans, registered batches and administrators: in the log, as the audit reads it."""

from __future__ import annotations

import asyncio
import getpass
import json
from typing import Any

import pytest

from federation.canonical import b64
from federation.entries import Entry, Kind, read_entry
from node.bank.bank import Bank
from node.bank.business import MOST_DAYS, MOST_QUERIES, BatchPlan, Matter
from node.bank.errors import BankError
from node.bank.texts import Code
from node.bank.tokens import Tokens
from support.chain import DAY, NOW
from tests.node.bank.test_api import URN, client
from tests.node.bank.test_cli import Shell, card, shell
from tests.node.bank.test_queries import scorecard
from tests.node.bank.world import World

__all__ = ["shell"]

PLAN = BatchPlan("monthly-1", "o-7", NOW + 3600, NOW + 7200, 40)


async def logged(bank: Bank, *kinds: Kind) -> list[Entry]:
    found = [read_entry(one.entry) async for one in bank.agent.runtime.log.iterate()]
    return [one for one in found if one.kind in kinds]


async def refused(code: Code, field: str, work: Any) -> BankError:
    with pytest.raises(BankError) as caught:
        await work
    assert (caught.value.code, caught.value.field) == (code, field)
    assert caught.value.remedy("zh") and caught.value.remedy("en")
    return caught.value


@pytest.mark.parametrize("matter", list(Matter))
async def test_a_matter_is_opened_once_and_closed_once(bank_world: World, matter: Matter) -> None:
    opened, closed = (Kind(f"{matter.value}-{state}") for state in ("opened", "closed"))
    async with bank_world.bank() as bank:
        made = await bank.business.open(matter, "R-1", "o-7")
        expected = {"kind": matter.value, "reference": "R-1", "state": "open", "opened": NOW}
        assert made == expected
        again = await refused(
            Code.REFERENCE_OPEN, "reference", bank.business.open(matter, "R-1", "o-7")
        )
        assert "R-1 is open already" in str(again)
        ended = await bank.business.close(matter, "R-1", "o-8")
        assert ended == {**expected, "state": "closed", "closed": NOW}
        twice = await refused(
            Code.REFERENCE_CLOSED, "reference", bank.business.close(matter, "R-1", "o-7")
        )
        assert "R-1 is closed already; check it" in str(twice)
        # A number serves once: what a query names as its reason never means two things.
        await refused(Code.REFERENCE_CLOSED, "reference", bank.business.open(matter, "R-1", "o-7"))
        await refused(
            Code.REFERENCE_UNKNOWN, "reference", bank.business.close(matter, "R-2", "o-7")
        )
        entries = await logged(bank, opened, closed)
        assert [(e.kind, e.time, e.body) for e in entries] == [
            (opened, NOW, {"reference": "R-1", "officer": "o-7"}),
            (closed, NOW, {"reference": "R-1", "officer": "o-8"}),
        ]


async def test_an_application_and_a_loan_may_share_a_number(bank_world: World) -> None:
    async with bank_world.bank() as bank:
        for matter in Matter:
            await bank.business.open(matter, "R-1", "o-7")
        await bank.business.close(Matter.LOAN, "R-1", "o-7")
        await bank.business.close(Matter.APPLICATION, "R-1", "o-7")


async def test_of_two_that_open_at_once_one_is_told(bank_world: World) -> None:
    async with bank_world.bank() as bank:
        found = await asyncio.gather(
            *(bank.business.open(Matter.LOAN, "R-1", f"o-{n}") for n in range(4)),
            return_exceptions=True,
        )
        assert sum(isinstance(one, dict) for one in found) == 1
        assert len(await logged(bank, Kind.LOAN_OPENED)) == 1


@pytest.mark.parametrize(
    ("reference", "officer", "code", "field"),
    [
        ("", "o", Code.PSEUDONYM_MISSING, "reference"),
        ("  ", "o", Code.PSEUDONYM_MISSING, "reference"),
        ("R", "", Code.PSEUDONYM_MISSING, "officer"),
        ("R" * 65, "o", Code.PSEUDONYM_INVALID, "reference"),
        ("R", "o\n", Code.PSEUDONYM_INVALID, "officer"),
    ],
)
async def test_a_reference_is_what_a_query_can_name(
    bank_world: World, reference: str, officer: str, code: Code, field: str
) -> None:
    async with bank_world.bank() as bank:
        for change in (bank.business.open, bank.business.close):
            await refused(code, field, change(Matter.LOAN, reference, officer))
        assert await logged(bank, Kind.LOAN_OPENED, Kind.LOAN_CLOSED) == []


async def test_a_batch_is_registered_before_it_runs(bank_world: World) -> None:
    async with bank_world.bank() as bank:
        made = await bank.business.register(PLAN)
        (entry,) = await logged(bank, Kind.BATCH)
        assert entry.body == {
            "batch": "monthly-1",
            "officer": "o-7",
            "purpose": "01",
            "from": NOW + 3600,
            "until": NOW + 7200,
            "size": 40,
        }
        assert made == {**entry.body, "registered": NOW}
        await refused(Code.BATCH_REGISTERED, "batch", bank.business.register(PLAN))
        later = BatchPlan("m-2", "o-7", NOW, NOW + MOST_DAYS * DAY, MOST_QUERIES, "post_loan")
        await bank.business.register(later)  # the limits themselves


@pytest.mark.parametrize(
    ("plan", "code", "field"),
    [
        (BatchPlan("b", "o", NOW - 1, NOW + 60, 1), Code.BATCH_BEGUN, "from"),
        (BatchPlan("b", "o", NOW, NOW, 1), Code.BATCH_TIME, "until"),
        (BatchPlan("b", "o", NOW, NOW + MOST_DAYS * DAY + 1, 1), Code.BATCH_TIME, "until"),
        (BatchPlan("b", "o", NOW, NOW + 60, 0), Code.BODY_INVALID, "size"),
        (BatchPlan("b", "o", NOW, NOW + 60, MOST_QUERIES + 1), Code.BODY_INVALID, "size"),
        (BatchPlan("b", "o", NOW, NOW + 60, 1, "02"), Code.BATCH_PURPOSE, "purpose"),
        (BatchPlan("b", "o", NOW, NOW + 60, 1, "99"), Code.PURPOSE_UNKNOWN, "purpose"),
        (BatchPlan("", "o", NOW, NOW + 60, 1), Code.PSEUDONYM_MISSING, "batch"),
        (BatchPlan("b", "", NOW, NOW + 60, 1), Code.PSEUDONYM_MISSING, "officer"),
    ],
    ids=lambda value: value.value if isinstance(value, Code) else "",
)
async def test_a_batch_that_would_excuse_what_it_may_not_is_refused(
    bank_world: World, plan: BatchPlan, code: Code, field: str
) -> None:
    """Registered after the fact, for another purpose or for ever it would excuse any query."""
    async with bank_world.bank() as bank:
        await refused(code, field, bank.business.register(plan))
        assert await logged(bank, Kind.BATCH) == []


async def test_the_interface_says_the_same(bank_world: World) -> None:
    async with bank_world.bank() as bank, client(bank) as http:
        body = {"reference": "A-1", "officer": "o-7"}
        for path, kind in (("applications", "application"), ("loans", "loan")):
            made = await http.post(f"/v1/{path}", json=body)
            assert (made.status_code, made.json()["state"]) == (201, "open")
            assert made.json()["kind"] == kind
            again = await http.post(f"/v1/{path}", json=body, headers={"accept-language": "zh"})
            assert (again.status_code, again.json()["type"]) == (409, URN + "reference_open")
            assert again.json()["field"] == "reference" and "先关闭" in again.json()["remedy"]
            ended = await http.post(f"/v1/{path}/close", json=body)
            assert (ended.status_code, ended.json()["state"]) == (200, "closed")
            twice = await http.post(f"/v1/{path}/close", json=body)
            assert (twice.status_code, twice.json()["type"]) == (409, URN + "reference_closed")
            unknown = await http.post(f"/v1/{path}/close", json={**body, "reference": "A/2?"})
            assert (unknown.status_code, unknown.json()["type"]) == (404, URN + "reference_unknown")
            for bad in ({"reference": "A-9"}, {**body, "uscc": "x"}, {**body, "officer": ""}):
                assert (await http.post(f"/v1/{path}", json=bad)).status_code == 422
        plan = {"batch": "m", "officer": "o", "from": NOW, "until": NOW + 60, "size": 3}
        made = await http.post("/v1/registered-batches", json=plan)
        assert made.status_code == 201, made.text
        assert made.json() == {**plan, "purpose": "01", "registered": NOW}
        late = await http.post("/v1/registered-batches", json={**plan, "from": NOW - 1})
        assert (late.json()["type"], late.json()["field"]) == (URN + "batch_begun", "from")
        described = (await http.get("/v1/openapi.json")).json()["paths"]
        for path, title in (("applications", "业务申请"), ("loans", "贷款")):
            for said in (described[f"/v1/{path}"], described[f"/v1/{path}/close"]):
                assert title in said["post"]["summary"]
        assert "from" in json.dumps(described["/v1/registered-batches"])
        kinds = [Kind.APPLICATION_OPENED, Kind.APPLICATION_CLOSED, Kind.LOAN_OPENED]
        kinds += [Kind.LOAN_CLOSED, Kind.BATCH]
        assert [one.kind for one in await logged(bank, *kinds)] == kinds
    async with bank_world.bank() as bank, client(bank, "none") as http:
        for path in ("applications", "loans/close", "registered-batches"):
            assert (await http.post(f"/v1/{path}", json={})).status_code in {401, 503}


async def test_the_commands_say_the_same(bank_world: World, shell: Shell) -> None:
    opened = await shell.json("application", "open", "A-1", "--officer", "o-7")
    assert opened == {"kind": "application", "reference": "A-1", "state": "open", "opened": NOW}
    await shell.run("loan", "open", "L-1", "--officer", "o-7")
    assert (await shell.json("loan", "close", "L-1", "--officer", "o-7"))["state"] == "closed"
    close = ("loan", "close", "L-1", "--officer", "o-7")
    wrong = await shell.run(*close, "--lang", "en", code=1)
    assert wrong.stderr.startswith("yinxin: reference: L-1 is closed already; ")
    wrong = await shell.run(*close, "--lang", "zh", code=1)
    assert wrong.stderr.startswith("yinxin: reference：L-1 已经关闭；")
    await shell.run("application", "close", "A-1", "--officer", "o-7")
    until = "2100-01-01T06:00+08:00"
    register = ("batch", "register", "m-1", "--officer", "o", "--size", "3")
    early = await shell.run(*register, "--until", until, "--lang", "en", code=1)
    assert "within 31 days" in early.stderr
    assert "is no time" in (await shell.run(*register, "--until", "tonight", code=1)).stderr


async def test_batch_is_still_run_by_its_file(bank_world: World, shell: Shell) -> None:
    file, out = shell.write("none.jsonl", "nonsense\n"), str(shell.folder / "out.jsonl")
    for arguments in (("batch", file, "--out", out), ("batch", "--out", out, file)):
        assert "line 1" in (await shell.run(*arguments, "--lang", "en", code=1)).stderr


async def test_administrators_are_in_the_log_with_what_they_did(
    bank_world: World, shell: Shell
) -> None:
    made = await shell.json("certify", shell.write("card.json", card(bank_world)))
    await shell.run("token", "core")
    await shell.run("token", "core", code=1)
    await shell.run("token", "core banking", code=1)
    async with bank_world.bank() as bank:
        async with client(bank) as http:
            card_2 = json.loads(scorecard(bank_world, "beta"))
            assert (await http.post("/v1/models", json={"scorecard": card_2})).status_code == 201
        first, token, second = [one.body for one in await logged(bank, Kind.ADMIN)]
        hashes = [b64(row[0]) for row in await bank.agent.read(bank.agent.records.models)]
    user, digest = getpass.getuser(), b64(bytes.fromhex(made["certificate"]))
    assert first == {"action": "certify", "by": user, "document": digest}
    assert token == {"action": "token", "by": user, "name": "core"}
    assert (second["action"], second["by"]) == ("certify", "system-1")
    assert {first["document"], second["document"]} == set(hashes)


async def test_no_token_works_that_the_log_lacks(
    bank_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from node.bank.administration import add_token
    from node.errors import LogError

    async with bank_world.bank() as bank:
        runtime = bank.agent.runtime

        def full(*_: object) -> None:
            raise LogError("entry: cannot be written")

        with monkeypatch.context() as patch:
            patch.setattr(runtime.log, "append", full)
            with pytest.raises(LogError):
                await add_token(runtime, "core", "root")
        assert not Tokens.of(runtime.config).usable()
        assert Tokens.of(runtime.config).caller(await add_token(runtime, "core", "root")) == "core"
