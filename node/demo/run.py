"""The demo from an empty folder to a result: real processes, a real chain, exact records."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from federation.pki import SubjectAuthority
from federation.purpose import Purpose
from federation.uscc import Uscc
from node.demo import auditing, calendar, observed, setup, staging, starting
from node.demo.agent import AgentClient
from node.demo.clock import SandboxClock
from node.demo.dishonest import FIRMS
from node.demo.errors import DemoError
from node.demo.firm import Firm
from node.demo.history import History
from node.demo.independent import reference_records
from node.demo.layout import KINDS, Layout, plan
from node.demo.loading import load_epoch
from node.demo.people import Login, make_accounts
from node.demo.processes import Processes
from node.demo.querying import Outcome, Querying
from node.demo.refusals import REASONS, mount
from node.demo.show import Screen
from node.demo.sites import open_all
from node.demo.texts import Language
from node.enterprise.enterprise import ConsentTerms, enrol_enterprises
from node.regulator.auditkeys.issuing import MONTHS_AHEAD
from node.sample import CATALOGUE, SCORECARD, generate
from scoring.catalogue import Catalogue
from scoring.scorecard import Scorecard

EPOCH_DAYS = 2
FIRM_DAYS = 30
FOUNDED = 8.0
"""When a chain with a history is founded, in hours of its first day."""


@dataclass(frozen=True)
class Options:
    """What is asked of the demo; `weeks` of history before the present one."""

    folder: Path
    enterprises: int
    queries: int
    seed: int
    language: Language
    weeks: int


class Demo:
    """One run. `run` does everything but the last question to the user."""

    def __init__(self, options: Options, screen: Screen) -> None:
        self._options = options
        self._screen = screen
        now = int(time.time())
        self._weeks = calendar.office_weeks(now, options.weeks) if options.weeks else []
        behind = now - calendar.moment(self._weeks[0][0], FOUNDED) if self._weeks else 0
        self._clock = SandboxClock.create(options.folder / "clock", behind)
        self._layout = plan(options.folder, list(KINDS), clock=self._clock.file)
        self._scorecard = Scorecard.from_json(SCORECARD.read_bytes())
        self._catalogue = Catalogue.from_json(CATALOGUE.read_bytes())
        self._model = self._certified = ""
        self.logins: list[Login] = []
        """For the pages of all parties."""
        self._begin = time.monotonic()

    @property
    def layout(self) -> Layout:
        """Who takes part."""
        return self._layout

    async def run(self, processes: Processes) -> tuple[dict[str, Any], Outcome]:
        """The result document, but for what only stopped processes tell, and the outcome."""
        layout, screen, options = self._layout, self._screen, self._options
        with screen.step("sample"):
            # One more than take part: one of the refusals needs a firm that is not enrolled.
            count, today = options.enterprises + 1, calendar.day_of(int(time.time()))
            await asyncio.to_thread(generate, count, options.seed, layout.sample, today=today)
        licence, codes, history = await self._found()
        token = await setup.api_token(layout)
        with screen.step("accounts"):
            self.logins = await make_accounts(layout)
        with screen.step("start") as tell:
            await starting.start(processes, layout.servers, tell)
        async with AsyncExitStack() as stack:
            client = AgentClient(layout.bank.extra, token)
            stack.push_async_callback(client.close)
            past: dict[str, Any] = {"days": 0, "epochs": 0, "queries": 0, "findings": 0}
            if history is not None:
                past = await self._replay(client, history, processes)
            until = layout.clock.now()
            await setup.enrol_later(layout, [layout.rival])
            await asyncio.to_thread(auditing.office_hours, layout)
            with screen.step("load") as tell:
                epoch = await self._announced(codes[:-1], first=history is None)
                await load_epoch(layout, layout.sample, epoch, tell)
            with screen.step("open"):
                await setup.open_epoch(layout, epoch)
            startup = time.monotonic() - self._begin
            if history is None:
                await self._certify(client)
            result, outcome = await self._work(client, licence, codes, epoch, history, processes)
        real = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(until))
        result["clock"] = f"synthetic until {real}" if self._weeks else "real"
        result["history"] = past
        result["startup_s"] = round(startup, 1)
        return result, outcome

    async def _found(self) -> tuple[SubjectAuthority, list[Uscc], History | None]:
        layout, clock = self._layout, self._clock
        with self._screen.step("found"):
            # The refusals and their twins ask as well, and the dishonest parties.
            more = 10 * len(REASONS) + 2 * FIRMS
            budget = max(setup.BUDGET, self._options.queries + more)
            begin = clock.now()
            licence = await asyncio.to_thread(setup.found, layout, begin, budget)
            # Hubs need audit keys of every month on the way: one in four weeks, and one more.
            months = MONTHS_AHEAD + (len(self._weeks) // 4 + 1 if self._weeks else 0)
            await setup.enrol_first(layout, months)
            codes = await asyncio.to_thread(setup.enterprises, layout)
            await asyncio.to_thread(auditing.patient_mirror, layout)
            if not self._weeks:
                return licence, codes, None
            history = History(
                layout, clock, licence, codes[:-1], self._catalogue, self._scorecard,
                self._options.seed, self._weeks,
            )  # fmt: skip
            await history.begin()
        return licence, codes, history

    async def _announced(self, codes: list[Uscc], *, first: bool) -> int:
        catalogue = self._catalogue if first else None
        return await setup.announce(self._layout, codes, catalogue, EPOCH_DAYS)

    async def _certify(self, client: AgentClient) -> None:
        with self._screen.step("certify"):
            card = json.loads(SCORECARD.read_text(encoding="utf-8"))
            self._model = (await client.certify(card))["certificate"]

    async def _replay(
        self, client: AgentClient, history: History, processes: Processes
    ) -> dict[str, Any]:
        """Brings the chain up to the present; the regulator then audits it by the rules that every
        regulator has, as its queries were asked in office hours.
        """
        screen = self._screen
        with screen.step("first"):
            await history.open()
        await self._certify(client)
        history.model = self._model
        with screen.step("history", weeks=self._options.weeks) as tell:
            await client.prepare(self._model, lambda *_: None)
            await history.replay(client, tell)
        with screen.step("audit_history"):
            auditor = auditing.Auditor(self._layout, processes)
            await auditor.judge()
            findings = len(await auditor.look(auditing.found_in))
        return {**history.value(), "findings": findings}

    async def _work(
        self,
        client: AgentClient,
        licence: SubjectAuthority,
        codes: list[Uscc],
        epoch: int,
        history: History | None,
        processes: Processes,
    ) -> tuple[dict[str, Any], Outcome]:
        screen, options, layout = self._screen, self._options, self._layout
        earlier = await observed.traffic(layout.hub.metrics, "Prepare")
        with screen.step("prepare") as tell:
            begin = time.monotonic()
            job = await client.prepare(self._model, tell, epoch)
            prepare_seconds = time.monotonic() - begin
        prepared = await observed.traffic(layout.hub.metrics, "Prepare")
        now = layout.clock.now()
        terms = ConsentTerms(
            bank=layout.bank.id,
            purpose=Purpose.LOAN_APPROVAL,
            fields=tuple(f.name for f in self._scorecard.fields),
            chains=(layout.chain,),
            days=FIRM_DAYS,
            disclosed=self._scorecard.disclosed,
        )
        with screen.step("consents"):
            used = history.used if history is not None else frozenset()
            free = [code for code in codes[:-1] if code not in used]
            others_needed = len(REASONS) + FIRMS
            drawn = secrets.SystemRandom().sample(free, options.queries + others_needed)
            firms = await asyncio.to_thread(enrol_enterprises, licence, drawn, now, FIRM_DAYS)
            asked, unused = firms[: options.queries], firms[options.queries :]
            consents = [(firm.uscc, firm.consent(terms, now)) for firm in asked]
        with screen.step("reference"):
            reference = await asyncio.to_thread(
                reference_records, layout.sample, CATALOGUE, SCORECARD
            )
        with screen.step("queries") as tell:
            if history is not None:
                await history.watch(client)
            asking = Querying(client, self._model, self._scorecard, self._complain)
            outcome = await asking.ask(consents, reference, tell)
        firm = history.firm if history is not None else None
        firm = firm or await Firm.settle(layout, firms[0], licence)
        self.logins.append(await firm.serve(processes))
        before = await observed.traffic(layout.hub.metrics, "Query")
        certificate = bytes.fromhex(self._model)
        async with AsyncExitStack() as stack:
            stage = await staging.stage(
                stack, layout, licence, terms, unused, codes[-1], certificate, epoch
            )
            with screen.step("refusals"):
                await mount(stage)
            with screen.step("plant"):
                planted = await staging.plant(stack, layout, stage)
        with screen.step("pages") as tell:
            pages = await open_all(self.logins, tell)
        with screen.step("audit"):
            insider = list(layout.holders.values())[1]
            audit = await auditing.Auditor(layout, processes).audit(planted, insider)
        result = {
            "holders": len(layout.holders),
            "enterprises": len(codes) - 1,
            "columns": sum(sum(self._catalogue.bins_per_feature(k)) for k in layout.holders),
            "queries": options.queries,
            "mismatches": outcome.mismatches,
            "prepare": {
                "buckets": job["total"],
                "seconds": round(prepare_seconds, 2),
                "bytes": prepared.sent - earlier.sent,
            },
            "query_ms": outcome.quantiles(),
            "query_bytes": {
                "up": before.received // max(before.calls, 1),
                "down": before.sent // max(before.calls, 1),
            },
            "audit": audit,
            "pages": pages,
        }
        return result, outcome

    def _complain(self, error: DemoError) -> None:
        self._screen.console.print(f"  {error}", style="red", markup=False)
