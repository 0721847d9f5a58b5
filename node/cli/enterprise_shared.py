"""What an enterprise's commands share: options, and the hub that they speak to."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from federation.identity import SpiffeId
from federation.membership import TrustRoot
from node.enterprise import EnterpriseError
from node.identity import read_trust_root

if TYPE_CHECKING:
    from node.enterprise.giving import Action

Directory = Annotated[
    Path, typer.Option("--dir", "--home", help="The enterprise's folder. / 企业目录")
]
Hub = Annotated[str, typer.Option(help="HOST:PORT of the hub for enterprises. / 平台地址")]
HubId = Annotated[str, typer.Option(help="SPIFFE id of the hub. / 平台标识")]
Trust = Annotated[Path, typer.Option(help="The chain's trust.json. / 信任根")]
HERE: Final = Path()


def hub_of(trust: Path, hub_id: str) -> tuple[TrustRoot, SpiffeId]:
    """Trust root and hub. Raises EnterpriseError for a hub of another chain."""
    root, party = read_trust_root(trust), SpiffeId.parse(hub_id)
    if party.trust_domain != root.trust_domain:
        raise EnterpriseError(f"hub-id: {party} is not of {root.trust_domain}, the chain's domain")
    return root, party


def remember(
    directory: Path,
    compact: str,
    chain: str = "",
    action: Action = "registered",
    receipt: bytes = b"",
) -> None:
    """Keeps a consent in the firm's own list, which its pages show, and a hub's receipt if any."""
    from node.enterprise.agent import open_agent
    from node.enterprise.giving import keep_consent, keep_receipt

    async def run() -> None:
        async with open_agent(directory) as agent:
            consent = await keep_consent(agent, compact)
            if receipt:
                await keep_receipt(agent, consent, chain, action, receipt)

    asyncio.run(run())


def time_text(seconds: int) -> str:
    """Unix seconds as people write them, UTC; what is no time as it is."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return str(seconds)
