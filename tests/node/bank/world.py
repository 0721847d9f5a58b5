"""A bank's node on real sockets: its hub and regulator are small servers over the chain in memory.

The hub can be made dishonest: whatever it sends passes through `Tamper`, which a test fills in.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from federation.answers import TableAnswer
from federation.certificate import read_certificate
from federation.entries import promise
from federation.errors import Reason, Refusal
from federation.exchange.regulator import (
    KEY_PURPOSE,
    REPORT_PURPOSE,
    Considered,
    Submission,
    consider,
    make_certificate,
    seal_to_bank,
    sha256,
)
from federation.failure import FailureReport, read_failure
from federation.identity import Role, SpiffeId
from federation.membership import Members
from federation.policy import PolicyThresholds
from federation.roster import Roster
from federation.withdrawal import make_withdrawal
from node.bank.bank import Bank
from node.chain.store import sign_batch
from node.clock import FixedClock
from node.config import BankConfig, load
from node.keys import write_secret
from node.rpc.chunks import pieces
from node.rpc.convert import (
    logged_to_wire,
    query_from_wire,
    reply_to_wire,
    signed_from_wire,
    signed_to_wire,
)
from node.rpc.errors import PartyUnavailable
from node.rpc.identity import peer
from node.rpc.server import ServerLimits, build_server
from node.runtime import running
from scoring import published
from scoring.lattice import PARAMETER_SET, clear_table, encrypt_weights, generate_keys
from scoring.words import MODULUS, words_to_bytes
from support.chain import DAY, DOMAIN, HARBOUR, HUB, NOW, REGULATOR, Chain
from support.network import Network
from support.people import Model
from tests.node.rpc.parties import Chain as TlsChain
from yinxin.v1 import common_pb2, hub_pb2, regulator_pb2
from yinxin.v1.hub_pb2_grpc import HubServicer, add_HubServicer_to_server
from yinxin.v1.regulator_pb2_grpc import RegulatorServicer, add_RegulatorServicer_to_server

_HUB = "/yinxin.v1.Hub/"
_REGULATOR = "/yinxin.v1.Regulator/"
_BANK = frozenset({Role.BANK})
HUB_ROLES = {
    f"{_HUB}{m}": _BANK
    for m in (
        *("GetChain", "GetRoster", "InstallModel", "GetKeys", "Prepare", "Query"),
        *("InstallLabels", "Counts"),
    )
}
REGULATOR_ROLES = {
    f"{_REGULATOR}{m}": _BANK
    for m in ("Certify", "WithdrawModel", "ReportFailure", "CertifyLabels")
}


def honest(message: Any) -> Any:
    return message


@dataclass
class Tamper:
    """What the hub does to what it relays; each may also raise, or return None to leave it out."""

    keys: Callable[[Any], Any] = honest
    table: Callable[[Any], Any] = honest
    query: Callable[[Any], Any] = honest
    before_query: Callable[[], None] = lambda: None


@dataclass
class TestHub(HubServicer):
    """The chain's hub and, behind it, its holders."""

    __test__ = False
    chain: Chain
    network: Network
    tamper: Tamper = field(default_factory=Tamper)
    requests: list[Any] = field(default_factory=list)
    prepared: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
    installed: list[str] = field(default_factory=list)
    down: set[SpiffeId] = field(default_factory=set)
    proposal: hub_pb2.CatalogueProposal | None = None

    async def GetChain(self, request: Any, context: Any) -> hub_pb2.ChainState:
        chain = self.chain
        return hub_pb2.ChainState(
            members=[signed_to_wire(c) for c in chain.members.credentials()],
            catalogues=[chain.catalogue.to_json().encode()],
            epochs=[
                common_pb2.Epoch(
                    descriptor=signed_to_wire(d),
                    manifests=[signed_to_wire(m) for m in manifests],
                    opening=signed_to_wire(o),
                )
                for d, manifests, o in chain.epoch_documents.values()
            ],
            roster_rows=chain.roster.size,
            roster_batches=1,
            proposal=self.proposal,
        )

    async def GetRoster(self, request: Any, context: Any) -> AsyncIterator[common_pb2.Signed]:
        batch = Roster(self.chain.roster.chain).propose(f.uscc for f in self.chain.firms)
        yield signed_to_wire(sign_batch(batch, self.chain.signing[HUB]))

    async def InstallModel(self, requests: Any, context: Any) -> hub_pb2.InstallModelReply:
        first = await anext(requests)
        holder = SpiffeId.parse(first.header.holder)
        if holder in self.down:
            raise PartyUnavailable(holder)
        data = b"".join([part.bundle.data async for part in requests])
        signed = signed_from_wire(first.header.certificate)
        certificate = read_certificate(signed, self.chain.members)
        certificate.require_material(holder, first.header.public_key, data)
        self.installed.append(str(holder))
        return hub_pb2.InstallModelReply(certificate_hash=certificate.hash)

    def model(self, digest: bytes) -> Model:
        model = self.chain.model_of(digest)
        if model is None or model.certificate.bank != peer():
            raise Refusal(Reason.UNCERTIFIED_MODEL)
        return model

    async def GetKeys(self, request: Any, context: Any) -> hub_pb2.HubKeyReply:
        model = self.model(request.request.certificate_hash)
        epoch = self.chain.epochs[request.request.epoch]
        reply = hub_pb2.HubKeyReply(
            statements=[
                logged_to_wire(self.chain.statement(h, model, epoch))
                for h in model.certificate.holders
            ]
        )
        return self.tamper.keys(reply)

    async def Prepare(self, request: Any, context: Any) -> AsyncIterator[common_pb2.Table]:
        model = self.model(request.request.certificate_hash)
        holder = SpiffeId.parse(request.holder)
        if holder in self.down:
            raise PartyUnavailable(holder)
        epoch = self.chain.epochs[request.request.epoch]
        self.prepared.append((request.holder, tuple(request.request.buckets)))
        for bucket in request.request.buckets:
            table, answer = self.table(model, holder, epoch)
            message = common_pb2.Table(
                holder=request.holder, bucket=bucket, answer=signed_to_wire(answer), table=table
            )
            changed = self.tamper.table(message)
            if changed is not None:
                yield changed

    def table(self, model: Model, holder: SpiffeId, epoch: Any) -> Any:
        codes = self.chain.roster.codes(0)
        return self.chain.holders[holder].prepare(model, epoch, self.chain.catalogue, codes)

    async def Query(self, request: Any, context: Any) -> hub_pb2.QueryReply:
        self.tamper.before_query()
        self.requests.append(request)
        query = query_from_wire(request)
        for holder in self.model(query.certificate_hash).certificate.holders:
            if holder in self.down:
                self.network.permits(query, peer())
                raise PartyUnavailable(holder)
        model = self.model(query.certificate_hash)
        requests = self.network.permits(query, peer())
        reply = self.network.collect(requests, model.certificate.holders)
        return self.tamper.query(reply_to_wire(reply))


