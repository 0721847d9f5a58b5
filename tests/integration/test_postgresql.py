"""Hub and one holder keep their state in PostgreSQL: as exact, as private and as durable."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from node.demo.errors import AgentError
from node.demo.layout import Party
from support import books
from support.postgresql import Cluster
from support.privacy import Known, files, rows
from support.running import ON_POSTGRESQL, RunningChain

pytestmark = pytest.mark.timeout(300)

QUERIES = 12


@pytest.fixture(scope="module")
def known(postgresql_chain: RunningChain) -> Iterator[Known]:
    chain = postgresql_chain
    questions = [chain.asking(chain.firm(known=bool(i % 4))) for i in range(QUERIES)]

    async def ask() -> Known:
        results = await asyncio.gather(*(chain.ask(asked) for asked in questions))
        for asked, result in zip(questions, results, strict=True):
            asked.check(result)
        return await Known.of(chain, questions)

    yield asyncio.run(ask())
    books.check(chain)


def test_the_parties_really_use_it(known: Known) -> None:
    chain = known.chain
    for name in ON_POSTGRESQL:
        party = chain.party(name)
        assert chain.config(party).database_url().startswith("postgresql")
        assert not list(party.folder.rglob("*.sqlite"))
        assert books.entries(chain, party) > QUERIES


@pytest.mark.parametrize("name", ON_POSTGRESQL)
def test_nothing_of_a_query_stands_in_its_tables(known: Known, name: str) -> None:
    party = known.chain.party(name)
    hits = []
    for table, data in rows(known.chain, party):
        hits += known.hits(table, data, deep=True)
    for place, data, deep in files(party.folder):
        hits += known.hits(place, data, deep=deep)
    assert hits == []


def test_nothing_of_a_query_stands_in_the_servers_files(known: Known, postgresql: Cluster) -> None:
    """Its tables, indices and write-ahead log, whatever database they are of."""
    hits, searched = [], 0
    for place, data, _ in files(postgresql.folder / "data"):
        hits += known.hits(place, data, deep=False)
        searched += len(data)
    assert hits == []
    assert searched > 16 << 20


async def test_the_database_server_crashes_while_queries_run(
    known: Known, postgresql: Cluster
) -> None:
    """Hub and holder answer nothing until it is back; then the same queries are exact."""
    chain = known.chain
    questions = [chain.asking() for _ in range(QUERIES)]
    calls = [asyncio.create_task(chain.ask(asked)) for asked in questions]
    await asyncio.sleep(0.1)
    postgresql.stop()
    try:
        results = await asyncio.gather(*calls, return_exceptions=True)
        for asked, result in zip(questions, results, strict=True):
            if isinstance(result, AgentError):
                _named(chain, result)
            else:
                assert isinstance(result, dict)
                asked.check(result)
        with pytest.raises(AgentError) as refused:
            await chain.ask(chain.asking())
        _named(chain, refused.value)
        for name in ON_POSTGRESQL:
            await chain.until_health(chain.party(name), serving=False)
    finally:
        postgresql.start()
    for name in ON_POSTGRESQL:
        await chain.until_health(chain.party(name), serving=True)
    for asked in questions:
        asked.check(await chain.ask(asked))


def _named(chain: RunningChain, error: AgentError) -> None:
    parties: list[Party] = [chain.party(name) for name in ON_POSTGRESQL]
    assert error.problem["party"] in {str(party.id) for party in parties}
    assert error.status in {502, 503}
