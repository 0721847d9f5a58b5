"""Runs the audit of a regulator's folder at a fixed time, as a process that a test can kill."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from node.bench.audited import NOW
from node.clock import FixedClock
from node.config import RegulatorConfig, load
from node.enrolment.folder import CONFIG
from node.regulator.audit.run import JOBS, AuditRun
from node.runtime import running
from node.workers.pool import WorkerPool


async def main(home: Path) -> None:
    config = load(RegulatorConfig, home / CONFIG)
    async with running(config, workers=1, clock=FixedClock(NOW)) as regulator:
        pool = WorkerPool(1, module=JOBS)
        await pool.start()
        try:
            await AuditRun(regulator, pool, 0).once(_quiet, finish=True)
        finally:
            await pool.stop()


def _quiet(part: str, done: int, of: int) -> None:
    """Progress nobody looks at."""


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
