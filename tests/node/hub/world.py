"""The hub's own node on real sockets; its holders are small servers over the chain in memory.

A holder answers as an honest one does, and can be told to fail, to hang, or to look at the hub's
state before it answers.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from federation.certificate import read_certificate
from federation.consent import Consent, sign_cancellation
from federation.entries import Entry, read_entry
from federation.exchange.bank import OpenQuery
from federation.exchange.messages import QueryReply
from federation.identity import Role, SpiffeId, dns_name
from federation.roster import Roster
from federation.signed import Signed
from federation.uscc import Uscc
from node.chain.store import BATCH, DESCRIPTOR, MANIFEST, OPENING, sign_batch
from node.clock import FixedClock
from node.config import HubConfig, load
from node.errors import StorageUnavailable
from node.hub import publication
from node.hub.auditkeys import put_audit_keys
from node.hub.main import build
from node.keys import write_secret
from node.rpc.chunks import Assembler, pieces
from node.rpc.client import Channel, ChannelLimits
from node.rpc.convert import (
    logged_to_wire,
    query_to_wire,
    reply_from_wire,
    signed_from_wire,
    signed_to_wire,
    unlock_from_wire,
)
from node.rpc.server import RpcServer, build_server
from node.rpc.tls import TlsFiles
from node.runtime import Runtime, running
from support.chain import (
    CHAIN,
    DOMAIN,
    HUB,
    LICENCE_DOMAIN,
    NOW,
    REGULATOR,
    Chain,
)
from support.network import Network
from support.people import Firm, Model
from tests.node.rpc.parties import Chain as TlsChain
from yinxin.v1 import common_pb2, holder_pb2, hub_pb2

from yinxin.v1.holder_pb2_grpc import (  # isort: skip
    HolderServicer,
    add_HolderServicer_to_server,
)

_HOLDER = "/yinxin.v1.Holder/"
_HOLDER_ROLES = {
    f"{_HOLDER}{name}": frozenset({Role.HUB})
    for name in ("InstallModel", "GetKey", "Prepare", "Unlock")
}
HUB_METHODS = "/yinxin.v1.Hub/"
CONSENT_METHODS = "/yinxin.v1.Consents/"
LIMITS = ChannelLimits(deadline=10.0, stream_deadline=20.0)
MAX_BUNDLE = 64 << 20


async def nothing() -> None:
    """What a holder does before it answers, by default."""


@dataclass
class HolderStub(HolderServicer):
    """One holder of the chain in memory. `down` fails every call, `hangs` never ends one."""

    party: SpiffeId
    chain: Chain
    network: Network
    down: bool = False
    hangs: bool = False
    before: Callable[[], Awaitable[None]] = nothing
    requests: list[holder_pb2.UnlockRequest] = field(default_factory=list)
    installed: list[tuple[bytes, bytes]] = field(default_factory=list)

    async def _ready(self) -> None:
        if self.down:
            raise StorageUnavailable("the disk is full")
        if self.hangs:
            await asyncio.Event().wait()
        await self.before()

    def _model(self, digest: bytes) -> Model:
        model = self.chain.model_of(digest)
        if model is None:
            raise LookupError("no such model")
        return model

    async def InstallModel(self, requests: Any, context: Any) -> hub_pb2.InstallModelReply:
        await self._ready()
        header = (await anext(requests)).header
        certificate = read_certificate(signed_from_wire(header.certificate), self.chain.members)
        assembler = Assembler(MAX_BUNDLE)
        async for part in requests:
            assembler.add(part.bundle)
        bundle = assembler.finish()
        certificate.require_material(self.party, header.public_key, bundle)
        self.installed.append((certificate.hash, bundle))
        return hub_pb2.InstallModelReply(certificate_hash=certificate.hash)

    async def GetKey(self, request: Any, context: Any) -> common_pb2.Logged:
        await self._ready()
        epoch = self.chain.epochs[request.epoch]
        model = self._model(request.certificate_hash)
        return logged_to_wire(self.chain.statement(self.party, model, epoch))

    async def Prepare(self, request: Any, context: Any) -> AsyncIterator[common_pb2.Table]:
        await self._ready()
        for bucket in request.buckets:
            yield common_pb2.Table(holder=str(self.party), bucket=bucket, table=b"t" * 100)

    async def Unlock(self, request: Any, context: Any) -> common_pb2.UnlockAnswer:
        self.requests.append(request)
        await self._ready()
        answer = self.network.unlock(self.party, unlock_from_wire(request))
        return common_pb2.UnlockAnswer(answer=signed_to_wire(answer))


class World:
    """The chain in memory, the hub's folder, and a stub for each holder."""

    def __init__(self, folder: Path, chain: Chain, database: str = "") -> None:
        self.folder = folder
        self.chain = chain
        self.network = Network(chain)
        self.clock = FixedClock(NOW)
        self.tls = TlsChain(folder / "tls")
        self.licence = TlsChain(folder / "licence")
        self.holders = {p: HolderStub(p, chain, self.network) for p in chain.holders}
        self.home = folder / "hub"
        self.config = self._write(database)

    def _write(self, database: str) -> HubConfig:
        self.home.mkdir()
        chain, files = self.chain, self.tls.files(HUB)
        write_secret(self.home / "signing.key", chain.signing[HUB].to_pem())
        write_secret(self.home / "storage.key", secrets.token_bytes(32))
        (self.home / "trust.json").write_bytes(chain.root.payload())
        credential = chain.member(HUB, chain.signing[HUB].public)
        signed = credential.sign(chain.signing[REGULATOR])
        (self.home / "member.json").write_bytes(signed.to_json())
        more = f'[database]\nurl = "{database}"\n' if database else ""
        write_secret(
            self.home / "node.toml",
            f"""
chain = "{CHAIN}"
trust_domain = "{DOMAIN}"
name = "{HUB.name}"
data_dir = "data"
listen = "127.0.0.1:0"
signing_key = "signing.key"
key_encryption_key = "storage.key"
credential = "member.json"
trust_bundle = "trust.json"
[tls]
certificate = "{files.certificates}"
key = "{files.private_key}"
ca = "{files.authorities}"
[consents]
listen = "127.0.0.1:0"
licence_authority = "{self.licence.authorities}"
{more}""".encode(),
        )
        return load(HubConfig, self.home / "node.toml", {})

    @asynccontextmanager
    async def state(self) -> AsyncIterator[Runtime[HubConfig]]:
        """The hub's state without its servers."""
        async with running(self.config, workers=1, clock=self.clock) as hub:
            yield hub

    @asynccontextmanager
    async def serving(self, *parties: SpiffeId) -> AsyncIterator[Node]:
        """The hub with everything published, and the holders (all of them unless named)."""
        async with AsyncExitStack() as stack:
            servers = {}
            for party in parties or self.holders:
                servers[party] = await stack.enter_async_context(self.holder(party))
            hub = await stack.enter_async_context(self.state())
            await hub.store.run(lambda connection: publish(self, hub, connection))
            for party, server in servers.items():
                await self.reach(hub, party, server)
            await build(hub)
            for task in hub.tasks:  # following peer chains: there are none, or the test does it
                task.close()
            for server in hub.servers:
                await server.start()
                stack.push_async_callback(server.stop, 0)
            yield Node(self, hub, servers)

    @asynccontextmanager
    async def holder(self, party: SpiffeId) -> AsyncIterator[RpcServer]:
        """A holder's server."""
        stub = self.holders[party]
        server = build_server(
            address="127.0.0.1:0",
            tls=self.tls.files(party),
            own=party,
            trust_domains=[DOMAIN],
            roles=_HOLDER_ROLES,
            register=[lambda raw: add_HolderServicer_to_server(stub, raw)],
            services=["yinxin.v1.Holder"],
        )
        await server.start()
        try:
            yield server
        finally:
            await server.stop(0)

    async def reach(self, hub: Runtime[HubConfig], party: SpiffeId, server: RpcServer) -> None:
        """Tells the hub where a holder is."""
        credential = credential_of(self.chain, party)
        address = f"127.0.0.1:{server.port}"
        await hub.store.run(lambda c: publication.add_member(hub, c, credential, address))

    def enterprise(self, firm: Firm) -> TlsFiles:
        """A certificate of the licence authority with which a firm reaches the hub."""
        party = SpiffeId(LICENCE_DOMAIN, Role.ENTERPRISE, firm.uscc)
        return self.licence.issue(firm.uscc, [str(party)], [dns_name(HUB)])

    def cancellation(self, consent: Consent, firm: Firm, at: int = NOW) -> str:
        return sign_cancellation(consent.compact, firm.key, firm.certificate, at)


