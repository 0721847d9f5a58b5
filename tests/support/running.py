"""A whole chain of real processes: hub, regulator, bank agent and four holders of the sample.

It is founded and driven by the demo's own parts. The scorecard is the sample's, cut down to the
four holders, and still passes the policy a and b.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from grpc_health.v1 import health_pb2
from sqlalchemy import Connection, Engine, create_engine

from federation.consent import Consent, verify_consent
from federation.identity import Role
from federation.purpose import Purpose
from node.bank.ledger import QueryLedger, QueryRow, State
from node.bank.tables import bank_queries
from node.config import NodeConfig, load
from node.demo import auditing, setup, starting
from node.demo.agent import AgentClient
from node.demo.independent import reference_records
from node.demo.layout import CHAIN, Layout, Party, plan
from node.demo.processes import Processes
from node.enrolment.home import CONFIGS
from node.enterprise.enterprise import ConsentTerms, Enterprise, enrol_enterprises
from node.keys import KeyEncryptionKey
from node.rpc.client import Channel
from node.sample import CATALOGUE, SCORECARD, generate
from scoring.catalogue import Catalogue
from scoring.record import Record
from scoring.scorecard import Scorecard

KINDS = ("tax", "invoice", "social_insurance", "courts")
ON_POSTGRESQL = ("hub", "tax")
EPOCH = 1
ENTERPRISES = 400
SEED = 11
CALLER = "demo"
"""The name under which the demo's set-up lets the bank's own systems call the agent."""


def small_scorecard(version: str = "1", kinds: Sequence[str] = KINDS) -> Scorecard:
    """The sample's scorecard without what the holders do not have."""
    card = json.loads(SCORECARD.read_text(encoding="utf-8"))
    holders = [p for p in card["participants"] if p["kind"] in kinds]
    ids = {p["holder"] for p in holders}
    # A field that the remaining holders cannot carry by themselves would not pass the policy.
    points = [p for p in card["points"] if p["holder"] in ids and p["field"] != "energy"]
    points = [p | {"field": "compliance"} if p["field"] == "staff" else p for p in points]
    used = {p["field"] for p in points}
    fields = [f for f in card["fields"] if f["name"] in used]
    card |= {"participants": holders, "points": points, "fields": fields, "version": version}
    return Scorecard.build(card)


@dataclass(frozen=True)
class Model:
    """A certified scorecard: its certificate's hash in hex, and its scorecard."""

    certificate: str
    scorecard: Scorecard


@dataclass(frozen=True)
class Asked:
    """A consent of a firm, the idempotency key of the query under it, and the right answer."""

    firm: Enterprise
    consent: str
    key: str
    model: Model
    word: int

    @property
    def record(self) -> Record:
        """What the bank must get."""
        return self.model.scorecard.layout().unpack(self.word)

    def check(self, result: Mapping[str, Any]) -> None:
        """Raises AssertionError unless a result is about the firm, and exact."""
        expected = {"fields": dict(self.record.values), "coverage": self.record.coverage}
        assert result["record"] == expected
        assert result["uscc"] == self.firm.uscc


