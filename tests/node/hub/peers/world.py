"""Two chains on real sockets: csj, which enrols the firms, and zsj, whose banks ask there.

`Abroad` is the hub of csj with its holders (`tests.node.hub.world`), `Home` the hub of zsj with two
banks. Each has an authority of its own. What regulators would have signed is put into the hubs.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from federation.authority import CertificateAuthority
from federation.entries import Entry, read_entry
from federation.envelope import EnvelopeKey
from federation.exchange.bank import OpenQuery
from federation.exchange.messages import QueryReply
from federation.identity import Role, SpiffeId, dns_name
from federation.interchain.bundle import TrustBundle, authority_keys
from federation.interchain.guest import Guest
from federation.interchain.pin import Pin
from federation.interchain.routed import RoutedQuery, route_query
from federation.membership import Member, Members, TrustRoot
from federation.signed import Signed, SigningKey
from federation.tlskeys import make_csr, new_tls_key, tls_key_to_pem
from node.chain import ChainStore
from node.chain.sync import ChainCopy
from node.clock import FixedClock
from node.config import HubConfig, load
from node.hub import publication
from node.hub.main import build
from node.hub.tables import hub_routed
from node.keys import write_secret
from node.peers import FROM_HOME, PeerSource, TrustedChain
from node.rpc.client import Channel
from node.rpc.convert import query_to_wire, reply_from_wire, signed_to_wire
from node.rpc.tls import TlsFiles
from node.runtime import Runtime, running
from node.storage import Store
from support.chain import CHAIN, DAY, DOMAIN, HUB, LICENCE_DOMAIN, NOW, REGULATOR, UNNAMED, Chain
from support.network import Network
from support.people import Firm, Model
from tests.node.hub.world import HUB_METHODS, LIMITS, HolderStub, Node, World
from tests.node.rpc.parties import Chain as TlsChain
from yinxin.v1 import hub_pb2

HOME = "zsj"
HOME_DOMAIN = "zsj.yinxin.example"
HOME_HUB = SpiffeId(HOME_DOMAIN, Role.HUB, "hub")
HOME_REGULATOR = SpiffeId(HOME_DOMAIN, Role.REGULATOR, "pboc")
PEARL = SpiffeId(HOME_DOMAIN, Role.BANK, "pearl")
RIVAL = SpiffeId(HOME_DOMAIN, Role.BANK, "rival")
THIRD = "jjj"
THIRD_DOMAIN = "jjj.yinxin.example"
THIRD_HUB = SpiffeId(THIRD_DOMAIN, Role.HUB, "hub")
STRANGER = SpiffeId(THIRD_DOMAIN, Role.BANK, "north")

# Valid by the clock of the tests and by the machine's, which TLS goes by.
BEGIN = min(NOW, int(time.time())) - DAY
DAYS = 3000


class Authority:
    """An authority as a bundle names it, and the files of its parties."""

    def __init__(self, folder: Path, domain: str) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.authority = CertificateAuthority.create(domain, BEGIN)
        self.authorities = folder / "authority.pem"
        self.authorities.write_bytes(self.authority.certificate_pem)

    def files(self, party: SpiffeId) -> TlsFiles:
        """A certificate for `party`."""
        stem = str(party).replace("/", "_")
        files = TlsFiles(self.folder / f"{stem}.pem", self.folder / f"{stem}.key", self.authorities)
        key = new_tls_key()
        pem = self.authority.issue_tls(make_csr(key), party, BEGIN, DAYS, [dns_name(party)])
        files.certificates.write_bytes(pem)
        files.private_key.touch(mode=0o600)
        files.private_key.write_bytes(tls_key_to_pem(key))
        return files


class GuestChain(Chain):
    """csj with a hub that takes sealed queries, and guests from zsj and jjj."""

    def __init__(self) -> None:
        super().__init__()
        self.guests = {bank: SigningKey.generate() for bank in (PEARL, RIVAL, STRANGER)}
        self.sealing[HUB] = EnvelopeKey.generate()
        self.authority = CertificateAuthority.create(DOMAIN, BEGIN)
        self.root = self.root.model_copy(
            update={"authority": self.authority.certificate_pem.decode()}
        )
        credentials = list(self._credentials())
        guests = [self.guest(bank).as_member() for bank in self.guests]
        self.members = Members(self.root, credentials, NOW, guests)

    def guest(self, bank: SpiffeId, **changes: Any) -> Guest:
        fields: dict[str, Any] = {
            "chain": CHAIN,
            "home": bank.trust_domain.partition(".")[0],
            "id": bank,
            "title": {"zh": "银行", "en": bank.name},
            "signing": self.guests[bank].public,
            "sealing": b"",
            "credential": bytes(32),
            "not_before": NOW - DAY,
            "not_after": NOW + 90 * DAY,
        }
        return Guest.model_validate(fields | changes)

    @property
    def pearls(self) -> Model:
        """A model that this chain certified for the guest."""
        return self.certify("pearl", PEARL)

    @property
    def rivals(self) -> Model:
        """The rival's."""
        return self.certify("rival", RIVAL)


