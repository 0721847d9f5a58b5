"""Unlock: each permit once, within budgets and switches, logged before it is answered."""

from __future__ import annotations

import asyncio
import dataclasses
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from federation.answers import KeyStatement, UnlockAnswer
from federation.canonical import unb64
from federation.entries import Kind, entry, promise, read_entry
from federation.exchange.messages import UnlockRequest
from federation.permit import Permit
from federation.signed import Signed
from node.holder.banks import set_budget, set_stopped
from node.log.attachments import decode_attachments
from node.log.tree import LogTree
from node.rpc.errors import RemoteClosed, RemoteError, RemoteRefusal
from scoring.oprf import verify
from support.chain import DAY, DELTA, HARBOUR, HUB, NOW, TAX
from support.people import Model
from tests.node.holder.world import Node, World

METHOD = "/yinxin.v1.Holder/Unlock"


async def prepared(node: Node, *models: Model) -> None:
    await node.open_epoch()
    for model in models or (node.world.chain.alpha,):
        await node.install(model)


async def reasons(node: Node) -> list[Any]:
    return [e.body["reason"] for e in await node.entries() if e.kind == "refusal"]


def read_answer(world: World, signed: Any) -> UnlockAnswer:
    return UnlockAnswer.open_(signed, world.chain.holders[TAX].signing.public)


def reissued(world: World, request: UnlockRequest, **changes: object) -> UnlockRequest:
    """The permit with changes, signed and promised by the hub: a hub that plays foul."""
    permit = Permit.parse(request.permit.document.payload).model_copy(update=changes)
    key = world.chain.signing[HUB]
    raw = entry(Kind.PERMIT, permit.issued, document=permit.hash)
    logged = dataclasses.replace(
        request.permit,
        document=permit.sign(key),
        entry=raw,
        promise=promise(HUB, raw, key, permit.issued),
    )
    return dataclasses.replace(request, permit=logged)


async def test_permit_and_key_statement_lie_beside_the_log(tmp_path: Path) -> None:
    """The audit needs the documents that a holder's entries name, not their hashes alone."""
    world = World(tmp_path)
    model = world.chain.alpha
    async with world.running() as node:
        await prepared(node)
        requests = [await node.permit(model, firm) for firm in world.chain.firms[:2]]
        for request in (*requests, requests[0]):
            await node.unlock(request)
        kept = decode_attachments(await LogTree(node.runtime.store).attachments(0))
        entries = await node.entries()
    permits = [unb64(str(e.body["document"])) for e in entries if e.kind is Kind.UNLOCK]
    (key,) = (e for e in entries if e.kind is Kind.CTX_KEY)
    for request in requests:
        document = request.permit.document
        assert kept.pop(document.payload_hash) == document.to_json()
    assert permits == [request.permit.document.payload_hash for request in requests]
    ((digest, body),) = kept.items()
    assert digest == unb64(str(key.body["document"]))
    public = world.chain.holders[TAX].signing.public
    assert KeyStatement.open_(Signed.from_json(body), public).hash == digest


