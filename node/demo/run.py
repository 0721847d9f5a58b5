"""The demo from an empty folder to a result: real processes, a real chain, exact records."""

from __future__ import annotations

import asyncio
import json
import secrets
import statistics
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from federation.pki import SubjectAuthority
from federation.purpose import Purpose
from federation.uscc import Uscc
from node.demo import auditing, observed, setup, staging, starting
from node.demo.agent import OFFICER_QUERIES, AgentClient
from node.demo.dishonest import FIRMS
from node.demo.errors import DemoError
from node.demo.independent import reference_records
from node.demo.layout import KINDS, Layout, plan
from node.demo.processes import Processes
from node.demo.refusals import REASONS, mount
from node.demo.setup import FIRST_EPOCH
from node.demo.show import Screen
from node.demo.texts import Language
from node.enterprise.enterprise import ConsentTerms, enrol_enterprises
from node.sample import CATALOGUE, SCORECARD, generate
from scoring.catalogue import Catalogue
from scoring.record import Record
from scoring.scorecard import Scorecard

EPOCH_DAYS = 2
FIRM_DAYS = 30
QUERIES_AT_ONCE = 2


@dataclass(frozen=True)
class Options:
    """What is asked of the demo."""

    folder: Path
    enterprises: int
    queries: int
    seed: int
    language: Language


@dataclass
class Outcome:
    """What the queries gave."""

    mismatches: int = 0
    milliseconds: list[float] = field(default_factory=list)
    shown: dict[str, Any] = field(default_factory=dict)


