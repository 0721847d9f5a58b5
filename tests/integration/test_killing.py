"""Any process killed in the middle of a query: an error that names the party, never a score.

After a restart the same query, under its idempotency key, has the right record and costs no second
use; and everything that was spent stands in a log.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, TypeVar

import httpx
import psutil
import pytest

from node.demo import observed
from node.demo.agent import AgentClient
from node.demo.errors import AgentError, DemoError
from node.demo.layout import Party
from support import books
from support.running import Asked, RunningChain, small_scorecard

T = TypeVar("T")

pytestmark = pytest.mark.timeout(300)

HELD = "invoice"
"""The holder that is made to answer late, so that a query is surely in flight."""
STORM = 24
RETRIES = 60


@pytest.fixture(autouse=True)
async def books_agree(chain: RunningChain) -> AsyncIterator[None]:
    """After every test all run again, nothing is spent that is not logged, and nothing twice."""
    yield
    await chain.start(*chain.killed())
    books.check(chain)


async def in_time(call: Callable[[], Awaitable[T]]) -> T:
    """What a call gives after a restart: at once, or within the second that a lost connection
    takes to be made again, and until then the error that says so.
    """
    for _ in range(RETRIES):
        try:
            return await call()
        except AgentError as error:
            assert error.problem["type"] == "urn:yinxin:problem:party_unavailable"
            await asyncio.sleep(0.2)
    raise TimeoutError("it does not work after the restart")


async def again(chain: RunningChain, asked: Asked) -> None:
    """The same query, under the same key, has the right record."""
    asked.check(await in_time(lambda: chain.ask(asked)))


async def failure(call: Awaitable[object]) -> AgentError:
    """What the bank's own systems are told. It holds no score, whole or in part."""
    with pytest.raises(AgentError) as caught:
        await call
    assert not {"record", "profile"} & set(caught.value.problem)
    return caught.value


def names(error: AgentError, party: Party) -> None:
    assert error.problem["party"] == str(party.id)
    assert error.problem["type"].startswith("urn:yinxin:problem:party_")
    assert str(party.id) in error.problem["detail"]
    assert error.problem["remedy"]
    assert error.status in {502, 503}


@contextlib.asynccontextmanager
async def in_flight(chain: RunningChain, asked: Asked) -> AsyncIterator[asyncio.Task[Any]]:
    """The query once the hub has issued its permit, while one holder does not answer."""
    before = books.permits(chain)
    with chain.suspended(chain.layout.holders[HELD]):
        task = asyncio.create_task(chain.ask(asked))
        await chain.until(lambda: books.permits(chain) > before)
        yield task
    await asyncio.wait([task])


# --- at a chosen instant -------------------------------------------------------------------------


@pytest.mark.parametrize("name", [HELD, "courts"])
async def test_a_holder_is_killed_while_a_query_is_in_flight(
    chain: RunningChain, name: str
) -> None:
    """The one that had not answered yet, and another of which the hub has the answer already."""
    holder, asked = chain.party(name), chain.asking()
    async with in_flight(chain, asked) as task:
        other = chain.layout.holders["courts"]
        await chain.until(lambda: books.unlocked(chain, other) == books.permits(chain))
        chain.kill(holder)
        if holder.name == HELD:
            names(await failure(task), holder)
    if holder.name != HELD:
        # Its answer was under way; without the process it cannot be asked anything new.
        asked.check(await task)
        asked = chain.asking()
        names(await failure(chain.ask(asked)), holder)
    await chain.start(holder)
    await again(chain, asked)


async def test_a_holder_that_hangs_is_named(chain: RunningChain) -> None:
    """It takes the call and never answers: the bank hears of the holder, and not of the hub."""
    holder, asked = chain.layout.holders[HELD], chain.asking()
    with chain.suspended(holder):
        names(await failure(chain.ask(asked)), holder)
    await again(chain, asked)


async def test_the_hub_is_killed_while_a_query_is_in_flight(chain: RunningChain) -> None:
    asked = chain.asking()
    async with in_flight(chain, asked) as task:
        chain.kill(chain.layout.hub)
        names(await failure(task), chain.layout.hub)
    names(await failure(chain.ask(asked)), chain.layout.hub)
    await chain.start(chain.layout.hub)
    permits = books.permits(chain)
    await again(chain, asked)
    assert books.permits(chain) == permits


