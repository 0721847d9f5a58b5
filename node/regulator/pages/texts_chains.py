"""Words of the page on other chains."""

from __future__ import annotations

from typing import Final

from node.regulator.pages.texts import SECTIONS, SHARED
from scoring.documents import Text

STATES: Final = {
    "pinned": (Text(zh="已信任", en="trusted"), "good"),
    "expired": (Text(zh="已过期", en="expired"), "bad"),
    "withdrawn": (Text(zh="已撤销", en="withdrawn"), "soft"),
}

CHAINS: Final[dict[str, Text]] = SHARED | {
    "title": SECTIONS["/chains"][0],
    "lead": Text(
        zh="本链信任的其他征信链：信任包、往来查询，以及双方监管机构的审计共享。",
        en="The chains that this one trusts: their bundles, queries between them, and the audit "
        "shares of both regulators.",
    ),
    "own_note": Text(zh="本链", en="this chain"),
    "network": Text(zh="互联网络", en="The network"),
    "network_hint": Text(
        zh="连线上为往来查询数（转出 / 转入，近半年）；粗细按查询量。",
        en="On the lines: queries out / in of half a year; thickness by their number.",
    ),
    "edge": Text(zh="{out} / {in_}", en="{out} / {in_}"),
    "pinned_since": Text(zh="信任包第{sequence}版", en="bundle {sequence}"),
    "bundle": Text(zh="信任包", en="Bundle"),
    "bundle_age": Text(zh="版本龄期", en="Pinned for"),
    "until": Text(zh="有效期至", en="Until"),
    "heard": Text(zh="最近联系", en="Last heard"),
    "hub_has": Text(zh="平台已收", en="Hub has it"),
    "trusts_us": Text(zh="对方信任本链", en="Trusts this chain"),
    "trusts_by": Text(zh="是（第{sequence}版）", en="yes (bundle {sequence})"),
    "fingerprint": Text(zh="监管机构指纹", en="Regulator's fingerprint"),
    "problem": Text(zh="联系问题", en="Problem"),
    "reason": Text(zh="撤销原因", en="Why withdrawn"),
    "outward": Text(zh="转出查询", en="Queries out"),
    "inward": Text(zh="转入查询", en="Queries in"),
    "reconciled": Text(zh="已核对", en="Reconciled"),
    "open": Text(zh="待核对", en="Open"),
    "covered": Text(zh="对方共享至", en="They shared up to"),
    "given": Text(zh="已提供共享", en="Shares given"),
    "received": Text(zh="已收到共享", en="Shares received"),
    "shares_of": Text(zh="{count}份，最近{last}", en="{count}, last {last}"),
    "ago_days": Text(zh="{n}天", en="{n} days"),
    "ago_hours": Text(zh="{n}小时", en="{n} hours"),
    "ago_minutes": Text(zh="{n}分钟", en="{n} minutes"),
    "empty": Text(
        zh="本链尚未信任任何其他链。收到对方信任包并当面核对指纹后，运行：",
        en="No other chain is trusted yet. With its bundle, and its fingerprint read out by its "
        "regulator, run:",
    ),
    "unreached": Text(zh="无法联系", en="not reached"),
    "late_share": Text(zh="共享逾期", en="share overdue"),
}
