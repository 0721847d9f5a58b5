"""The sections that every role's configuration has."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from federation.errors import FederationError
from federation.identity import Role, SpiffeId
from federation.permit import PermitPolicy
from node.config.fields import Address, AnyPath, ReadableFile, Seconds, SecretFile


class Section(BaseModel):
    """A part of the configuration: frozen, and strict about its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class DatabaseConfig(Section):
    """Where the node keeps its state; SQLite in `data_dir` unless an URL is given."""

    url: SecretStr | None = None
    """An SQLAlchemy URL: sqlite:///FILE or postgresql+pg8000://USER@HOST/NAME."""
    password_file: SecretFile | None = None
    """The password for the URL, so that the URL need not hold it."""
    pool: Annotated[int, Field(ge=2, le=64)] = 8
    """Connections kept for readers."""
    batch: Annotated[int, Field(ge=1, le=4096)] = 256
    """Units of work that one commit may carry."""
    queue: Annotated[int, Field(ge=1, le=1_000_000)] = 8192
    """Units of work that may wait; more are refused at once."""

    @field_validator("url")
    @classmethod
    def _known(cls, url: SecretStr | None) -> SecretStr | None:
        schemes = ("sqlite", "postgresql+pg8000")
        if url is not None and urlsplit(url.get_secret_value()).scheme not in schemes:
            raise ValueError(
                "names no database Yinxin works with; "
                "write sqlite:///FILE or postgresql+pg8000://USER@HOST/NAME"
            )
        return url


class TlsConfig(Section):
    """Mutual TLS 1.3: this node's certificate and key, and the chain's certificate authority."""

    certificate: ReadableFile
    key: SecretFile
    ca: ReadableFile


class LogConfig(Section):
    """The application log, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


class MetricsConfig(Section):
    """Prometheus metrics; off unless an address is given."""

    listen: Address | None = None


class TracingConfig(Section):
    """OpenTelemetry traces; off unless an endpoint is given."""

    endpoint: str | None = None
    """URL of an OTLP collector over HTTP. Needs the extra `otlp`."""


class DeadlinesConfig(Section):
    """How long a call may take, in seconds."""

    connect: Seconds = 5.0
    query: Seconds = 10.0
    prepare: Seconds = 120.0
    shutdown: Seconds = 15.0


class LimitsConfig(Section):
    """What a caller may ask for at once."""

    message_bytes: Annotated[int, Field(ge=65_536, le=64 << 20)] = 4 << 20
    chunk_bytes: Annotated[int, Field(ge=4096, le=4 << 20)] = 1 << 20
    concurrent_calls: Annotated[int, Field(ge=1, le=100_000)] = 512

    @model_validator(mode="after")
    def _fits(self) -> LimitsConfig:
        if self.chunk_bytes >= self.message_bytes:
            raise ValueError("chunk_bytes must be below message_bytes, or no chunk can be sent")
        return self


ANY_HOST: Final = frozenset({"0.0.0.0", "[::]"})  # noqa: S104
"""Hosts that a server listens on and nobody can call."""


class TransparencyConfig(Section):
    """The node's transparency log on the network, and how far its witnesses may fall behind."""

    listen: Address = "127.0.0.1:0"
    """Where the log is served over HTTPS. Port 0 takes a free one: the hub tells it to others."""
    advertise: Address | None = None
    """Where others reach it; `listen` with the port it got unless given."""
    period: Annotated[float, Field(ge=0.1, le=30)] = 10.0
    """At most so many seconds after an entry a checkpoint covers it: a promise allows 60."""
    grace: Annotated[int, Field(ge=2, le=86_400)] = 600
    """A node answers nothing while an entry older than this, in seconds, is in no checkpoint that
    a majority of its witnesses cosigned."""

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        host = self.listen.rpartition(":")[0]
        if host in ANY_HOST and self.advertise is None:
            raise ValueError(f"nobody reaches {host}; say in advertise where others reach the log")
        return self


