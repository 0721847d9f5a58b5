"""The demo from an empty folder to a result: real processes, a real chain, exact records."""

from __future__ import annotations

import asyncio
import json
import secrets
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from federation.pki import SubjectAuthority
from federation.purpose import Purpose
from federation.uscc import Uscc
from node.config import BankConfig, HubConfig, load
from node.demo import observed, setup, starting
from node.demo.agent import OFFICER_QUERIES, AgentClient
from node.demo.errors import DemoError
from node.demo.independent import reference_records
from node.demo.layout import CHAIN, KINDS, Layout, plan
from node.demo.processes import Processes
from node.demo.refusals import REASONS, Stage, mount
from node.demo.show import Screen
from node.demo.texts import Language
from node.enterprise.enterprise import ConsentTerms, Enterprise, enrol_enterprises
from node.sample import CATALOGUE, SCORECARD, generate
from scoring.catalogue import Catalogue
from scoring.record import Record
from scoring.scorecard import Scorecard

EPOCH_DAYS = 2
FIRST_EPOCH = 1
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
        token = await asyncio.to_thread(setup.api_token, layout)
        with screen.step("start") as tell:
            await starting.start(processes, layout.servers, tell)
        with screen.step("load") as tell:
            await starting.load(processes, layout, FIRST_EPOCH, tell)
        with screen.step("open"):
            await setup.open_epoch(layout, FIRST_EPOCH)
        startup = time.monotonic() - self._begin
        client = AgentClient(layout.bank.extra, token)
        try:
            result, outcome = await self._work(client, licence, codes)
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
            # The refusals and their twins ask as well.
            budget = max(setup.BUDGET, self._options.queries + 10 * len(REASONS))
            licence = await asyncio.to_thread(setup.found, layout, int(time.time()), budget)
            await setup.enrol_members(layout)
            codes = await asyncio.to_thread(setup.enterprises, layout)
            await setup.announce(layout, codes[:-1], self._catalogue, EPOCH_DAYS)
        return licence, codes

    async def _work(
        self, client: AgentClient, licence: SubjectAuthority, codes: list[Uscc]
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
            chains=(CHAIN,),
            days=FIRM_DAYS,
            disclosed=self._scorecard.disclosed,
        )
        enrolled = codes[:-1]
        with screen.step("consents"):
            drawn = secrets.SystemRandom().sample(enrolled, options.queries + len(REASONS))
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
        with screen.step("refusals"):
            certificate = bytes.fromhex(model["certificate"])
            await self._refuse(licence, terms, firms[len(asked) :], codes[-1], certificate)
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

    async def _refuse(
        self,
        licence: SubjectAuthority,
        terms: ConsentTerms,
        firms: list[Enterprise],
        stranger: Uscc,
        certificate: bytes,
    ) -> None:
        layout, bank = self._layout, load(BankConfig, self._layout.bank.config)
        holder = next(iter(layout.holders.values()))
        channels = {
            "bank": starting.channel(layout.hub, layout.bank),
            "other": starting.channel(layout.hub, layout.rival),
            "holder": starting.channel(holder, layout.hub),
        }
        hub = load(HubConfig, layout.hub.config)
        try:
            stage = Stage(
                session=await observed.session(bank, FIRST_EPOCH, certificate),
                terms=terms,
                authority=licence,
                firms=firms,
                stranger=stranger,
                bank=channels["bank"],
                other_bank=channels["other"],
                other_bank_id=layout.rival.id,
                hub_id=layout.hub.id,
                hub_key=observed.signing_key(hub),
                holder=channels["holder"],
                consents=layout.hub.extra,
                chain_authority=await asyncio.to_thread(hub.tls.ca.read_bytes),
                now=int(time.time()),
            )
            await mount(stage)
        finally:
            for channel in channels.values():
                await channel.close()
