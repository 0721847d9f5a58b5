"""`yinxin enterprise asked`: which banks asked about the enterprise, from the hub's registry."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from federation.purpose import PURPOSE_TITLES, Purpose
from node.cli.enterprise_shared import HERE, Directory, Hub, HubId, Trust, hub_of, time_text
from node.cli.output import LANGUAGE, AsJson, Lang, emit, language_of
from node.clock import SystemClock
from node.enterprise.home import EnterpriseHome

if TYPE_CHECKING:
    from rich.console import RenderableType

    from node.enterprise.client import Asked

_HEADINGS: Final = {
    "time": ("时间（UTC）", "Time (UTC)"),
    "bank": ("银行", "Bank"),
    "purpose": ("用途", "Purpose"),
    "fields": ("评分项", "Fields"),
    "consent": ("授权", "Consent"),
    "cancelled": ("撤销（UTC）", "Cancelled (UTC)"),
}
_WHOLE: Final = frozenset({"time", "bank", "consent"})
"""Columns that are not broken on a narrow terminal."""
_SHOWN_HEX: Final = 8


def asked(
    hub: Hub,
    hub_id: HubId,
    trust: Trust,
    directory: Directory = HERE,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Who asked about the enterprise, when, for what. / 查看谁查询过本企业"""
    from node.enterprise.client import ConsentClient

    enterprise = EnterpriseHome(directory).load(SystemClock().now())
    root, party = hub_of(trust, hub_id)

    async def run() -> list[Asked]:
        authority = root.authority.encode()
        async with ConsentClient.connect(enterprise, party, hub, authority) as client:
            return await client.asked()

    found = [_shown(use) for use in asyncio.run(run())]
    result = {"uscc": enterprise.uscc, "hub": str(party), "asked": found}
    emit(result, as_json, None if as_json else _table(found, language_of(lang)))


def _shown(use: Asked) -> dict[str, Any]:
    return {
        "time": time_text(use.time),
        "bank": str(use.bank),
        "purpose": use.purpose,
        **{f"purpose_{language}": _title(use.purpose, language) for language in ("zh", "en")},
        "fields": list(use.fields),
        "epoch": use.epoch,
        "consent": use.consent.hex(),
        "cancelled": time_text(use.cancelled) if use.cancelled else None,
        "certificate": use.certificate.hex(),
        "permits": [permit.hex() for permit in use.permits],
    }


def _title(code: str, language: str) -> str:
    """What a purpose is called; the code itself for one that this program does not know."""
    known = code in set(Purpose)
    return PURPOSE_TITLES[Purpose(code)][language] if known else code


def _table(found: list[dict[str, Any]], language: str) -> RenderableType:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name, (zh, en) in _HEADINGS.items():
        heading = zh if language == "zh" else en
        table.add_column(heading, overflow="fold", no_wrap=name in _WHOLE)
    for use in found:
        table.add_row(
            _minutes(use["time"]),
            use["bank"].rpartition("/")[2],
            use[f"purpose_{language}"],
            Text(", ".join(use["fields"])),  # no markup in what a bank named them
            use["consent"][:_SHOWN_HEX],
            _minutes(use["cancelled"] or "–"),
        )
    return table


def _minutes(text: str) -> str:
    return text[:16].replace("T", " ")