async def test_the_same_permit_again_has_the_same_evaluation_and_costs_nothing(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    model, firm = world.chain.alpha, world.chain.firms[0]
    async with world.running(budget=1) as node:
        await prepared(node)
        request = await node.permit(model, firm)
        first = read_answer(world, await node.unlock(request))
        permit = Permit.parse(request.permit.document.payload)
        public = (await node.session(model)).keys[TAX]
        verify(public, [permit.blinded], [first.evaluated], first.proof)
        again = await asyncio.gather(*(node.unlock(request) for _ in range(4)))
        assert {read_answer(world, one).evaluated for one in again} == {first.evaluated}
        assert (await node.kinds())["unlock"] == 1
    async with world.running(budget=1) as node:
        assert read_answer(world, await node.unlock(request)).evaluated == first.evaluated
        assert (await node.kinds())["unlock"] == 1


@pytest.mark.parametrize("kept", ["id", "blinded"])
async def test_a_replayed_permit_with_another_id_or_element_is_refused(
    tmp_path: Path, kept: str
) -> None:
    world = World(tmp_path)
    model = world.chain.alpha
    async with world.running() as node:
        await prepared(node)
        one = await node.permit(model, world.chain.firms[0])
        other = await node.permit(model, world.chain.firms[1])
        await node.unlock(one)
        taken = getattr(Permit.parse(one.permit.document.payload), kept)
        with pytest.raises(RemoteRefusal):
            await node.unlock(reissued(world, other, **{kept: taken}))
        assert await reasons(node) == ["replayed_permit"]
        await node.unlock(other)


async def test_of_permits_with_one_element_that_arrive_at_once_one_is_answered(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    model = world.chain.alpha
    async with world.running() as node:
        await prepared(node)
        one = await node.permit(model, world.chain.firms[0])
        rivals = [reissued(world, one, id=bytes([n]) * 16) for n in range(1, 6)]
        found = await asyncio.gather(*map(node.unlock, rivals), return_exceptions=True)
        assert sum(not isinstance(answer, BaseException) for answer in found) == 1
        assert (await node.kinds())["unlock"] == 1


async def test_a_bank_is_answered_within_its_budget_of_24_hours(tmp_path: Path) -> None:
    world = World(tmp_path)
    model = world.chain.alpha
    async with world.running(budget=2) as node:
        await prepared(node, model, world.chain.rival)
        for firm in world.chain.firms[:2]:
            await node.unlock(await node.permit(model, firm))
        third = await node.permit(model, world.chain.firms[2])
        with pytest.raises(RemoteRefusal):
            await node.unlock(third)
        assert await reasons(node) == ["budget_exhausted"]
        # Another bank has a budget of its own, and an administrator may give this one more.
        await node.unlock(await node.permit(world.chain.rival, world.chain.firms[0]))
        await node.runtime.store.run(lambda c: set_budget(node.runtime, c, HARBOUR, "li", 3))
        await node.unlock(third)
        with pytest.raises(RemoteRefusal):
            await node.unlock(await node.permit(model, world.chain.firms[3]))
        admin = [e.body for e in await node.entries() if e.kind == "administrator"]
        assert admin == [{"action": "bank-budget", "bank": str(HARBOUR), "budget": 3, "by": "li"}]


async def test_a_stopped_bank_is_refused_at_once_and_no_other(tmp_path: Path) -> None:
    world = World(tmp_path)
    model = world.chain.alpha
    async with world.running() as node:
        await prepared(node, model, world.chain.rival)
        request = await node.permit(model, world.chain.firms[0])
        answered = await node.permit(model, world.chain.firms[1])
        await node.unlock(answered)
        store, runtime = node.runtime.store, node.runtime
        await store.run(lambda c: set_stopped(runtime, c, HARBOUR, "li", stopped=True))
        for call in (
            node.unlock(request),
            node.unlock(answered),
            node.key(model.certificate),
            node.prepare(model.certificate),
        ):
            with pytest.raises(RemoteRefusal):
                await call
        assert await reasons(node) == ["bank_stopped"] * 4
        await node.unlock(await node.permit(world.chain.rival, world.chain.firms[0]))
        await store.run(lambda c: set_stopped(runtime, c, HARBOUR, "li", stopped=False))
        await node.unlock(request)
        actions = [e.body["action"] for e in await node.entries() if e.kind == "administrator"]
        assert actions == ["bank-stop", "bank-resume"]


async def test_permits_that_are_not_for_this_node_now_are_refused(tmp_path: Path) -> None:
    world = World(tmp_path)
    model, firm = world.chain.alpha, world.chain.firms[0]
    async with world.running() as node:
        await prepared(node)
        request = await node.permit(model, firm)
        other = tuple(h for h in model.certificate.holders if h != TAX)
        bad = [
            ("wrong_audience", {"audience": other}),
            ("foreign_certificate", {"bank": DELTA}),
            ("wrong_context", {"ctx": bytes(32)}),
            ("uncertified_model", {"certificate": bytes(32)}),
            ("not_open", {"epoch": 11}),
            ("malformed", {"blinded": bytes(32)}),
            ("expired", {"issued": NOW - 2 * DAY, "expires": NOW - DAY}),
        ]
        for reason, changes in bad:
            with pytest.raises(RemoteError) as caught:
                await node.unlock(reissued(world, request, **changes))
            assert isinstance(caught.value, RemoteRefusal | RemoteClosed), reason
        assert await reasons(node) == [reason for reason, _ in bad]
        assert "unlock" not in await node.kinds()
        await node.unlock(request)


async def test_storage_after_a_query_for_one_firm_and_another_differs_in_random_fields_only(
    tmp_path: Path,
) -> None:
    """And neither code, record nor weight is in any file that the queries wrote."""
    world = World(tmp_path)
    model = world.chain.alpha
    one, other = world.chain.firms[0], world.chain.firms[1]
    async with world.running() as node:
        await prepared(node)
        await node.prepare(model.certificate)
        for firm in (one, other):
            await node.unlock(await node.permit(model, firm))
        entries = [item async for item in node.runtime.log.iterate()]
    unlocks = [item.entry for item in entries if item.kind == "unlock"]
    assert len({len(raw) for raw in unlocks}) == 1
    bodies = [read_entry(raw).body for raw in unlocks]
    assert {key for key in bodies[0] if bodies[0][key] != bodies[1][key]} == {"document"}
    database = sqlite3.connect(world.home / "data" / "holder.sqlite")
    database.row_factory = sqlite3.Row
    rows = [dict(row) for row in database.execute("select * from holder_permits")]
    database.close()
    differ = {key for key in rows[0] if rows[0][key] != rows[1][key]}
    assert differ <= {"id", "blinded", "hash", "consent_tag", "answered_at"}
    assert all(len(rows[0][key]) == len(rows[1][key]) for key in differ - {"answered_at"})
    for firm in (one, other):
        for raw in unlocks:
            assert firm.uscc.encode() not in raw
        assert all(
            firm.uscc.encode() not in bytes(v)
            for r in rows
            for v in r.values()
            if isinstance(v, bytes)
        )


async def test_a_killed_node_has_lost_no_entry_of_what_it_answered(tmp_path: Path) -> None:
    """Kill -9 while permits are answered: whatever the hub holds an answer to is in the log."""
    world = World(tmp_path)
    model = world.chain.alpha
    async with world.running() as node:
        await prepared(node)
        requests = [await node.permit(model, firm) for firm in world.chain.firms]
    async with world.serving_hub() as port:
        config = world.home / "node.toml"
        text = config.read_text()
        old = text[text.rindex("127.0.0.1:") :]
        config.write_text(text.replace(old, f'127.0.0.1:{port}"\n'))
        answered = await _answer_until_killed(world, config, requests)
    assert 0 < len(answered) < len(requests)
    async with world.running() as node:
        logged = {e.body["document"] for e in await node.entries() if e.kind == "unlock"}
        assert {str(_document(request)) for request in answered} <= logged
        for request in requests:
            await node.unlock(request)
        assert (await node.kinds())["unlock"] == len(requests)


async def _answer_until_killed(
    world: World, config: Path, requests: list[UnlockRequest]
) -> list[UnlockRequest]:
    from node.rpc.client import Channel
    from tests.node.holder.world import LIMITS

    script = Path(__file__).with_name("node_process.py")
    told = world.folder / "port"
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), str(config), str(NOW), str(told)
    )
    async with asyncio.timeout(60):
        while not told.exists():
            assert process.returncode is None
            await asyncio.sleep(0.05)
    port = int(told.read_text())
    answered: list[UnlockRequest] = []
    async with Channel(TAX, f"127.0.0.1:{port}", world.tls(HUB), LIMITS) as channel:
        node = Node(world, None, channel, "")  # type: ignore[arg-type]  # only its calls

        async def ask(request: UnlockRequest) -> None:
            await node.unlock(request)
            answered.append(request)
            if len(answered) == len(requests) // 3:
                process.send_signal(signal.SIGKILL)

        for request in requests:
            try:
                await ask(request)
            except RemoteError as error:
                assert error.party == TAX
                break
    async with asyncio.timeout(30):
        await process.wait()
    return answered


def _document(request: UnlockRequest) -> str:
    from federation.canonical import b64

    return b64(request.permit.document.payload_hash)
