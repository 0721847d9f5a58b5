"""Finding an entry of the own log by its bytes, on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from federation.entries import Kind, entry
from node.log import QueryLog
from node.log.finding import SKEW, find_entry
from node.storage import Store

START = 1_800_000_000


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    found = Store.open(database_url)
    try:
        yield found
    finally:
        found.close()


def raw(number: int, time: int) -> bytes:
    return entry(Kind.CLOSED, time, epoch=number)


async def test_entries_are_found_although_the_clock_was_set_back(store: Store) -> None:
    log = QueryLog(store)
    times = [START + 10 * n for n in range(100)]
    times[40] -= SKEW  # a little late into the log
    times[70:] = [time - 5 * SKEW for time in times[70:]]  # the clock was set back for good
    for number, time in enumerate(times):
        await log.write(Kind.CLOSED, time, raw(number, time))
    for number, time in enumerate(times):
        found = await store.read(lambda c, n=number, t=time: find_entry(c, raw(n, t), t))
        assert found == number
    for time in (START - 10_000, START, START + 10_000):
        assert await store.read(lambda c, t=time: find_entry(c, raw(1_000, t), t)) is None


async def test_first_of_two_equal_entries_and_an_empty_log(store: Store) -> None:
    log, one = QueryLog(store), raw(1, START)
    assert await store.read(lambda c: find_entry(c, one, START)) is None
    for _ in range(3):
        await log.write(Kind.CLOSED, START, one)
    assert await store.read(lambda c: find_entry(c, one, START)) == 0
