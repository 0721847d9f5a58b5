"""Regulators of several chains in folders of their own, each with a server for its peers."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from federation.authority import CertificateAuthority, key_usage
from federation.entries import Entry, read_entry
from federation.identity import Role, SpiffeId, dns_name
from federation.interchain.bundle import TrustBundle
from federation.signed import Signed
from federation.subjects import SubjectAuthority
from federation.tlskeys import make_csr, new_tls_key, tls_key_to_pem
from node.clock import FixedClock
from node.config import PeerConfig, RegulatorConfig, load
from node.enrolment import HomeSettings
from node.peers import PeerChannels, PeerTrust, add_peer_server, home_chain
from node.regulator.membership import Regulator
from node.regulator.peers.own import publish
from node.regulator.peers.pinning import pin_chain
from node.regulator.root import init_regulator
from node.rpc.client import Channel
from node.rpc.identity import peer
from node.rpc.tls import TlsFiles
from node.runtime import running
from tests.node.rpc.parties import DOWN, ECHO, FAST, service
from yinxin.v1.common_pb2 import Chunk

ROLES: Mapping[str, frozenset[Role]] = {
    ECHO: frozenset({Role.HUB, Role.REGULATOR}),
    DOWN: frozenset({Role.REGULATOR}),
}


@cache
def started() -> int:
    """One time for all places: TLS reads the real clock."""
    return int(time.time())


@cache
def licence() -> SubjectAuthority:
    return SubjectAuthority.create("licence.example", started())


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class Place:
    """The regulator of a chain: its folder, and its node while `serving`."""

    base: Path
    chain: str
    now: int = field(default_factory=started)

    def __post_init__(self) -> None:
        self.domain = f"{self.chain}.yinxin.example"
        self.folder = self.base / self.chain
        self.address = f"127.0.0.1:{free_port()}"
        self.hub = SpiffeId(self.domain, Role.HUB, "hub")
        self.id = SpiffeId(self.domain, Role.REGULATOR, "pboc")
        self.clock = FixedClock(self.now)
        self.callers: list[tuple[SpiffeId, str]] = []
        self.root = init_regulator(
            self.folder,
            chain=self.chain,
            trust_domain=self.domain,
            name="pboc",
            licence_authority=licence().certificate_pem,
            title={"zh": "甲", "en": "a"},
            settings=HomeSettings(
                listen="127.0.0.1:0",
                hub=PeerConfig(name="hub", address="127.0.0.1:9"),
                peers=self.address,
                peer_hub="127.0.0.1:9",
            ),
            now=self.now,
            days=365,
        )

    def config(self) -> RegulatorConfig:
        """No hour and no day is quiet: tests run at night and on holidays, too."""
        days = [
            str(datetime.fromtimestamp(self.now, UTC).date() + timedelta(n)) for n in (-1, 0, 1)
        ]
        environment = {
            "YINXIN__AUDIT__QUIET_FROM": "0",
            "YINXIN__AUDIT__QUIET_UNTIL": "0",
            "YINXIN__AUDIT__WORKING_DAYS": json.dumps(days),
        }
        return load(RegulatorConfig, self.folder / "node.toml", environment)

    @property
    def authority(self) -> CertificateAuthority:
        """The one that issues now."""
        config = self.config()
        return CertificateAuthority.from_pem(
            config.authority_certificate.read_bytes(), config.authority_key.read_bytes()
        )

    def files(self, party: SpiffeId, authorities: bytes, issuer: Any = None) -> TlsFiles:
        """A certificate for `party`, of this chain's authority or of `issuer`."""
        key = new_tls_key()
        issuer = issuer or self.authority
        certificate = issuer.issue_tls(make_csr(key), party, self.now, 30, [dns_name(party)])
        return write_files(self.base, certificate, tls_key_to_pem(key), authorities)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Regulator]:
        async with running(self.config(), workers=1, clock=self.clock) as regulator:
            yield regulator

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Node]:
        """The node with an echo for its peers."""
        async with self.running() as regulator:
            trust = PeerTrust(regulator.store, regulator.chain, self.clock)

            async def echo(request: Chunk, context: object) -> Chunk:
                self.callers.append((peer(), home_chain()))
                return request

            add_peer_server(regulator, trust, self.address, ROLES, service(Echo=echo))
            await regulator.servers[-1].start()
            try:
                yield Node(self, regulator, trust, PeerChannels(regulator, trust))
            finally:
                await regulator.servers[-1].stop(0)


@dataclass
class Node:
    """A serving node."""

    place: Place
    regulator: Regulator
    trust: PeerTrust
    channels: PeerChannels

    async def bundle(self) -> Signed:
        return await publish(self.regulator)

    async def pin(self, other: Node) -> None:
        bundle = await other.bundle()
        shown = TrustBundle.parse(bundle.payload).fingerprint()
        await pin_chain(self.regulator, bundle, shown)

    async def call(self, chain: str) -> int:
        """The regulator of a peer chain, asked for an echo."""
        channel = await self.channels.regulator(chain)
        return (await channel.unary(ECHO, Chunk(total=7), Chunk, 5.0)).total

    async def entries(self, kind: str) -> list[Entry]:
        found = [read_entry(one.entry) async for one in self.regulator.log.iterate()]
        return [one for one in found if one.kind == kind]

    async def reasons(self) -> list[object]:
        return [one.body["reason"] for one in await self.entries("refusal")]


def write_files(folder: Path, certificate: bytes, key: bytes, authorities: bytes) -> TlsFiles:
    stem = folder / f"party-{time.monotonic_ns()}"
    files = TlsFiles(stem.with_suffix(".pem"), stem.with_suffix(".key"), stem.with_suffix(".roots"))
    files.certificates.write_bytes(certificate)
    files.private_key.touch(mode=0o600)
    files.private_key.write_bytes(key)
    files.authorities.write_bytes(authorities)
    return files


def calling(files: TlsFiles, place: Place) -> Channel:
    """A channel to the regulator of `place` with any certificate."""
    return Channel(place.id, place.address, files, FAST)


class Unbound:
    """An authority of `domain` without name constraints: it can issue for every other domain."""

    def __init__(self, domain: str, now: int) -> None:
        honest = CertificateAuthority.create(domain, now)
        self.key = ec.generate_private_key(ec.SECP256R1())
        subject = honest.certificate.subject
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"spiffe://{domain}")])
        identifier = x509.SubjectKeyIdentifier.from_public_key(self.key.public_key())
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(honest.certificate.not_valid_before_utc)
            .not_valid_after(honest.certificate.not_valid_after_utc)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(key_usage(certificates=True), critical=True)
            .add_extension(names, critical=False)
            .add_extension(identifier, critical=False)
            .sign(self.key, hashes.SHA256())
        )
        # Whatever domain the leaf is of, the honest code makes it.
        self._maker = CertificateAuthority(self.certificate, self.key)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue_tls(self, csr: bytes, party: SpiffeId, *rest: Any) -> bytes:
        self._maker.trust_domain = party.trust_domain
        return self._maker.issue_tls(csr, party, *rest)


async def until(condition: Any, seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)
