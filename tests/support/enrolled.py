"""A chain of real folders: regulator, hub, banks and holders, enrolled by real grants."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from federation.identity import Role, SpiffeId
from federation.membership import MemberRequest, TrustRoot
from federation.pki import SubjectAuthority
from federation.signed import Signed
from node.clock import Clock, FixedClock
from node.config import HubConfig, NodeConfig, PeerConfig, RegulatorConfig, load
from node.enrolment import HomeSettings, init_home, join_home, load_config
from node.enrolment.home import read_request_file
from node.hub.auditkeys import put_audit_keys
from node.identity import NodeIdentity, load_identity
from node.regulator import membership
from node.regulator.membership import Regulator
from node.regulator.root import init_regulator
from node.regulator.service import build
from node.rpc.client import Channel, ChannelLimits
from node.rpc.tls import TlsFiles
from node.runtime import Runtime, running
from support.keyring import MonthKeys
from support.small import small_catalogue

DOMAIN = "csj.yinxin.example"
LICENCE_DOMAIN = "licence.example"
TITLE = {"zh": "甲", "en": "a"}
ANYWHERE = "127.0.0.1:0"
KINDS = {"tax-1": "tax", "power-1": "power", "insurance-1": "insurance"}
REGULATOR = SpiffeId(DOMAIN, Role.REGULATOR, "pboc")
HUB = SpiffeId(DOMAIN, Role.HUB, "hub")
HARBOUR = SpiffeId(DOMAIN, Role.BANK, "harbour")
DELTA = SpiffeId(DOMAIN, Role.BANK, "delta")
HOLDERS = tuple(SpiffeId(DOMAIN, Role.HOLDER, name) for name in sorted(KINDS))


@dataclass
class Homes:
    """The folders of a chain below `base`. Certificates begin now: TLS reads the real clock."""

    base: Path
    now: int = field(default_factory=lambda: int(time.time()))

    def __post_init__(self) -> None:
        self.licence = SubjectAuthority.create(LICENCE_DOMAIN, self.now)
        self.root: TrustRoot = init_regulator(
            self.base / "pboc",
            chain="csj",
            trust_domain=DOMAIN,
            name="pboc",
            licence_authority=self.licence.certificate_pem,
            title=TITLE,
            settings=HomeSettings(listen=ANYWHERE),
            now=self.now,
            days=365,
        )
        self.requests: dict[SpiffeId, MemberRequest] = {}

    def folder(self, party: SpiffeId) -> Path:
        return self.base / party.name

    def make(self, party: SpiffeId, folder: Path | None = None) -> MemberRequest:
        """A node's folder, not enrolled yet."""
        hub = PeerConfig(name="hub", address=ANYWHERE)
        settings = {
            Role.HUB: HomeSettings(listen=ANYWHERE, consents=ANYWHERE),
            Role.BANK: HomeSettings(
                listen=ANYWHERE, hub=hub, regulator=PeerConfig(name="pboc", address=ANYWHERE)
            ),
            Role.HOLDER: HomeSettings(listen=ANYWHERE, hub=hub),
        }[party.role]
        return init_home(
            party.role,
            folder or self.folder(party),
            name=party.name,
            trust_root=self.root,
            title=TITLE,
            settings=settings,
            kind=KINDS.get(party.name, ""),
        )

    async def enrol(self, regulator: Regulator, *parties: SpiffeId) -> None:
        """Makes the folders of these parties and joins them."""
        for party in parties:
            self.requests[party] = self.make(party)
            request = read_request_file(self.folder(party) / "request.json")
            grant = await membership.enrol(regulator, request, days=300)
            join_home(self.folder(party), grant, self.now)

    def config(self, party: SpiffeId) -> NodeConfig:
        return load_config(party.role, self.folder(party))

    def identity(self, party: SpiffeId) -> NodeIdentity:
        return load_identity(self.config(party), self.now)

    def tls(self, party: SpiffeId) -> TlsFiles:
        tls = self.config(party).tls
        return TlsFiles(tls.certificate, tls.key, tls.ca)

    def channel(self, caller: SpiffeId, server: SpiffeId, port: int) -> Channel:
        limits = ChannelLimits(deadline=10.0, stream_deadline=60.0)
        return Channel(server, f"127.0.0.1:{port}", self.tls(caller), limits)


@contextlib.asynccontextmanager
async def regulating(
    homes: Homes, clock: Clock | None = None, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Regulator]:
    """The regulator's node without its server."""
    config = load(RegulatorConfig, homes.folder(REGULATOR) / "node.toml", environment or {})
    async with running(config, workers=1, clock=clock or FixedClock(homes.now)) as regulator:
        yield regulator


@contextlib.asynccontextmanager
async def certifying(
    homes: Homes, clock: Clock | None = None, environment: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[Regulator, int]]:
    """A serving regulator and its port; banks and holders are enrolled at the first start."""
    async with regulating(homes, clock, environment) as regulator:
        await regulator.pool.start()
        await build(regulator)
        if not homes.requests:
            await homes.enrol(regulator, HARBOUR, DELTA, HUB, *HOLDERS)
            catalogue = small_catalogue().to_json().encode()
            await regulator.store.run(
                lambda connection: regulator.chain.put_catalogue(connection, catalogue)
            )
        async with _started(regulator):
            yield regulator, regulator.servers[0].port


@contextlib.asynccontextmanager
async def hub_serving(homes: Homes) -> AsyncIterator[Runtime[HubConfig]]:
    """A serving hub; its servers are for members and for enterprises, in this order."""
    from node.hub.main import build as build_hub

    config = load(HubConfig, homes.folder(HUB) / "node.toml", {})
    async with running(config, workers=1, clock=FixedClock(homes.now)) as hub:
        await build_hub(hub)
        await hub.store.run(lambda c: put_audit_keys(hub, c, _audit_keys(homes)))
        async with _started(hub):
            yield hub


def _audit_keys(homes: Homes) -> list[Signed]:
    """What the regulator would have handed to the hub."""
    signing = homes.identity(REGULATOR).signing
    statements = MonthKeys(homes.root.chain, homes.now).statements
    return [statement.sign(signing) for statement in statements.values()]


@contextlib.asynccontextmanager
async def _started(runtime: Runtime[NodeConfig]) -> AsyncIterator[None]:
    for server in runtime.servers:
        await server.start()
    tasks = [asyncio.create_task(task) for task in runtime.tasks]
    try:
        yield
    finally:
        for server in runtime.servers:
            await server.stop(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