@dataclass
class Node:
    """A serving hub, seen by those who call it."""

    world: World
    hub: Runtime[HubConfig]
    holders: dict[SpiffeId, RpcServer]

    @asynccontextmanager
    async def calling(self, party: SpiffeId) -> AsyncIterator[Channel]:
        """The channel of a member to the hub."""
        address = f"127.0.0.1:{self.hub.servers[0].port}"
        async with Channel(HUB, address, self.world.tls.files(party), LIMITS) as channel:
            yield channel

    @asynccontextmanager
    async def enterprise(self, firm: Firm) -> AsyncIterator[Channel]:
        """The channel of a firm to the hub."""
        address = f"127.0.0.1:{self.hub.servers[1].port}"
        own = self.world.enterprise(firm)
        # What the firm trusts is the chain's authority, which certified the hub.
        tls = TlsFiles(own.certificates, own.private_key, self.world.tls.authorities)
        async with Channel(HUB, address, tls, LIMITS) as channel:
            yield channel

    async def install(self, model: Model) -> None:
        """Lets the hub know a model, as if it had relayed it."""
        await self.hub.store.run(lambda c: self.hub.chain.put_certificate(c, model.signed))

    async def query(
        self, channel: Channel, query: OpenQuery, deadline: float | None = None
    ) -> QueryReply:
        message = query_to_wire(query.request)
        method = f"{HUB_METHODS}Query"
        return reply_from_wire(await channel.unary(method, message, hub_pb2.QueryReply, deadline))

    async def entries(self, kind: str = "") -> list[Entry]:
        found = [read_entry(one.entry) async for one in self.hub.log.iterate()]
        return [one for one in found if not kind or one.kind == kind]

    async def reasons(self) -> list[str | int]:
        return [one.body["reason"] for one in await self.entries("refusal")]


