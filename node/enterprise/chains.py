"""The chains that a firm deals with: for each the trust root, and where its hub is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from federation.canonical import canonical_json, parse_canonical
from federation.errors import DocumentError
from federation.identity import Role, SpiffeId
from federation.membership import TrustRoot
from node.config.fields import is_address
from node.enrolment.folder import read_file, write_public
from node.enterprise.client import ConsentClient
from node.enterprise.enterprise import Enterprise
from node.enterprise.errors import EnterpriseError
from node.identity import read_trust_root

CHAINS: Final = "chains"
TRUST: Final = "trust.json"
HUB: Final = "hub.json"
_MAX_BYTES: Final = 4096


@dataclass(frozen=True)
class ChainLink:
    """One chain: its root of trust, its hub, and the hub's address for enterprises."""

    root: TrustRoot
    hub: SpiffeId
    address: str

    def __post_init__(self) -> None:
        """Raises EnterpriseError for a hub of another chain, or no address."""
        if self.hub.role is not Role.HUB:
            raise EnterpriseError(f"hub-id: {self.hub} is no hub")
        if self.hub.trust_domain != self.root.trust_domain:
            domain = self.root.trust_domain
            raise EnterpriseError(f"hub-id: {self.hub} is not of {domain}, the chain's domain")
        if not is_address(self.address):
            raise EnterpriseError(f"hub: {self.address!r} is not HOST:PORT")

    @property
    def chain(self) -> str:
        """The chain's name."""
        return self.root.chain

    @asynccontextmanager
    async def connect(self, enterprise: Enterprise) -> AsyncIterator[ConsentClient]:
        """A connection to the hub as this firm."""
        authority = self.root.authority.encode()
        async with ConsentClient.connect(enterprise, self.hub, self.address, authority) as client:
            yield client


def keep_link(home: Path, link: ChainLink) -> None:
    """Remembers a chain in the firm's folder, over what was remembered of it."""
    folder = home / CHAINS / link.chain
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EnterpriseError(f"{folder} cannot be made ({error.strerror})") from error
    write_public(folder / TRUST, link.root.payload())
    write_public(folder / HUB, canonical_json({"hub": str(link.hub), "address": link.address}))


def known_links(home: Path) -> dict[str, ChainLink]:
    """The chains that the firm's folder has, by name. Raises EnterpriseError for a bad file."""
    folder = home / CHAINS
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return {link.chain: link for link in (_link(folder / name) for name in names)}


def link_of(home: Path, chain: str = "") -> ChainLink:
    """The chain of that name, or the only one. Raises EnterpriseError."""
    links = known_links(home)
    if not links:
        raise EnterpriseError(f"{home} knows no chain; run: yinxin enterprise connect")
    if not chain and len(links) == 1:
        return next(iter(links.values()))
    if chain not in links:
        raise EnterpriseError(f"chain: {chain or 'none'} is none of {', '.join(links)}; name one")
    return links[chain]


def _link(folder: Path) -> ChainLink:
    root = read_trust_root(folder / TRUST)
    if root.chain != folder.name:
        raise EnterpriseError(f"{folder} holds the root of {root.chain}; connect it again")
    try:
        value = parse_canonical(read_file(folder / HUB, "hub"), _MAX_BYTES)
        return ChainLink(root, SpiffeId.parse(value["hub"]), value["address"])
    except (DocumentError, KeyError, TypeError) as error:
        raise EnterpriseError(f"{folder / HUB} is damaged; connect the chain again") from error
