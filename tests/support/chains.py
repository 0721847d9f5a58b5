"""Two small chains of real processes that interconnect: a bank of the one asks in the other.

The chain of the bank (csj) has no holders, as nothing is asked there; the other one (zsj) has three
and runs in a network of its own where that can be made, so that the two can be parted. They are
founded and driven by the demo's own parts.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine

from federation.uscc import Uscc
from node.config import NodeConfig, load
from node.demo import setup, starting
from node.demo.agent import AgentClient
from node.demo.chains import founding, preparing
from node.demo.chains.asking import Desk
from node.demo.chains.model import scorecard_of
from node.demo.chains.network import Network
from node.demo.chains.trusting import pin_all
from node.demo.independent import reference_records
from node.demo.layout import LOOPBACK, Layout, Party, plan
from node.demo.processes import Processes
from node.enrolment.home import CONFIGS
from node.enterprise.enterprise import Enterprise, enrol_enterprises
from node.sample import CATALOGUE
from scoring.catalogue import Catalogue
from support.partition import Namespace

KINDS = ("tax", "invoice", "social_insurance")
HOME, PEER = "csj", "zsj"
EPOCH = 1
ENTERPRISES = 240
SEED = 12


@dataclass(frozen=True)
class Question:
    """A consent of a firm, and the idempotency key of the query under it."""

    firm: Enterprise
    consent: str
    key: str


class RunningChains:
    """Enter its `processes`, then start it with `up`; leaving them ends every process."""

    def __init__(self, root: Path) -> None:
        self.namespace = Namespace.make()
        here, there = LOOPBACK, LOOPBACK
        if self.namespace is not None:
            here, there = self.namespace.here, self.namespace.there
        self.home: Layout = plan(root / HOME, [], chain=HOME, peers=here)
        self.peer: Layout = plan(root / PEER, list(KINDS), chain=PEER, host=there, peers=there)
        self.network = Network(root, {HOME: self.home, PEER: self.peer})
        self.processes = Processes(root / "logs", self._within)
        self.models: dict[tuple[str, str], str] = {}
        self._firms: list[Enterprise] = []

    # --- life ---------------------------------------------------------------------------------

    async def up(self) -> None:
        """From empty folders to a model that is certified and prepared in the other chain."""
        network = self.network
        founding.samples(network, ENTERPRISES, SEED)
        catalogue = Catalogue.from_json(CATALOGUE.read_bytes())
        self.licence, codes = await founding.found(network, catalogue, setup.BUDGET)
        self.token = await setup.api_token(self.home)
        await starting.start(self.processes, self.servers, _quiet)
        await pin_all(network, self.processes, _quiet)
        await starting.load(self.processes, self.peer, EPOCH, _quiet)
        await setup.open_epoch(self.peer, EPOCH)
        self.card = scorecard_of(self.peer)
        path = self.peer.root / "scorecard.json"
        path.write_text(self.card.to_json(), encoding="utf-8")
        self.reference = reference_records(self.peer.sample, CATALOGUE, path)
        elsewhere = set(codes[HOME])
        self.codes = [code for code in codes[PEER][:-1] if code not in elsewhere]
        self.stranger: Uscc = codes[PEER][-1]
        self._firms = enrol_enterprises(self.licence, self.codes, int(time.time()), 30)
        async with self.desk() as desk:
            await preparing.trusting(network, desk.clients)
            self.models = await preparing.certify(desk.clients, desk.scorecards, _quiet)
            await preparing.prepare(desk.clients, self.models, _quiet)

    def down(self) -> None:
        """Lets everything go on, so that it can be ended."""
        for party in self.servers:
            with contextlib.suppress(KeyError, ProcessLookupError):
                os.killpg(self.processes.pid(party.name), signal.SIGCONT)

    def close(self) -> None:
        """After the processes have ended."""
        if self.namespace is not None:
            self.namespace.remove()

    @property
    def servers(self) -> list[Party]:
        """The parties that run a node: the other chain's bank asks nothing, and runs none."""
        return [party for party in self.network.servers if party != self.peer.bank]

    @contextlib.contextmanager
    def parted(self) -> Iterator[None]:
        """While the two chains cannot reach each other, and know nothing of why."""
        if self.namespace is not None:
            with self.namespace.cut():
                yield
            return
        groups = [self.processes.pid(p.name) for p in (self.peer.hub, self.peer.regulator)]
        for group in groups:
            os.killpg(group, signal.SIGSTOP)
        try:
            yield
        finally:
            for group in groups:
                os.killpg(group, signal.SIGCONT)

    async def chains_command(self, layout: Layout, *arguments: str) -> str:
        """`yinxin regulator chains ARGUMENTS` of a chain's regulator; what it printed."""
        name = f"{layout.regulator.name}-chains-{secrets.token_hex(4)}"
        await self.processes.command(
            name, ["regulator", "chains", *arguments], config=layout.regulator.config
        )
        return self.processes.log_of(name).read_text(encoding="utf-8")

    # --- asking -------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def desk(self) -> AsyncIterator[Desk]:
        """The bank's own systems."""
        client = AgentClient(self.home.bank.extra, self.token)
        cards, references = {PEER: self.card}, {PEER: self.reference}
        try:
            yield Desk(self.network, {HOME: client}, self.models, cards, references, print)
        finally:
            await client.close()

    @property
    def model(self) -> str:
        """The hash of the certificate that the other chain's regulator gave."""
        return self.models[HOME, PEER]

    def firms(self, count: int) -> list[Enterprise]:
        """Firms of the other chain that nobody asked about yet."""
        if len(self._firms) < count:
            raise LookupError("every firm of the sample has been asked about; make it larger")
        return [self._firms.pop() for _ in range(count)]

    async def questions(self, count: int) -> list[Question]:
        """Questions about as many firms, each under a consent for one use in the other chain."""
        async with self.desk() as desk:
            return [
                Question(firm, desk.consent(firm, HOME, [PEER]), secrets.token_urlsafe(16))
                for firm in self.firms(count)
            ]

    async def ask(self, question: Question) -> dict[str, Any]:
        """Asks; raises AgentError with the problem's document."""
        async with self.desk() as desk:
            client = desk.clients[HOME]
            return await client.query(self.model, question.consent, "02", question.key)

    async def check(self, question: Question, found: dict[str, Any]) -> None:
        """Raises AssertionError unless a result is about the firm, and exact."""
        async with self.desk() as desk:
            assert found["uscc"] == question.firm.uscc
            assert desk.is_exact(PEER, question.firm.uscc, found["record"])

    # --- looking ------------------------------------------------------------------------------

    def config(self, party: Party) -> NodeConfig:
        """A node's configuration."""
        return load(CONFIGS[party.id.role], party.config)

    @contextlib.contextmanager
    def database(self, party: Party) -> Iterator[Connection]:
        """A node's database as it is now, beside the node. Not to be written."""
        engine: Engine = create_engine(self.config(party).database_url())
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()

    async def until(self, condition: Any, seconds: float = 60.0) -> None:
        """Waits for something that other processes do; `condition` may be a coroutine function."""
        end = time.monotonic() + seconds
        while True:
            met = condition()
            if await met if asyncio.iscoroutine(met) else met:
                return
            if time.monotonic() > end:
                raise TimeoutError("it did not happen")
            await asyncio.sleep(0.2)

    # --- inside -------------------------------------------------------------------------------

    def _within(self, name: str) -> Sequence[str]:
        if self.namespace is not None and name.startswith(f"{PEER}-"):
            return self.namespace.command()
        return ()


def _quiet(done: int, of: int) -> None:
    """Progress nobody looks at."""
