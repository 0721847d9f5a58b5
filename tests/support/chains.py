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
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, func, select

from federation.entries import Kind
from federation.purpose import Purpose
from federation.uscc import Uscc
from node.config import NodeConfig, RegulatorConfig, load
from node.demo import setup, starting
from node.demo.agent import OFFICER, AgentClient
from node.demo.chains import founding, preparing
from node.demo.chains.model import scorecard_of
from node.demo.chains.network import Network
from node.demo.chains.trusting import pin_all
from node.demo.independent import reference_records
from node.demo.layout import LOOPBACK, Layout, Party, plan
from node.demo.processes import Processes
from node.enrolment import join_home, read_request_file
from node.enrolment.folder import REQUEST
from node.enrolment.home import CONFIGS
from node.enterprise.enterprise import ConsentTerms, Enterprise, enrol_enterprises
from node.hub.tables import hub_consents
from node.regulator.membership import enrol
from node.regulator.peers.pinning import pins_of_us
from node.runtime import running
from node.sample import CATALOGUE
from node.storage.schema import log_entries
from scoring.record import Record
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
        # The other chain's bank asks nothing.
        asked = plan(root / PEER, list(KINDS), chain=PEER, host=there, peers=there)
        self.peer: Layout = replace(asked, bank_runs=False)
        self.network = Network(root, {HOME: self.home, PEER: self.peer})
        self.processes = Processes(root / "logs", self._within)
        self.models: dict[tuple[str, str], str] = {}
        self._firms: list[Enterprise] = []

    # --- life ---------------------------------------------------------------------------------

    async def up(self) -> None:
        """From empty folders to a model that is certified and prepared in the other chain."""
        network = self.network
        founding.samples(network, ENTERPRISES, SEED)
        self.licence, codes = await founding.found(network, setup.BUDGET)
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
        async with self.agent() as agent:
            clients = {HOME: agent}
            await preparing.trusting(network, clients)
            self.models = await preparing.certify(clients, {PEER: self.card}, _quiet)
            await preparing.prepare(clients, self.models, _quiet)

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
        """The parties that run a node."""
        return self.network.servers

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

    async def command(self, layout: Layout, *arguments: str) -> None:
        """`yinxin regulator chains ARGUMENTS` of a chain's regulator."""
        await self.processes.command(
            f"{layout.regulator.name}-chains-{arguments[0]}",
            ["regulator", "chains", *arguments],
            config=layout.regulator.config,
        )

    async def rotate_authority(self) -> None:
        """Gives the other chain another certificate authority, in the three steps that it takes."""
        await self.command(self.peer, "rotate", "--authority")
        await self._join_again()
        await self.until(partial(self._pinned_with, 2))
        await self.command(self.peer, "rotate", "--switch")
        await self._join_again()
        await self.command(self.peer, "rotate", "--retire")
        await self.until(partial(self._pinned_with, 1))

    # --- asking -------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def agent(self) -> AsyncIterator[AgentClient]:
        """The bank's own systems."""
        client = AgentClient(self.home.bank.extra, self.token)
        try:
            yield client
        finally:
            await client.close()

    @property
    def model(self) -> str:
        """The hash of the certificate that the other chain's regulator gave."""
        return self.models[HOME, PEER]

    def enrol(self, code: Uscc) -> Enterprise:
        """A firm with a key, whether a chain enrols it or not."""
        (firm,) = enrol_enterprises(self.licence, [code], int(time.time()), 30)
        return firm

    def terms(self, uses: int = 1) -> ConsentTerms:
        """What a firm consents to."""
        return ConsentTerms(
            bank=self.home.bank.id,
            purpose=Purpose.LOAN_APPROVAL,
            fields=tuple(f.name for f in self.card.fields),
            chains=(PEER,),
            days=20,
            uses=uses,
        )

    def question(self, firm: Enterprise | None = None, uses: int = 1) -> Question:
        """A question about a firm, or one that nobody asked about yet, under a fresh consent."""
        asked = firm or self._firms.pop()
        consent = asked.consent(self.terms(uses), int(time.time()))
        return Question(asked, consent, secrets.token_urlsafe(16))

    def questions(self, count: int) -> list[Question]:
        """Questions about as many firms."""
        return [self.question() for _ in range(count)]

    async def ask(self, question: Question, officer: str = OFFICER) -> dict[str, Any]:
        """Asks; raises AgentError with the problem's document."""
        async with self.agent() as agent:
            return await agent.query(
                self.model, question.consent, "02", question.key, officer=officer
            )

    def check(self, question: Question, found: Mapping[str, Any]) -> None:
        """Raises AssertionError unless a result is about the firm, and exact."""
        record = Record(found["record"]["fields"], found["record"]["coverage"])
        assert found["uscc"] == question.firm.uscc
        assert self.card.layout().pack(record) == self.reference[question.firm.uscc]

    async def keep_asking(self, over: asyncio.Event) -> int:
        """Asks about one firm, as many officers, until told to end; how many exact answers."""
        firm, count = self._firms.pop(), 0
        asked = self.question(firm, uses=1000)
        while not over.is_set():
            again = replace(asked, key=secrets.token_urlsafe(16))
            self.check(again, await self.ask(again, f"officer-{secrets.token_hex(4)}"))
            count += 1
        return count

    async def begin_batch(self, questions: Sequence[Question]) -> str:
        """Begins a batch, and returns its id."""
        asks = [
            {"consent": q.consent, "purpose": "02", "officer": OFFICER, "reference": f"A{n}"}
            | {"model": self.model}
            for n, q in enumerate(questions)
        ]
        async with self.agent() as agent:
            return str((await agent.batch(asks, secrets.token_urlsafe(16)))["id"])

    async def batch(self, batch: str) -> dict[str, Any]:
        """How far a batch is."""
        async with self.agent() as agent:
            return await agent.batch_state(batch)

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

    def entries(self) -> Counter[tuple[str, str]]:
        """Entries of queries in the nodes' logs, by node and kind."""
        kinds = [Kind.PERMIT, Kind.UNLOCK, Kind.ROUTED, Kind.QUERY, Kind.FAILURE]
        column = log_entries.c.kind
        counted = select(column, func.count()).where(column.in_(kinds)).group_by(column)
        found: Counter[tuple[str, str]] = Counter()
        for party in self.servers:
            with self.database(party) as connection:
                for kind, count in connection.execute(counted):
                    found[party.name, kind] = count
        return found

    def uses(self) -> Counter[int]:
        """How many consents that the other chain's hub knows were used how often."""
        with self.database(self.peer.hub) as connection:
            return Counter(connection.execute(select(hub_consents.c.uses)).scalars())

    async def until(
        self, condition: Callable[[], bool | Awaitable[bool]], seconds: float = 60.0
    ) -> None:
        """Waits for something that other processes do."""
        end = time.monotonic() + seconds
        while True:
            met = condition()
            if met if isinstance(met, bool) else await met:
                return
            if time.monotonic() > end:
                raise TimeoutError("it did not happen")
            await asyncio.sleep(0.2)

    # --- inside -------------------------------------------------------------------------------

    async def _join_again(self) -> None:
        """Every member of the other chain gets a new grant; running nodes read it by themselves."""
        layout = self.peer
        joining = [layout.hub, layout.bank, layout.rival, *layout.holders.values()]
        async with running(load(RegulatorConfig, layout.regulator.config)) as regulator:
            for party in joining:
                request = read_request_file(party.folder / REQUEST)
                grant = await enrol(regulator, request, days=setup.MEMBER_DAYS - 1)
                join_home(party.folder, grant, regulator.clock.now())

    async def _pinned_with(self, authorities: int) -> bool:
        """Whether the other chain's regulator knows that its newest bundle, of so many authorities,
        is pinned.
        """
        async with running(load(RegulatorConfig, self.peer.regulator.config)) as regulator:
            pins = await regulator.store.read(lambda c: pins_of_us(regulator, c))
        return len(pins[HOME].trust().keys) == authorities

    def _within(self, name: str) -> Sequence[str]:
        if self.namespace is not None and name.startswith(f"{PEER}-"):
            return self.namespace.command()
        return ()


def _quiet(done: int, of: int) -> None:
    """Progress nobody looks at."""