def credential_of(chain: Chain, party: SpiffeId) -> Signed:
    """A member's credential."""
    for credential in chain.members.credentials():
        if str(party).encode() in credential.payload:
            return credential
    raise LookupError(str(party))


def publish(world: World, hub: Runtime[HubConfig], connection: Connection) -> None:
    """Everything of the chain in memory, as the hub's administrator would have published it."""
    chain = world.chain
    for credential in chain.members.credentials():
        address = "127.0.0.1:9" if b'"kind":""' not in credential.payload else ""
        publication.add_member(hub, connection, credential, address)
    batch = Roster(CHAIN).append(firm.uscc for firm in chain.firms)
    hub.chain.put(connection, BATCH, sign_batch(batch, chain.signing[HUB]), 0)
    publication.publish_catalogue(hub, connection, chain.catalogue)
    regulator = chain.signing[REGULATOR]
    put_audit_keys(hub, connection, [k.sign(regulator) for k in chain.audit.statements.values()])
    for number, (descriptor, manifests, opening) in chain.epoch_documents.items():
        hub.chain.put(connection, DESCRIPTOR, descriptor, number)
        for holder, signed in zip(sorted_holders(chain), sorted_manifests(manifests), strict=True):
            hub.chain.put(connection, MANIFEST, signed, number, str(holder))
        hub.chain.put(connection, OPENING, opening, number)


def sorted_holders(chain: Chain) -> list[SpiffeId]:
    return sorted(chain.holders, key=str)


def sorted_manifests(manifests: Iterable[Signed]) -> list[Signed]:
    from federation.epoch import Manifest

    return sorted(manifests, key=lambda signed: str(Manifest.parse(signed.payload).holder))


async def upload(
    model: Model, holder: SpiffeId, bundle: bytes, cut: int | None = None
) -> AsyncIterator[hub_pb2.InstallModelRequest]:
    """A bank's upload of a model for one holder; `cut` leaves out pieces from that number on."""
    yield hub_pb2.InstallModelRequest(
        header=hub_pb2.InstallModelHeader(
            holder=str(holder),
            certificate=signed_to_wire(model.signed),
            public_key=model.public_key,
        )
    )
    for piece in list(pieces(bundle))[:cut]:
        chunk = common_pb2.Chunk(total=piece.total, sha256=piece.sha256, data=piece.data)
        yield hub_pb2.InstallModelRequest(bundle=chunk)


def codes(*numbers: int) -> list[Uscc]:
    return [Uscc.generate(number) for number in numbers]
