"""A holder's node on real sockets, and around it a chain in memory with a hub that answers calls.

The hub here signs what the chain in memory has, and can be told to do what an honest one does not.
The node is the real one: its own folder, database, worker processes and TLS certificate.
"""

from __future__ import annotations

import asyncio
import csv
import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from federation.answers import read_key
from federation.certificate import ModelCertificate
from federation.entries import Kind, Logged, entry, promise, read_entry
from federation.epoch import Descriptor, Manifest, OpenEpoch, make_opening, read_epoch
from federation.exchange.bank import Session, combine_tables
from federation.exchange.messages import UnlockRequest
from federation.identity import Role, SpiffeId
from federation.roster import Roster
from federation.signed import Signed
from federation.uscc import Uscc
from node.chain.store import sign_batch
from node.clock import FixedClock
from node.config import HolderConfig, load
from node.holder.main import assemble, build
from node.rpc.chunks import pieces
from node.rpc.client import Channel, ChannelLimits
from node.rpc.convert import (
    logged_from_wire,
    signed_from_wire,
    signed_to_wire,
    unlock_to_wire,
)
from node.rpc.server import build_server
from node.rpc.tls import TlsFiles
from node.runtime import Runtime, running
from scoring.lattice import Decryptor
from support.chain import CHAIN, DAY, DOMAIN, HUB, INSURANCE, NOW, POWER, REGULATOR, TAX, Chain
from support.network import Network
from support.people import Data, Firm, Model
from support.small import BINS, FEATURES
from tests.node.rpc.parties import Chain as Authority
from yinxin.v1 import common_pb2, hub_pb2
from yinxin.v1.hub_pb2_grpc import HubServicer, add_HubServicer_to_server

LIMITS = ChannelLimits(deadline=20.0, stream_deadline=60.0)
_ALL = frozenset({Role.HUB, Role.HOLDER, Role.BANK})
_HUB_ROLES = {
    f"/yinxin.v1.Hub/{name}": _ALL for name in ("GetChain", "GetRoster", "SubmitManifest")
}
VALUES = ("", "50", "150")
"""A cell for each of the small catalogue's bins: missing, below the edge, from it on."""


@dataclass
class HubStub(HubServicer):
    """Publishes epochs, and receives manifests. `down` makes it fail calls of manifests."""

    chain: Chain
    batches: list[Signed] = field(default_factory=list)
    descriptors: dict[int, Signed] = field(default_factory=dict)
    opened: dict[int, tuple[Signed, tuple[Signed, ...], Signed]] = field(default_factory=dict)
    received: dict[int, list[Signed]] = field(default_factory=dict)
    withdrawals: list[Signed] = field(default_factory=list)
    proposal: hub_pb2.CatalogueProposal | None = None
    down: bool = False
    pulls: int = 0

    async def GetChain(self, request: Any, context: Any) -> hub_pb2.ChainState:
        self.pulls += 1
        epochs = []
        for number, descriptor in self.descriptors.items():
            epoch = common_pb2.Epoch(descriptor=signed_to_wire(descriptor))
            if number in self.opened:
                _, manifests, opening = self.opened[number]
                epoch.manifests.extend(map(signed_to_wire, manifests))
                epoch.opening.CopyFrom(signed_to_wire(opening))
            epochs.append(epoch)
        return hub_pb2.ChainState(
            members=[signed_to_wire(c) for c in self.chain.members.credentials()],
            catalogues=[self.chain.catalogue.to_json().encode()],
            epochs=epochs,
            roster_rows=self.chain.roster.size,
            roster_batches=len(self.batches),
            withdrawals=[signed_to_wire(signed) for signed in self.withdrawals],
            proposal=self.proposal,
        )

    async def GetRoster(self, request: Any, context: Any) -> AsyncIterator[common_pb2.Signed]:
        for batch in self.batches[request.from_batch :]:
            yield signed_to_wire(batch)

    async def SubmitManifest(self, request: Any, context: Any) -> common_pb2.Receipt:
        if self.down:
            raise OSError("the hub's disk is full")
        signed = signed_from_wire(request)
        manifest = Manifest.parse(signed.payload)
        self.received.setdefault(manifest.epoch, []).append(signed)
        raw = entry(Kind.MANIFEST, NOW, document=manifest.hash, epoch=manifest.epoch)
        signed_promise = promise(HUB, raw, self.chain.signing[HUB], NOW)
        return common_pb2.Receipt(entry=raw, promise=signed_to_wire(signed_promise))


