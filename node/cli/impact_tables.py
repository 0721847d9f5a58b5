"""What the commands about a new catalogue show people: of the hub, of a holder, of a bank."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from node.cli.model_tables import say, table

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "feature": ("特征", "Feature"),
    "change": ("变化", "Change"),
    "bins": ("分箱", "Bins"),
    "gone": ("取消", "gone"),
    "added": ("新增", "added"),
    "kind_gone": ("数据类别取消", "kind gone"),
    "kind_new": ("数据类别新增", "kind added"),
    "moved": ("列位置移动", "columns moved"),
    "type": ("类型", "type"),
    "unit": ("单位", "unit"),
    "public": ("公开性", "public or not"),
    "sense": ("方向", "sense"),
    "title": ("名称", "title"),
    "statistics": ("统计", "statistics"),
    "same": ("两个目录没有差别", "The catalogues do not differ"),
    "first": ("尚未发布过目录，不影响任何一方", "No catalogue is published yet: nothing can break"),
    "models": (
        "已认证的模型（随最后一个数据期失效）",
        "Certified models (end with its last epoch)",
    ),
    "model": ("模型", "Model"),
    "bank": ("银行", "Bank"),
    "until": ("至", "Until"),
    "touched": ("涉及的数据类别", "Kinds that change"),
    "recertify": ("只需重新认证", "none: certify it again"),
    "holders": ("数据方", "Holders"),
    "holder": ("数据方", "Holder"),
    "mapping": ("映射", "Mapping"),
    "must": ("必须修改", "must change"),
    "may": ("可以补充", "may add"),
    "breaks": ("有内容会失效", "Something breaks"),
    "whole": ("不影响任何评分卡和映射", "No scorecard and no mapping has to change"),
    "state": ("结果", "Result"),
    "unchanged": ("分值不变", "unchanged"),
    "carried": ("可精确转换", "carried over exactly"),
    "broken": ("不能转换", "breaks"),
    "feature_gone": ("目录中没有该特征", "no such feature"),
    "conflict": ("合并了分值不同的分箱", "merges bins of unequal points"),
    "edges": ("缺少的分界", "edges that are missing"),
    "written": ("已写入", "written"),
    "disclosed_gone": ("授权中不再需要列出", "consents need not name any more"),
    "now_public": ("变为公开", "public now"),
    "not_public": ("不再公开", "public no more"),
    "range": ("分类特征不能有取值范围", "a category has no range"),
    "categories": ("目录中没有的类别", "categories without a bin"),
    "not_given": ("未提供，均为缺失", "Not given, missing for every firm"),
    "new": ("新增", "new"),
    "empty": ("没有取值对应的类别", "Categories that no value leads to"),
    "fits": ("映射与目录相符", "The mapping fits the catalogue"),
}


def word(key: str, lang: str) -> str:
    """A word of this page in the chosen language."""
    return say(key, lang, WORDS)


def difference_table(difference: Mapping[str, Any], lang: str) -> RenderableType:
    """What a catalogue changes of another (`scoring.impact.Difference` as data)."""
    from rich.text import Text

    rows = [(kind, word("kind_gone", lang), "") for kind in difference["kinds_gone"]]
    rows += [(kind, word("kind_new", lang), "") for kind in difference["kinds_new"]]
    rows += [(name, word("gone", lang), "") for name in difference["gone"]]
    rows += [(name, word("added", lang), "") for name in difference["added"]]
    for change in difference["changed"]:
        parts = ", ".join(word(part, lang) for part in change["parts"])
        bins = [f"− {label}" for label in change["bins_gone"]]
        bins += [f"+ {label}" for label in change["bins_new"]]
        rows.append((change["feature"], parts, "  ".join(bins)))
    known = {row[0] for row in rows}
    moved = [name for name in difference["moved"] if name not in known]
    rows += [(name, word("moved", lang), "") for name in moved]
    if not rows:
        return Text(word("same", lang))
    title = f"{difference['old']} → {difference['new']}"
    return filled(("feature", "change", "bins"), rows, lang, title)


def filled(
    columns: Sequence[str], rows: Iterable[Sequence[str]], lang: str, title: str = ""
) -> Table:
    """A table of text."""
    from rich.text import Text

    made = table([word(column, lang) for column in columns], title, left=len(columns))
    for row in rows:
        made.add_row(*map(Text, row))
    return made


def hub_page(impact: Mapping[str, Any], lang: str) -> RenderableType:
    """What a catalogue breaks, as the hub knows it (`node.hub.impact.CatalogueImpact` as data)."""
    from rich.console import Group
    from rich.text import Text

    if impact["difference"] is None:
        return Text(word("first", lang))
    parts: list[RenderableType] = [difference_table(impact["difference"], lang)]
    models = [
        (
            f"{one['name']} {one['certificate'][:12]}",
            one["bank"],
            _day(one["until"]),
            ", ".join(one["kinds"]) or word("recertify", lang),
        )
        for one in impact["models"]
    ]
    if models:
        headings = ("model", "bank", "until", "touched")
        parts.append(filled(headings, models, lang, word("models", lang)))
    holders = [
        (
            one["holder"],
            word("must" if one["mapping"] else "may", lang),
            ", ".join((*one["gone"], *one["changed"], *one["added"])),
        )
        for one in impact["holders"]
    ]
    if holders:
        columns = ("holder", "mapping", "feature")
        parts.append(filled(columns, holders, lang, word("holders", lang)))
    parts.append(Text(word("breaks" if impact["breaking"] else "whole", lang)))
    return Group(*parts)


def mapping_page(found: Mapping[str, Any], lang: str) -> RenderableType:
    """What a catalogue makes of a mapping (`node.holder.impact.MappingImpact` as data)."""
    from rich.console import Group
    from rich.text import Text

    title = f"{found['mapping']} · {found['catalogue']}"
    rows = [
        (one["feature"] or found["kind"], word(one["fault"], lang), " → ".join(one["values"]))
        if one["fault"] == "unit"
        else (one["feature"] or found["kind"], word(one["fault"], lang), ", ".join(one["values"]))
        for one in found["broken"]
    ]
    parts: list[RenderableType] = []
    if rows:
        parts.append(filled(("feature", "change", "bins"), rows, lang, title))
    else:
        parts.append(Text(f"{title}: {word('fits', lang)}"))
    if found["not_given"]:
        named = [
            f"{name} ({word('new', lang)})" if name in found["new"] else name
            for name in found["not_given"]
        ]
        parts.append(Text(f"{word('not_given', lang)}: {', '.join(named)}"))
    for feature, categories in found["empty"]:
        parts.append(Text(f"{word('empty', lang)}: {feature}: {', '.join(categories)}"))
    return Group(*parts)


def scorecards_page(found: Mapping[str, Any], lang: str) -> RenderableType:
    """What a catalogue makes of scorecards (`scoring.carrying.ScorecardImpact` as data)."""
    from rich.console import Group
    from rich.text import Text

    parts = [difference_table(difference, lang) for difference in found["differences"]]
    for card in found["scorecards"]:
        head = f"{card['name']}@{card['version']}: {word(card['state'], lang)}"
        parts.append(Text(head, style="bold"))
        rows = [row for entry in card["points"] if entry["why"] for row in _faults(entry, lang)]
        if rows:
            parts.append(filled(("feature", "change", "bins"), rows, lang))
        for key in ("kinds_gone", "disclosed_gone", "now_public", "not_public"):
            if card[key]:
                heading = "kind_gone" if key == "kinds_gone" else key
                parts.append(Text(f"{word(heading, lang)}: {', '.join(card[key])}"))
        if card["out"]:
            parts.append(Text(f"{word('written', lang)}: {card['out']}"))
    return Group(*parts)


def _faults(entry: Mapping[str, Any], lang: str) -> list[tuple[str, str, str]]:
    holder = entry["holder"].rpartition("/")[2]
    feature = f"{holder} {entry['feature']}"
    if not entry["conflicts"]:
        return [(feature, word(entry["why"], lang), "")]
    rows = []
    for conflict in entry["conflicts"]:
        before = ", ".join(f"{label}: {points}" for label, points in conflict["before"])
        edges = ", ".join(f"{edge:,.10g}" for edge in conflict["edges"])
        lost = f" ({word('edges', lang)}: {edges})" if edges else ""
        rows.append((feature, word("conflict", lang), f"{conflict['bin']} ← {before}{lost}"))
    return rows


def _day(seconds: int | None) -> str:
    return "–" if seconds is None else datetime.fromtimestamp(seconds, UTC).date().isoformat()
