"""What commands say of peer chains, and how: alike at regulator and hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from federation.auditkeys import CHINA
from federation.interchain.bundle import TrustBundle
from federation.interchain.pin import Pin

STATES: Final = {
    "pinned": {"zh": "已信任", "en": "pinned"},
    "expired": {"zh": "已过期", "en": "expired"},
    "withdrawn": {"zh": "已撤销", "en": "withdrawn"},
}


def described(bundle: TrustBundle) -> dict[str, Any]:
    """What a bundle says, but for its fingerprint."""
    return {
        "chain": bundle.yinxin_chain,
        "trust_domain": bundle.yinxin_trust_domain,
        "regulator": str(bundle.yinxin_regulator),
        "hub": str(bundle.yinxin_hub),
        "regulator_address": bundle.yinxin_regulator_address,
        "hub_address": bundle.yinxin_hub_address,
        "licence_domain": bundle.yinxin_licence_domain,
        "authorities": len(bundle.keys),
        "sequence": bundle.spiffe_sequence,
        "until": time_text(bundle.yinxin_not_after),
    }


def of_pin(pin: Pin, now: int) -> dict[str, Any]:
    """A pin and what its bundle says."""
    return {
        **described(pin.trust()),
        "state": pin.state_at(now),
        "number": pin.number,
        "until": time_text(pin.not_after),
        "fingerprint": pin.trust().fingerprint(),
        "reason": pin.reason,
    }


def time_text(seconds: int | None) -> str | None:
    """A time in China, ISO 8601."""
    return None if seconds is None else datetime.fromtimestamp(seconds, CHINA).isoformat()


def table(title: str, headings: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Any:
    """A table for people: `headings` and the values of each row, in order."""
    from rich.table import Table
    from rich.text import Text

    found = Table(title=title)
    for heading in headings:
        found.add_column(heading, overflow="fold")
    for row in rows:
        found.add_row(*(Text("" if value is None else str(value)) for value in row.values()))
    return found