class RunningChain:
    """Enter its `processes`, then start it with `up`; leaving them ends every process."""

    def __init__(
        self,
        root: Path,
        databases: Mapping[str, str] | None = None,
        exporter: Path | None = None,
        tlog: Mapping[Role, str] | None = None,
        kinds: Sequence[str] = KINDS,
    ) -> None:
        """`tlog` are lines of that section of the configuration of every node of a role."""
        self.kinds = kinds
        self.layout: Layout = plan(root, list(kinds), databases)
        self.processes = Processes(root / "logs")
        self.catalogue = Catalogue.from_json(CATALOGUE.read_bytes())
        self.token = ""
        self.spans = root / "spans"
        self.firms: tuple[Enterprise, ...] = ()
        self._firms: list[Enterprise] = []
        self._tlog = tlog or {}
        self._environment = self._tracing(exporter) if exporter is not None else {}

    # --- life ---------------------------------------------------------------------------------

    async def up(self) -> None:
        """From an empty folder to a certified, prepared model."""
        layout = self.layout
        generate(ENTERPRISES, SEED, layout.sample)
        self.licence = setup.found(layout, int(time.time()))
        await setup.enrol_members(layout)
        auditing.patient_mirror(layout)
        auditing.office_hours(layout)
        for party in layout.servers:
            text = party.config.read_text(encoding="utf-8")
            lines = self._tlog.get(party.id.role, "")
            party.config.write_text(text.replace("[tlog]", f"[tlog]\n{lines}\n#"), encoding="utf-8")
        self.codes = setup.enterprises(layout)
        await setup.announce(layout, self.codes, self.catalogue, days=2)
        self.token = await setup.api_token(layout)
        with self._exported():
            await self.start(*layout.servers)
            await starting.load(self.processes, layout, EPOCH, _quiet)
        await setup.open_epoch(layout, EPOCH)
        self.firms = tuple(enrol_enterprises(self.licence, self.codes, int(time.time()), 30))
        self._firms = list(reversed(self.firms))
        self.reference = self._reference()
        self.model = await self.certify(small_scorecard(kinds=self.kinds))
        async with self.agent() as agent:
            await agent.prepare(self.model.certificate, _quiet)

    def resume_all(self) -> None:
        """Lets every suspended node go on, so that it can be ended."""
        for party in self.layout.servers:
            with contextlib.suppress(KeyError):
                self.resume(party)

    async def start(self, *parties: Party) -> None:
        """Starts nodes that were killed."""
        with self._exported():
            await starting.start(self.processes, parties, _quiet)

    async def hurry(self, period: float) -> None:
        """Starts every node anew, with checkpoints of its log that many seconds apart."""
        self._environment["YINXIN__TLOG__PERIOD"] = str(period)
        for party in self.layout.servers:
            self.kill(party)
        await self.start(*self.layout.servers)

    def kill(self, party: Party) -> None:
        """Ends a node as a crash does: at once, with its workers."""
        self.processes.kill(party.name)

    def killed(self) -> list[Party]:
        """The nodes that do not run now."""
        return [p for p in self.layout.servers if not self.processes.runs(p.name)]

    def suspend(self, party: Party) -> None:
        """Stops a node where it stands; its connections stay open."""
        os.killpg(self.processes.pid(party.name), signal.SIGSTOP)

    def resume(self, party: Party) -> None:
        """Lets a suspended node go on."""
        os.killpg(self.processes.pid(party.name), signal.SIGCONT)

    @contextlib.contextmanager
    def suspended(self, party: Party) -> Iterator[None]:
        """A node that takes calls and answers none, for a while; it may be killed meanwhile."""
        self.suspend(party)
        try:
            yield
        finally:
            with contextlib.suppress(KeyError):
                self.resume(party)

    def workers(self, party: Party) -> list[psutil.Process]:
        """The worker processes of a node."""
        children = psutil.Process(self.processes.pid(party.name)).children(recursive=True)
        return [c for c in children if "resource_tracker" not in " ".join(c.cmdline())]

    # --- asking -------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def agent(self) -> AsyncIterator[AgentClient]:
        """The bank's own systems."""
        client = AgentClient(self.layout.bank.extra, self.token)
        try:
            yield client
        finally:
            await client.close()

    async def certify(self, scorecard: Scorecard) -> Model:
        """Has a scorecard certified."""
        async with self.agent() as agent:
            found = await agent.certify(json.loads(scorecard.to_json()))
        return Model(found["certificate"], scorecard)

    def firm(self, known: bool = True) -> Enterprise:
        """An enterprise that nobody asked about yet; `known` to all holders, or not to all."""
        full = len(self.kinds)
        layout = self.model.scorecard.layout()
        for index, firm in enumerate(reversed(self._firms), 1):
            covered = layout.unpack(self.reference[firm.uscc]).coverage
            if (covered == full) is known:
                return self._firms.pop(-index)
        raise LookupError("every firm of the sample has been asked about; make it larger")

    def terms(self, uses: int = 1) -> ConsentTerms:
        """What a firm consents to."""
        return ConsentTerms(
            bank=self.layout.bank.id,
            purpose=Purpose.LOAN_APPROVAL,
            fields=tuple(f.name for f in self.model.scorecard.fields),
            chains=(CHAIN,),
            days=20,
            uses=uses,
        )

    def asking(
        self, firm: Enterprise | None = None, model: Model | None = None, uses: int = 1
    ) -> Asked:
        """A question about a firm under a fresh consent."""
        asked = firm or self.firm()
        consent = asked.consent(self.terms(uses), int(time.time()))
        key, about = secrets.token_urlsafe(16), model or self.model
        return Asked(asked, consent, key, about, self.reference[asked.uscc])

    async def ask(self, asked: Asked) -> dict[str, Any]:
        """Asks; raises AgentError with the problem's document."""
        async with self.agent() as agent:
            return await agent.query(asked.model.certificate, asked.consent, "02", asked.key)

    def verified(self, asked: Asked) -> Consent:
        """The consent as the chain sees it."""
        now = int(time.time())
        return verify_consent(asked.consent, self.licence.certificate_pem, now)

    # --- looking ------------------------------------------------------------------------------

    def party(self, name: str) -> Party:
        """By the name of its process."""
        return next(p for p in self.layout.servers if p.name == name)

    def config(self, party: Party) -> NodeConfig:
        """A node's configuration."""
        return load(CONFIGS[party.id.role], party.config)

    def key(self, party: Party) -> KeyEncryptionKey:
        """The key under which a node seals what it keeps."""
        return KeyEncryptionKey.load(self.config(party).key_encryption_key)

    @contextlib.contextmanager
    def database(self, party: Party) -> Iterator[Connection]:
        """A node's database as it is now, beside the node. Not to be written."""
        engine: Engine = create_engine(self.config(party).database_url())
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()

    def queries(self, asked: Asked) -> QueryRow:
        """The bank's own record of a query, opened with the bank's key."""
        ledger = QueryLedger(self.key(self.layout.bank))
        with self.database(self.layout.bank) as connection:
            row = ledger.by_key(connection, ledger.tag("key", f"{CALLER}\n{asked.key}".encode()))
        if row is None:
            raise LookupError("the bank knows no such query")
        return row

    def count_queries(self, state: State) -> int:
        """How many of the bank's queries are in a state."""
        with self.database(self.layout.bank) as connection:
            states = connection.execute(bank_queries.select()).all()
        return sum(row.state == state.value for row in states)

    def channel(self, to: Party, caller: Party) -> Channel:
        """A channel with another party's certificate, for a test that plays that party."""
        return starting.channel(to, caller)

    async def health(self, party: Party) -> int:
        """What a node's health service says, asked by the hub, or of the hub by the bank."""
        caller = self.layout.hub if party is not self.layout.hub else self.layout.bank
        channel = self.channel(party, caller)
        try:
            answer = await channel.unary(
                "/grpc.health.v1.Health/Check",
                health_pb2.HealthCheckRequest(),
                health_pb2.HealthCheckResponse,
                2.0,
            )
        finally:
            await channel.close()
        return int(answer.status)

    async def until_health(self, party: Party, *, serving: bool) -> None:
        """Waits until a node's health service says so."""
        status = health_pb2.HealthCheckResponse.ServingStatus
        wanted = status.SERVING if serving else status.NOT_SERVING
        end = time.monotonic() + 90.0
        while await self.health(party) != wanted:
            if time.monotonic() > end:
                raise TimeoutError(f"health of {party.name} does not become {wanted}")
            await asyncio.sleep(0.1)

    async def until(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        """Waits for something that another process does."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError("it did not happen")
            await asyncio.sleep(0.05)

    # --- inside -------------------------------------------------------------------------------

    def _reference(self) -> dict[str, int]:
        path = self.layout.root / "scorecard.json"
        path.write_text(small_scorecard(kinds=self.kinds).to_json(), encoding="utf-8")
        return reference_records(self.layout.sample, CATALOGUE, path)

    def _tracing(self, exporter: Path) -> dict[str, str]:
        """Every node exports its spans, by an exporter of the tests, into one file a process."""
        self.spans.mkdir(parents=True)
        return {
            "PYTHONPATH": str(exporter),
            "YINXIN__TRACING__ENDPOINT": self.spans.as_uri(),
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }

    @contextlib.contextmanager
    def _exported(self) -> Iterator[None]:
        """The processes started meanwhile have the variables in their environment."""
        before = {name: os.environ.get(name) for name in self._environment}
        os.environ.update(self._environment)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def _quiet(done: int, of: int) -> None:
    """Progress nobody looks at."""
