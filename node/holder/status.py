"""What a holder's operator sees: epochs, contexts with their progress, banks, the log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, select

from node.config import HolderConfig
from node.holder.banks import bank_uses
from node.holder.snapshots import Snapshot, snapshots
from node.holder.tables import holder_closures, holder_contexts, holder_models, holder_tables
from node.holder.vault import EpochVault
from node.runtime import Runtime
from scoring.words import ROWS


def when(seconds: int | None) -> str:
    """A time for people and programs: ISO 8601 in UTC, empty for none."""
    return datetime.fromtimestamp(seconds, UTC).isoformat() if seconds else ""


def epochs(
    runtime: Runtime[HolderConfig], connection: Connection, most: int | None = None
) -> list[dict[str, Any]]:
    """Every epoch that is announced, or that this holder has data of; oldest first. The `most`
    newest of them, where that is given.

    `state`: `announced` (load it now), `loaded` (the hub has no receipt yet), `submitted`, `open`,
    `late` (open without this holder), `closing` (over, secrets not yet erased), `closed`.
    """
    chain, now = runtime.chain, runtime.clock.now()
    loaded = {snapshot.epoch: snapshot for snapshot in snapshots(connection)}
    closures = {row.epoch: row for row in connection.execute(select(holder_closures))}
    found = []
    numbers = sorted({*chain.epoch_numbers(connection), *loaded})
    for number in numbers if most is None else numbers[-most:]:
        descriptor = chain.descriptor(connection, number)
        snapshot = loaded.get(number)
        closure = closures.get(number)
        if closure is not None:
            state = "closed" if closure.erased_at else "closing"
        elif descriptor is not None and now >= descriptor.closes:
            state = "closing" if snapshot else "closed"
        elif (opened := chain.epoch(connection, number, now)) is not None:
            state = "open" if runtime.identity.id in opened.manifests else "late"
        elif snapshot is not None:
            state = "submitted" if snapshot.submitted_at else "loaded"
        else:
            state = "announced"
        found.append(
            {
                "epoch": number,
                "state": state,
                "opens": when(descriptor.opens if descriptor else 0),
                "closes": when(descriptor.closes if descriptor else 0),
                "rows": descriptor.roster_rows if descriptor else 0,
                **_loaded(snapshot),
                "closed_at": when(closure.closed_at if closure else 0),
                "erased_at": when(closure.erased_at if closure else 0),
            }
        )
    return found


def contexts(
    runtime: Runtime[HolderConfig], connection: Connection, vault: EpochVault
) -> list[dict[str, Any]]:
    """Every model in every epoch whose key is stated, with buckets padded and prepared."""
    chain = runtime.chain
    table = holder_tables.c
    prepared: dict[bytes, set[int]] = {}
    for row in connection.execute(select(table.ctx, table.bucket)):
        prepared.setdefault(bytes(row.ctx), set()).add(row.bucket)
    closed = set(connection.execute(select(holder_closures.c.epoch)).scalars())
    found = []
    query = select(holder_contexts).order_by(holder_contexts.c.epoch, holder_contexts.c.stated_at)
    for row in connection.execute(query):
        if row.epoch in closed:
            continue
        ctx = bytes(row.ctx)
        certificate = chain.certified(connection, bytes(row.certificate))
        descriptor = chain.descriptor(connection, row.epoch)
        done = prepared.get(ctx, set())
        found.append(
            {
                "ctx": ctx.hex(),
                "epoch": row.epoch,
                "model": certificate.name if certificate else "",
                "bank": str(certificate.bank) if certificate else "",
                "buckets": -(-descriptor.roster_rows // ROWS) if descriptor else 0,
                "padded": len(done | vault.buckets(row.epoch, ctx, "pads")),
                "prepared": len(done),
                "stated_at": when(row.stated_at),
            }
        )
    return found


def banks(runtime: Runtime[HolderConfig], connection: Connection) -> list[dict[str, Any]]:
    """Who was answered, how often, and what was decided about each bank."""
    return [
        {
            "bank": use.bank,
            "stopped": use.stopped,
            "answered_24h": use.last_day,
            "budget_24h": use.budget,
            "budget_is": "own" if use.own_budget else "default",
            "answered": use.total,
            "last": when(use.last),
        }
        for use in bank_uses(connection, runtime.config.budget, runtime.clock.now())
    ]


def models(connection: Connection) -> int:
    """How many certified models are installed."""
    return connection.execute(select(func.count()).select_from(holder_models)).scalar_one()


def _loaded(snapshot: Snapshot | None) -> dict[str, Any]:
    if snapshot is None:
        return {"as_of": "", "known": 0, "rejected": 0, "manifest": ""}
    return {
        "as_of": snapshot.document.as_of,
        "known": snapshot.known,
        "rejected": snapshot.rejected,
        "manifest": snapshot.manifest.payload_hash.hex(),
    }