class World:
    """Chain, hub and the folder of the holder `TAX`."""

    def __init__(self, folder: Path, firms: int = 24, more: int = 0) -> None:
        """`more` are further rows of the roster, of firms that nobody asks about."""
        self.folder = folder
        self.chain = Chain(firms=firms)
        self.hub = HubStub(self.chain)
        self.clock = FixedClock(NOW)
        self.authority = Authority(folder / "tls")
        self.network = Network(self.chain)
        self._enrol(more)
        self.home = folder / "tax"

    def _enrol(self, more: int) -> None:
        key = self.chain.signing[HUB]
        first = Roster(CHAIN).append(firm.uscc for firm in self.chain.firms)
        self.hub.batches.append(sign_batch(first, key))
        if more:
            codes = [Uscc.generate(1_000_000 + number) for number in range(more)]
            self.hub.batches.append(sign_batch(self.chain.roster.append(codes), key))

    # --- epochs -------------------------------------------------------------------------------

    def announce(self, number: int, opens: int = NOW - DAY, closes: int = NOW + DAY) -> Descriptor:
        descriptor = self.chain.descriptor(number, opens=opens, closes=closes)
        self.hub.descriptors[number] = descriptor.sign(self.chain.signing[HUB])
        return descriptor

    def open(self, number: int, without: Iterable[SpiffeId] = ()) -> OpenEpoch:
        """Opens an announced epoch with the manifest that the node submitted, and the others'."""
        descriptor = Descriptor.parse(self.hub.descriptors[number].payload)
        made = []
        for side in self.chain.holders.values():
            if side.id == TAX or side.id in without:
                continue
            side.begin(number, self.chain.draw_data())
            manifest = side.manifest(CHAIN, number, descriptor.hash, "2027-01-14")
            made.append((manifest, manifest.sign(side.signing)))
        for signed in self.hub.received.get(number, [])[:1]:
            made.append((Manifest.parse(signed.payload), signed))
        opening = make_opening(descriptor, [manifest for manifest, _ in made])
        documents = (
            self.hub.descriptors[number],
            tuple(signed for _, signed in made),
            opening.sign(self.chain.signing[HUB]),
        )
        self.hub.opened[number] = documents
        self.chain.epochs[number] = read_epoch(*documents, self.chain.members)
        return self.chain.epochs[number]

    def data(self, known: float = 0.7, seed: int = 3) -> Data:
        random = np.random.default_rng(seed)
        rows = self.chain.roster.size
        knows = random.random(rows) < known
        bins = random.integers(0, BINS, (FEATURES, rows)).astype(np.uint16)
        bins[:, ~knows] = 0
        return Data(bins, knows)

    def source(self, data: Data, number: int, *extra: Sequence[str]) -> Path:
        """A mapping file over a CSV that holds `data`, and `extra` rows as they are."""
        roster = self.chain.roster
        self.chain.holders[TAX].data[number] = data
        path = self.folder / f"tax-{number}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["code", *(f"c{n}" for n in range(FEATURES))])
            for bucket in range(roster.buckets()):
                for offset, code in enumerate(roster.codes(bucket)):
                    row = bucket * 8192 + offset
                    if data.known[row]:
                        writer.writerow([code, *(VALUES[b] for b in data.bins[:, row])])
            writer.writerows(extra)
        mapping = self.folder / f"mapping-{number}.toml"
        lines = [
            'format = "yinxin-mapping/1"',
            'kind = "tax"',
            "as_of = 2027-01-14",
            'key = "code"',
            "[source]",
            'type = "csv"',
            f'path = "{path.name}"',
            "[limits]",
            "rejected_share = 0.5",
        ]
        for n in range(FEATURES):
            lines += [f"[features.f{n}]", f'column = "c{n}"']
        mapping.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return mapping

    # --- the node's folder --------------------------------------------------------------------

    def tls(self, party: SpiffeId) -> TlsFiles:
        return self.authority.files(party)

    def write_home(self, hub_port: int, **more: object) -> Path:
        """Everything that `init` and `join` make, for TAX. Returns the configuration's path."""
        side, home = self.chain.holders[TAX], self.home
        config = home / "node.toml"
        if config.exists():
            return config
        (home / "keys").mkdir(parents=True)
        files = self.tls(TAX)
        for name, content in (
            ("tls.key", files.private_key.read_bytes()),
            ("tls.pem", files.certificates.read_bytes()),
            ("authority.pem", files.authorities.read_bytes()),
            ("signing.key", side.signing.to_pem()),
            ("agreement.key", side.agreement.private_bytes_raw()),
            ("sealing.key", side.sealing.to_bytes()),
            ("storage.key", secrets.token_bytes(32)),
        ):
            path = home / "keys" / name
            path.touch(mode=0o600)
            path.write_bytes(content)
        credential = self.chain.holder_member(side).sign(self.chain.signing[REGULATOR])
        (home / "member.json").write_bytes(credential.to_json())
        (home / "trust.json").write_bytes(self.chain.root.payload())
        options = "".join(f"{name} = {value}\n" for name, value in more.items())
        config.write_text(
            f'chain = "{CHAIN}"\ntrust_domain = "{DOMAIN}"\nname = "{TAX.name}"\nkind = "tax"\n'
            'data_dir = "data"\nlisten = "127.0.0.1:0"\n'
            'signing_key = "keys/signing.key"\nkey_encryption_key = "keys/storage.key"\n'
            'agreement_key = "keys/agreement.key"\nsealing_key = "keys/sealing.key"\n'
            'credential = "member.json"\ntrust_bundle = "trust.json"\n'
            f"{options}"
            '[tls]\ncertificate = "keys/tls.pem"\nkey = "keys/tls.key"\nca = "keys/authority.pem"\n'
            f'[hub]\nname = "{HUB.name}"\naddress = "127.0.0.1:{hub_port}"\n',
            encoding="utf-8",
        )
        return config

    @asynccontextmanager
    async def serving_hub(self) -> AsyncIterator[int]:
        server = build_server(
            address="127.0.0.1:0",
            tls=self.tls(HUB),
            own=HUB,
            trust_domains=[DOMAIN],
            roles=_HUB_ROLES,
            register=[lambda raw: add_HubServicer_to_server(self.hub, raw)],
            services=["yinxin.v1.Hub"],
        )
        await server.start()
        try:
            yield server.port
        finally:
            await server.stop(0)

    @asynccontextmanager
    async def running(self, **more: object) -> AsyncIterator[Node]:
        """The hub and the node, serving."""
        async with self.serving_hub() as port:
            config = load(HolderConfig, self.write_home(port, **more), {})
            # The hub has another port after a restart.
            hub = config.hub.model_copy(update={"address": f"127.0.0.1:{port}"})
            async with self.node(config.model_copy(update={"hub": hub})) as node:
                yield node

    @asynccontextmanager
    async def node(self, config: HolderConfig) -> AsyncIterator[Node]:
        async with running(config, clock=self.clock) as runtime:
            await runtime.pool.start()
            await build(runtime)
            for server in runtime.servers:
                await server.start()
            tasks = [asyncio.create_task(task) for task in runtime.tasks]
            address = f"127.0.0.1:{runtime.servers[0].port}"
            try:
                async with Channel(TAX, address, self.tls(HUB), LIMITS) as channel:
                    yield Node(self, runtime, channel, address)
            finally:
                for server in runtime.servers:
                    await server.stop(0)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


