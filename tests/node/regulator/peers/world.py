"""Regulators of several chains with their banks and holders, each in a folder of its own."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from federation.entries import Entry, Kind, read_entry
from federation.identity import Role, SpiffeId
from federation.interchain.bundle import TrustBundle
from federation.pki import SubjectAuthority
from node.clock import FixedClock
from node.config import PeerConfig, RegulatorConfig, load
from node.enrolment import HomeSettings, init_home, join_home, load_config
from node.enrolment.home import read_request_file
from node.identity import NodeIdentity, load_identity
from node.peers import server as peer_server
from node.regulator import membership
from node.regulator.certification import CertificationDesk
from node.regulator.membership import Regulator
from node.regulator.peers.certification import VouchedDesk
from node.regulator.peers.own import publish
from node.regulator.peers.pinning import pin_chain
from node.regulator.root import init_regulator
from node.regulator.service import build
from node.rpc import identity as rpc_identity
from node.rpc.client import Channel, ChannelLimits
from node.rpc.convert import signed_from_wire
from node.rpc.errors import PartyUnavailable
from node.rpc.tls import TlsFiles
from node.runtime import running
from scoring.catalogue import Catalogue
from support.small import DOMAIN, small_catalogue
from yinxin.v1 import peers_pb2

ANYWHERE = "127.0.0.1:0"
TITLE = {"zh": "甲", "en": "a"}
KINDS = ("insurance", "power", "tax")


@cache
def licence() -> SubjectAuthority:
    return SubjectAuthority.create("licence.example", int(time.time()))


def _free() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{found.getsockname()[1]}"


@dataclass
class Chain:
    """A chain's regulator and the parties that it enrolled."""

    base: Path
    name: str
    groups: str = "[]"
    """Groups of affiliates, as the configuration has them."""
    now: int = field(default_factory=lambda: int(time.time()))

    def __post_init__(self) -> None:
        self.domain = f"{self.name}.yinxin.example"
        self.regulator = SpiffeId(self.domain, Role.REGULATOR, "pboc")
        self.bank = SpiffeId(self.domain, Role.BANK, "harbour")
        self.holders = tuple(SpiffeId(self.domain, Role.HOLDER, f"{k}-1") for k in KINDS)
        self.participants = list(zip(self.holders, KINDS, strict=True))
        self.clock = FixedClock(self.now)
        self.root = init_regulator(
            self.folder(self.regulator),
            chain=self.name,
            trust_domain=self.domain,
            name="pboc",
            licence_authority=licence().certificate_pem,
            title=TITLE,
            settings=HomeSettings(
                listen=ANYWHERE,
                hub=PeerConfig(name="hub", address="127.0.0.1:9"),
                peers=_free(),
                peer_hub="127.0.0.1:9",
            ),
            now=self.now,
            days=365,
        )

    def folder(self, party: SpiffeId) -> Path:
        return self.base / f"{self.name}-{party.name}"

    def identity(self, party: SpiffeId) -> NodeIdentity:
        return load_identity(load_config(party.role, self.folder(party)), self.now)

    def catalogue(self) -> Catalogue:
        """The small catalogue, of this chain's holders."""
        small = small_catalogue()
        here = [
            known.model_copy(update={"holder": known.holder.replace(DOMAIN, self.domain)})
            for known in small.recognition or ()
        ]
        plain = {name: getattr(small, name) for name in Catalogue.model_fields}
        return Catalogue(**plain | {"recognition": tuple(here)})

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Regulator]:
        """The regulator's node without servers; its parties are enrolled and its bundle is made."""
        key = "YINXIN__AFFILIATES__GROUPS"
        config = load(
            RegulatorConfig, self.folder(self.regulator) / "node.toml", {key: self.groups}
        )
        async with running(config, workers=1, clock=self.clock) as regulator:
            for party in (self.bank, *self.holders):
                await self._enrol(regulator, party)
            raw = self.catalogue().to_json().encode()
            await regulator.store.run(lambda c: regulator.chain.put_catalogue(c, raw))
            self.bundle = await publish(regulator)
            yield regulator

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Regulator]:
        """The regulator's node with its servers: the first is for its own banks."""
        async with self.running() as regulator:
            await regulator.pool.start()
            await build(regulator)
            for server in regulator.servers:
                await server.start()
            try:
                yield regulator
            finally:
                for server in regulator.servers:
                    await server.stop(0)
                for task in regulator.tasks:
                    task.close()

    def channel(self, regulator: Regulator) -> Channel:
        """The bank's, to its own regulator."""
        config = load_config(Role.BANK, self.folder(self.bank))
        tls = TlsFiles(config.tls.certificate, config.tls.key, config.tls.ca)
        limits = ChannelLimits(deadline=20.0, stream_deadline=60.0)
        return Channel(self.regulator, f"127.0.0.1:{regulator.servers[0].port}", tls, limits)

    async def _enrol(self, regulator: Regulator, party: SpiffeId) -> None:
        hub = PeerConfig(name="hub", address=ANYWHERE)
        bank = HomeSettings(
            listen=ANYWHERE, hub=hub, regulator=PeerConfig(name="pboc", address=ANYWHERE)
        )
        init_home(
            party.role,
            self.folder(party),
            name=party.name,
            trust_root=self.root,
            title=TITLE,
            settings=bank if party.role is Role.BANK else HomeSettings(listen=ANYWHERE, hub=hub),
            kind="" if party.role is Role.BANK else party.name.removesuffix("-1"),
        )
        request = read_request_file(self.folder(party) / "request.json")
        join_home(
            self.folder(party), await membership.enrol(regulator, request, days=300), self.now
        )