async def test_the_agent_is_killed_while_a_query_is_in_flight(chain: RunningChain) -> None:
    """Its caller loses the connection, and may ask again."""
    asked = chain.asking()
    async with in_flight(chain, asked) as task:
        chain.kill(chain.layout.bank)
        with pytest.raises(DemoError) as lost:
            await task
    assert isinstance(lost.value.__cause__, httpx.HTTPError)
    await chain.start(chain.layout.bank)
    permits = books.permits(chain)
    await again(chain, asked)
    assert books.permits(chain) == permits


async def test_an_answered_query_survives_every_process(chain: RunningChain) -> None:
    """The same key, after the agent was killed, has the same answer, and nobody is asked again."""
    asked = chain.asking()
    first = await chain.ask(asked)
    hub = books.entries(chain, chain.layout.hub)
    chain.kill(chain.layout.bank)
    await chain.start(chain.layout.bank)
    assert await chain.ask(asked) == first
    assert books.entries(chain, chain.layout.hub) == hub


async def test_the_regulator_is_killed_while_it_certifies(chain: RunningChain) -> None:
    """No model comes of it; the same scorecard again is certified, and its records are right."""
    regulator = chain.layout.regulator
    async with busy(chain, regulator):
        task = asyncio.create_task(chain.certify(small_scorecard("2")))
        await running_jobs(chain, regulator, "desk_submissions")
        chain.kill(regulator)
        names(await failure(task), regulator)
    async with chain.agent() as agent:
        names(await failure(agent.certify(small_scorecard("2").model_dump(mode="json"))), regulator)
    await chain.start(regulator)
    model = await in_time(lambda: chain.certify(small_scorecard("2")))
    async with chain.agent() as agent:
        await agent.prepare(model.certificate, lambda done, of: None)
    asked = chain.asking(model=model)
    asked.check(await chain.ask(asked))


@pytest.mark.parametrize("name", ["tax", "bank"])
async def test_a_worker_is_killed_while_a_bucket_is_prepared(
    chain: RunningChain, name: str
) -> None:
    """The job fails and says where; the node goes on with another worker, and has no half table."""
    party = chain.party(name)
    model = await chain.certify(small_scorecard(f"worker-{name}"))
    asked = chain.asking(model=model)
    prepared = (await observed.traffic(party.metrics, "Prepare")).calls
    async with busy(chain, party) as (worker,), chain.agent() as agent:
        task = asyncio.create_task(agent.prepare(model.certificate, lambda done, of: None))
        await running_jobs(chain, party)
        if party is not chain.layout.bank:
            # The request is there too, and waits for the job that the worker does not finish.
            await calls_arrived(party, "Prepare", prepared + 1)
        worker.kill()
        error = await failure(task)
        if party is chain.layout.bank:
            assert error.status == 503
        else:
            names(error, party)
    async with chain.agent() as agent:
        await agent.prepare(model.certificate, lambda done, of: None)
    asked.check(await chain.ask(asked))


@pytest.mark.parametrize("name", ["tax", "hub", "bank"])
async def test_a_node_is_killed_while_a_bucket_is_prepared(chain: RunningChain, name: str) -> None:
    """While one holder computes its table; afterwards the bucket is prepared and exact."""
    party, computing = chain.party(name), chain.layout.holders["tax"]
    model = await chain.certify(small_scorecard(f"node-{name}"))
    prepared = (await observed.traffic(computing.metrics, "Prepare")).calls
    async with busy(chain, computing), chain.agent() as agent:
        task = asyncio.create_task(agent.prepare(model.certificate, lambda done, of: None))
        await calls_arrived(computing, "Prepare", prepared + 1)
        chain.kill(party)
        if party is chain.layout.bank:
            with pytest.raises(DemoError):
                await task
        else:
            names(await failure(task), party)
    await chain.start(party)
    async with chain.agent() as agent:
        await in_time(lambda: agent.prepare(model.certificate, lambda done, of: None))
    await again(chain, chain.asking(model=model))