class OpenHolderTables:
    """Tables of open scorecards, as a holder computes them: in the clear, padded and masked."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    def table(self, model: Model, holder: SpiffeId, epoch: Any) -> Any:
        side = self._chain.holders[holder]
        ctx = model.certificate.context(epoch)
        bins, known = side.bucket(epoch.number)
        clear = known << np.uint64(model.certificate.coverage.offset)
        clear = clear + side.pads(ctx, epoch, self._chain.roster.codes(0))
        clear = (clear + side.masks(model.certificate, ctx)) & np.uint64(MODULUS - 1)
        weights = published.read_weights(model.bundles[holder])
        layout = self._chain.catalogue.bins_per_feature(side.kind)
        table = words_to_bytes(clear_table(weights, layout, bins, clear))
        answer = TableAnswer(holder=holder, ctx=ctx, bucket=0, table=hashlib.sha256(table).digest())
        return table, answer.sign(side.signing)


@dataclass
class TestRegulator(RegulatorServicer):
    """Certifies by the real policy; `change` alters a certificate before it is signed."""

    __test__ = False
    chain: Chain
    change: Callable[[Any], Any] = honest
    results: dict[bytes, list[Any]] = field(default_factory=dict)
    fail_after: int | None = None
    busy: list[tuple[int, int]] = field(default_factory=list)
    """What it says while it judges: submissions ahead, seconds."""
    delivered: bool = True
    reports: list[FailureReport] = field(default_factory=list)

    async def Certify(self, request: Any, context: Any) -> AsyncIterator[Any]:
        for ahead, seconds in self.busy:
            progress = regulator_pb2.CertifyProgress(ahead=ahead, seconds=seconds)
            yield regulator_pb2.CertifyReply(progress=progress)
        if request.submission not in self.results:
            self.results[request.submission] = list(self._decide(request.submission, peer()))
        for number, reply in enumerate(self.results[request.submission]):
            if self.fail_after is not None and number >= self.fail_after:
                raise PartyUnavailable(REGULATOR)
            yield reply

    def _decide(self, sealed: bytes, bank: SpiffeId) -> Any:
        chain = self.chain
        considered: Considered = consider(
            sealed,
            bank,
            chain.sealing[REGULATOR],
            chain.catalogue,
            chain.members,
            PolicyThresholds(),
        )
        submission: Submission = considered.submission
        sealing = chain.sealing[bank].public
        verdict = considered.verdict.payload()
        report = seal_to_bank(REPORT_PURPOSE, submission.id, verdict, sealing)
        if not considered.verdict.passed:
            yield regulator_pb2.CertifyReply(result=regulator_pb2.CertifyResult(report=report))
            return
        scorecard = considered.scorecard
        holders = [SpiffeId.parse(p.holder) for p in scorecard.participants]
        weights = {h: scorecard.weights(chain.catalogue, str(h)) for h in holders}
        public, secret, parameters = b"", b"", published.PARAMETER_SET
        if submission.form == "open":
            bundles = {h: published.publish_weights(w) for h, w in weights.items()}
        else:
            keys = generate_keys()
            bundles = {h: encrypt_weights(keys, w) for h, w in weights.items()}
            public, secret, parameters = keys.public_key, keys.secret_key, PARAMETER_SET
        certificate = self.change(
            make_certificate(
                considered,
                chain.catalogue,
                chain.members,
                {h: sha256(bundle) for h, bundle in bundles.items()},
                sha256(public),
                parameters,
                NOW - DAY,
            )
        )
        signed = certificate.sign(chain.signing[REGULATOR])
        chain._models[f"{certificate.name} {certificate.hash.hex()}"] = Model(
            certificate=certificate,
            signed=signed,
            scorecard=scorecard,
            secret_key=secret,
            public_key=public,
            bundles=bundles,
            weight_sums={h: sum(w) for h, w in weights.items()},
        )
        yield regulator_pb2.CertifyReply(
            result=regulator_pb2.CertifyResult(
                certificate=signed_to_wire(signed),
                secret_key=seal_to_bank(KEY_PURPOSE, submission.id, secret, sealing)
                if secret
                else b"",
                public_key=public,
                report=report,
            )
        )
        for holder, bundle in bundles.items():
            for piece in pieces(bundle):
                chunk = common_pb2.Chunk(total=piece.total, sha256=piece.sha256, data=piece.data)
                part = regulator_pb2.BundlePart(holder=str(holder), chunk=chunk)
                yield regulator_pb2.CertifyReply(bundle=part)

    async def WithdrawModel(self, request: Any, context: Any) -> regulator_pb2.WithdrawReply:
        model = self.chain.model_of(request.certificate_hash)
        if model is None:
            raise Refusal(Reason.UNCERTIFIED_MODEL)
        withdrawal = self.change(make_withdrawal(model.certificate, peer(), NOW))
        signed = signed_to_wire(withdrawal.sign(self.chain.signing[REGULATOR]))
        return regulator_pb2.WithdrawReply(withdrawal=signed, delivered=self.delivered)

    async def ReportFailure(self, request: Any, context: Any) -> common_pb2.Receipt:
        members: Members = self.chain.members
        self.reports.append(read_failure(signed_from_wire(request), peer(), members))
        raw = secrets.token_bytes(8)
        signed = promise(REGULATOR, raw, self.chain.signing[REGULATOR], NOW)
        return common_pb2.Receipt(entry=raw, promise=signed_to_wire(signed))


@dataclass
class World:
    """A bank with its surroundings."""

    chain: Chain
    hub: TestHub
    regulator: TestRegulator
    clock: FixedClock
    config: BankConfig
    folder: Path

    @asynccontextmanager
    async def bank(self) -> AsyncIterator[Bank]:
        """The agent; a second one over the same folder is the agent after a restart."""
        async with running(self.config, workers=1, clock=self.clock) as runtime:
            await runtime.pool.start()
            yield Bank(runtime)


@asynccontextmanager
async def world(
    folder: Path,
    chain: Chain,
    database: str = "",
    hubs: type[TestHub] = TestHub,
    regulators: type[TestRegulator] = TestRegulator,
) -> AsyncIterator[World]:
    """Starts hub and regulator, and writes the bank's folder."""
    tls = TlsChain(folder / "tls")
    hub = hubs(chain, Network(chain))
    regulator = regulators(chain)
    servers = []
    for own, roles, add in (
        (HUB, HUB_ROLES, lambda server: add_HubServicer_to_server(hub, server)),
        (
            REGULATOR,
            REGULATOR_ROLES,
            lambda server: add_RegulatorServicer_to_server(regulator, server),
        ),
    ):
        server = build_server(
            address="127.0.0.1:0",
            tls=tls.files(own),
            own=own,
            trust_domains=[DOMAIN],
            roles=roles,
            register=[add],
            services=sorted({name.split("/")[1] for name in roles}),
            limits=ServerLimits(),
        )
        await server.start()
        servers.append(server)
    ports = [server.port for server in servers]
    config = bank_folder(folder / "bank", chain, tls, ports, database)
    try:
        yield World(chain, hub, regulator, FixedClock(NOW), config, folder / "bank")
    finally:
        for server in servers:
            await server.stop(0)


