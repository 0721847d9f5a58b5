"""The REST interface on a real socket: tokens, idempotency, problems, jobs, batches, its log."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import structlog

from node.bank.api.gate import MOST_BYTES, language_of
from node.bank.api.server import ApiServer
from node.bank.bank import Bank
from node.bank.tokens import Tokens
from support.chain import DAY, NOW, POWER
from tests.node.bank.test_queries import asking, ready, scorecard
from tests.node.bank.world import World

URN = "urn:yinxin:problem:"


@asynccontextmanager
async def serving(bank: Bank) -> AsyncIterator[str]:
    """The interface of a running agent; its address."""
    server = ApiServer(bank)
    task = asyncio.create_task(server.serve())
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def client(bank: Bank, token: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """A system of the bank; with a token of its own unless one is given."""
    if token is None:
        tokens = Tokens.of(bank.agent.config)
        token = tokens.add(f"system-{len(tokens._read())}")
    headers = {"authorization": f"Bearer {token}"} if token else {}
    async with (
        serving(bank) as address,
        httpx.AsyncClient(base_url=address, headers=headers, timeout=30, trust_env=False) as made,
    ):
        yield made


def body(world: World, number: int = 0, **changes: Any) -> dict[str, Any]:
    ask = asking(world, world.chain.firms[number], **changes)
    return {"consent": ask.consent, "purpose": "02", "officer": "o-1", "reference": "r-1"}


async def ask(http: httpx.AsyncClient, content: Any, key: str, **headers: str) -> httpx.Response:
    return await http.post("/v1/queries", json=content, headers={"Idempotency-Key": key, **headers})


async def test_nothing_but_health_is_answered_without_a_token(bank_world: World) -> None:
    async with bank_world.bank() as bank, client(bank, "") as http:
        health = await http.get("/v1/health")
        assert health.status_code == 200
        assert "yinxin bank token" in health.json()["remedy"]
        refused = await http.get("/v1/models", headers={"accept-language": "zh-CN,zh;q=0.9"})
        assert refused.status_code == 503  # no token exists: nobody can be let in
        assert refused.headers["content-type"] == "application/problem+json"
        assert "令牌" in refused.json()["detail"]
        token = Tokens.of(bank.agent.config).add("core-banking")
        assert "remedy" not in (await http.get("/v1/health")).json()
        for sent in ("", f"Basic {token}", "Bearer wrong", f"Bearer {token[:-1]}", token):
            for path in ("/v1/models", "/v1/openapi.json", "/v1/nothing", "/v1/queries/00"):
                found = await http.get(path, headers={"authorization": sent} if sent else {})
                assert found.status_code == 401, (sent, path)
                assert found.json()["type"] == URN + "token_invalid"
        right = {"authorization": f"Bearer {token}"}
        assert (await http.get("/v1/models", headers=right)).json() == {"models": []}
        kept = Tokens.of(bank.agent.config).path
        assert kept.stat().st_mode & 0o777 == 0o600 and token not in kept.read_text()


async def test_from_certification_to_a_result(bank_world: World) -> None:
    async with bank_world.bank() as bank, client(bank) as http:
        card = json.loads(scorecard(bank_world, "alpha"))
        made = await http.post("/v1/models", json={"scorecard": card})
        assert made.status_code == 201, made.text
        model = made.json()["certificate"]
        assert not any(p["installed"] for p in made.json()["participants"])
        started = await http.post(f"/v1/models/{model}/prepare", json={})
        assert started.status_code == 202
        job = started.json()
        assert started.headers["location"] == f"/v1/jobs/{job['id']}"
        while job["state"] in {"waiting", "running"}:
            await asyncio.sleep(0.05)
            job = (await http.get(f"/v1/jobs/{job['id']}")).json()
        assert (job["state"], job["done"], job["total"]) == ("done", 1, 1)
        (listed,) = (await http.get("/v1/models")).json()["models"]
        assert listed["prepared"][0] == {"epoch": 2, "buckets": 1, "prepared": 1}
        answered = await ask(http, body(bank_world), "a-1")
        assert answered.status_code == 200, answered.text
        result = answered.json()
        known = bank_world.chain.model_of(bytes.fromhex(model))
        assert known is not None
        record = bank_world.chain.reference(known, 2, bank_world.chain.firms[0])
        assert result["record"] == {"fields": dict(record.values), "coverage": record.coverage}
        assert (await http.get(f"/v1/queries/{result['id']}")).json() == result
        proof = (await http.get(f"/v1/queries/{result['id']}/evidence")).json()
        assert proof["format"] == "yinxin-query-evidence/1" and "opening" not in proof


async def test_a_key_is_one_question_for_ever(bank_world: World) -> None:
    async with bank_world.bank() as bank:
        await ready(bank_world, bank)
        async with client(bank) as http:
            content = body(bank_world)
            found = await asyncio.gather(*(ask(http, content, "k") for _ in range(4)))
            assert [r.status_code for r in found] == [200] * 4
            assert len({r.text for r in found}) == 1
            assert len(bank_world.hub.requests) == 1
            other = await ask(http, body(bank_world, 1), "k")
            assert other.status_code == 422
            assert other.json()["type"] == URN + "key_reused"
            assert other.json()["field"] == "Idempotency-Key"
            missing = await http.post("/v1/queries", json=content)
            assert (missing.status_code, missing.json()["type"]) == (400, URN + "key_missing")
            await_long = await ask(http, content, "x" * 201)
            assert await_long.status_code == 400
    async with bank_world.bank() as bank, client(bank, None) as http:
        # Another system's keys are its own.
        assert (await ask(http, body(bank_world, 2), "k")).status_code == 200


async def test_problems_name_field_party_and_remedy_in_the_readers_language(
    bank_world: World,
) -> None:
    async with bank_world.bank() as bank:
        await ready(bank_world, bank)
        async with client(bank) as http:
            expired = body(bank_world, not_before=NOW - 2 * DAY, expires=NOW - 10)
            english = (await ask(http, expired, "1")).json()
            chinese = (await ask(http, expired, "2", **{"accept-language": "zh"})).json()
            assert english["status"] == 422 and english["field"] == "consent.exp"
            assert english["remedy"] == "obtain a new consent"
            assert "到期" in chinese["detail"] and "重新授权" in chinese["remedy"]
            bank_world.hub.down = {POWER}
            content = body(bank_world)
            down = await ask(http, content, "3")
            assert (down.status_code, down.json()["party"]) == (503, str(POWER))
            assert down.headers["retry-after"]
            bank_world.hub.down = set()
            assert (await ask(http, content, "3")).status_code == 200
            bank_world.hub.tamper.query = lambda reply: type(reply)()
            rejected = await ask(http, body(bank_world, 1), "4")
            assert rejected.status_code == 502
            assert rejected.json()["type"] == URN + "answer_rejected"
            for content, field in (
                ({"purpose": "02"}, "consent"),
                ({**body(bank_world), "colour": "red"}, "colour"),
                ({**body(bank_world), "officer": "o" * 65}, "officer"),
                ([], "body"),
            ):
                found = await ask(http, content, "5")
                assert (found.status_code, found.json()["field"]) == (422, field), found.text
                assert "eyJ" not in found.text
            big = await http.post("/v1/queries", content=b"x" * (MOST_BYTES + 1))
            assert big.status_code == 413
            chunked = await http.post(
                "/v1/queries", content=_chunks(MOST_BYTES), headers={"Idempotency-Key": "6"}
            )
            assert chunked.status_code == 413
            for path in ("/v1/queries/zz", f"/v1/queries/{'0' * 32}", "/v1/jobs/1", "/v1/x"):
                assert (await http.get(path)).status_code == 404, path


async def _chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 65536 + 2):
        yield b"x" * 65536


async def test_batch_runs_every_item_and_is_continued_after_a_restart(
    bank_world: World,
) -> None:
    async with bank_world.bank() as bank:
        await ready(bank_world, bank)
        items = [body(bank_world, n) for n in range(4)]
        items[2] = body(bank_world, 2, expires=NOW - 10, not_before=NOW - DAY)
        async with client(bank) as http:
            headers = {"Idempotency-Key": "b"}
            begun = await http.post("/v1/batches", json={"items": items}, headers=headers)
            assert begun.status_code == 202, begun.text
            found = begun.json()
            while found["state"] == "running":
                await asyncio.sleep(0.05)
                found = (await http.get(f"/v1/batches/{begun.json()['id']}")).json()
            assert (found["done"], found["total"]) == (4, 4)
            assert [i["index"] for i in found["items"]] == [0, 1, 2, 3]
            assert found["items"][2]["error"]["field"] == "consent.exp"
            asked = len(bank_world.hub.requests)
            again = await http.post("/v1/batches", json={"items": items}, headers=headers)
            assert again.json() == found
            other = await http.post("/v1/batches", json={"items": items[:1]}, headers=headers)
            assert other.status_code == 422
            assert len(bank_world.hub.requests) == asked == 3
        left = await bank.batches.begin([asking(bank_world, bank_world.chain.firms[5])], "left")
    async with bank_world.bank() as bank, client(bank) as http:
        state: dict[str, Any] = {"state": "running"}
        while state["state"] == "running":
            await asyncio.sleep(0.05)
            state = (await http.get(f"/v1/batches/{left.id.hex()}")).json()
        assert state["items"][0]["result"]["state"] == "answered"


async def test_log_lines_say_nothing_of_whom_or_which(bank_world: World) -> None:
    async with bank_world.bank() as bank:
        await ready(bank_world, bank)
        with structlog.testing.capture_logs() as lines:
            async with client(bank) as http:
                content = body(bank_world)
                result = (await ask(http, content, "k-secret")).json()
                await http.get(f"/v1/queries/{result['id']}?uscc={result['uscc']}")
        requests = [line for line in lines if line["event"] == "request"]
        assert [line["route"] for line in requests] == ["/v1/queries", "/v1/queries/{query}"]
        assert all(line["status"] == 200 and line["caller"] == "system-0" for line in requests)
        for told in (result["uscc"], result["id"], "k-secret", content["consent"]):
            assert told not in repr(lines)


async def test_openapi_document_describes_every_resource_and_the_token(
    bank_world: World,
) -> None:
    async with bank_world.bank() as bank, client(bank) as http:
        document = (await http.get("/v1/openapi.json")).json()
        assert document["security"] == [{"token": []}]
        assert document["paths"]["/v1/health"]["get"]["security"] == []
        shown = document["paths"]["/v1/queries"]["post"]["responses"]["200"]
        assert shown["content"]["application/json"]["example"]["profile"]["grade"] == "A"
        assert {
            "/v1/health", "/v1/models", "/v1/models/{model}", "/v1/models/{model}/prepare",
            "/v1/jobs/{job}", "/v1/queries", "/v1/queries/{query}", "/v1/queries/{query}/evidence",
            "/v1/batches", "/v1/batches/{batch}", "/v1/applications", "/v1/applications/close",
            "/v1/loans", "/v1/loans/close", "/v1/registered-batches",
            "/v1/chains", "/v1/joint", "/v1/joint/{joint}", "/v1/joint/{joint}/evidence",
        } == set(document["paths"])  # fmt: skip


@pytest.mark.parametrize(
    ("accepted", "language"),
    [("", "en"), ("zh-CN", "zh"), ("en;q=0.5, zh;q=0.9", "zh"), ("fr, en;q=0.1", "en"),
     ("zh;q=0", "en"), ("zh;q=x, en", "en")],
)  # fmt: skip
def test_accepted_language(accepted: str, language: str) -> None:
    assert language_of(accepted) == language


async def test_what_nobody_foresaw_is_logged_without_its_text(
    bank_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bank_world.bank() as bank, client(bank) as http:

        async def faulty(*_: Any, **__: Any) -> Any:
            raise ValueError("weights are 12.5 and 7")

        monkeypatch.setattr(bank.certification, "certify", faulty)
        with structlog.testing.capture_logs() as logs:
            found = await http.post("/v1/models", json={"scorecard": {}})
        assert found.status_code == 500 and found.json()["type"] == URN + "internal"
        (line,) = [line for line in logs if line["event"] == "request failed"]
        assert line["error"].startswith("ValueError in faulty, ")
        assert "12.5" not in f"{logs} {found.text}"
