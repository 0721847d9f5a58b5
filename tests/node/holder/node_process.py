"""A holder's node in a process of its own, at a fixed time, until it is killed.

    python node_process.py CONFIG NOW

Prints the port that it serves on.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from node.clock import FixedClock
from node.config import HolderConfig, load
from node.holder.main import build
from node.runtime import running


async def main(config: Path, now: int) -> None:
    async with running(load(HolderConfig, config, {}), clock=FixedClock(now)) as runtime:
        await runtime.pool.start()
        await build(runtime)
        for server in runtime.servers:
            await server.start()
        print(runtime.servers[0].port, flush=True)
        await asyncio.gather(*runtime.tasks)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
