"""Who takes part in a chain of the demo, where they listen, and the folders they live in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from federation.identity import Role, SpiffeId
from node.clock import Clock, SystemClock
from node.demo.clock import SandboxClock
from node.demo.processes import free_ports

CHAIN = "csj"
LOOPBACK = "127.0.0.1"
LICENCE_DOMAIN = "licence.yinxin.example"

CHAINS: dict[str, dict[str, str]] = {
    "csj": {"zh": "长三角", "en": "Yangtze River Delta"},
    "zsj": {"zh": "珠三角", "en": "Pearl River Delta"},
    "jjj": {"zh": "京津冀", "en": "Beijing–Tianjin–Hebei"},
}
"""The chains by their short names, in the order in which they are shown."""

KINDS: dict[str, dict[str, str]] = {
    "registry": {"zh": "市场监管局", "en": "Market regulation"},
    "tax": {"zh": "税务局", "en": "Tax bureau"},
    "invoice": {"zh": "电子发票平台", "en": "Invoice platform"},
    "social_insurance": {"zh": "社会保险中心", "en": "Social insurance"},
    "housing_fund": {"zh": "住房公积金中心", "en": "Housing fund"},
    "electricity": {"zh": "电力公司", "en": "Power company"},
    "water": {"zh": "自来水公司", "en": "Water company"},
    "courts": {"zh": "人民法院", "en": "Courts"},
}
"""The holders of the sample, in the order in which they are shown."""


@dataclass(frozen=True)
class Party:
    """One node of the demo; addresses are HOST:PORT."""

    name: str
    id: SpiffeId
    title: dict[str, str]
    folder: Path
    address: str
    metrics: str
    extra: str = ""
    """A hub's address for enterprises, a bank's for its own systems."""
    database: str | None = None
    """The URL of its database; SQLite in its folder unless given."""
    peers: str | None = None
    """Where a hub or regulator takes calls of peer chains."""
    pages: str | None = None
    """Where people open its pages."""
    clock: Path | None = None
    """The file of the sandbox's clock, for a node that goes by it."""

    @property
    def config(self) -> Path:
        """The node's configuration."""
        return self.folder / "node.toml"

    @property
    def pages_url(self) -> str | None:
        """Where a browser opens its pages: under a name of its own, as cookies know no ports."""
        if self.pages is None:
            return None
        host = self.name.replace("_", "-")
        return f"http://{host}.localhost:{self.pages.rpartition(':')[2]}"

    @property
    def hosts(self) -> list[str]:
        """The addresses of this machine at which others reach the node."""
        found = [self.address, *([self.peers] if self.peers else [])]
        return list(dict.fromkeys(address.rpartition(":")[0] for address in found))


@dataclass(frozen=True)
class Layout:
    """All parties of one chain, below one folder."""

    chain: str
    root: Path
    hub: Party
    regulator: Party
    bank: Party
    rival: Party
    """A second bank of the chain; it runs no node of its own here."""
    holders: dict[str, Party]
    """By kind."""
    bank_runs: bool = True
    """Whether the bank runs a node; in a chain that is only asked by others it need not."""

    @property
    def clock(self) -> Clock:
        """What its parties go by."""
        file = self.hub.clock
        return SystemClock() if file is None else SandboxClock(file)

    @property
    def trust_domain(self) -> str:
        """The chain's SPIFFE trust domain."""
        return self.hub.id.trust_domain

    @property
    def servers(self) -> list[Party]:
        """The parties that run a node."""
        banks = [self.bank] if self.bank_runs else []
        return [self.hub, self.regulator, *banks, *self.holders.values()]

    @property
    def sample(self) -> Path:
        """Where the holders' files are."""
        return self.root / "sample"

    @property
    def licence_authority(self) -> Path:
        """The business-licence authority's folder."""
        return self.root / "licence-authority"


def plan(
    root: Path,
    kinds: list[str],
    databases: Mapping[str, str] | None = None,
    titles: Mapping[str, dict[str, str]] | None = None,
    chain: str = CHAIN,
    *,
    host: str = LOOPBACK,
    peers: str | None = None,
    clock: Path | None = None,
) -> Layout:
    """A layout on free ports.

    `databases` are URLs by the name of the party, for those that do not use SQLite; `titles` are
    for holders of other kinds than the sample's. Nodes take each other's calls at `host`. In one of
    several chains hub and regulator take those of the others at `peers`, an address of this
    machine, and the parties' names begin with the chain's. With `clock`, the file of a sandbox's
    clock, nodes go by that and have pages.
    """
    titled = {**KINDS, **(titles or {})}
    urls = databases or {}
    ports = iter(free_ports(4 * (len(kinds) + 4) + 2))
    place = CHAINS[chain]
    prefix = f"{chain}-" if peers else ""

    def party(name: str, role: Role, title: dict[str, str], folder: str = "") -> Party:
        address, metrics, extra = (
            f"{at}:{next(ports)}" for at in (host, LOOPBACK, host if role is Role.HUB else LOOPBACK)
        )
        dns = name.replace("_", "-")
        party_id = SpiffeId(f"{chain}.yinxin.example", role, dns)
        takes = peers is not None and role in (Role.HUB, Role.REGULATOR)
        return Party(
            name=prefix + name,
            id=party_id,
            title=title,
            folder=root / (folder or name),
            address=address,
            metrics=metrics,
            extra=extra,
            database=urls.get(name),
            peers=f"{peers}:{next(ports)}" if takes else None,
            pages=f"{LOOPBACK}:{next(ports)}" if clock is not None else None,
            clock=clock,
        )

    bank = {"zh": "示范银行", "en": "Example Bank"}
    if peers:
        bank = {"zh": f"{place['zh']}示范银行", "en": f"Example Bank, {place['en']}"}
    return Layout(
        chain=chain,
        root=root,
        hub=party("hub", Role.HUB, {"zh": f"{place['zh']}征信平台", "en": "Credit platform"}),
        regulator=party("regulator", Role.REGULATOR, {"zh": "人民银行分行", "en": "PBoC branch"}),
        bank=party("bank", Role.BANK, bank),
        rival=party("rival-bank", Role.BANK, {"zh": "另一家银行", "en": "Another bank"}),
        holders={kind: party(kind, Role.HOLDER, titled[kind], f"holder-{kind}") for kind in kinds},
    )
