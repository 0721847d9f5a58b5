"""A chain whose hub and holders are two processes each, behind one address, over PostgreSQL.

In front stands HAProxy with the settings of deploy/haproxy; it passes TCP on and has no keys.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from federation.identity import Role
from node.demo.layout import Party
from node.demo.processes import free_ports
from tests.support.running import RunningChain

EXAMPLE = Path(__file__).resolve().parents[2] / "deploy" / "haproxy" / "haproxy.cfg"
HOLDERS = ("tax", "invoice", "social_insurance")
REPLICATED = ("hub", *HOLDERS)
READY_SECONDS = 60.0


@dataclass(frozen=True)
class Replica:
    """One process of a party; addresses are HOST:PORT."""

    name: str
    party: Party
    address: str
    enterprises: str
    log: str
    metrics: str
    environment: Mapping[str, str] = field(repr=False)


class ReplicatedChain(RunningChain):
    """`RunningChain` with replicas; a party's own address is the balancer's."""

    def __init__(
        self, root: Path, databases: Mapping[str, str], tlog: Mapping[Role, str] | None = None
    ) -> None:
        super().__init__(root, databases, tlog=tlog, kinds=HOLDERS)
        self._balancer: subprocess.Popen[bytes] | None = None
        ports = iter(free_ports(9 * len(REPLICATED)))
        self._logs = {name: f"127.0.0.1:{next(ports)}" for name in REPLICATED}
        self.replicas = {
            name: [
                self._plan(name, n, [f"127.0.0.1:{next(ports)}" for _ in range(4)]) for n in "12"
            ]
            for name in REPLICATED
        }

    async def start(self, *parties: Party) -> None:
        """Starts parties: both processes of those that are replicated, the balancer first."""
        self._balance()
        replicas = [r for party in parties for r in self.replicas.get(party.name, ())]
        for replica in replicas:
            self._spawn(replica)
        others = [party for party in parties if party.name not in self.replicas]
        await super().start(*others)
        await self.ready(*replicas)
        for party in parties:
            if party.name in self.replicas:
                await self._passed_on(party)

    async def restart(self, *replicas: Replica) -> None:
        """Starts processes that were killed."""
        for replica in replicas:
            self._spawn(replica)
        await self.ready(*replicas)

    def kill_replica(self, replica: Replica) -> None:
        """Ends one process as a crash does: at once, with its workers."""
        self.processes.kill(replica.name)

    @contextlib.contextmanager
    def hanging(self, replica: Replica) -> Iterator[None]:
        """One process stands where it is, its connections open."""
        group = self.processes.pid(replica.name)
        os.killpg(group, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(group, signal.SIGCONT)

    async def leader(self, name: str) -> Replica:
        """The process of a party that leads; waits until it is one."""
        end = time.monotonic() + READY_SECONDS
        while True:
            leads = [r for r in self.replicas[name] if await self._gauge(r, "leads") == 1.0]
            if len(leads) == 1:
                return leads[0]
            if time.monotonic() > end:
                raise TimeoutError(f"of {name} lead {[r.name for r in leads]}")
            await asyncio.sleep(0.1)

    async def gauge(self, replica: Replica, name: str) -> float:
        """One of a running process's metrics."""
        found = await self._gauge(replica, name)
        if found is None:
            raise LookupError(f"{replica.name} tells no {name}")
        return found

    async def ready(self, *replicas: Replica) -> None:
        """Waits until processes say that they can take calls."""
        end = time.monotonic() + READY_SECONDS
        async with httpx.AsyncClient(trust_env=False) as http:
            for replica in replicas:
                while True:
                    self.processes.check(replica.name)
                    with contextlib.suppress(httpx.HTTPError):
                        found = await http.get(f"http://{replica.metrics}/ready")
                        if found.status_code == httpx.codes.OK:
                            break
                    if time.monotonic() > end:
                        raise TimeoutError(f"{replica.name} is not ready")
                    await asyncio.sleep(0.1)

    def close(self) -> None:
        """Ends the balancer."""
        if self._balancer is not None:
            self._balancer.terminate()
            self._balancer.wait(10)
            self._balancer = None

    def _plan(self, name: str, number: str, addresses: Sequence[str]) -> Replica:
        party = self.party(name)
        address, enterprises, log, metrics = addresses
        environment = {
            "YINXIN__LISTEN": address,
            "YINXIN__METRICS__LISTEN": metrics,
            "YINXIN__TLOG__LISTEN": log,
            "YINXIN__TLOG__ADVERTISE": self._logs[name],
        }
        if party.id.role is Role.HUB:
            environment["YINXIN__CONSENTS__LISTEN"] = enterprises
        return Replica(f"{name}-{number}", party, address, enterprises, log, metrics, environment)

    def _spawn(self, replica: Replica) -> None:
        party = replica.party
        with environment(replica.environment):
            self.processes.start(
                replica.name, [party.id.role.value, "serve", "--config", str(party.config)]
            )

    async def _gauge(self, replica: Replica, name: str) -> float | None:
        async with httpx.AsyncClient(trust_env=False) as http:
            try:
                page = (await http.get(f"http://{replica.metrics}/metrics")).text
            except httpx.HTTPError:
                return None
        found = re.search(rf"^yinxin_{name} (\S+)$", page, re.M)
        return None if found is None else float(found[1])

    def _balance(self) -> None:
        if self._balancer is not None:
            return
        program = balancer()
        if program is None:
            raise LookupError("no haproxy is installed; run: make haproxy")
        file = self.layout.root / "haproxy.cfg"
        settings = EXAMPLE.read_text(encoding="utf-8").partition("# Members of the chain.")[0]
        file.write_text(settings + "".join(self._listens()), encoding="utf-8")
        log = (self.layout.root / "haproxy.log").open("wb")
        self._balancer = subprocess.Popen([program, "-db", "-f", file], stdout=log, stderr=log)

    def _listens(self) -> Iterator[str]:
        for name, replicas in self.replicas.items():
            party = replicas[0].party
            fronts = {"calls": (party.address, "address"), "log": (self._logs[name], "log")}
            if party.id.role is Role.HUB:
                fronts["enterprises"] = (party.extra, "enterprises")
            for front, (bind, attribute) in fronts.items():
                servers = "".join(
                    f"    server {r.name} {getattr(r, attribute)} check port {_port(r.metrics)}\n"
                    for r in replicas
                )
                yield f"listen {name}-{front}\n    bind {bind}\n    balance roundrobin\n{servers}\n"

    async def _passed_on(self, party: Party) -> None:
        """Waits until the balancer has somebody to pass a connection to: else it ends at once."""
        end = time.monotonic() + READY_SECONDS
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", _port(party.address))
            try:
                async with asyncio.timeout(0.3):
                    ended = await reader.read(1) == b""
            except TimeoutError:
                ended = False
            except ConnectionError:
                ended = True
            finally:
                writer.close()
            if not ended:
                return
            if time.monotonic() > end:
                raise TimeoutError(f"the balancer passes nothing on to {party.name}")
            await asyncio.sleep(0.1)


def balancer() -> str | None:
    """The program HAProxy, where it is installed."""
    return shutil.which("haproxy", path=f"{os.defpath}:/usr/sbin:/usr/local/sbin")


@contextlib.contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """The variables, for processes started meanwhile."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])
