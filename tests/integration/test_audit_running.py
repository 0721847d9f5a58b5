"""A regulator of real processes mirrors its chain, audits it, and names whoever edits a log."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from node.demo.layout import Party
from node.log.query_log import QueryLog
from node.regulator.findings import KeptFinding, kept_findings
from node.regulator.mirror.books import all_logs
from node.regulator.tables import audit_queries
from support import books
from support.running import RunningChain

pytestmark = pytest.mark.timeout(300)
QUERIES = 3
MINUTE = 60.0
EDITS = {
    "hub": 'UPDATE log_entries SET entry = {flip} WHERE "index" = 4',
    "tax": 'UPDATE log_entries SET leaf_hash = {flip} WHERE "index" = 2',
    "bank": 'UPDATE log_entries SET entry = {flip} WHERE "index" = 0',
    "courts": "UPDATE log_checkpoints SET note = {flip} "
    "WHERE size = (SELECT min(size) FROM log_checkpoints)",
    "regulator": 'UPDATE log_entries SET entry = {flip} WHERE "index" = 1',
}


@pytest.fixture(scope="module")
def chain(proof_chain: RunningChain) -> RunningChain:
    """A chain with a few answered queries more, all of them mirrored."""
    asyncio.run(_asked(proof_chain))
    return proof_chain


@pytest.fixture(scope="module")
def queries(chain: RunningChain) -> int:
    """How many were answered, also before."""
    return books.permits(chain)


async def _asked(chain: RunningChain) -> None:
    for _ in range(QUERIES):
        asked = chain.asking()
        asked.check(await chain.ask(asked))
    await chain.until(lambda: mirrored(chain), MINUTE)


def mirrored(chain: RunningChain) -> bool:
    """Whether the regulator has everything that the nodes logged, and all is in order."""
    with chain.database(chain.layout.regulator) as connection:
        logs = {log.log: log for log in all_logs(connection)}
    for party in chain.layout.servers:
        with chain.database(party) as connection:
            size = QueryLog.size_in(connection)
        log = logs.get(str(party.id))
        if size and (log is None or (log.size, log.cosigned_size, log.state) != (size, size, "ok")):
            return False
    return True


def audit(chain: RunningChain, *options: str) -> dict[str, Any]:
    """Runs the audit's command."""
    command = [sys.executable, "-m", "node.cli", "regulator", "audit", "--json", "--settle", "0"]
    command += ["--config", str(chain.layout.regulator.config), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def regulator(chain: RunningChain, *arguments: str) -> dict[str, Any]:
    """Runs one of the regulator's commands."""
    command = [sys.executable, "-m", "node.cli", "regulator", *arguments, "--json"]
    command += ["--config", str(chain.layout.regulator.config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def findings(chain: RunningChain) -> list[KeptFinding]:
    """What the regulator's books have."""
    with chain.database(chain.layout.regulator) as connection:
        return list(kept_findings(connection))


def test_every_query_of_an_honest_chain_is_verified(chain: RunningChain, queries: int) -> None:
    summary = audit(chain, "--finish")
    assert findings(chain) == []
    assert (summary["queries"], summary["verified"]) == (queries, queries)
    assert summary["logs"][str(chain.layout.hub.id)]["consistent"]


def test_the_firm_is_in_the_books_sealed(chain: RunningChain, queries: int) -> None:
    with chain.database(chain.layout.regulator) as connection:
        rows = [row._asdict() for row in connection.execute(audit_queries.select())]
    codes = [firm.encode() for firm in chain.codes]
    stored = b"\n".join(str(row).encode() for row in rows)
    assert len(rows) == queries
    assert not any(code in stored for code in codes)


def test_a_query_is_proved_and_billed_to_others(
    chain: RunningChain, queries: int, tmp_path: Path
) -> None:
    audit(chain, "--finish")
    with chain.database(chain.layout.regulator) as connection:
        query = bytes(next(iter(connection.execute(select(audit_queries.c.id)).scalars())))
    folder, month = tmp_path / "evidence", time.strftime("%Y-%m", time.gmtime(time.time() + 28_800))
    done = regulator(chain, "evidence", query.hex(), "--out", str(folder))
    assert done["verdict"] == "in_order"
    command = [sys.executable, "-I", str(folder / "verify.py"), "--trust", done["trust_sha256"]]
    shown = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    assert shown.returncode == 0, shown.stdout
    usage = regulator(chain, "usage", "--month", month, "--out", str(tmp_path / "usage.csv"))
    holders = len(chain.model.scorecard.participants)
    assert (usage["permits"], usage["answered"]) == (queries * holders, queries * holders)
    trust = chain.layout.regulator.config.with_name("trust.json")
    command = [sys.executable, "-m", "node.cli", "regulator", "usage-verify"]
    command += [usage["file"], "--trust", str(trust)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    billed = Path(usage["file"])
    billed.write_text(billed.read_text().replace(f",{queries},", ",1,"))
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1


@pytest.mark.asyncio
async def test_the_serving_regulator_needs_no_audit_key(chain: RunningChain, queries: int) -> None:
    regulator = chain.layout.regulator
    key = chain.config(regulator).audit_key  # type: ignore[attr-defined]
    hidden = key.with_suffix(".hidden")
    chain.kill(regulator)
    key.rename(hidden)
    await chain.start(regulator)
    await chain.until_health(regulator, serving=True)
    command = [sys.executable, "-m", "node.cli", "regulator", "audit"]
    command += ["--config", str(regulator.config)]
    refused = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert key.name in refused.stderr
    hidden.rename(key)
    summary = await asyncio.to_thread(audit, chain)
    assert summary["verified"] == queries


@pytest.mark.asyncio
async def test_one_edited_byte_of_any_node_is_named_within_a_minute(chain: RunningChain) -> None:
    parties = {name: chain.party(name) for name in EDITS}
    for name, party in parties.items():
        edit(chain, party, EDITS[name])
    await chain.until(lambda: {one.subject for one in findings(chain)} >= ids(parties), MINUTE)
    found = {one.subject: one for one in findings(chain)}
    assert {one.kind.value for one in found.values()} == {"log-broken"}
    where = {name: str(found[str(party.id)].evidence["where"]) for name, party in parties.items()}
    assert where["hub"] == "entry 4"
    assert where["tax"] == "leaf 2"
    assert where["bank"] == "entry 0"
    assert where["courts"].startswith("checkpoint of size")
    assert where["regulator"] == "entry 1"


def test_an_inspector_lists_and_explains_findings(chain: RunningChain) -> None:
    (first, *_) = findings(chain)
    explained = regulator(chain, "finding", "explain", first.id.hex(), "--note", "备份 restored")
    assert (explained["state"], explained["note"]) == ("explained", "备份 restored")
    listed = regulator(chain, "findings", "--state", "explained")["findings"]
    assert [one["id"] for one in listed] == [first.id.hex()]
    assert set(listed[0]["title"]) == {"zh", "en"}


def ids(parties: dict[str, Party]) -> set[str]:
    return {str(party.id) for party in parties.values()}


def flipped(raw: bytes) -> bytes:
    """The bytes with one of the last ones changed: within the content, and still of its length."""
    return raw[:-9] + bytes([raw[-9] ^ 1]) + raw[-8:]


def edit(chain: RunningChain, party: Party, statement: str) -> None:
    """Changes one byte of a row as the owner of the database can, triggers or not."""
    column = "entry" if "SET entry" in statement else "leaf_hash"
    column = "note" if "SET note" in statement else column
    path = chain.config(party).database_url().removeprefix("sqlite:///")
    with sqlite3.connect(path, timeout=30) as connection:
        connection.create_function(
            "flip", 1, lambda raw: raw[:-9] + bytes([raw[-9] ^ 1]) + raw[-8:]
        )
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            connection.execute(f'DROP TRIGGER "{name}"')
        connection.execute(statement.format(flip=f"flip({column})"))
    connection.close()