def bundle(
    chain: str,
    domain: str,
    regulator: SigningKey,
    authority: CertificateAuthority,
    hub_address: str = "127.0.0.1:9",
    **changes: Any,
) -> Signed:
    """A chain's bundle, signed by its regulator."""
    fields: dict[str, Any] = {
        "keys": authority_keys([authority.certificate_pem]),
        "spiffe_sequence": 1,
        "spiffe_refresh_hint": 300,
        "yinxin_chain": chain,
        "yinxin_trust_domain": domain,
        "yinxin_regulator": SpiffeId(domain, Role.REGULATOR, "pboc"),
        "yinxin_hub": SpiffeId(domain, Role.HUB, "hub"),
        "yinxin_signing": regulator.public,
        "yinxin_sealing": EnvelopeKey.generate().public,
        "yinxin_licence_domain": LICENCE_DOMAIN,
        "yinxin_licence_authority": "pem",
        "yinxin_hub_address": hub_address,
        "yinxin_regulator_address": "127.0.0.1:9",
        "yinxin_not_before": NOW - DAY,
        "yinxin_not_after": NOW + 90 * DAY,
    }
    return TrustBundle.model_validate(fields | changes).sign(regulator)


def pin(chain: str, regulator: SigningKey, peer: str, raw: Signed, **changes: Any) -> Signed:
    """The pin by which `chain` trusts `peer`."""
    fields: dict[str, Any] = {
        "chain": chain,
        "peer": peer,
        "number": 1,
        "state": "pinned",
        "bundle": raw.to_json(),
        "issued": NOW - DAY,
        "not_after": NOW + 90 * DAY,
    }
    return Pin.model_validate(fields | changes).sign(regulator)


def hub_files(
    folder: Path,
    chain: str,
    root: TrustRoot,
    credential: Signed,
    signing: SigningKey,
    sealing: EnvelopeKey,
    tls: TlsFiles,
    licence: Path,
    more: str = "",
) -> HubConfig:
    """The folder of a hub with a listener for peer chains."""
    folder.mkdir()
    write_secret(folder / "signing.key", signing.to_pem())
    write_secret(folder / "storage.key", secrets.token_bytes(32))
    write_secret(folder / "sealing.key", sealing.to_bytes())
    (folder / "trust.json").write_bytes(root.payload())
    (folder / "member.json").write_bytes(credential.to_json())
    write_secret(
        folder / "node.toml",
        f"""
chain = "{chain}"
trust_domain = "{root.trust_domain}"
name = "hub"
data_dir = "data"
listen = "127.0.0.1:0"
signing_key = "signing.key"
sealing_key = "sealing.key"
key_encryption_key = "storage.key"
credential = "member.json"
trust_bundle = "trust.json"
[tls]
certificate = "{tls.certificates}"
key = "{tls.private_key}"
ca = "{tls.authorities}"
[peers]
listen = "127.0.0.1:0"
[consents]
listen = "127.0.0.1:0"
licence_authority = "{licence}"
{more}""".encode(),
    )
    return load(HubConfig, folder / "node.toml", {})


class Abroad(World):
    """The hub of csj, with its holders, and what it says of zsj."""

    chain: GuestChain

    def __init__(self, folder: Path, chain: GuestChain) -> None:
        self.folder, self.chain = folder, chain
        self.network, self.clock = Network(chain), FixedClock(NOW)
        tls = Authority(folder / "csj-tls", DOMAIN)
        tls.authority = chain.authority
        tls.authorities.write_bytes(chain.authority.certificate_pem)
        self.tls = tls  # type: ignore[assignment]  # files() and authorities are all that is used
        self.licence = TlsChain(folder / "licence")
        self.holders = {p: HolderStub(p, chain, self.network) for p in chain.holders}
        self.home = folder / "csj-hub"
        (credential,) = (
            one for one in chain.members.credentials() if Member.parse(one.payload).id == HUB
        )
        self.config = hub_files(
            self.home,
            CHAIN,
            chain.root,
            credential,
            chain.signing[HUB],
            chain.sealing[HUB],
            tls.files(HUB),
            self.licence.authorities,
        )


