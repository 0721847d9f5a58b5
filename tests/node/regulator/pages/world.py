"""A regulator that has audited a chain's mirrored logs, two of its queries not in order."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Connection

from federation.audit.findings import Finding, FindingKind
from federation.exchange.regulator import conclude
from federation.policy import PolicyReport
from node.bench.audited import HOLDERS, HUB, NOW, make_firms, mirrored_chain
from node.clock import FixedClock
from node.config import RegulatorConfig, load
from node.enrolment.folder import CONFIG
from node.pages.duties import Duty
from node.pages.site import Site
from node.regulator.audit.run import AuditRun
from node.regulator.decisions import Decision, DecisionStore
from node.regulator.membership import Regulator, record_own
from node.regulator.pages import add_pages
from node.regulator.verdicts import Verdicts
from node.runtime import running
from node.workers.policy import apply_policy
from scoring.scorecard import Scorecard
from support.pages import browsing, open_site
from support.small import small_catalogue
from tests.node.regulator.test_certification import submission
from tests.node.regulator.test_policy_verdicts import refused_card

QUERIES = 60
MISSING = 3
"""A permit whose evidence the hub does not show."""
UNLOCK = 20
"""A permit that one holder does not have in its log."""


class Here:
    """A worker pool's work, done in this process."""

    async def stream(
        self, job: Callable[..., Any], arguments: Iterable[tuple[Any, ...]]
    ) -> AsyncIterator[Any]:
        for one in arguments:
            yield job(*one)


@dataclass(frozen=True)
class Audited:
    """The regulator's folder, a firm that was asked about, and permits by their places."""

    home: Path
    firm: str
    permits: tuple[str, ...]

    @property
    def database(self) -> Path:
        (path,) = self.home.rglob("regulator.sqlite")
        return path


async def make_audited(folder: Path) -> Audited:
    """Queries of three banks, audited."""
    async with mirrored_chain(folder) as chain:
        firms = make_firms(chain.licence, QUERIES // 2)
        await chain.fill(QUERIES, Here(), firms)  # type: ignore[arg-type]
        await record_own(chain.regulator)
    made = Audited(folder / "regulator", str(firms[0].uscc), ())
    permits = _spoil(made.database)
    async with opened(made) as regulator:
        audit = AuditRun(regulator, Here(), 0)  # type: ignore[arg-type]
        await audit.once(lambda *_: None, finish=True)
    return Audited(made.home, made.firm, permits)


def _spoil(database: Path) -> tuple[str, ...]:
    """Takes an envelope out of the mirror, and an unlock; the permits by their places."""
    with sqlite3.connect(database) as connection:
        rows = connection.execute(
            "SELECT hex(document) FROM mirror_entries WHERE log = ? AND kind = 'permit' "
            'ORDER BY "index"',
            (str(HUB),),
        ).fetchall()
        permits = tuple(row[0].lower() for row in rows)
        connection.execute(
            "DELETE FROM mirror_attachments WHERE rowid IN (SELECT rowid FROM mirror_attachments "
            "WHERE hash = digest AND length(body) > 4000 ORDER BY rowid LIMIT 1 OFFSET ?)",
            (MISSING,),
        )
        connection.execute(
            "DELETE FROM mirror_entries WHERE log = ? AND document = ?",
            (str(HOLDERS[0]), bytes.fromhex(permits[UNLOCK])),
        )
    connection.close()
    return permits


@asynccontextmanager
async def opened(made: Audited) -> AsyncIterator[Regulator]:
    """The regulator's node on that folder, without its servers."""
    config = load(RegulatorConfig, made.home / CONFIG)
    async with running(config, workers=1, clock=FixedClock(NOW)) as regulator:
        yield regulator


def site_of(regulator: Regulator, **more: Any) -> Site:
    """The regulator's pages without accounts."""
    site = open_site({Duty.INSPECTOR, Duty.ADMINISTRATOR}, clock=regulator.clock)
    add_pages(site, regulator, **more)
    return site


@asynccontextmanager
async def inspecting(
    made: Audited, language: str = "en"
) -> AsyncIterator[tuple[httpx.AsyncClient, Regulator]]:
    """An inspector's browser on the pages, and the node behind them."""
    async with (
        opened(made) as regulator,
        browsing(site_of(regulator), Duty.INSPECTOR, language=language) as client,
    ):
        yield client, regulator


async def refuse(regulator: Regulator) -> str:
    """Has a scorecard judged that policy refuses; the submission's hash in hex."""
    catalogue, made = small_catalogue(), submission(scorecard=refused_card())
    thresholds = regulator.config.policy
    text, digest = catalogue.to_json(), catalogue.digest()
    judged = PolicyReport.from_json(
        apply_policy(made.scorecard, digest, thresholds.model_dump(), [], {digest: text})
    )
    verdict = conclude(made, Scorecard.from_json(made.scorecard), judged).verdict
    name = hashlib.sha256(made.payload()).digest()
    store = DecisionStore(regulator.config.data_dir / "models", regulator.identity.storage)

    def unit(connection: Connection) -> None:
        regulator.chain.put_catalogue(connection, text.encode())
        store.put(connection, name, made, digest, Decision(b""), NOW)
        Verdicts(regulator.identity.storage).put(connection, name, verdict)

    await regulator.store.run(unit)
    return name.hex()


def finding(query: bytes | None) -> Finding:
    """A finding about a query, or about none."""
    return Finding(kind=FindingKind.UNLOCK_MISSING, subject="s", query=query)
