"""A hub that would read, forge, withhold or answer disputes: it can withhold, and nothing else.

The hub is the real one, with one of its two relaying functions replaced; firm and holder are real.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from federation.disputes.key import KEY_SECONDS, SEALED_DISPUTE_BYTES, DisputeKey, seal_dispute
from federation.disputes.reply import SEALED_REPLY_BYTES, Outcome
from federation.entries import Kind
from federation.envelope import EnvelopeKey
from federation.errors import EnvelopeError, Refusal, SignatureInvalid
from federation.signed import Signed
from node.enterprise.agent import Agent
from node.enterprise.disputing import OwnDispute, begin_dispute, look_up, own_disputes
from node.holder.disputes.register import answer_dispute
from node.hub.disputes import Disputes
from node.rpc.convert import signed_from_wire, signed_to_wire
from node.rpc.errors import RemoteError
from support.disputing import FIRM, HOLDER, OTHER, World, disputing
from support.enrolled import HARBOUR, HUB
from yinxin.v1 import common_pb2

STATEMENT = "an unmistakable statement: the tax of September is wrong"
Key = Callable[[common_pb2.DisputeKeyReply], common_pb2.DisputeKeyReply]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with disputing(tmp_path) as made:
        yield made


async def begin(agent: Agent, statement: str = STATEMENT) -> OwnDispute:
    return await begin_dispute(agent, "csj", HOLDER, ["tax.paid"], b"", statement)


def hand_out(monkeypatch: pytest.MonkeyPatch, change: Key) -> None:
    honest = Disputes.key

    async def key(self: Disputes, *arguments: Any) -> common_pb2.DisputeKeyReply:
        return change(await honest(self, *arguments))

    monkeypatch.setattr(Disputes, "key", key)


async def test_a_hub_that_hands_out_another_key_receives_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own key, in the holder's name or another's; a credential of its own make; an old key."""
    own, signing = EnvelopeKey.generate(), world.hub.identity.signing
    homes, now = world.homes, world.homes.now
    fields: dict[str, Any] = {"chain": "csj", "holder": HOLDER, "public": own.public}

    def key(issued: int = now, **changes: Any) -> DisputeKey:
        times = {"issued": issued, "expires": issued + KEY_SECONDS}
        return DisputeKey(**fields | times | changes)

    def reply(credential: Signed, document: Signed) -> common_pb2.DisputeKeyReply:
        return common_pb2.DisputeKeyReply(
            credential=signed_to_wire(credential), key=signed_to_wire(document)
        )

    genuine = homes.identity(HOLDER).credential
    forged = homes.identity(HOLDER).member.model_copy(update={"signing": signing.public})
    bank, hub = homes.identity(HARBOUR).credential, homes.identity(HUB).credential
    # The holder's key once leaked and is over: the hub knows its secret half.
    over = key(now - KEY_SECONDS - 10).sign(homes.identity(HOLDER).signing)
    substitutes = (
        (reply(genuine, key().sign(signing)), SignatureInvalid),
        (reply(forged.sign(signing), key().sign(signing)), SignatureInvalid),
        (reply(hub, key(holder=HUB).sign(signing)), Refusal),
        (reply(bank, key(holder=HARBOUR).sign(homes.identity(HARBOUR).signing)), Refusal),
        (reply(genuine, over), Refusal),
    )
    brought = []

    async def relay(self: Disputes, request: Any, *rest: Any) -> common_pb2.DisputeReply:
        brought.append(request)
        return common_pb2.DisputeReply()

    async with world.agent() as agent:
        with monkeypatch.context() as patched:
            patched.setattr(Disputes, "relay", relay)
            for substitute, error in substitutes:
                with patched.context() as once:
                    hand_out(once, lambda _, given=substitute: given)  # type: ignore[misc]
                    with pytest.raises(error):
                        await begin(agent)
        assert brought == []
        states = [one.state for one in await own_disputes(agent)]
        assert states == ["unsent"] * len(substitutes)
        # An honest hub: the same dispute goes out, and stands once in the holder's log.
        assert (await look_up(agent, (await own_disputes(agent))[0].id)).state == "received"
        assert len(await world.entries(Kind.DISPUTED)) == 1


