"""What an officer does on the pages: asks, reads profiles, runs batches; and whose they are."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, delete, select

from federation.purpose import Purpose
from node.bank.asking import Ask
from node.bank.indexing import index_all
from node.bank.tables import bank_asked
from node.pages.duties import Duty
from node.rpc.errors import PartyUnavailable
from support.chain import DAY, DELTA, NOW, TAX
from support.pages import assert_matrix
from tests.node.bank.pages.desk import bank_site, key_of
from tests.node.bank.test_queries import asking, ready, scorecard
from tests.node.bank.world import World


def question(world: World, number: int = 0, **claims: Any) -> dict[str, str]:
    """A form that is filled in."""
    consent = asking(world, world.chain.firms[number], **claims).consent
    return {"consent": consent, "purpose": "02", "scope": "one", "reference": "loan-1"}


async def ask(client: httpx.AsyncClient, form: dict[str, str], **more: str) -> httpx.Response:
    page = await client.get("/ask")
    assert page.status_code == 200
    return await client.post("/ask", data={"key": key_of(page.text), **form, **more})


async def test_every_page_is_for_its_duty_only(bank_world: World) -> None:
    async with bank_site(bank_world) as made:
        await assert_matrix(made.site)
        for path in made.site.pages:
            assert "csj" not in path[1]


async def test_a_profile_says_what_the_result_says(bank_world: World) -> None:
    async with bank_site(bank_world) as made:
        model = await ready(bank_world, made.bank)
        async with made.as_(Duty.OFFICER) as client:
            assert "You have asked nothing yet" in (await client.get("/queries")).text
            answer = await ask(client, question(bank_world, uses=3), model=model.hash.hex())
            assert answer.status_code == 303, answer.text
            address = answer.headers["location"]
            result = (await made.bank.queries.answer(bytes.fromhex(address[-32:]))).result
            profile, page = result["profile"], (await client.get(address)).text
            assert result["officer"] == "o-7" and result["uscc"] not in address
            for told in (
                result["uscc"],
                f">{profile['score']}<",
                profile["grade"],
                f"{100 * profile['probability_of_default']:.2f} %",
                *(reason["text"]["en"] for reason in profile["reasons"]),
                f"{profile['coverage']} of {profile['participants']} holders",
                "2027-01-14",
                "1 of 3 by this bank, 2 left",
                "loan-1",
            ):
                assert str(told) in page, told
            # Nothing of the model but its dimensions: no feature, no points of a bin.
            assert not any(f".{entry.feature}" in page for entry in model.scorecard.points)
            listed = (await client.get("/queries?reference=loan-1")).text
            assert address in listed and f">{profile['score']}<" in listed
            assert address not in (await client.get("/queries?reference=other")).text
            exported = (await client.get("/queries.csv")).text
            (line,) = csv.DictReader(io.StringIO(exported.removeprefix("\ufeff")))
            assert line["Score"] == str(profile["score"]) and result["uscc"] not in exported
            evidence = await client.get(f"{address}/evidence")
            assert evidence.json()["format"] == "yinxin-query-evidence/1"
            assert "opening" not in evidence.json()
            assert "opening" in (await client.get(f"{address}/evidence?full=yes")).json()
        async with made.as_(Duty.OFFICER, language="zh") as client:
            assert "企业信用画像" in (await client.get(address)).text


async def test_the_next_epoch_makes_a_trend_of_the_same_firm_only(bank_world: World) -> None:
    async with bank_site(bank_world) as made:
        bank = made.bank
        model = await bank.certification.certify(scorecard(bank_world, "alpha"))
        await bank.installation.install(model)
        newest, older = await bank.sessions.epochs(model)

        async def answered(number: int, officer: str = "o-7") -> bytes:
            one = asking(bank_world, bank_world.chain.firms[number], uses=5)
            return (await bank.queries.ask(replace(one, officer=officer))).id

        await bank.preparation.prepare(model, older)
        first, other, strange = await answered(0), await answered(1), await answered(0, "o-8")
        await bank.preparation.prepare(model, newest)
        again = await answered(0)
        async with made.as_(Duty.OFFICER) as client:
            page = (await client.get(f"/queries/{again.hex()}")).text
            assert first.hex() in page and other.hex() not in page and strange.hex() not in page
            assert "Your own queries about the firm" in page and "1 · 01-15" in page
            assert (
                "Your first query about the firm"
                in (await client.get(f"/queries/{other.hex()}")).text
            )


async def test_what_is_wrong_stands_beside_its_field_with_the_remedy(bank_world: World) -> None:
    async with bank_site(bank_world) as made:
        await ready(bank_world, made.bank)
        right = question(bank_world)
        cases: list[tuple[dict[str, str], str, str]] = [
            (question(bank_world, bank=DELTA), "consent", "a consent that names this bank"),
            (question(bank_world, not_before=NOW - 3 * DAY, expires=NOW - DAY), "consent",
             "obtain a new consent"),
            (right | {"consent": "nothing"}, "consent", "what the enterprise signed"),
            (question(bank_world, purpose=Purpose.JUDICIAL), "consent", "for purpose 09, not 02"),
            (right | {"purpose": "99"}, "purpose", "there is no purpose"),
            (right | {"reference": "r" * 65}, "reference", "a shorter pseudonym"),
            (right | {"model": "omega"}, "model", "there is no model omega"),
        ]  # fmt: skip
        async with made.as_(Duty.OFFICER) as client:
            for form, field, told in cases:
                answer = await ask(client, form)
                assert answer.status_code in (404, 422), (field, answer.status_code)
                error = answer.text.partition(f'id="{field}-error">')[2].partition("</span>")[0]
                assert told in error, (field, told, error)
                assert 'aria-invalid="true"' in answer.text
            assert bank_world.hub.requests == []
            sent = await client.post(
                "/ask",
                data={k: v for k, v in right.items() if k != "consent"},
                files={"consent_file": ("consent.jws", right["consent"].encode() + b"\n")},
            )
            assert sent.status_code == 303


async def test_a_form_sent_twice_asks_once_and_a_party_that_was_away_costs_no_second_use(
    bank_world: World,
) -> None:
    async with bank_site(bank_world) as made:
        await ready(bank_world, made.bank)
        form = question(bank_world, uses=2)
        async with made.as_(Duty.OFFICER) as client:
            key = key_of((await client.get("/ask")).text)
            twice = await asyncio.gather(
                *(client.post("/ask", data={"key": key, **form}) for _ in range(2))
            )
            assert len({answer.headers["location"] for answer in twice}) == 1
            assert len(bank_world.hub.requests) == 1
            changed = await client.post("/ask", data={"key": key, **form, "reference": "x"})
            assert "takes another use" in changed.text and key_of(changed.text) != key
            # The second use: the holder is away, then back; the page sends the same again.
            bank_world.hub.down = {TAX}
            away = await ask(client, form)
            assert away.status_code == 503 and "is unavailable" in away.text
            opened = (await client.get("/queries?state=open")).text
            address = opened.partition('<a href="/queries/')[2].partition('"')[0]
            assert "There is no result yet" in (await client.get(f"/queries/{address}")).text
            bank_world.hub.down = set()
            again = await client.post(f"/queries/{address}/again")
            assert again.headers["location"] == f"/queries/{address}"
            assert "0 left" in (await client.get(f"/queries/{address}")).text
            assert set(bank_world.hub.network.registry.used.values()) == {2}


async def test_nobody_sees_anothers_queries_batches_or_evidence(bank_world: World) -> None:
    async with bank_site(bank_world) as made:
        await ready(bank_world, made.bank)
        own = await made.bank.queries.ask(asking(bank_world, bank_world.chain.firms[0]))
        ask_ = asking(bank_world, bank_world.chain.firms[1])
        batch = await made.bank.batches.begin([ask_], "b", "o-7")
        paths = [
            f"/queries/{own.id.hex()}",
            f"/queries/{own.id.hex()}/evidence",
            f"/batches/{batch.id.hex()}",
            f"/batches/{batch.id.hex()}/progress",
            f"/batches/{batch.id.hex()}/results.csv",
            f"/queries/{'0' * 32}",
            "/queries/nonsense",
        ]
        async with made.as_(Duty.OFFICER, "o-8") as other, made.as_(Duty.OFFICER) as client:
            for path in paths:
                assert (await other.get(path)).status_code == 404, path
            for path in paths[:5]:
                assert (await client.get(path)).status_code == 200, path
            for post in (f"{paths[0]}/again", f"{paths[2]}/cancel"):
                assert (await other.post(post)).status_code == 404, post
            assert "o-7" not in (await other.get("/queries")).text


async def test_a_batch_is_checked_first_then_runs_and_shows_its_results(bank_world: World) -> None:
    async with bank_site(bank_world) as made:
        await ready(bank_world, made.bank)
        good = [asking(bank_world, firm) for firm in bank_world.chain.firms[:4]]
        table = lines([*good[:2], replace(good[2], consent="no consent")])
        table += "x,99,,\n"
        async with made.as_(Duty.OFFICER) as client:
            wrong = await upload(client, table)
            assert wrong.status_code == 422 and "Wrong lines: 2" in wrong.text
            assert "is not a consent in compact JWS form" in wrong.text
            assert ">4</td>" in wrong.text and ">5</td>" in wrong.text
            assert bank_world.hub.requests == []
            nothing = await upload(client, "a,b\n1,2\n")
            assert "needs the columns: consent, purpose" in nothing.text
            stolen = await upload(client, lines(good[:1]), officer="o-8")
            assert "officer is another one" in stolen.text
            begun = await upload(client, lines(good))
            address = begun.headers["location"]
            part = await finished(client, address)
            assert ">4<" in part and "Time left" not in part
            page = (await client.get(address)).text
            results = [await made.bank.queries.ask(one, key_) for one, key_ in keyed(address, good)]
            for one in results:
                assert f"/queries/{one.id.hex()}" in page
                assert f">{one.result['profile']['score']}<" in page
            exported = (await client.get(f"{address}/results.csv")).text
            found = list(csv.DictReader(io.StringIO(exported.removeprefix("\ufeff"))))
            assert [row["Score"] for row in found] == [
                str(one.result["profile"]["score"]) for one in results
            ]
            assert "Done" in (await client.get("/batches")).text


async def test_a_batch_ends_before_its_end(bank_world: World) -> None:
    async with bank_site(bank_world) as made:
        await ready(bank_world, made.bank)
        bank_world.hub.down = {TAX}
        good = [asking(bank_world, firm) for firm in bank_world.chain.firms[:3]]
        async with made.as_(Duty.OFFICER) as client:
            jsonl = "\n".join(json.dumps({"consent": one.consent, "purpose": "02"}) for one in good)
            address = (await upload(client, jsonl)).headers["location"]
            part = ""
            while "are tried again by themselves" not in part:
                await asyncio.sleep(0.05)
                part = (await client.get(f"{address}/progress")).text
            assert "every 1s" in part
            await client.post(f"{address}/cancel")
            part = await finished(client, address)
            assert "Not asked" in part and "Ended early" in part
            batch = await made.bank.batches.load(bytes.fromhex(address[-32:]))
            assert batch.done and batch.cancelled
            assert not await made.bank.batches.unfinished()


async def test_queries_of_before_the_index_are_put_into_it(bank_world: World) -> None:
    async with bank_site(bank_world) as made:
        bank = made.bank
        await ready(bank_world, bank)
        for firm in bank_world.chain.firms[:3]:
            await bank.queries.ask(asking(bank_world, firm))
        bank_world.hub.down = {TAX}
        with pytest.raises(PartyUnavailable):
            await bank.queries.ask(asking(bank_world, bank_world.chain.firms[3]))

        def rows(connection: Connection) -> set[tuple[object, ...]]:
            # But for the reference, which is sealed anew.
            kept = [column for column in bank_asked.c if column is not bank_asked.c.named]
            return {tuple(row) for row in connection.execute(select(*kept))}

        known = await bank.agent.read(rows)
        await bank.agent.write(lambda c: c.execute(delete(bank_asked)))
        assert await index_all(bank.agent, bank.queries, bank.joint) == 4
        assert await bank.agent.read(rows) == known
        assert await index_all(bank.agent, bank.queries, bank.joint) == 0


async def test_an_answer_that_does_not_verify_is_shown_as_that(
    bank_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bank_site(bank_world) as made:
        await ready(bank_world, made.bank)

        def damaged(message: Any) -> Any:
            message.answers[0].answer.signature = bytes(64)
            return message

        monkeypatch.setattr(bank_world.hub.tamper, "query", damaged)
        async with made.as_(Duty.OFFICER) as client:
            answer = await ask(client, question(bank_world))
            assert answer.status_code == 502 and "does not verify" in answer.text
            listed = (await client.get("/queries?state=rejected")).text
            address = listed.partition('<a href="/queries/')[2].partition('"')[0]
            page = (await client.get(f"/queries/{address}")).text
            assert "Do not try again" in page and "spiffe://" in page
            refused = await client.get(f"/queries/{address}/evidence")
            assert refused.status_code == 502


def lines(asks: list[Ask]) -> str:
    """A table of questions, the first on line 2."""
    rows = [f"{one.consent},02,{one.reference}," for one in asks]
    return "\n".join(["consent,purpose,reference,officer", *rows, ""])


async def upload(client: httpx.AsyncClient, text: str, officer: str = "") -> httpx.Response:
    if officer:
        text = text.replace(",\n", f",{officer}\n", 2).replace(f"officer{officer}", "officer")
    key = key_of((await client.get("/batches")).text)
    files = {"file": ("batch.csv", text.encode())}
    return await client.post("/batches", data={"key": key}, files=files)


async def finished(client: httpx.AsyncClient, address: str) -> str:
    """The progress of a batch once it is over: its page is loaded anew then."""
    while True:
        answer = await client.get(f"{address}/progress")
        if "hx-refresh" in answer.headers:
            return answer.text
        await asyncio.sleep(0.05)


def keyed(address: str, asks: list[Ask]) -> list[tuple[Ask, str]]:
    """The questions of a batch with their keys in it: asked again they cost nothing."""
    return [(replace(one, officer="o-7"), f"batch {address[-32:]} {n}")
            for n, one in enumerate(asks)]  # fmt: skip
