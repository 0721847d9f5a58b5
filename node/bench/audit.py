"""The regulator's audit: every mirrored query opened, verified and checked against all logs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, select

from federation.permit import Permit, open_for_audit
from federation.signed import Signed
from node.bench.audited import MODULE, Mirrored, make_firms, mirrored_chain
from node.bench.measure import Pair, Row, Side, Unit
from node.bench.setting import Group, Pairs, Setting
from node.regulator.audit.run import JOBS, AuditRun
from node.regulator.audit.verification import envelope_named
from node.regulator.auditkeys.provider import AuditKeyRing
from node.regulator.tables import (
    audit_findings,
    audit_progress,
    audit_queries,
    mirror_attachments,
    mirror_entries,
)
from node.workers.pool import WorkerPool

QUERIES = 512
ROWS_OF_GROUP = (
    Row(
        "audit.query",
        Unit.RATE,
        "queries audited a second, one worker: evidence, consent, proof, logs, conduct",
        "opening the evidence and four Ed25519 verifications alone, one core",
    ),
)


@asynccontextmanager
async def prepare(setting: Setting) -> AsyncIterator[Pairs]:
    """A regulator with the mirrored logs of a chain, whose audit begins anew at each run."""
    async with mirrored_chain(setting.folder / "audit") as chain:
        making, pool = WorkerPool(1, module=MODULE), WorkerPool(1, module=JOBS)
        await making.start()
        await pool.start()
        try:
            await chain.fill(QUERIES, making, make_firms(chain.licence, QUERIES // 2))

            async def audit() -> None:
                await chain.regulator.store.run(_forget)
                await AuditRun(chain.regulator, pool, 0).once(lambda *_: None)

            alone = await _alone(chain)
            yield {"audit.query": Pair(Side(audit, QUERIES), alone)}
        finally:
            await making.stop()
            await pool.stop()


async def _alone(chain: Mirrored) -> Side:
    """The least that an audit has to compute."""
    regulator = chain.regulator
    ring = await AuditKeyRing.open(regulator.config, regulator.store)
    sealed = await regulator.store.read(_evidence)
    key, message = Ed25519PrivateKey.generate(), bytes(1024)
    signature, public = key.sign(message), key.public_key()

    def run() -> None:
        for permit, envelope in sealed:
            open_for_audit(envelope, permit.hash, permit.issued, ring)
            for _ in range(4):
                public.verify(signature, message)

    return Side(run, len(sealed))


def _evidence(connection: Connection) -> list[tuple[Permit, bytes]]:
    """Permits, each with its envelope, in the order of the hub's log."""
    kept = {
        bytes(row.hash): bytes(row.body)
        for row in connection.execute(select(mirror_attachments.c.hash, mirror_attachments.c.body))
    }
    table = mirror_entries.c
    rows = connection.execute(
        select(table.document, table.entry).where(table.kind == "permit").limit(64)
    ).all()
    return [
        (
            Permit.parse(Signed.from_json(kept[bytes(row.document)]).payload),
            kept[envelope_named(bytes(row.entry))],
        )
        for row in rows
    ]


def _forget(connection: Connection) -> None:
    for table in (audit_queries, audit_findings, audit_progress):
        connection.execute(table.delete())


GROUP = Group("audit", ROWS_OF_GROUP, prepare)