class Home:
    """The hub of zsj, and the keys of its banks."""

    def __init__(self, folder: Path, chain: GuestChain, licence: Path, more: str = "") -> None:
        self.folder, self.chain = folder, chain
        self.clock = FixedClock(NOW)
        self.tls = Authority(folder / "zsj-tls", HOME_DOMAIN)
        self.regulator, self.hub_key = SigningKey.generate(), SigningKey.generate()
        self.banks = {bank: chain.guests[bank] for bank in (PEARL, RIVAL)}
        self.root = TrustRoot(
            chain=HOME,
            trust_domain=HOME_DOMAIN,
            regulator=HOME_REGULATOR,
            regulator_signing=self.regulator.public,
            authority=self.tls.authority.certificate_pem.decode(),
            licence_domain=LICENCE_DOMAIN,
            licence_authority=chain.root.licence_authority,
        )
        sealing = EnvelopeKey.generate()
        hub = self.member(HOME_HUB, self.hub_key.public, sealing.public)
        self.config = hub_files(
            folder / "zsj-hub",
            HOME,
            self.root,
            hub,
            self.hub_key,
            sealing,
            self.tls.files(HOME_HUB),
            licence,
            more,
        )
        self.members = [hub, *(self.member(b, k.public) for b, k in self.banks.items())]

    def member(
        self, party: SpiffeId, signing: bytes, sealing: bytes = b"", **changes: Any
    ) -> Signed:
        """A credential of zsj's regulator."""
        fields: dict[str, Any] = {
            "chain": HOME,
            "id": party,
            "kind": "",
            "title": {"zh": "甲", "en": party.name},
            "signing": signing,
            "agreement": b"",
            "sealing": sealing,
            "named": False,
            "not_before": NOW - DAY,
            "not_after": NOW + 90 * DAY,
        }
        return Member.model_validate(fields | changes).sign(self.regulator)


@dataclass
class Two:
    """Both hubs, serving."""

    abroad: Abroad
    home: Home
    there: Node
    here: Runtime[HubConfig]
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def chain(self) -> GuestChain:
        return self.abroad.chain

    @property
    def peers_address(self) -> str:
        """Where csj's hub takes calls of peer chains."""
        return f"127.0.0.1:{self.there.hub.servers[2].port}"

    async def pin_abroad(self, **changes: Any) -> Pin:
        """Zsj trusts csj."""
        regulator = self.chain.signing[REGULATOR]
        licence = self.chain.root.licence_authority
        raw = bundle(
            CHAIN,
            DOMAIN,
            regulator,
            self.chain.authority,
            changes.pop("address", self.peers_address),
            yinxin_licence_authority=licence,
        )
        signed = pin(HOME, self.home.regulator, CHAIN, raw, **changes)
        await self.here.store.run(lambda c: self.here.chain.put_pin(c, signed))
        return Pin.parse(signed.payload)

    async def pin_home(self, **changes: Any) -> None:
        """Csj trusts zsj."""
        raw = bundle(HOME, HOME_DOMAIN, self.home.regulator, self.home.tls.authority)
        signed = pin(CHAIN, self.chain.signing[REGULATOR], HOME, raw, **changes)
        await self.there.hub.store.run(lambda c: self.there.hub.chain.put_pin(c, signed))

    async def welcome(self, bank: SpiffeId, **changes: Any) -> None:
        """Csj's regulator lets a bank in."""
        signed = self.chain.guest(bank, **changes).sign(self.chain.signing[REGULATOR])
        await self.there.hub.store.run(lambda c: self.there.hub.chain.put_guest(c, signed))

    @asynccontextmanager
    async def calling(self, bank: SpiffeId = PEARL) -> AsyncIterator[Channel]:
        """A bank's channel to its own hub."""
        address = f"127.0.0.1:{self.here.servers[0].port}"
        async with Channel(HOME_HUB, address, self.home.tls.files(bank), LIMITS) as channel:
            yield channel

    @asynccontextmanager
    async def hub_calling(
        self, party: SpiffeId = HOME_HUB, authority: Authority | None = None
    ) -> AsyncIterator[Channel]:
        """A channel to the peers' listener of csj's hub."""
        own = (authority or self.home.tls).files(party)
        tls = TlsFiles(own.certificates, own.private_key, self.abroad.tls.authorities)
        async with Channel(HUB, self.peers_address, tls, LIMITS) as channel:
            yield channel

    async def install(self, model: Model) -> None:
        """Both hubs know a model, as if the bank had brought it to the holders."""
        await self.there.install(model)
        directory = hub_directories(self)
        followed = await directory.current(CHAIN, fetch=True)
        await self.here.store.run(lambda c: followed.chain.put_certificate(c, model.signed))

    async def home_entries(self) -> list[Entry]:
        """The home hub's log."""
        return [read_entry(one.entry) async for one in self.here.log.iterate()]

    async def routed(self) -> list[Entry]:
        """The home hub's entries of routed queries."""
        return [one for one in await self.home_entries() if one.kind == "query-routed"]

    async def reasons(self) -> list[str | int]:
        """What the home hub refused."""
        return [e.body["reason"] for e in await self.home_entries() if e.kind == "refusal"]

    async def kept(self) -> int:
        from sqlalchemy import func, select

        query = select(func.count()).select_from(hub_routed)
        return int(await self.here.store.read(lambda c: c.execute(query).scalar_one()))