@dataclass
class Node:
    """A serving holder, and the hub's channel to it."""

    world: World
    runtime: Runtime[HolderConfig]
    channel: Channel
    address: str

    async def load(self, number: int, mapping: Path) -> None:
        hub = self.runtime.peer_channel(Role.HUB, self.runtime.config.hub)
        await assemble(self.runtime, self.sync(hub), hub).loader.load(number, mapping)

    def sync(self, hub: Channel) -> Any:
        from node.chain import ChainSync

        r = self.runtime
        return ChainSync(hub, r.chain, r.store, r.log, r.clock)

    async def open_epoch(self, number: int = 10, data: Data | None = None) -> OpenEpoch:
        """Announces, loads and opens an epoch. The node learns of the opening when it needs to."""
        world = self.world
        world.announce(number)
        await self.load(number, world.source(data or world.data(), number))
        return world.open(number)

    async def install(self, model: Model, **wrong: bytes) -> bytes:
        """Relays a model as a hub does; `wrong` takes the place of key or bundle."""

        async def requests() -> AsyncIterator[hub_pb2.InstallModelRequest]:
            yield hub_pb2.InstallModelRequest(
                header=hub_pb2.InstallModelHeader(
                    holder=str(TAX),
                    certificate=signed_to_wire(model.signed),
                    public_key=wrong.get("public_key", model.public_key),
                )
            )
            for piece in pieces(wrong.get("bundle", model.bundles[TAX])):
                chunk = common_pb2.Chunk(total=piece.total, sha256=piece.sha256, data=piece.data)
                yield hub_pb2.InstallModelRequest(bundle=chunk)

        method = "/yinxin.v1.Holder/InstallModel"
        reply = await self.channel.upload(method, requests(), hub_pb2.InstallModelReply)
        return reply.certificate_hash

    async def key(self, certificate: ModelCertificate, epoch: int = 10) -> Logged:
        request = common_pb2.KeyRequest(certificate_hash=certificate.hash, epoch=epoch)
        method = "/yinxin.v1.Holder/GetKey"
        return logged_from_wire(await self.channel.unary(method, request, common_pb2.Logged))

    async def prepare(
        self, certificate: ModelCertificate, buckets: Sequence[int] = (0,), epoch: int = 10
    ) -> list[common_pb2.Table]:
        request = common_pb2.PrepareRequest(
            certificate_hash=certificate.hash, epoch=epoch, buckets=buckets
        )
        method = "/yinxin.v1.Holder/Prepare"
        stream = self.channel.download(method, request, common_pb2.Table)
        return [table async for table in stream]

    async def unlock(self, request: UnlockRequest) -> Signed:
        method = "/yinxin.v1.Holder/Unlock"
        answer = await self.channel.unary(method, unlock_to_wire(request), common_pb2.UnlockAnswer)
        return signed_from_wire(answer.answer)

    async def session(self, model: Model, epoch: int = 10) -> Session:
        """What the bank works with: the node's stated key, checked, and the others'."""
        chain = self.world.chain
        opened, certificate = chain.epochs[epoch], model.certificate
        keys = {}
        for holder in certificate.holders:
            logged = (
                await self.key(certificate, epoch)
                if holder == TAX
                else chain.statement(holder, model, opened)
            )
            now = self.world.clock.now()
            keys[holder] = read_key(logged, holder, certificate, opened, now).public_key
        session = Session(certificate, opened, keys)
        chain._sessions[session.ctx] = session
        return session

    async def record_word(self, model: Model, firm: Firm, table: bytes, epoch: int = 10) -> Any:
        """A whole query in which the node's table and answer count; the record that comes out."""
        world, chain = self.world, self.world.chain
        session = await self.session(model, epoch)
        opened = {TAX: Decryptor(model.secret_key).decrypt(table)}
        for holder in (POWER, INSURANCE):
            side = chain.holders[holder]
            raw, _ = side.prepare(model, chain.epochs[epoch], chain.catalogue, self.codes())
            opened[holder] = Decryptor(model.secret_key).decrypt(raw)
        chain._tables[session.ctx] = combine_tables(opened, model.weight_sums, session)
        query = world.network.begin(model, chain.consent(firm), epoch)
        request = world.network.permits(query.request)[0]
        answers = []
        for holder in model.certificate.holders:
            answers.append(
                await self.unlock(request)
                if holder == TAX
                else world.network.unlock(holder, request)
            )
        from federation.exchange.messages import QueryReply

        reply = QueryReply((request.permit,), tuple(answers))
        return world.network.open(query, reply, model, firm, epoch)

    def codes(self) -> tuple[Uscc, ...]:
        return self.world.chain.roster.codes(0)

    async def permit(
        self, model: Model, firm: Firm, epoch: int = 10, **pseudonyms: str
    ) -> UnlockRequest:
        """A fresh permit for a firm, as the hub sends it to the holders."""
        network, chain = self.world.network, self.world.chain
        if model.certificate.context(chain.epochs[epoch]) not in chain._sessions:
            await self.session(model, epoch)
        consent = self.world.chain.consent(firm, bank=model.certificate.bank)
        query = network.begin(model, consent, epoch, **pseudonyms)
        return network.permits(query.request, model.certificate.bank)[0]

    async def entries(self) -> list[Any]:
        return [read_entry(item.entry) async for item in self.runtime.log.iterate()]

    async def kinds(self) -> dict[str, int]:
        return await self.runtime.log.count_by_kind()
