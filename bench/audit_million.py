"""The regulator's audit of many queries: one million in less than 15 minutes on two cores.

    python -m bench.audit_million [QUERIES [WORKERS [FOLDER]]]

Makes the mirrored logs of a chain (`node.bench.audited`: real consents, permits, evidence and
entries of hub, four holders and three banks, all in order), then runs the real audit over them, and
prints figures as JSON. Exit code 1 unless every query is verified and nothing is found. A million
takes about 20 GB in FOLDER, which is a temporary one unless given.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from node.bench.audited import FIRMS, MODULE, make_firms, mirrored_chain
from node.regulator.audit.run import JOBS, AuditRun, audit_summary
from node.workers.pool import WorkerPool

QUERIES, WORKERS = 20_000, 2
SELF, CHILDREN = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
TARGET = 900.0
"""Seconds for a million queries."""


async def run(queries: int, workers: int, folder: Path) -> dict[str, object]:
    """The figures."""
    async with mirrored_chain(folder) as chain:
        began = time.perf_counter()
        making = WorkerPool(workers, module=MODULE)
        await making.start()
        await chain.fill(queries, making, make_firms(chain.licence, min(FIRMS, queries)))
        await making.stop()
        made = time.perf_counter() - began
        pool = WorkerPool(workers, module=JOBS)
        await pool.start()
        parts: dict[str, float] = {}
        own, children, began = _cpu(SELF), _cpu(CHILDREN), time.perf_counter()

        def tell(part: str, done: int, of: int) -> None:
            parts[part] = time.perf_counter() - began

        await AuditRun(chain.regulator, pool, 0).once(tell, finish=True)
        took = time.perf_counter() - began
        own = _cpu(SELF) - own
        peak = pool.state().peak_bytes
        await pool.stop()  # else the workers' time is not counted
        children = _cpu(CHILDREN) - children
        summary = await chain.regulator.store.read(audit_summary)
    return {
        "queries": queries,
        "workers": workers,
        "seconds": round(took, 2),
        "verify_seconds": round(parts.get("verify", 0.0), 2),
        "cpu_seconds": {"parent": round(own, 2), "workers": round(children, 2)},
        "cpu_ms_a_query": round((own + children) / queries * 1e3, 3),
        "queries_a_second": round(queries / took, 1),
        "seconds_a_million": round(took / queries * 1e6, 1),
        "target_seconds_a_million": TARGET,
        "worker_peak_bytes": peak,
        "parent_peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "making_seconds": round(made, 2),
        "verified": summary["verified"],
        "findings": summary["findings"],
    }


def _cpu(whose: int) -> float:
    used = resource.getrusage(whose)
    return used.ru_utime + used.ru_stime


def main(arguments: list[str]) -> int:
    """Runs, prints, and says by the exit code whether all is as it should be."""
    queries = int(arguments[0]) if arguments else QUERIES
    workers = int(arguments[1]) if len(arguments) > 1 else WORKERS
    with tempfile.TemporaryDirectory(prefix="yinxin-audit-") as temporary:
        folder = Path(arguments[2]) if len(arguments) > 2 else Path(temporary)
        figures = asyncio.run(run(queries, workers, folder))
        files = folder.rglob("regulator.sqlite*")
        figures["database_bytes"] = sum(path.stat().st_size for path in files)
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return 0 if figures["verified"] == queries and not figures["findings"] else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