class PermitTransparencyConfig(TransparencyConfig):
    """The same for a hub or holder, with the chain's policy."""

    permit_policy: PermitPolicy = PermitPolicy.PROMISE
    """What a holder demands of a permit: that the hub promises to log it, or the proof that its
    log, as witnesses know it, has it. The same at all of a chain."""


class StatisticsConfig(Section):
    """How much a holder's published statistics may tell of one firm."""

    epsilon_a_year: Annotated[float, Field(ge=0.1, le=12)] = 4.0
    """The sum of ε of all releases within 365 days: one a month at ε = 1 is the most."""


class CertificationConfig(Section):
    """How submissions are judged: one at a time, by a worker of its own."""

    seconds: Annotated[float, Field(ge=10, le=3_600)] = 600.0
    """How long policy may take for one submission, in seconds; then it is given up."""
    waiting: Annotated[int, Field(ge=0, le=1_000)] = 16
    """Submissions that may wait while one is judged; more are refused at once, and no bank has
    more than two."""


class AffiliatesConfig(Section):
    """Banks that are judged as one: what is certified for one counts for all of a group."""

    groups: tuple[tuple[str, ...], ...] = ()
    """SPIFFE ids of banks, of this chain or of peer chains, each in one group at most. A relation
    counts from when it stands here, for everything certified within 24 months."""

    @field_validator("groups")
    @classmethod
    def _banks(cls, groups: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
        seen: set[str] = set()
        for group in groups:
            if len(group) < 2:
                raise ValueError("a group has at least two banks")
            for name in group:
                if _role_of(name) is not Role.BANK:
                    raise ValueError(f"{name!r} is no bank's SPIFFE id; write spiffe://…/bank/NAME")
                if name in seen:
                    raise ValueError(f"{name} stands there twice; join the two groups")
                seen.add(name)
        return groups

    def of(self, bank: SpiffeId) -> frozenset[str]:
        """The bank and its affiliates, as text."""
        own = str(bank)
        return frozenset({own}).union(*(group for group in self.groups if own in group))

    def touching(self, banks: Collection[SpiffeId]) -> tuple[tuple[SpiffeId, ...], ...]:
        """The groups that any of these banks is in."""
        names = {str(bank) for bank in banks}
        found = (group for group in self.groups if names.intersection(group))
        return tuple(tuple(SpiffeId.parse(name) for name in group) for group in found)


def _role_of(text: str) -> Role | None:
    try:
        return SpiffeId.parse(text).role
    except FederationError:
        return None


class MirrorConfig(Section):
    """How a regulator's node mirrors the logs of its chain."""

    period: Annotated[float, Field(ge=0.1, le=30)] = 5.0
    """Seconds between two rounds of all logs."""
    grace: Annotated[int, Field(ge=1, le=86_400)] = 600
    """How long a log may be away, or without a quorum of cosignatures, in seconds."""
    bundles: Annotated[int, Field(ge=1, le=4096)] = 32
    """The most bundles (256 entries) of a log that a round reads again: what is small enough for
    that is read again whole each minute."""
    addresses: dict[str, Address] = {}
    """Where the logs of some members are, by SPIFFE id, instead of where the hub says."""


class TokenConfig(Section):
    """A PKCS#11 token that seals the regulator's audit master key; without a module there is none.

    The serving process reads none of the files, and need not be able to.
    """

    module: AnyPath | None = None
    """The token's PKCS#11 library."""
    token: str = ""
    """The token's label."""
    key: str = ""
    """The label of its AES key."""
    pin_file: AnyPath | None = None
    """A file with the user's PIN."""

    @model_validator(mode="after")
    def _whole(self) -> TokenConfig:
        given = [self.module is not None, self.token, self.key, self.pin_file is not None]
        if any(given) and not all(given):
            raise ValueError("module, token, key and pin_file go together; give all or none")
        return self


class PeerConfig(Section):
    """Another member that this node calls."""

    name: str
    """The last part of its SPIFFE id; role and trust domain follow from where it is written."""
    address: Address


class ConsentsConfig(Section):
    """The hub's address for enterprises. Their certificates come from the licence authority."""

    listen: Address
    licence_authority: ReadableFile


class ApiConfig(Section):
    """The REST interface for a bank's own systems."""

    listen: Address = "127.0.0.1:8080"
    tokens: SecretFile | None = None
    """A file with one line `NAME SHA256-OF-TOKEN-IN-HEX` for each system that may call."""
    certificate: ReadableFile | None = None
    key: SecretFile | None = None

    @model_validator(mode="after")
    def _tls(self) -> ApiConfig:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together; give both or neither")
        host = self.listen.rpartition(":")[0]
        if self.certificate is None and host not in {"127.0.0.1", "[::1]", "localhost"}:
            raise ValueError(
                "the interface leaves this machine without TLS; give certificate and key"
            )
        return self


class LabelsConfig(Section):
    """What a regulator demands of labels before it encrypts them for development without data."""

    least_good: Annotated[int, Field(ge=100, le=1_000_000)] = 200
    """Firms that paid, at least: counts over few firms are about these few."""
    least_bad: Annotated[int, Field(ge=50, le=1_000_000)] = 100
    """Firms that defaulted, at least."""
    epsilon_year: Annotated[float, Field(ge=0.1, le=10)] = 3.0
    """What the counts of one bank may cost a firm within 365 days, as ε at δ = 10⁻⁶, over all of
    its certificates and all holders."""


class CountsConfig(Section):
    """How much a holder's counts of labels may tell of one firm, as ε at δ = 10⁻⁶."""

    epsilon_bank_year: Annotated[float, Field(ge=0.1, le=6)] = 3.0
    """All releases to one bank within 365 days."""
    epsilon_year: Annotated[float, Field(ge=0.1, le=12)] = 6.0
    """All releases to any bank within 365 days: banks may tell each other what they got."""

    @model_validator(mode="after")
    def _order(self) -> CountsConfig:
        if self.epsilon_bank_year > self.epsilon_year:
            raise ValueError("epsilon_bank_year is above epsilon_year; one bank is among all")
        return self


class DisputesConfig(Section):
    """What a holder takes of disputes, and how long it keeps them."""

    keep_days: Annotated[int, Field(ge=30, le=3650)] = 365
    """How long after its answer a dispute is kept; then statement and answer are erased."""
    open_most: Annotated[int, Field(ge=1, le=100)] = 5
    """Disputes of one firm that may wait for an answer at a time."""
    month_most: Annotated[int, Field(ge=1, le=1000)] = 20
    """New disputes of one firm within 30 days."""


class DirectoriesConfig(Section):
    """How old what is known of a peer chain may be."""

    directory_hours: Annotated[float, Field(gt=0, le=168)] = 24.0
    """A peer chain's directory older than this is used no more."""


class PeersConfig(Section):
    """Where a node takes calls of peer chains; it takes none unless an address is given."""

    listen: Address | None = None
    advertise: Address | None = None
    """Where peer chains reach it; `listen` unless given."""

    @property
    def address(self) -> str | None:
        """Where peer chains reach this node, HOST:PORT; None when they do not."""
        return self.advertise or self.listen

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        host = (self.listen or "").rpartition(":")[0]
        if host in ANY_HOST and self.advertise is None:
            raise ValueError(f"nobody reaches {host}; say in advertise where peer chains do")
        return self


class HubPeersConfig(PeersConfig, DirectoriesConfig):
    """The same for a hub, with how long it uses what it knows of peer chains."""


class RegulatorPeersConfig(PeersConfig):
    """The same for a regulator, with what its chain's bundle says."""

    hub: Address | None = None
    """Where the chain's hub takes calls of peer chains."""
    period: Annotated[float, Field(ge=0.1, le=3600)] = 10.0
    """Seconds between two looks at the peers' bundles and pins."""
    bundle_days: Annotated[int, Field(ge=1, le=400)] = 90
    """How long a bundle is valid."""
    share_period: Annotated[float, Field(ge=0.1, le=3600)] = 300.0
    """Seconds between two looks at what a peer's regulator shares of its audit."""
    share_settle: Annotated[int, Field(ge=1, le=3600)] = 120
    """How old an entry of the chain's logs is, in seconds, before it is shared: by then all logs
    have theirs."""
