"""The configuration of each role. A role's class adds its own fields to NodeConfig's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar
from urllib.parse import quote

from pydantic import Field, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from federation.audit.thresholds import AuditThresholds
from federation.errors import FederationError
from federation.identity import Role, SpiffeId
from federation.policy import PolicyThresholds
from node.config.fields import PREFIX, Address, AnyPath, ReadableFile, SecretFile, origin
from node.config.pages import PagesConfig
from node.config.sections import (
    AffiliatesConfig,
    ApiConfig,
    CertificationConfig,
    ConsentsConfig,
    CountsConfig,
    DatabaseConfig,
    DeadlinesConfig,
    DirectoriesConfig,
    DisputesConfig,
    HubPeersConfig,
    LabelsConfig,
    LimitsConfig,
    LogConfig,
    MetricsConfig,
    MirrorConfig,
    PeerConfig,
    PermitTransparencyConfig,
    RegulatorPeersConfig,
    StatisticsConfig,
    TlsConfig,
    TokenConfig,
    TracingConfig,
    TransparencyConfig,
)
from node.errors import ConfigError, ConfigProblem
from node.keys import read_secret
from node.pages.duties import DUTIES


class _Environment(EnvSettingsSource):
    """The environment handed to `load`, in place of the process's own."""

    def __init__(self, settings_cls: type[BaseSettings], environment: Mapping[str, str]) -> None:
        self._environment = environment
        super().__init__(settings_cls)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {key.lower(): value for key, value in self._environment.items()}


class NodeConfig(BaseSettings):
    """What every role is configured with. A role's class adds its own fields."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        validate_default=False,
    )
    role: ClassVar[Role]

    chain: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
    """Short name of the chain, such as csj."""
    trust_domain: str
    """SPIFFE trust domain of the chain, such as csj.yinxin.example."""
    name: str
    """This member's name; with role and trust domain it makes its SPIFFE id."""
    data_dir: AnyPath
    listen: Address = "127.0.0.1:7443"
    advertise: Address | None = None
    """Where others reach this node; `listen` unless given."""
    signing_key: SecretFile
    """Ed25519 private key, PKCS #8 PEM, with which the node signs documents."""
    key_encryption_key: SecretFile
    """32 bytes under which the node seals what it keeps."""
    credential: ReadableFile
    """The member credential that the chain's root of trust issued to this node."""
    trust_bundle: ReadableFile
    """The chain's root of trust."""
    workers: Annotated[int, Field(ge=1, le=256)] = 1
    """Worker processes for lattice and OPRF work."""
    tls: TlsConfig
    database: DatabaseConfig = DatabaseConfig()
    log: LogConfig = LogConfig()
    metrics: MetricsConfig = MetricsConfig()
    tracing: TracingConfig = TracingConfig()
    deadlines: DeadlinesConfig = DeadlinesConfig()
    limits: LimitsConfig = LimitsConfig()
    tlog: TransparencyConfig = TransparencyConfig()
    pages: PagesConfig = PagesConfig()
    """What people work on in a browser."""

    @field_validator("trust_domain")
    @classmethod
    def _trust_domain(cls, value: str) -> str:
        return _spiffe_part(value, cls.role, value, "node")

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        return _spiffe_part(value, cls.role, "example", value)

    @field_validator("pages")
    @classmethod
    def _pages(cls, value: PagesConfig) -> PagesConfig:
        given = {duty for duties in value.oidc.mapping.values() for duty in duties}
        unknown = sorted(given.difference(DUTIES[cls.role]))
        if unknown:
            known = ", ".join(DUTIES[cls.role])
            raise ValueError(f"oidc.duties gives {', '.join(unknown)}; this role has {known}")
        return value

    @property
    def spiffe_id(self) -> SpiffeId:
        """Who this node is."""
        return SpiffeId(self.trust_domain, self.role, self.name)

    @property
    def address(self) -> str:
        """Where others reach this node, HOST:PORT."""
        return self.advertise or self.listen

    def database_url(self) -> str:
        """The SQLAlchemy URL, password included: never log it. Raises SecretFileError."""
        if self.database.url is None:
            return f"sqlite:///{self.data_dir / f'{self.role.value}.sqlite'}"
        url = self.database.url.get_secret_value()
        if self.database.password_file is None:
            return url
        password = read_secret(self.database.password_file).decode().strip()
        scheme, _, rest = url.partition("://")
        user, _, host = rest.rpartition("@")
        return f"{scheme}://{user.partition(':')[0]}:{quote(password, safe='')}@{host}"

    def create_data_dir(self) -> Path:
        """Makes `data_dir`, closed to others, unless it is there. Raises ConfigError."""
        try:
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            problem = ConfigProblem(
                "data_dir",
                f"{self.data_dir} cannot be made ({error.strerror})",
                "make it, owned by the user that runs the node",
            )
            raise ConfigError(str(self.data_dir), [problem]) from error
        return self.data_dir

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments over environment over file; nothing is read but what `load` was given."""
        source = origin.get()
        return (
            init_settings,
            _Environment(settings_cls, source.environment),
            InitSettingsSource(settings_cls, init_kwargs=dict(source.document)),
        )


class HolderConfig(NodeConfig):
    """A data holder."""

    role = Role.HOLDER
    kind: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
    """What it holds, as the catalogue names it: registry, tax, invoice …"""
    agreement_key: SecretFile
    """X25519 private key, 32 bytes, with which it agrees masks with other holders."""
    sealing_key: SecretFile | None = None
    """Envelope key; only a holder that must by law be told the subject of a query has one."""
    hub: PeerConfig
    tlog: PermitTransparencyConfig = PermitTransparencyConfig()
    budget: Annotated[int, Field(ge=1)] = 10_000
    """Most permits of one bank that are answered within 24 hours, unless set for that bank."""
    mapping: AnyPath | None = None
    """The mapping file that `epoch load` takes unless it is given one, and that the pages edit."""
    development: CountsConfig = CountsConfig()
    statistics: StatisticsConfig = StatisticsConfig()
    disputes: DisputesConfig = DisputesConfig()


class HubConfig(NodeConfig):
    """The hub of a chain."""

    role = Role.HUB
    consents: ConsentsConfig
    """The address on which enterprises register and cancel consents."""
    retention_years: Annotated[int, Field(ge=1, le=100)] = 5
    """How long consents and permits are kept: nothing is erased before."""
    sealing_key: SecretFile | None = None
    """Envelope key to which banks of peer chains seal their queries; a hub without one takes
    none."""
    peers: HubPeersConfig = HubPeersConfig()
    tlog: PermitTransparencyConfig = PermitTransparencyConfig()


class BankConfig(NodeConfig):
    """A bank's agent."""

    role = Role.BANK
    sealing_key: SecretFile
    """Envelope key to which the regulator seals model keys and policy reports."""
    hub: PeerConfig
    regulator: PeerConfig
    api: ApiConfig = ApiConfig()
    peers: DirectoriesConfig = DirectoriesConfig()