async def pin(regulator: Regulator, peer: Chain) -> None:
    """The regulator trusts a chain."""
    trusted = TrustBundle.parse(peer.bundle.payload)
    await pin_chain(regulator, peer.bundle, trusted.fingerprint())


async def entries(regulator: Regulator, kind: Kind) -> list[Entry]:
    found = [read_entry(one.entry) async for one in regulator.log.iterate()]
    return [one for one in found if one.kind is kind]


class Wire:
    """Calls to regulators that run in this process, without a network: what reaches each is what
    its server would hand on. `down` are chains that do not answer.
    """

    def __init__(self) -> None:
        self.desks: dict[str, tuple[Chain, VouchedDesk]] = {}
        self.down: set[str] = set()

    def add(self, chain: Chain, regulator: Regulator) -> CertificationDesk:
        """The desk of a regulator that other ones reach, and that reaches them."""
        desk = CertificationDesk(regulator, None, self.reach(chain))
        self.desks[chain.name] = (chain, VouchedDesk(regulator, desk))
        return desk

    def reach(self, caller: Chain) -> Callable[[str], Awaitable[Any]]:
        async def reach(chain: str) -> Any:
            return _Line(self, caller, chain)

        return reach

    async def stop(self) -> None:
        for _, vouched in self.desks.values():
            await vouched.desk.worker.close()


@dataclass
class _Line:
    wire: Wire
    caller: Chain
    chain: str

    async def unary(self, method: str, message: Any, answer: Any, deadline: float = 0) -> Any:
        chain, desk = self.wire.desks[self.chain]
        if self.chain in self.wire.down:
            raise PartyUnavailable(chain.regulator)

        async def handle() -> Any:
            rpc_identity._peer.set(self.caller.regulator)
            peer_server._home.set(self.caller.name)
            if isinstance(message, peers_pb2.HistoryRequest):
                sealed = await desk.history(signed_from_wire(message.request))
                return peers_pb2.HistoryReply(sealed=sealed)
            return await desk.withdraw(signed_from_wire(message.voucher), message.sealed)

        return await asyncio.create_task(handle())
