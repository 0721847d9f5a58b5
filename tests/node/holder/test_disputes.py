"""What a holder takes of disputes, how long it keeps them, and its keys: limits and retention."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from federation.disputes.key import KEY_SECONDS, RENEW_SECONDS, DisputeKey
from federation.disputes.reply import Outcome
from federation.entries import Kind
from federation.errors import DocumentError
from federation.identity import SpiffeId
from federation.signed import Signed
from node.enterprise.disputing import OwnDispute, begin_dispute, look_up
from node.holder.disputes.desk import DisputeDesk
from node.holder.disputes.register import (
    answer_dispute,
    find_dispute,
    held_dispute,
    listed_disputes,
    open_counts,
)
from node.holder.errors import HolderError
from node.holder.tables import holder_disputes
from node.hub import disputes as relaying
from node.rpc.errors import RemoteRefusal
from support.disputing import FIRM, HOLDER, OTHER, World, disputing

DAY = 86_400
LIMITS = {
    "YINXIN__DISPUTES__OPEN_MOST": "2",
    "YINXIN__DISPUTES__MONTH_MOST": "3",
    "YINXIN__DISPUTES__KEEP_DAYS": "30",
}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with disputing(tmp_path, LIMITS) as made:
        yield made


async def begin(world: World, firm: str = FIRM, statement: str = "wrong") -> OwnDispute:
    async with world.agent(firm) as agent:  # type: ignore[arg-type]
        return await begin_dispute(agent, "csj", HOLDER, ["tax.paid"], b"", statement)


async def looked_up(world: World, dispute: bytes, firm: str = FIRM) -> OwnDispute:
    async with world.agent(firm) as agent:  # type: ignore[arg-type]
        return await look_up(agent, dispute)


async def answer(world: World, dispute: bytes, reason: str = "it is right") -> None:
    holder = world.holder
    await holder.store.run(
        lambda c: answer_dispute(holder, c, "e", dispute, Outcome.CONFIRMED, reason)
    )


def moved(world: World, seconds: int) -> None:
    world.clock.advance(seconds)
    world.wall.advance(seconds)


async def test_limits_are_of_one_firm_and_told_to_it_alone(world: World) -> None:
    first, second = await begin(world), await begin(world)
    third = await begin(world)
    assert (third.state, third.reason) == ("refused", "budget_exhausted")
    assert len(await world.entries(Kind.DISPUTED)) == 2
    (refusal,) = await world.entries(Kind.REFUSAL)
    assert (refusal.body["method"], refusal.body["reason"]) == ("Dispute", "budget_exhausted")
    assert (await begin(world, OTHER)).state == "received"

    # Answered ones make room; within a month there are three at most all the same.
    await answer(world, first.id)
    await answer(world, second.id)
    assert (await begin(world)).state == "received"
    assert (await begin(world)).state == "refused"
    moved(world, 31 * DAY)
    assert (await begin(world)).state == "received"

    now = world.clock.now()
    counts = await world.holder.store.read(lambda c: open_counts(c, now))
    assert (counts.open, counts.overdue, counts.soon) == (3, 2, 0)
    rows = await world.holder.store.read(lambda c: listed_disputes(c, now, 10, waiting=True))
    assert [row["state"] for row in rows] == ["overdue", "overdue", "open"]
    rows = await world.holder.store.read(lambda c: listed_disputes(c, now, 10))
    assert sorted(row["state"] for row in rows)[:2] == ["answered", "answered"]


async def test_an_answer_that_cannot_be(world: World) -> None:
    own, holder = await begin(world), world.holder
    for reason in ("", " \n ", "x" * 2401, "a\x1bb"):
        with pytest.raises(DocumentError) as error:
            await answer(world, own.id, reason)
        assert error.value.field == "reason"
    with pytest.raises(HolderError, match="none of that hash"):
        await answer(world, bytes(32))
    with pytest.raises(HolderError, match="none of that hash"):
        await holder.store.read(lambda c: held_dispute(holder, c, bytes(32)))
    for start, problem in (("zz", "hexadecimal"), ("00" * 32, "no dispute"), ("0" * 65, "no part")):
        with pytest.raises(HolderError, match=problem):
            await holder.store.read(lambda c, s=start: find_dispute(c, s))
    start = own.id.hex()[:9]
    assert await holder.store.read(lambda c: find_dispute(c, start)) == own.id
    assert await world.entries(Kind.DISPUTE_ANSWERED) == []
    # A late answer is an answer; the firm sees that it was late.
    moved(world, 22 * DAY)
    await answer(world, own.id)
    late = await looked_up(world, own.id)
    assert (late.state, late.overdue(world.clock.now())) == ("answered", True)


async def test_content_is_erased_when_its_term_is_over_and_never_begins_anew(world: World) -> None:
    own, unfetched, holder = await begin(world), await begin(world), world.holder
    await answer(world, own.id)
    await answer(world, unfetched.id)
    assert (await looked_up(world, own.id)).state == "answered"
    desk = DisputeDesk(holder)
    moved(world, 30 * DAY)
    await desk.tidy()
    held = await holder.store.read(lambda c: held_dispute(holder, c, own.id))
    assert held.statement == "wrong"
    moved(world, 1)
    await desk.tidy()
    held = await holder.store.read(lambda c: held_dispute(holder, c, own.id))
    assert (held.uscc, held.statement, held.reason) == ("", "", "")
    assert (held.outcome, held.erased_at) == ("confirmed", world.clock.now())
    # What the firm fetched it keeps; what it did not, is gone.
    assert (await looked_up(world, own.id)).reason == "it is right"
    late = await looked_up(world, unfetched.id)
    assert (late.state, late.outcome, late.reason) == ("erased", "confirmed", "")
    assert len(await world.entries(Kind.DISPUTED)) == 2


async def test_keys_are_renewed_and_erased(world: World) -> None:
    desk, holder = DisputeDesk(world.holder), world.holder
    first = await desk.key(HOLDER)
    assert await desk.key(HOLDER) == first
    world.clock.advance(KEY_SECONDS - RENEW_SECONDS)
    second = await desk.key(HOLDER)
    assert second != first
    sealed = bytes(relaying.SEALED_DISPUTE_BYTES)
    caller: SpiffeId = world.hub.identity.id

    async def bring(key: Signed) -> None:
        digest = DisputeKey.parse(key.payload).hash
        await desk.receive(HOLDER, digest, sealed, caller)

    with pytest.raises(Exception, match="does not open"):  # the key is there: the seal is not
        await bring(first)
    world.clock.advance(RENEW_SECONDS)
    with pytest.raises(Exception, match="wrong_context"):
        await bring(first)
    await desk.tidy()

    def seeds(connection: Connection) -> int:
        from node.holder.tables import holder_dispute_keys

        return len(connection.execute(select(holder_dispute_keys.c.id)).all())

    assert await holder.store.read(seeds) == 1


async def test_a_firm_that_asks_too_often_is_stopped_at_the_hub(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = await begin(world)
    monkeypatch.setattr(relaying, "DAY_MOST", 4)
    await looked_up(world, own.id)
    with pytest.raises(RemoteRefusal):
        await looked_up(world, own.id)
    assert (await begin(world, OTHER)).state == "received"
    # The next day it is heard again, and yesterday's counts are gone.
    world.hub.clock.advance(DAY)  # type: ignore[attr-defined]
    assert (await looked_up(world, own.id)).state == "received"


async def test_the_database_names_no_firm(world: World) -> None:
    statement = "an unmistakable statement"
    own = await begin(world, statement=statement)
    await answer(world, own.id, statement)

    def content(connection: Connection) -> bytes:
        (row,) = connection.execute(select(holder_disputes)).all()
        return b"|".join(value for value in row if isinstance(value, bytes))

    raw = await world.holder.store.read(content)
    assert FIRM.encode() not in raw and statement.encode() not in raw
    mode = (world.folder() / "agent.sqlite").stat().st_mode & 0o777
    assert mode == 0o600
    assert statement.encode() not in (world.folder() / "agent.sqlite").read_bytes()
