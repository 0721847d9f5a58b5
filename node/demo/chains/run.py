"""The demo of several chains, from an empty folder to a result."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from federation.pki import SubjectAuthority
from federation.uscc import Uscc
from node.demo import observed, setup, staging, starting
from node.demo.agent import AgentClient
from node.demo.chains import founding, judging, parting, preparing, results
from node.demo.chains.asking import Desk, Firms, Tally
from node.demo.chains.model import scorecard_of
from node.demo.chains.network import Network, plan_network
from node.demo.chains.show import ChainsScreen
from node.demo.chains.together import Together
from node.demo.chains.trusting import pin_all
from node.demo.clock import SandboxClock
from node.demo.dishonest import FIRMS, Planted
from node.demo.independent import reference_records
from node.demo.loading import load_epoch
from node.demo.people import Login, make_accounts
from node.demo.processes import Processes
from node.demo.refusals import REASONS, mount
from node.demo.setup import FIRST_EPOCH
from node.demo.sites import open_all
from node.enterprise.enterprise import Enterprise
from node.sample import CATALOGUE
from scoring.scorecard import Scorecard

HOME_QUERIES: Final = 10
"""Queries of each bank in its own chain."""


@dataclass(frozen=True)
class ChainsOptions:
    """What is asked of the demo: `enterprises` of each chain, `queries` across chains in all."""

    folder: Path
    chains: int
    enterprises: int
    queries: int
    seed: int


@dataclass
class ChainsOutcome:
    """What is shown of the queries."""

    joint: dict[str, Any] = field(default_factory=dict)
    partial: dict[str, Any] = field(default_factory=dict)


class ChainsDemo:
    """One run. The first chain is also where requests are refused and rules are broken; the last
    one is away for a while, and withdraws its trust in the first one in the end.
    """

    def __init__(self, options: ChainsOptions, screen: ChainsScreen) -> None:
        clock = SandboxClock.create(options.folder / "clock")
        self.network: Network = plan_network(options.folder, options.chains, clock=clock.file)
        self.logins: list[Login] = []
        """For the pages of the first chain."""
        self._options = options
        self._screen = screen
        self._begin = time.monotonic()
        self._first, *_, self._last = self.network.chains.values()

    async def run(self, processes: Processes) -> tuple[dict[str, Any], ChainsOutcome]:
        """The result document, but for what only stopped processes tell, and what is shown."""
        network, screen, options = self.network, self._screen, self._options
        with screen.step("sample"):
            await asyncio.to_thread(founding.samples, network, options.enterprises, options.seed)
        with screen.step("found"):
            budget = max(setup.BUDGET, options.queries)
            licence, codes = await founding.found(network, budget)
            tokens = {n: await setup.api_token(layout) for n, layout in network.chains.items()}
        with screen.step("accounts"):
            self.logins = await make_accounts(self._first)
        with screen.step("start") as tell:
            await starting.start(processes, network.servers, tell)
        with screen.step("trust") as tell:
            await pin_all(network, processes, tell)
        with screen.step("load") as tell:
            await self._load(tell)
        with screen.step("open"):
            for layout in network.chains.values():
                await setup.open_epoch(layout, FIRST_EPOCH)
        startup = time.monotonic() - self._begin
        async with AsyncExitStack() as stack:
            clients = {}
            for name, layout in network.chains.items():
                clients[name] = AgentClient(layout.bank.extra, tokens[name])
                stack.push_async_callback(clients[name].close)
            result, outcome = await self._work(clients, licence, codes, processes)
        result["startup_s"] = round(startup, 1)
        return result, outcome

    async def _load(self, tell: starting.Tell) -> None:
        chains = list(self.network.chains.values())
        for place, layout in enumerate(chains):

            def told(done: int, of: int, place: int = place) -> None:
                tell(place * of + done, len(chains) * of)

            await load_epoch(layout, layout.sample, FIRST_EPOCH, told)

    async def _work(
        self,
        clients: Mapping[str, AgentClient],
        licence: SubjectAuthority,
        codes: Mapping[str, list[Uscc]],
        processes: Processes,
    ) -> tuple[dict[str, Any], ChainsOutcome]:
        network, screen = self.network, self._screen
        cards = {name: scorecard_of(layout) for name, layout in network.chains.items()}
        with screen.step("certify") as tell:
            await preparing.trusting(network, clients)
            models = await preparing.certify(clients, cards, tell)
        with screen.step("prepare") as tell:
            prepared = await preparing.prepare(clients, models, tell)
        with screen.step("reference"):
            references = await asyncio.to_thread(self._references, cards)
        firms = Firms({name: found[:-1] for name, found in codes.items()}, licence)
        desk = Desk(network, clients, models, cards, references, screen.complain)
        with screen.step("home") as tell:
            own = [(n, n, firm) for n in network.chains for firm in firms.alone(n, HOME_QUERIES)]
            at_home = await desk.ask(own, tell)
        bytes_at_home = await observed.traffic(self._first.hub.metrics, "Hub/Query")
        with screen.step("across") as tell:
            across = await desk.ask(self._questions(firms), tell)
        outcome = await self._together(desk, firms, across, processes)
        planted = await self._break_rules(desk, firms, licence, codes[self._first.chain][-1])
        with screen.step("pages") as tell:
            pages = await open_all(self.logins, tell)
        with screen.step("audit"):
            audit = await judging.audit(network, processes, planted)
        chains = await results.chains(network)
        with screen.step("withdraw", chain=screen.place(self._last)):
            await parting.withdrawn(desk, firms, self._last, self._first, processes)
        result = {
            **results.sizes(network),
            "queries": at_home.queries + across.queries,
            "mismatches": at_home.mismatches + at_home.failures + across.mismatches,
            "prepare": {
                "buckets": prepared.buckets,
                "seconds": round(prepared.seconds, 2),
                "bytes": await results.prepared_bytes(network),
            },
            "query_ms": results.quantiles(at_home.milliseconds),
            "query_bytes": {
                "up": bytes_at_home.received // max(bytes_at_home.calls, 1),
                "down": bytes_at_home.sent // max(bytes_at_home.calls, 1),
            },
            "audit": audit,
            "pages": pages,
            "chains": chains,
            "cross_chain": {
                "queries": across.queries,
                "failures": across.failures,
                "mismatches": across.mismatches,
                "ms": results.quantiles(across.milliseconds),
            },
        }
        return result, outcome

    def _references(self, cards: Mapping[str, Scorecard]) -> dict[str, dict[str, int]]:
        found = {}
        for name, layout in self.network.chains.items():
            path = layout.root / "scorecard.json"
            path.write_text(cards[name].to_json(), encoding="utf-8")
            found[name] = reference_records(layout.sample, CATALOGUE, path)
        return found

    def _questions(self, firms: Firms) -> list[tuple[str, str, Enterprise]]:
        """The queries across chains, as many in every direction, in turn."""
        directions = self.network.directions()
        each = -(-self._options.queries // len(directions))
        drawn = [firms.alone(chain, each) for _, chain in directions]
        return [
            (*direction, firms_of[turn])
            for turn in range(each)
            for direction, firms_of in zip(directions, drawn, strict=True)
        ]

    async def _together(
        self, desk: Desk, firms: Firms, across: Tally, processes: Processes
    ) -> ChainsOutcome:
        """One joint query of every bank, and one while the last chain's hub is away."""
        screen, outcome = self._screen, ChainsOutcome()
        with screen.step("joint") as tell:
            for done, home in enumerate(self.network.chains):
                tell(done, len(self.network.chains))
                (firm,) = firms.common(1)
                outcome.joint = await Together(desk, home, firm).count(across)
        with screen.step("parted", chain=screen.place(self._last)):
            home, (firm, other) = self._first.chain, firms.common(2)
            whole, part = Together(desk, home, firm), Together(desk, home, other, partial=True)
            with parting.paused(processes, self._last):
                await whole.ask_parted(self._last.chain)
                outcome.partial = await part.ask_parted(self._last.chain)
            for question in (whole, part):
                await parting.until_back(question, across)
        return outcome

    async def _break_rules(
        self, desk: Desk, firms: Firms, licence: SubjectAuthority, stranger: Uscc
    ) -> list[Planted]:
        """Requests to be refused, and broken rules for the audit, all in the first chain."""
        name = self._first.chain
        async with AsyncExitStack() as stack:
            stage = await staging.stage(
                stack,
                self._first,
                licence,
                desk.terms(name, [name]),
                firms.alone(name, len(REASONS) + FIRMS),
                stranger,
                bytes.fromhex(desk.models[name, name]),
            )
            with self._screen.step("refusals"):
                await mount(stage)
            with self._screen.step("plant"):
                return await staging.plant(stack, self._first, stage)
