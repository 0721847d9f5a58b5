"""A dispute over real sockets: opened, taken, answered, fetched; and what is refused on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from federation.canonical import b64
from federation.disputes.reply import Outcome, due_of
from federation.entries import Kind
from node.enterprise.disputing import begin_dispute, look_up, own_disputes
from node.holder.disputes.register import answer_dispute, held_dispute
from node.holder.errors import HolderError
from support.disputing import FIRM, HOLDER, World, disputing

DAY = 86_400
QUERY = bytes(range(32))
STATEMENT = "2026 年 9 月的纳税额记录有误：\n已补缴，凭证号 A-17。"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with disputing(tmp_path) as made:
        yield made


async def test_from_the_firm_to_the_holder_and_back(world: World) -> None:
    async with world.agent() as agent:
        own = await begin_dispute(agent, "csj", HOLDER, ["tax.paid"], QUERY, STATEMENT)
        assert (own.state, own.received_at, own.due) == (
            "received",
            world.homes.now,
            due_of(world.homes.now),
        )
        assert not own.overdue(world.homes.now)
        holder = world.holder
        held = await holder.store.read(lambda c: held_dispute(holder, c, own.id))
        assert (held.uscc, held.statement, held.features) == (FIRM, STATEMENT, ("tax.paid",))
        assert held.query == QUERY
        (entry,) = await world.entries(Kind.DISPUTED)
        assert entry.body["dispute"] == b64(own.id)
        assert entry.body["due"] == own.due
        assert FIRM.encode() not in (await world.raw_entries(Kind.DISPUTED))[0]

        # The same again is the same dispute: one entry, one row.
        assert (await look_up(agent, own.id)).received_at == own.received_at
        assert len(await world.entries(Kind.DISPUTED)) == 1

        world.clock.advance(3 * DAY)
        world.wall.advance(3 * DAY)
        reason = "已核实并更正来源。"
        await holder.store.run(
            lambda c: answer_dispute(holder, c, "engineer-1", own.id, Outcome.CORRECTED, reason)
        )
        own = await look_up(agent, own.id)
        assert (own.state, own.outcome, own.reason) == ("answered", "corrected", reason)
        assert own.answered_at == world.homes.now + 3 * DAY
        assert not own.overdue(world.homes.now + 100 * DAY)
        (entry,) = await world.entries(Kind.DISPUTE_ANSWERED)
        assert (entry.body["by"], entry.body["outcome"]) == ("engineer-1", "corrected")
        with pytest.raises(HolderError, match="answer already"):
            await holder.store.run(
                lambda c: answer_dispute(holder, c, "x", own.id, Outcome.CONFIRMED, "again")
            )
        assert [one.id for one in await own_disputes(agent)] == [own.id]
