"""A process of the log tests: appends until it is killed, and prints what was acknowledged.

    python log_writer.py URL NAME COUNT

It starts when it is sent a line. Each entry goes with a change of state in the same unit of work.
Every fifth unit fails after it has appended, so that indices are given back.
"""

from __future__ import annotations

import asyncio
import sys

from sqlalchemy import Connection

from node.log import LogPosition, QueryLog
from node.storage import Store
from node.storage.schema import storage_probe

PARALLEL = 16


class Changed(Exception):
    """A unit changed its mind."""


async def append(store: Store, log: QueryLog, entry: str, keep: bool) -> None:
    def unit(connection: Connection) -> LogPosition:
        connection.execute(storage_probe.update().values(writes=storage_probe.c.writes + 1))
        position = log.append(connection, "test", 1_700_000_000, entry.encode())
        if not keep:
            raise Changed
        return position

    try:
        position = await store.run(unit)
    except Changed:
        return
    print(position.index, position.leaf_hash.hex(), entry, flush=True)


async def main(url: str, name: str, count: int) -> None:
    store = Store.open(url)
    log = QueryLog(store)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)

    async def series(number: int) -> None:
        for turn in range(count):
            await append(store, log, f"{name}-{number}-{turn}", keep=turn % 5 != 4)

    await asyncio.gather(*(series(number) for number in range(PARALLEL)))
    store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