class Demo:
    """One run. `run` does everything but the last question to the user."""

    def __init__(self, options: Options, screen: Screen) -> None:
        self._options = options
        self._screen = screen
        self._layout = plan(options.folder, list(KINDS))
        self._scorecard = Scorecard.from_json(SCORECARD.read_bytes())
        self._catalogue = Catalogue.from_json(CATALOGUE.read_bytes())
        self._begin = time.monotonic()

    async def run(self, processes: Processes) -> tuple[dict[str, Any], Outcome]:
        """The result document, but for what only stopped processes tell, and the outcome."""
        layout, screen = self._layout, self._screen
        with screen.step("sample"):
            # One more than take part: one of the refusals needs a firm that is not enrolled.
            count = self._options.enterprises + 1
            await asyncio.to_thread(generate, count, self._options.seed, layout.sample)
        licence, codes = await self._found()
        token = await setup.api_token(layout)
        with screen.step("start") as tell:
            await starting.start(processes, layout.servers, tell)
        with screen.step("load") as tell:
            await starting.load(processes, layout, FIRST_EPOCH, tell)
        with screen.step("open"):
            await setup.open_epoch(layout, FIRST_EPOCH)
        startup = time.monotonic() - self._begin
        client = AgentClient(layout.bank.extra, token)
        try:
            result, outcome = await self._work(client, licence, codes, processes)
        finally:
            await client.close()
        result["startup_s"] = round(startup, 1)
        return result, outcome

    @property
    def layout(self) -> Layout:
        """Who takes part."""
        return self._layout

    async def _found(self) -> tuple[SubjectAuthority, list[Uscc]]:
        layout = self._layout
        with self._screen.step("found"):
            # The refusals and their twins ask as well, and the dishonest parties.
            more = 10 * len(REASONS) + 2 * FIRMS
            budget = max(setup.BUDGET, self._options.queries + more)
            licence = await asyncio.to_thread(setup.found, layout, int(time.time()), budget)
            await setup.enrol_members(layout)
            codes = await asyncio.to_thread(setup.enterprises, layout)
            await asyncio.to_thread(auditing.office_hours, layout)
            await setup.announce(layout, codes[:-1], self._catalogue, EPOCH_DAYS)
        return licence, codes

    async def _work(
        self,
        client: AgentClient,
        licence: SubjectAuthority,
        codes: list[Uscc],
        processes: Processes,
    ) -> tuple[dict[str, Any], Outcome]:
        screen, options = self._screen, self._options
        with screen.step("certify"):
            model = await client.certify(json.loads(SCORECARD.read_text(encoding="utf-8")))
        with screen.step("prepare") as tell:
            begin = time.monotonic()
            job = await client.prepare(model["certificate"], tell)
            prepare_seconds = time.monotonic() - begin
        now = int(time.time())
        terms = ConsentTerms(
            bank=self._layout.bank.id,
            purpose=Purpose.LOAN_APPROVAL,
            fields=tuple(f.name for f in self._scorecard.fields),
            chains=(self._layout.chain,),
            days=FIRM_DAYS,
            disclosed=self._scorecard.disclosed,
        )
        enrolled = codes[:-1]
        with screen.step("consents"):
            others_needed = len(REASONS) + FIRMS
            drawn = secrets.SystemRandom().sample(enrolled, options.queries + others_needed)
            asked, others = drawn[: options.queries], drawn[options.queries :]
            firms = await asyncio.to_thread(
                enrol_enterprises, licence, [*asked, *others], now, FIRM_DAYS
            )
            consents = [(firm.uscc, firm.consent(terms, now)) for firm in firms[: len(asked)]]
        with screen.step("reference"):
            reference = await asyncio.to_thread(
                reference_records, self._layout.sample, CATALOGUE, SCORECARD
            )
        with screen.step("queries") as tell:
            outcome = await self._query(client, model["certificate"], consents, reference, tell)
        before = await observed.traffic(self._layout.hub.metrics, "Query")
        certificate = bytes.fromhex(model["certificate"])
        async with AsyncExitStack() as stack:
            unused = firms[len(asked) :]
            stage = await staging.stage(
                stack, self._layout, licence, terms, unused, codes[-1], certificate
            )
            with screen.step("refusals"):
                await mount(stage)
            with screen.step("plant"):
                planted = await staging.plant(stack, self._layout, stage)
        with screen.step("audit"):
            insider = list(self._layout.holders.values())[1]
            audit = await auditing.Auditor(self._layout, processes).audit(planted, insider)
        result = {
            "holders": len(self._layout.holders),
            "enterprises": len(enrolled),
            "columns": sum(sum(self._catalogue.bins_per_feature(k)) for k in self._layout.holders),
            "queries": options.queries,
            "mismatches": outcome.mismatches,
            "prepare": {
                "buckets": job["total"],
                "seconds": round(prepare_seconds, 2),
                "bytes": (await observed.traffic(self._layout.hub.metrics, "Prepare")).sent,
            },
            "query_ms": {
                "p50": round(statistics.median(outcome.milliseconds), 1),
                "p95": round(statistics.quantiles(outcome.milliseconds, n=20)[-1], 1),
            },
            "query_bytes": {
                "up": before.received // max(before.calls, 1),
                "down": before.sent // max(before.calls, 1),
            },
            "audit": audit,
        }
        return result, outcome

    async def _query(
        self,
        client: AgentClient,
        model: str,
        consents: list[tuple[Uscc, str]],
        reference: dict[str, int],
        tell: Any,
    ) -> Outcome:
        outcome = Outcome()
        gate = asyncio.Semaphore(QUERIES_AT_ONCE)
        layout = self._scorecard.layout()

        async def one(uscc: Uscc, consent: str, number: int) -> None:
            async with gate:
                begin = time.monotonic()
                try:
                    officer = f"officer-{100 + number // OFFICER_QUERIES}"
                    found = await client.query(model, consent, "02", officer=officer)
                except DemoError as error:
                    # A query that fails is a record that is not exact.
                    self._screen.console.print(f"  {error}", style="red", markup=False)
                    outcome.mismatches += 1
                    return
                outcome.milliseconds.append(1000 * (time.monotonic() - begin))
            record = Record(found["record"]["fields"], found["record"]["coverage"])
            outcome.mismatches += layout.pack(record) != reference[uscc]
            if not outcome.shown or record.coverage == len(self._layout.holders):
                outcome.shown = found
            tell(len(outcome.milliseconds), len(consents))

        await asyncio.gather(*(one(u, c, n) for n, (u, c) in enumerate(consents)))
        return outcome