class RegulatorConfig(NodeConfig):
    """The regulator of a chain."""

    role = Role.REGULATOR
    authority_certificate: ReadableFile
    """The certificate authority behind the chain's TLS certificates, and its key."""
    authority_key: SecretFile
    audit_key: AnyPath | None = None
    """The audit master key, 32 bytes, under which the keys that open evidence are wrapped. Only
    the audit reads it, and a process that exports one query's evidence from the pages, where it
    may: the serving process need not be able to."""
    audit_token: TokenConfig = TokenConfig()
    """The token that seals the audit master key; where it is given, `audit_key` is not used."""
    retention_years: Annotated[int, Field(ge=1, le=100)] = 5
    """How long evidence is kept: no audit key is erased before."""
    sealing_key: SecretFile
    """Envelope key to which banks seal the scorecards they submit."""
    hub: PeerConfig | None = None
    """Where the catalogue comes from, and audit keys go; needed once the chain has a hub."""
    policy: PolicyThresholds = PolicyThresholds()
    certification: CertificationConfig = CertificationConfig()
    affiliates: AffiliatesConfig = AffiliatesConfig()
    development: LabelsConfig = LabelsConfig()
    mirror: MirrorConfig = MirrorConfig()
    peers: RegulatorPeersConfig = RegulatorPeersConfig()
    audit: AuditThresholds = AuditThresholds()
    """How strict the audit's checks are."""

    @model_validator(mode="after")
    def _some_master(self) -> RegulatorConfig:
        if self.audit_key is None and self.audit_token.module is None:
            raise ValueError("give audit_key, or the section [audit_token]")
        return self


def _spiffe_part(value: str, role: Role, trust_domain: str, name: str) -> str:
    try:
        SpiffeId(trust_domain, role, name)
    except FederationError as error:
        raise ValueError(str(error)) from error
    return value