async def test_a_hub_learns_no_content_and_cannot_answer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[bytes, bytes]] = []
    answers: list[Callable[[], bytes] | None] = [None]
    honest: Callable[..., Awaitable[common_pb2.DisputeReply]] = Disputes.relay

    async def relay(self: Disputes, request: Any, *rest: Any) -> common_pb2.DisputeReply:
        reply = await honest(self, request, *rest)
        seen.append((request.SerializeToString(), reply.sealed))
        made = answers[0]
        return reply if made is None else common_pb2.DisputeReply(sealed=made())

    monkeypatch.setattr(Disputes, "relay", relay)
    holder = world.holder
    async with world.agent() as agent, world.agent(OTHER) as other:
        first = await begin(agent)
        foreign = await begin(other)
        assert (await look_up(agent, first.id)).state == "received"
        await holder.store.run(
            lambda c: answer_dispute(holder, c, "e", first.id, Outcome.CONFIRMED, STATEMENT * 3)
        )

        # In the holder's place: what it made itself, what was for another dispute, what is cut.
        of_other = seen[1][1]
        for made in (lambda: bytes(SEALED_REPLY_BYTES), lambda: of_other, lambda: b""):
            answers[0] = made
            with pytest.raises(EnvelopeError):
                await look_up(agent, first.id)
        # An older reply of the holder to this very dispute: nothing is lost, the answer comes.
        answers[0] = lambda: seen[0][1]
        assert (await look_up(agent, first.id)).state == "received"
        answers[0] = None
        answered = await look_up(agent, first.id)
        assert (answered.state, answered.reason) == ("answered", STATEMENT * 3)
        # ... and is not taken back.
        answers[0] = lambda: seen[0][1]
        assert (await look_up(agent, first.id)).state == "answered"

        requests, replies = zip(*seen, strict=True)
        assert len({len(raw) for raw in requests}) == 1
        assert len(set(requests)) == len(requests)
        assert {len(raw) for raw in replies} == {SEALED_REPLY_BYTES}
        for raw in (*requests, *replies):
            for secret in (STATEMENT.encode(), FIRM.encode(), first.id, foreign.id, b"tax.paid"):
                assert secret not in raw
    files = [path for path in world.homes.folder(HUB).rglob("*.sqlite*") if path.is_file()]
    assert files
    for path in files:
        content = path.read_bytes()
        assert STATEMENT.encode() not in content and FIRM.encode() not in content


async def test_a_hub_cannot_dispute_for_a_firm_or_flood_a_holder(world: World) -> None:
    """What it makes itself is no firm's; what it recorded is what the holder has already."""
    holder, now = world.holder, world.homes.now
    request = common_pb2.DisputeKeyRequest(holder=str(HOLDER))
    port = holder.servers[0].port
    async with world.agent() as agent:
        own = await begin(agent)
        enterprise = agent.enterprise()
    async with world.homes.channel(HUB, HOLDER, port) as channel:
        given = await channel.unary(
            "/yinxin.v1.Holder/GetDisputeKey", request, common_pb2.DisputeKeyReply
        )
        key = DisputeKey.parse(signed_from_wire(given.key).payload)

        async def bring(compact: str, **changes: Any) -> bytes:
            message = {
                "holder": str(HOLDER), "key": key.hash, "sealed": seal_dispute(compact, key),
            }  # fmt: skip
            sent = common_pb2.DisputeRequest(**message | changes)
            reply = await channel.unary("/yinxin.v1.Holder/Dispute", sent, common_pb2.DisputeReply)
            return reply.sealed

        reply_key = EnvelopeKey.generate().public
        honest = enterprise.dispute(HOLDER, "csj", ["tax.paid"], b"", "x", reply_key, now)
        head, body, signature = honest.split(".")
        other = enterprise.dispute(HOLDER, "csj", ["tax.due"], b"", "y", reply_key, now)
        for made in ("a.b.c", "", f"{head}.{other.split('.')[1]}.{signature}", f"{head}.{body}."):
            with pytest.raises(RemoteError):
                await bring(made)
        for changes in (
            {"sealed": bytes(SEALED_DISPUTE_BYTES)},
            {"sealed": b""},
            {"key": bytes(32)},
            {"key": b""},
            {"holder": str(HUB)},
            {"holder": ""},
        ):
            with pytest.raises(RemoteError):
                await bring(honest, **changes)
        assert len(await world.entries(Kind.DISPUTED)) == 1
        # A recorded message that comes a hundred times is one dispute.
        recorded = await world.holder.store.read(lambda c: _compact(world, c, own.id))
        for _ in range(5):
            assert len(await bring(recorded)) == SEALED_REPLY_BYTES
        assert len(await world.entries(Kind.DISPUTED)) == 1


def _compact(world: World, connection: Connection, dispute: bytes) -> str:
    from node.holder.tables import holder_disputes

    query = select(holder_disputes.c.sealed).where(holder_disputes.c.id == dispute)
    sealed = bytes(connection.execute(query).scalar_one())
    storage = world.holder.identity.storage
    return storage.open(sealed, b"holder/dispute/" + dispute).decode()


async def test_only_the_hub_calls_a_holder_and_only_firms_the_hub(world: World) -> None:
    request = common_pb2.DisputeRequest(
        holder=str(HOLDER), key=bytes(32), sealed=bytes(SEALED_DISPUTE_BYTES)
    )
    at_holder = world.homes.channel(HARBOUR, HOLDER, world.holder.servers[0].port)
    at_hub = world.homes.channel(HARBOUR, HUB, world.hub.servers[1].port)
    async with at_holder as channel:
        with pytest.raises(RemoteError):
            await channel.unary("/yinxin.v1.Holder/Dispute", request, common_pb2.DisputeReply)
    async with at_hub as channel:
        with pytest.raises(RemoteError):
            await channel.unary("/yinxin.v1.Consents/Dispute", request, common_pb2.DisputeReply)
    assert await world.entries(Kind.DISPUTED) == []
