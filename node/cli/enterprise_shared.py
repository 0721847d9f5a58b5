"""What an enterprise's commands share: options, and the hub that they speak to."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from federation.identity import SpiffeId
from federation.membership import TrustRoot
from node.enterprise import EnterpriseError
from node.identity import read_trust_root

Directory = Annotated[Path, typer.Option("--dir", help="The enterprise's folder. / 企业目录")]
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


def time_text(seconds: int) -> str:
    """Unix seconds as people write them, UTC; what is no time as it is."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return str(seconds)
