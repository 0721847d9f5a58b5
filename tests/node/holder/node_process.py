"""A holder's node in a process of its own, at a fixed time, until it is killed.

    python node_process.py CONFIG NOW FILE

Writes the port that it serves on into FILE. Not to standard output: its workers inherit that, and
a pipe would stay open until they notice that they are alone.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from node.clock import FixedClock
from node.config import HolderConfig, load
from node.files import replacing
from node.holder.main import build
from node.runtime import running


async def main(config: Path, now: int, told: Path) -> None:
    async with running(load(HolderConfig, config, {}), clock=FixedClock(now)) as runtime:
        await runtime.pool.start()
        await build(runtime)
        for server in runtime.servers:
            await server.start()
        with replacing(told) as temporary:
            temporary.write_text(str(runtime.servers[0].port))
        await asyncio.gather(*runtime.tasks)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
