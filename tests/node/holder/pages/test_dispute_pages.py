"""Disputes on the engineer's pages, as firms sealed them to a real holder."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from federation.entries import Kind
from node.enterprise.disputing import begin_dispute, look_up
from node.holder.pages import add_pages
from node.pages.duties import Duty
from support.disputing import HOLDER, World, disputing
from support.pages import browsing, open_site

SAID = "the tax of <September> was paid"


async def begin(world: World) -> bytes:
    async with world.agent() as agent:
        own = await begin_dispute(agent, "csj", HOLDER, ["tax.paid"], b"", SAID)
    return own.id


async def test_a_dispute_is_listed_read_and_answered_once(tmp_path: Path) -> None:
    async with disputing(tmp_path) as world:
        site = open_site({Duty.ENGINEER, Duty.ADMINISTRATOR}, clock=world.holder.clock)
        add_pages(site, world.holder)
        async with browsing(site, Duty.ENGINEER) as client:
            assert "No dispute yet" in (await client.get("/disputes")).text
            dispute = await begin(world)
            page = f"/disputes/{dispute.hex()}"
            listed = (await client.get("/disputes")).text
            assert f'href="{page}"' in listed and "<dt>Waiting</dt><dd>1" in listed
            assert "September" not in listed
            found = (await client.get(page)).text
            assert "the tax of &lt;September&gt; was paid" in found and "20 days left" in found
            for wrong in ("/disputes/zz", f"/disputes/{'00' * 32}", "/disputes/00"):
                assert (await client.get(wrong)).status_code == 404
            for form, says in (
                ({"outcome": "", "reason": "r"}, "Choose an outcome"),
                ({"outcome": "forgotten", "reason": "r"}, "Choose an outcome"),
                ({"outcome": "corrected", "reason": " "}, "Give reasons"),
                ({"outcome": "corrected", "reason": "x" * 2401}, "Give reasons"),
            ):
                answer = await client.post(page, data=form)
                assert answer.status_code == 422 and says in answer.text
            assert await world.entries(Kind.DISPUTE_ANSWERED) == []
            right = {"outcome": "corrected", "reason": "the source is corrected"}
            assert (await client.post(page, data=right)).status_code == 303
            again = await client.post(page, data=right | {"outcome": "confirmed"})
            assert again.status_code == 422 and "nothing was changed" in again.text
            found = (await client.get(page)).text
            assert "the source is corrected" in found and "tester" in found
            text = (await client.get("/disputes.csv?state=answered")).text.removeprefix("\ufeff")
            (row,) = csv.DictReader(io.StringIO(text))
            assert (row["Dispute"], row["Outcome"]) == (dispute.hex(), "corrected")
        (entry,) = await world.entries(Kind.DISPUTE_ANSWERED)
        assert entry.body["by"] == "tester"
        async with world.agent() as agent:
            own = await look_up(agent, dispute)
        assert (own.outcome, own.reason) == ("corrected", "the source is corrected")


async def test_a_dispute_that_is_overdue_says_so(tmp_path: Path) -> None:
    async with disputing(tmp_path) as world:
        site = open_site({Duty.ENGINEER}, clock=world.holder.clock)
        add_pages(site, world.holder)
        dispute = await begin(world)
        world.clock.advance(17 * 86_400)
        async with browsing(site, Duty.ENGINEER) as client:
            assert "Due within 5 days</dt><dd>1" in (await client.get("/disputes")).text
            world.clock.advance(5 * 86_400)
            assert "Overdue</dt><dd>1" in (await client.get("/disputes")).text
            found = (await client.get(f"/disputes/{dispute.hex()}")).text
            assert ">Overdue<" in found and "days left" not in found
