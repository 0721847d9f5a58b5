"""Credentials of servers and channels: mutual TLS 1.3, reloaded when the files change.

Both sides always present a certificate of the chain and verify the other's against the
authorities file alone; the machine's own certificate store is never used. Certificates carry
P-256 keys: with the cipher suite that `node.rpc` fixes, TLS 1.2 cannot be negotiated.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from federation.errors import IdentityError
from federation.identity import SpiffeId, dns_name
from node.errors import NodeError, SecretFileError
from node.keys import read_secret
from node.rpc.identity import certificate_identity

Stamp = tuple[tuple[int, int, int], ...]


class TlsError(NodeError):
    """A certificate, key or authorities file cannot serve a node."""


@dataclass(frozen=True)
class TlsMaterial:
    """What the three files held at one moment, checked. All PEM."""

    certificates: bytes
    private_key: bytes
    authorities: bytes
    identity: SpiffeId
    hosts: tuple[str, ...]

    def check_server(self, own: SpiffeId) -> None:
        """Raises TlsError unless clients that look for `own` will accept this certificate."""
        if self.identity != own:
            raise TlsError(f"certificate is for {self.identity}, not for {own}; install {own}'s")
        try:
            name = dns_name(own)
        except IdentityError as error:
            raise TlsError(str(error)) from error
        if name not in self.hosts:
            raise TlsError(f"certificate lacks the DNS name {name}; have it issued with that name")

    def __repr__(self) -> str:
        return f"TlsMaterial(identity={self.identity})"

    def server_configuration(self) -> grpc.ServerCertificateConfiguration:
        """For a server: own key and chain, and whose clients to accept."""
        return grpc.ssl_server_certificate_configuration(
            [(self.private_key, self.certificates)], root_certificates=self.authorities
        )

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """For a channel."""
        return grpc.ssl_channel_credentials(
            root_certificates=self.authorities,
            private_key=self.private_key,
            certificate_chain=self.certificates,
        )


@dataclass(frozen=True)
class TlsFiles:
    """Paths of a node's certificate chain (own first), private key and trusted authorities."""

    certificates: Path
    private_key: Path
    authorities: Path

    def load(self) -> TlsMaterial:
        """Reads and checks the files.

        Raises TlsError unless the key is an unencrypted P-256 key in a file of mode 0600, the
        first certificate is for that key and carries exactly one SPIFFE id, and there is at least
        one authority.
        """
        certificates = _read(self.certificates)
        try:
            private_key = read_secret(self.private_key)
        except SecretFileError as error:
            raise TlsError(str(error)) from error
        authorities = _read(self.authorities)
        try:
            key = serialization.load_pem_private_key(private_key, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise TlsError(f"{self.private_key}: not an unencrypted PEM private key") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
            raise TlsError(f"{self.private_key}: not a P-256 key; issue the certificate for one")
        own = _certificates(self.certificates, certificates)[0]
        _certificates(self.authorities, authorities)
        if own.public_key() != key.public_key():
            raise TlsError(f"{self.certificates}: not for the key in {self.private_key}")
        try:
            identity = certificate_identity(own)
        except IdentityError as error:
            raise TlsError(f"{self.certificates}: {error}") from error
        names = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        hosts = tuple(names.get_values_for_type(x509.DNSName))
        return TlsMaterial(certificates, private_key, authorities, identity, hosts)

    def stamp(self) -> Stamp:
        """Changes when a file is replaced or rewritten. Raises TlsError if one is missing."""
        paths = (self.certificates, self.private_key, self.authorities)
        try:
            found = [path.stat() for path in paths]
        except OSError as error:
            raise TlsError(f"{error.filename}: {error.strerror}") from error
        return tuple((one.st_mtime_ns, one.st_size, one.st_ino) for one in found)


class Reloader:
    """Loads the files again when they changed, and keeps the old material while they do not fit.

    A replacement is several writes; a key without its certificate is an ordinary moment on the
    way, told to `on_error` and tried again at the next look. Safe to use from several threads.
    """

    def __init__(self, files: TlsFiles, on_error: Callable[[TlsError], None]) -> None:
        self._files = files
        self._on_error = on_error
        self._lock = threading.Lock()
        self._stamp = files.stamp()
        self.material = files.load()

    def changed(self) -> TlsMaterial | None:
        """The new material, once after each change; None when there is nothing new."""
        with self._lock:
            try:
                stamp = self._files.stamp()
                if stamp == self._stamp:
                    return None
                material = self._files.load()
            except TlsError as error:
                self._on_error(error)
                return None
            self._stamp = stamp
            self.material = material
            return material


def server_credentials(
    files: TlsFiles,
    on_error: Callable[[TlsError], None],
    authorities: Callable[[], bytes] | None = None,
) -> grpc.ServerCredentials:
    """Requires a client certificate; a new connection sees the files as they are then.

    `authorities` (PEM) are asked for at each new connection, in place of those of the files. It is
    called in a thread of gRPC's; when it raises, the connection is judged by the last ones.
    """
    reloader = Reloader(files, on_error)

    def current() -> TlsMaterial:
        reloader.changed()
        if authorities is None:
            return reloader.material
        return replace(reloader.material, authorities=authorities())

    served = current()

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        nonlocal served
        material = current()
        if material == served:
            return None
        served = material
        return material.server_configuration()

    return grpc.dynamic_ssl_server_credentials(
        served.server_configuration(),
        fetch,  # type: ignore[arg-type]  # None for "unchanged" is documented, the stubs omit it
        require_client_authentication=True,
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TlsError(f"{path}: {error.strerror}") from error


def _certificates(path: Path, pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise TlsError(f"{path}: no PEM certificate") from error
