"""How long a chain does not answer when a process of it is killed and a replica goes on.

    python -m bench.replicas

Hub and three holders are two processes each behind HAProxy, over a throw-away PostgreSQL server;
`make postgresql haproxy` installs both. A bank asks without a pause; the process that leads is
killed, once for each party, then the database server is restarted. Prints, as JSON, the seconds
from each event to the first record of a query that began after it, how many tries failed before,
and the seconds until another process leads.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from node.demo.errors import DemoError
from tests.support.postgresql import Cluster, programs
from tests.support.replicas import REPLICATED, ReplicatedChain

PAUSE = 0.02


async def _recovery(
    chain: ReplicatedChain, event: Callable[[], Awaitable[None]]
) -> dict[str, float | int]:
    begin, failures = time.monotonic(), 0
    await event()
    asked = chain.asking()
    while True:
        try:
            asked.check(await chain.ask(asked))
            return {"seconds": round(time.monotonic() - begin, 2), "failures": failures}
        except DemoError:
            failures += 1
            await asyncio.sleep(PAUSE)


async def _elected(chain: ReplicatedChain, name: str, began: float) -> float:
    await chain.leader(name)
    return round(time.monotonic() - began, 2)


async def _measure(chain: ReplicatedChain, cluster: Cluster) -> dict[str, Any]:
    await chain.up()
    found: dict[str, Any] = {}

    async def nothing() -> None:
        """What a query takes without an event."""

    async def restart() -> None:
        await asyncio.to_thread(cluster.stop)
        await asyncio.to_thread(cluster.start)

    found["undisturbed"] = await _recovery(chain, nothing)
    for name in REPLICATED:
        leader = await chain.leader(name)
        began = time.monotonic()
        chain.kill_replica(leader)
        answered, elected = await asyncio.gather(
            _recovery(chain, nothing), _elected(chain, name, began)
        )
        found[f"{name} killed"] = answered | {"leader": elected}
        await chain.restart(leader)
    found["database restarted"] = await _recovery(chain, restart)
    return found


def main() -> int:
    """Prints the figures; exit code 2 where PostgreSQL is missing."""
    binaries = programs()
    if binaries is None:
        sys.stderr.write("no PostgreSQL server is installed; run: make postgresql\n")
        return 2
    with Cluster(binaries) as cluster, tempfile.TemporaryDirectory() as folder:
        databases = {name: cluster.create_database() for name in REPLICATED}
        chain = ReplicatedChain(Path(folder), databases)
        with chain.processes:
            try:
                found = asyncio.run(_measure(chain, cluster))
            finally:
                chain.close()
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
