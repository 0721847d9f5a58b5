"""One audit, or one after the other: verification, then the checks over what was verified.

This process holds the audit keys; it takes no calls. The node that serves needs not run meanwhile,
and may: both work on one database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, exists, func, select

from federation.audit.engine import Audit
from federation.identity import Role, SpiffeId
from node.keys import read_secret
from node.regulator.audit.books import RegulatorBooks
from node.regulator.audit.checks import RecordChecks
from node.regulator.audit.documents import load_documents
from node.regulator.audit.progress import CHECKED, VERIFIED, mirrored_until, progress
from node.regulator.audit.shares import ShareFeed, reconciled_chains
from node.regulator.audit.verification import Verification
from node.regulator.auditkeys.issuing import issue_ahead
from node.regulator.auditkeys.provider import AuditKeyRing
from node.regulator.decisions import DecisionStore
from node.regulator.errors import RegulatorError
from node.regulator.membership import Regulator
from node.regulator.mirror.books import MirroredLog, all_logs
from node.regulator.tables import audit_findings, audit_queries
from node.workers.pool import WorkerPool

JOBS: Final = "node.regulator.audit.jobs"

Step = Callable[[str, int, int], None]
"""Told which part is at work, how much is done, of how much."""


@dataclass
class AuditRun:
    """The audit of one regulator; `settle` seconds pass before an entry is judged."""

    regulator: Regulator
    pool: WorkerPool
    settle: int
    _checks: RecordChecks | None = field(default=None)

    async def once(self, tell: Step, *, finish: bool = False) -> None:
        """Audits what is mirrored now. With `finish`, as if nothing would be logged any more."""
        regulator = self.regulator
        await issue_ahead(regulator)
        keys = await AuditKeyRing.open(regulator.config, regulator.store)
        now = regulator.clock.now()
        logs = await regulator.store.read(all_logs)
        hub = _hub_of(logs)
        until = mirrored_until(logs, now) - self.settle
        storage = read_secret(regulator.config.key_encryption_key)
        verification = Verification(regulator, self.pool, keys, storage)
        await verification.run(str(hub), until, lambda done, of: tell("verify", done, of))
        checks = await self._ready(hub, keys)
        # What was not verified yet is not to be fed, whatever its log's size.
        sizes = {log.log: log.size for log in logs}
        sizes[str(hub)] = await regulator.store.read(lambda c: progress(c, VERIFIED))
        await asyncio.to_thread(
            checks.run, sizes, until, now, lambda done, of: tell("check", done, of)
        )
        if finish:
            await asyncio.to_thread(checks.finish, now)

    async def _ready(self, hub: SpiffeId, keys: AuditKeyRing) -> RecordChecks:
        regulator = self.regulator
        identity, store = regulator.identity, regulator.store
        documents = await store.read(lambda c: load_documents(c, identity.root))
        if self._checks is None:
            folder = regulator.config.data_dir / "models"
            decisions = DecisionStore(folder, identity.storage)
            signing = identity.root.regulator_signing
            books = RegulatorBooks(store, documents, decisions, regulator.config, signing)
            audit = Audit(hub, identity.id, regulator.config.audit, books)
            shares = ShareFeed(store, regulator.chain, identity.storage)
            self._checks = RecordChecks(store, audit, documents, keys, shares)
        self._checks.documents, self._checks.keys = documents, keys
        return self._checks


def audit_summary(connection: Connection) -> dict[str, Any]:
    """What the audit comes to so far: `queries` is `verified` and the distinct queries with
    findings (`federation.audit.summary`), `chains` how far the reconciliation with each peer chain
    is. For people and programs.
    """
    found, queries = audit_findings.c, audit_queries.c
    audited = connection.execute(select(func.count()).select_from(audit_queries)).scalar_one()
    distinct = (
        select(found.query.label("query")).distinct().where(found.query.is_not(None)).subquery()
    )
    with_findings = connection.execute(select(func.count()).select_from(distinct)).scalar_one()
    elsewhere = connection.execute(
        select(func.count())
        .select_from(distinct)
        .where(~exists().where(queries.id == distinct.c.query))
    ).scalar_one()
    kinds = select(found.kind, func.count()).group_by(found.kind).order_by(found.kind)
    states = select(found.state, func.count()).group_by(found.state)
    return {
        "queries": audited + elsewhere,
        "verified": audited + elsewhere - with_findings,
        "with_findings": with_findings,
        "findings": {row[0]: row[1] for row in connection.execute(kinds)},
        "states": {row[0]: row[1] for row in connection.execute(states)},
        "checked_until": progress(connection, CHECKED),
        "chains": reconciled_chains(connection),
        "logs": {
            log.log: {
                "size": log.size,
                "consistent": log.state == "ok",
                "cosigned": log.cosigned_size,
                "fault": log.fault,
            }
            for log in all_logs(connection)
        },
    }


def _hub_of(logs: tuple[MirroredLog, ...]) -> SpiffeId:
    hubs = [id_ for log in logs if (id_ := SpiffeId.parse(log.log)).role is Role.HUB]
    if len(hubs) != 1:
        raise RegulatorError(
            f"{len(hubs)} logs of hubs are mirrored, and a chain has one; let the node serve first"
        )
    return hubs[0]