def hub_directories(two: Two) -> Any:
    """The home hub's own directories, out of its servers' hands."""
    return two.here.closing[0].__self__  # type: ignore[attr-defined]


@asynccontextmanager
async def two_chains(
    folder: Path,
    chain: GuestChain,
    more: str = "",
    before: Callable[[Two], Any] | None = None,
) -> AsyncIterator[Two]:
    """Both chains, each pinned by the other, and pearl and rival are guests."""
    abroad = Abroad(folder, chain)
    home = Home(folder, chain, abroad.licence.authorities, more)
    async with AsyncExitStack() as stack:
        there = await stack.enter_async_context(abroad.serving(*UNNAMED))
        here = await stack.enter_async_context(running(home.config, workers=1, clock=home.clock))

        def publish(connection: Any) -> None:
            for credential in home.members:
                publication.add_member(here, connection, credential, "")

        await here.store.run(publish)
        await build(here)
        for server in here.servers:
            await server.start()
            stack.push_async_callback(server.stop, 0)
        for task in here.tasks:  # what keeps directories fresh by itself: tests ask for it
            task.close()
        two = Two(abroad, home, there, here)
        await two.pin_abroad()
        await two.pin_home()
        for bank in (PEARL, RIVAL):
            await two.welcome(bank)
        if before is not None:
            await before(two)
        yield two


def begin(two: Two, firm: Firm, model: Model | None = None, **changes: Any) -> OpenQuery:
    """A query of pearl's about a firm of csj."""
    model = model or two.chain.pearls
    consent = two.chain.consent(firm, bank=model.certificate.bank, **changes)
    return two.abroad.network.begin(model, consent)


def seal_query(two: Two, query: OpenQuery, bank: SpiffeId = PEARL, **changes: Any) -> RoutedQuery:
    """A query as the bank seals it to csj's hub."""
    fields: dict[str, Any] = {
        "request_id": secrets.token_bytes(16),
        "home": HOME,
        "chain": CHAIN,
        "bank": bank,
        "hub": HUB,
        "sealing": two.chain.sealing[HUB].public,
        "now": NOW,
    }
    raw = query_to_wire(query.request).SerializeToString(deterministic=True)
    return route_query(raw, **(fields | changes))


def route(routed: RoutedQuery, key: SigningKey) -> hub_pb2.RouteQueryRequest:
    return hub_pb2.RouteQueryRequest(query=signed_to_wire(routed.sign(key)))


async def ask(
    channel: Channel, request: hub_pb2.RouteQueryRequest, deadline: float | None = None
) -> QueryReply:
    """Sends a routed query to the own hub."""
    method = f"{HUB_METHODS}RouteQuery"
    return reply_from_wire(await channel.unary(method, request, hub_pb2.QueryReply, deadline))


@dataclass
class BankCopy:
    """What a bank keeps of csj, fetched from its own hub and verified under the pinned root."""

    chain: ChainStore
    source: PeerSource
    copy: ChainCopy
    store: Store

    async def members(self) -> Members:
        return await self.store.read(lambda c: self.chain.members(c, NOW))


@asynccontextmanager
async def following(two: Two, channel: Channel, pinned: Pin) -> AsyncIterator[BankCopy]:
    """A bank's copy of csj."""
    name = secrets.token_hex(4)
    store = await asyncio.to_thread(Store.open, f"sqlite:///{two.home.folder / name}.sqlite")

    async def own() -> Channel:
        return channel

    trusted = TrustedChain.of(pinned)
    chain = ChainStore(store, trusted.root, peer=True)
    source = PeerSource(trusted, HOME, 24 * 3600, two.home.clock, own, FROM_HOME)
    copy = ChainCopy(source, chain, store, two.home.clock)
    try:
        yield BankCopy(chain, source, copy, store)
    finally:
        await copy.close()
        await asyncio.to_thread(store.close)