def bank_folder(
    folder: Path, chain: Chain, tls: TlsChain, ports: list[int], database: str
) -> BankConfig:
    """The folder of the bank, as `init` and `join` leave it."""
    folder.mkdir()
    files = tls.files(HARBOUR)
    write_secret(folder / "signing.key", chain.signing[HARBOUR].to_pem())
    write_secret(folder / "sealing.key", chain.sealing[HARBOUR].to_bytes())
    write_secret(folder / "storage.key", secrets.token_bytes(32))
    (folder / "trust.json").write_bytes(chain.root.payload())
    credential = chain.member(
        HARBOUR, chain.signing[HARBOUR].public, sealing=chain.sealing[HARBOUR].public
    ).sign(chain.signing[REGULATOR])
    (folder / "member.json").write_bytes(credential.to_json())
    (folder / "node.toml").write_text(
        f"""
chain = "{chain.root.chain}"
trust_domain = "{DOMAIN}"
name = "{HARBOUR.name}"
data_dir = "data"
listen = "127.0.0.1:0"
signing_key = "signing.key"
key_encryption_key = "storage.key"
sealing_key = "sealing.key"
credential = "member.json"
trust_bundle = "trust.json"
[tls]
certificate = "{files.certificates}"
key = "{files.private_key}"
ca = "{files.authorities}"
[hub]
name = "{HUB.name}"
address = "127.0.0.1:{ports[0]}"
[regulator]
name = "{REGULATOR.name}"
address = "127.0.0.1:{ports[1]}"
[api]
listen = "127.0.0.1:0"
{f'[database]{chr(10)}url = "{database}"' if database else ""}
"""
    )
    (folder / "node.toml").chmod(0o600)
    return load(BankConfig, folder / "node.toml", {})
