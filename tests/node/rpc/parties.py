"""A chain's authority for tests: it also issues what a proper authority would refuse to."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from federation.identity import Role, SpiffeId, dns_name
from node.rpc.client import Channel, ChannelLimits
from node.rpc.server import RpcServer, ServerLimits, build_server
from node.rpc.tls import TlsFiles

import grpc  # isort: skip  # after node.rpc
from yinxin.v1.common_pb2 import Chunk  # isort: skip

DOMAIN = "csj.yinxin.example"
HUB = SpiffeId(DOMAIN, Role.HUB, "hub")
TAX = SpiffeId(DOMAIN, Role.HOLDER, "tax")
POWER = SpiffeId(DOMAIN, Role.HOLDER, "power")
BANK = SpiffeId(DOMAIN, Role.BANK, "first")

SERVICE = "test.v1.Echo"
ECHO = f"/{SERVICE}/Echo"
UP = f"/{SERVICE}/Up"
DOWN = f"/{SERVICE}/Down"
HIDDEN = f"/{SERVICE}/Hidden"
ROLES: Mapping[str, frozenset[Role]] = {
    ECHO: frozenset({Role.HUB, Role.BANK}),
    UP: frozenset({Role.HUB}),
    DOWN: frozenset({Role.HUB}),
}
FAST = ChannelLimits(deadline=5.0, stream_deadline=10.0, reload=0.0)


@dataclass
class Chain:
    """One authority and the files of its parties, in `folder`."""

    folder: Path
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        builder = _builder(name, name, self.key.public_key()).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.root = builder.sign(self.key, hashes.SHA256())
        self.authorities = self.folder / "authorities.pem"
        self.authorities.write_bytes(self.root.public_bytes(serialization.Encoding.PEM))

    def files(self, party: SpiffeId) -> TlsFiles:
        """A proper certificate for `party`."""
        return self.issue(str(party).replace("/", "_"), [str(party)], [dns_name(party)])

    def issue(self, stem: str, uris: Sequence[str], hosts: Sequence[str] = ()) -> TlsFiles:
        """A certificate with any names; written over an older one of the same stem."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [*map(x509.UniformResourceIdentifier, uris), *map(x509.DNSName, hosts)]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "party")])
        builder = _builder(subject, self.root.subject, key.public_key())
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        files = TlsFiles(self.folder / f"{stem}.pem", self.folder / f"{stem}.key", self.authorities)
        files.certificates.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files.private_key.touch(mode=0o600)
        files.private_key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return files


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
    )


async def echo(request: Chunk, context: object) -> Chunk:
    return request


async def up(requests: AsyncIterator[Chunk], context: object) -> Chunk:
    return Chunk(data=b"".join([request.data async for request in requests]))


async def down(request: Chunk, context: object) -> AsyncIterator[Chunk]:
    for number in range(request.total):
        yield Chunk(total=number)


def service(**handlers: Any) -> Callable[[Any], None]:
    """Registers the test service; handlers may replace the honest ones."""
    kinds = {
        "Echo": (grpc.unary_unary_rpc_method_handler, echo),
        "Hidden": (grpc.unary_unary_rpc_method_handler, echo),
        "Up": (grpc.stream_unary_rpc_method_handler, up),
        "Down": (grpc.unary_stream_rpc_method_handler, down),
    }
    made = {
        name: make(handlers.get(name, honest), Chunk.FromString, Chunk.SerializeToString)
        for name, (make, honest) in kinds.items()
    }

    def register(server: Any) -> None:
        generic = grpc.method_handlers_generic_handler(SERVICE, made)
        server.add_generic_rpc_handlers((generic,))

    return register


@asynccontextmanager
async def serving(
    tls: TlsFiles, own: SpiffeId = TAX, handlers: Mapping[str, Any] | None = None, **more: Any
) -> AsyncIterator[RpcServer]:
    """A started server of the test service on a free loopback port."""
    more.setdefault("limits", ServerLimits())
    server = build_server(
        address=more.pop("address", "127.0.0.1:0"),
        tls=tls,
        own=own,
        trust_domains=[DOMAIN],
        roles=ROLES,
        register=[service(**(handlers or {}))],
        services=[SERVICE],
        **more,
    )
    await server.start()
    try:
        yield server
    finally:
        await server.stop(0)


def channel(port: int, tls: TlsFiles, party: SpiffeId = TAX, limits: Any = FAST) -> Channel:
    return Channel(party, f"127.0.0.1:{port}", tls, limits)
