"""The agent's records on each database: what is asked once is answered once, restarts included."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from federation.entries import Kind
from node.bank.errors import Rejected
from node.models.production.keeping import compute
from node.models.production.keeping import kept as watched
from node.pages.duties import Duty
from support.chain import DAY, Chain
from tests.node.bank.pages.desk import bank_site
from tests.node.bank.test_queries import asking, ready, reference
from tests.node.bank.world import world


async def test_whole_life_of_a_model(tmp_path: Path, bank_chain: Chain, database_url: str) -> None:
    async with world(tmp_path, bank_chain, database_url) as made:
        firms = bank_chain.firms
        ask = asking(made, firms[0])
        async with made.bank() as bank:
            model = await ready(made, bank)
            answers = await asyncio.gather(*(bank.queries.ask(ask, "k") for _ in range(4)))
            assert len({answer.id for answer in answers}) == 1
            assert answers[0].result["record"] == reference(made, model, firms[0])
            made.hub.tamper.query = lambda reply: type(reply)()
            with pytest.raises(Rejected):
                await bank.queries.ask(asking(made, firms[1]), "r")
            made.hub.tamper.query = lambda reply: reply
            batch = await bank.batches.begin(
                [asking(made, firm) for firm in firms[2:5]], "b", "o-7"
            )
            await bank.batches.run(batch)
        async with made.bank() as bank:
            kept = await bank.batches.load(batch.id)
            assert kept.done and [kept.items[n].result for n in range(3)] == [
                batch.items[n].result for n in range(3)
            ]
            assert (await bank.queries.ask(ask, "k")).result == answers[0].result
            states = await bank.agent.read(bank.queries.ledger.count)
            assert states == {"open": 0, "answered": 4, "rejected": 1}
            counts = await bank.agent.runtime.log.count_by_kind()
            assert (counts[Kind.QUERY], counts[Kind.FAILURE]) == (4, 1)
            assert len(made.regulator.reports) == 1
        async with bank_site(made) as pages, pages.as_(Duty.OFFICER) as client:
            batch_page = f"/batches/{batch.id.hex()}"
            for path, rows in (
                ("/queries?sort=purpose&reference=loan-1&time_from=2027-01-01&state=answered", 4),
                ("/queries?sort=-model&model=al&purpose=02", 5),
                (f"/queries/{answers[0].id.hex()}", 0),
                ("/batches", 1),
                (batch_page, 3),
            ):
                page = await client.get(path)
                assert page.status_code == 200 and (not rows or f"{rows} in all" in page.text), path
            assert len(await compute(pages.bank)) == len(await watched(pages.bank)) == 1
        async with made.bank() as bank:
            made.clock.advance(DAY)
            await bank.preparation.erase_closed()
            assert await bank.agent.read(lambda c: bank.agent.records.closed(c, DAY * 10**6)) == 0
