"""The audit over a mirror: what is planted is found, once, however often the audit is killed."""

from __future__ import annotations

import asyncio
import hashlib
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from federation.audit.findings import FindingKind
from federation.permit import Permit
from federation.signed import Signed, SigningKey
from node.bench.audited import HOLDERS, HUB, MODULE, NOW, make_firms, mirrored_chain
from node.clock import FixedClock
from node.config import RegulatorConfig, load
from node.enrolment.folder import CONFIG
from node.regulator.audit.run import JOBS, AuditRun, audit_summary
from node.regulator.findings import FindingState, decide, kept_findings
from node.regulator.membership import Regulator
from node.runtime import running
from node.workers.pool import WorkerPool

pytestmark = pytest.mark.timeout(180)
QUERIES = 900
"""Several chunks of the verification."""
MISSING = (3, 200, 899)
"""Permits whose evidence the hub does not show."""
UNLOCK = 500
"""A permit that one holder does not have in its log."""


@dataclass(frozen=True)
class Mirror:
    """A mirrored chain in a folder, with something wrong in it."""

    home: Path
    firm: str

    def database(self) -> sqlite3.Connection:
        (path,) = self.home.rglob("regulator.sqlite")
        return sqlite3.connect(path, timeout=30)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Mirror:
    folder = tmp_path_factory.mktemp("mirror")
    firm = asyncio.run(_make(folder))
    mirror = Mirror(folder / "regulator", firm)
    with mirror.database() as connection:
        for index in MISSING:
            connection.execute(
                "DELETE FROM mirror_attachments WHERE hash = digest AND length(body) > 4000 "
                "AND rowid IN (SELECT rowid FROM mirror_attachments WHERE length(body) > 4000 "
                "ORDER BY rowid LIMIT 1 OFFSET ?)",
                (index - MISSING.index(index),),
            )
        connection.execute(
            "DELETE FROM mirror_entries WHERE log = ? AND document = "
            '(SELECT document FROM mirror_entries WHERE log = ? AND "index" = ?)',
            (str(HOLDERS[0]), str(HUB), UNLOCK),
        )
        _frame_the_hub(connection)
    connection.close()
    return mirror


async def _make(folder: Path) -> str:
    async with mirrored_chain(folder) as chain:
        pool = WorkerPool(1, module=MODULE)
        await pool.start()
        firms = make_firms(chain.licence, QUERIES // 2)
        await chain.fill(QUERIES, pool, firms)
        await pool.stop()
        return str(firms[0].uscc)


def _frame_the_hub(connection: sqlite3.Connection) -> None:
    """A holder keeps permits of the hub with signatures of its own, to have the hub blamed."""
    rows = connection.execute(
        "SELECT hash, body FROM mirror_attachments WHERE hash != digest LIMIT 20"
    ).fetchall()
    for name, body in rows:
        permit = Permit.parse(Signed.from_json(body).payload)
        forged = permit.sign(SigningKey.generate()).to_json()
        connection.execute(
            "INSERT INTO mirror_attachments (hash, digest, body) VALUES (?, ?, ?)",
            (name, hashlib.sha256(forged).digest(), forged),
        )


def kinds(connection: sqlite3.Connection) -> Counter[str]:
    return Counter(row[0] for row in connection.execute("SELECT kind FROM audit_findings"))


EXPECTED = Counter({"evidence-missing": len(MISSING), "unlock-missing": 1})


def test_an_audit_killed_again_and_again_finds_everything_once(made: Mirror) -> None:
    command = [sys.executable, "-m", "tests.node.regulator.audit_process", str(made.home)]
    reached = []
    for _ in range(2):
        before = verified(made)
        running_ = subprocess.Popen(command)
        while running_.poll() is None and verified(made) == before:
            time.sleep(0.02)
        running_.send_signal(signal.SIGKILL)
        running_.wait()
        reached.append(verified(made))
    assert 0 < reached[0] < QUERIES
    assert reached == sorted(reached)
    assert subprocess.run(command, check=False).returncode == 0
    with made.database() as connection:
        assert kinds(connection) == EXPECTED
        counted = connection.execute("SELECT count(*), sum(verified) FROM audit_queries").fetchone()
        days = "SELECT sum(queries), sum(verified) FROM audit_days WHERE holder "
        assert connection.execute(f"{days} = ''").fetchone() == counted
        each = connection.execute(f"{days} = ?", (str(HOLDERS[1]),)).fetchone()
        assert each[0] == QUERIES
    connection.close()
    assert counted == (QUERIES, QUERIES - len(MISSING))


def verified(made: Mirror) -> int:
    with made.database() as connection:
        row = connection.execute(
            "SELECT value FROM audit_progress WHERE name = 'verified'"
        ).fetchone()
    connection.close()
    return row[0] if row else 0


async def test_again_it_finds_nothing_new_and_says_what_it_comes_to(made: Mirror) -> None:
    async with opened(made) as regulator:
        await once(regulator)
        summary = await regulator.store.read(audit_summary)
    assert summary["findings"] == dict(EXPECTED)
    assert summary["queries"] == QUERIES
    assert summary["verified"] == QUERIES - len(MISSING) - 1
    assert summary["with_findings"] == len(MISSING) + 1


async def test_an_inspectors_decision_is_kept_and_logged(made: Mirror) -> None:
    async with opened(made) as regulator:
        found = await regulator.store.read(kept_findings)
        one = next(f for f in found if f.kind is FindingKind.UNLOCK_MISSING)
        assert one.subject == str(HOLDERS[0])
        size = await regulator.log.size()
        decided = await decide(
            regulator, one.id, FindingState.EXPLAINED, "disk was restored", "inspector"
        )
        assert (decided.state, decided.note) == (FindingState.EXPLAINED, "disk was restored")
        last = await regulator.log.get(size)
        assert last.kind == "finding"
        assert b'"explained"' in last.entry and b'"by":"inspector"' in last.entry
        assert b"disk" not in last.entry
        await once(regulator)  # found again, and still explained
        states = {f.id: f.state for f in await regulator.store.read(kept_findings)}
        assert states[one.id] is FindingState.EXPLAINED


def opened(made: Mirror) -> Any:
    config = load(RegulatorConfig, made.home / CONFIG)
    return running(config, workers=1, clock=FixedClock(NOW))


async def once(regulator: Regulator) -> None:
    pool = WorkerPool(1, module=JOBS)
    await pool.start()
    try:
        await AuditRun(regulator, pool, 0).once(lambda *_: None, finish=True)
    finally:
        await pool.stop()


def test_no_firm_stands_in_the_books_in_the_clear(made: Mirror) -> None:
    for path in made.home.rglob("regulator.sqlite*"):
        assert made.firm.encode() not in path.read_bytes()
