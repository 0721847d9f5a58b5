"""The demo's audit: what the regulator found in the mirrored logs, beside what was planted."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, select

from federation.auditkeys import CHINA
from node.config import RegulatorConfig, load
from node.demo import observed
from node.demo.dishonest import Planted, edit_log
from node.demo.errors import DemoError
from node.demo.layout import Layout, Party
from node.demo.processes import Processes
from node.regulator.audit.run import audit_summary
from node.regulator.mirror.books import all_logs
from node.regulator.tables import audit_findings
from node.storage import Store

MIRRORED_SECONDS: Final = 180.0
EDIT_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.5

T = TypeVar("T")


@dataclass
class Auditor:
    """The regulator's side: its own command, and its database read as its pages will read it."""

    layout: Layout
    processes: Processes

    async def audit(self, planted: Sequence[Planted], insider: Party) -> dict[str, Any]:
        """Audits, then has one log edited and waits until that is named; the result's `audit`.

        Raises DemoError when logs are not mirrored, or the edit is not found, in time.
        """
        begin = time.monotonic()
        await self.judge()
        seconds = time.monotonic() - begin
        edited = await edit_log(insider)
        async with self._books() as store:
            await self._named(store, edited)
        return await self.found([*planted, edited], seconds)

    async def judge(self) -> None:
        """Audits everything that the chain's logs hold now. Raises DemoError when logs are not
        mirrored in time.
        """
        async with self._books() as store:
            await self._mirrored(store)
        await self.processes.command(
            f"{self.layout.regulator.name}-audit",
            ["regulator", "audit", "--once", "--finish", "--settle", "0", "--json"],
            config=self.layout.regulator.config,
        )

    async def found(self, planted: Sequence[Planted], seconds: float) -> dict[str, Any]:
        """The result's `audit`: what was found so far, beside what was planted in this chain."""
        return await self.look(lambda c: compare(c, planted, self.layout.servers, seconds))

    async def look(self, query: Callable[[Connection], T]) -> T:
        """Reads the regulator's database, beside its node."""
        async with self._books() as store:
            return await store.read(query)

    @asynccontextmanager
    async def _books(self) -> AsyncIterator[Store]:
        store = Store.open(load(RegulatorConfig, self.layout.regulator.config).database_url())
        try:
            yield store
        finally:
            await asyncio.to_thread(store.close)

    async def _mirrored(self, store: Store) -> None:
        """Waits until every entry of now is mirrored and cosigned."""
        begin = self.layout.clock.now()
        wanted, _ = await observed.logs(self.layout.servers)
        deadline = time.monotonic() + MIRRORED_SECONDS
        while True:
            logs = {log.log: log for log in await store.read(all_logs)}
            late = [
                party.name
                for party in self.layout.servers
                if (log := logs.get(str(party.id))) is None
                or min(log.size, log.cosigned_size) < wanted[party.name]
                or log.checked_at <= begin
            ]
            if not late:
                return
            if time.monotonic() > deadline:
                raise DemoError(f"logs of {', '.join(late)} are not mirrored and cosigned in time")
            await asyncio.sleep(POLL_SECONDS)

    async def _named(self, store: Store, edited: Planted) -> None:
        deadline = time.monotonic() + EDIT_SECONDS
        while edited not in await store.read(found_in):
            if time.monotonic() > deadline:
                raise DemoError(f"an edited entry of {edited.subject} is not found in a minute")
            await asyncio.sleep(POLL_SECONDS)


def found_in(connection: Connection) -> list[Planted]:
    """Every finding of the regulator, in the form in which violations are planted."""
    table = audit_findings.c
    rows = connection.execute(select(table.query, table.kind, table.subject)).all()
    return sorted(
        (Planted((row.query or b"").hex(), row.kind, row.subject) for row in rows),
        key=lambda found: (found.kind, found.subject, found.id),
    )


def compare(
    connection: Connection, planted: Sequence[Planted], servers: Sequence[Party], seconds: float
) -> dict[str, Any]:
    """The result's `audit`. `found` comes from the regulator's database alone."""
    found = found_in(connection)
    summary = audit_summary(connection)
    expected, actual = Counter(planted), Counter(found)
    names = {str(party.id): party.name for party in servers}
    return {
        "queries": summary["queries"],
        "verified": summary["verified"],
        "planted": [one.value() for one in planted],
        "found": [one.value() for one in found],
        "missed": sum((expected - actual).values()),
        "false_positives": sum((actual - expected).values()),
        "logs": {
            names[log]: {
                "size": state["size"],
                "consistent": state["consistent"],
                "cosigned": state["cosigned"],
            }
            for log, state in summary["logs"].items()
            if log in names
        },
        "seconds": round(seconds, 1),
    }


def patient_mirror(layout: Layout) -> None:
    """Writes into the regulator's configuration how long a log may be away: the demo's second bank
    runs no node, which is to be no finding of the demo however long it takes.
    """
    _append(layout, "[mirror]", "period = 2.0", "grace = 86400")


def office_hours(layout: Layout) -> None:
    """Writes there that the demo's officers work now: they ask whenever somebody runs the demo."""
    today = datetime.fromtimestamp(time.time(), CHINA).date()
    days = ", ".join(str(today + timedelta(days=more)) for more in (0, 1))
    _append(layout, "[audit]", "quiet_from = 0", "quiet_until = 0", f"working_days = [{days}]")


def _append(layout: Layout, *lines: str) -> None:
    with layout.regulator.config.open("a", encoding="utf-8") as file:
        file.write("\n".join(["", *lines, ""]))