# --- at random -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tax", "hub", "bank"])
async def test_killed_at_random_among_many_queries(chain: RunningChain, name: str) -> None:
    """Every answer is exact or an error that names the party; afterwards all of them are exact."""
    party, chance = chain.party(name), random.Random(name)
    questions = [chain.asking(chain.firm(known=bool(i % 6))) for i in range(STORM)]
    gate = asyncio.Semaphore(6)

    async def one(agent: AgentClient, asked: Asked) -> Any:
        async with gate:
            return await agent.query(asked.model.certificate, asked.consent, "02", asked.key)

    async with chain.agent() as agent:
        calls = [asyncio.create_task(one(agent, asked)) for asked in questions]
        await asyncio.sleep(chance.uniform(0.05, 0.25))
        chain.kill(party)
        results = await asyncio.gather(*calls, return_exceptions=True)
    for asked, result in zip(questions, results, strict=True):
        match result:
            case AgentError():
                names(result, party)
            case DemoError():
                assert party is chain.layout.bank
            case BaseException():
                raise result
            case _:
                asked.check(result)
    assert any(isinstance(result, DemoError) for result in results)
    await chain.start(party)
    for asked in questions:
        await again(chain, asked)


# --- a database that cannot be written -----------------------------------------------------------


@pytest.mark.parametrize("name", ["tax", "hub"])
async def test_a_node_that_cannot_write_answers_nothing(chain: RunningChain, name: str) -> None:
    """A disk without room: not one answer leaves, health says so, and it ends by itself."""
    party, asked = chain.party(name), chain.asking()
    before = books.entries(chain, party)
    await chain.until_health(party, serving=True)
    with disk_full(chain, party):
        names(await failure(chain.ask(asked)), party)
        await chain.until_health(party, serving=False)
        names(await failure(chain.ask(asked)), party)
        assert books.entries(chain, party) == before
    await chain.until_health(party, serving=True)
    await again(chain, asked)
    assert books.entries(chain, party) > before


async def test_an_agent_that_cannot_write_asks_nobody(chain: RunningChain) -> None:
    """Its elements would be lost in a crash, so none is sent."""
    asked, permits = chain.asking(), books.permits(chain)
    with disk_full(chain, chain.layout.bank):
        error = await failure(chain.ask(asked))
        assert error.status == 503
        assert books.permits(chain) == permits
        await chain.until_health(chain.layout.bank, serving=False)
    await chain.until_health(chain.layout.bank, serving=True)
    asked.check(await chain.ask(asked))


# --- means ---------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def busy(chain: RunningChain, party: Party) -> AsyncIterator[list[psutil.Process]]:
    """A node whose workers take jobs and finish none, until they are killed or let go on."""
    workers = chain.workers(party)
    assert workers
    for worker in workers:
        worker.suspend()
    try:
        yield workers
    finally:
        for worker in workers:
            with contextlib.suppress(psutil.NoSuchProcess):
                worker.resume()


async def running_jobs(chain: RunningChain, party: Party, gauge: str = "pool_running") -> None:
    """Waits until a node has given a worker a job, by the gauge that shows it."""
    async with httpx.AsyncClient(trust_env=False) as http:
        for _ in range(600):
            page = (await http.get(f"http://{party.metrics}/metrics")).text
            if f"yinxin_{gauge} 1.0" in page:
                return
            await asyncio.sleep(0.05)
    raise TimeoutError(f"{party.name} has given its worker no job")


async def calls_arrived(party: Party, method: str, count: int) -> None:
    """Waits until a node has received so many calls of a method."""
    for _ in range(600):
        if (await observed.traffic(party.metrics, method)).calls >= count:
            return
        await asyncio.sleep(0.05)
    raise TimeoutError(f"{party.name} has received no call of {method}")


@contextlib.contextmanager
def disk_full(chain: RunningChain, party: Party) -> Iterator[None]:
    """No file of the node's process can grow, as on a full disk; and then there is room again."""
    process = psutil.Process(chain.processes.pid(party.name))
    soft, hard = process.rlimit(psutil.RLIMIT_FSIZE)
    process.rlimit(psutil.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        process.rlimit(psutil.RLIMIT_FSIZE, (soft, hard))
