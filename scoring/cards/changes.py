"""What fine bins make of a characteristic, in words and figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scoring.cards.mapping import Method
from scoring.documents import Text

Kind = Literal["shifted", "merged", "lost", "boundary"]


@dataclass(frozen=True, slots=True)
class Change:
    """What the fine bins make of a part of the characteristic.

    `share` of the firms get other points than the tool gives, by `expected` tool points on
    average over all firms; both 0 where nobody can say how many firms it concerns.
    """

    kind: Kind
    text: Text
    share: float = 0.0
    expected: float = 0.0


def shifted(
    label: str, cuts: Sequence[float], method: Method, chosen: float, share: float, expected: float
) -> Change:
    """A fine bin that cuts divide."""
    way = {
        "nearest": Text(zh="取较大部分的分数", en="it has the points of its larger part"),
        "weighted": Text(zh="按比例加权", en="it has the weighted mean"),
    }[method]
    places = ", ".join(f"{cut:,.7g}" for cut in cuts)
    text = Text(
        zh=f"{places} 切分细分箱 {label}，{way.zh}（工具分 {chosen:.4g}）",
        en=f"{places} cuts the fine bin {label}: {way.en} ({chosen:.4g} of the tool's)",
    )
    return Change("shifted", text, share, expected)


def lost_value(value: float) -> Change:
    """A single value with points of its own, for which the catalogue has no bin."""
    text = Text(
        zh=f"单值 {value:.10g} 另有分数，而目录没有为它设箱：不再区分",
        en=f"{value:.10g} has points of its own and the catalogue no bin for it: they are not used",
    )
    return Change("lost", text)


def boundary(value: float) -> Change:
    """A closed upper end, where the catalogue's bins have open ones."""
    text = Text(
        zh=f"恰为 {value:.10g} 的值按工具属于下方，按目录属于上方",
        en=f"exactly {value:.10g} lies below the cut for the tool, above it in the catalogue",
    )
    return Change("boundary", text)


def lost_categories(names: Sequence[str]) -> Change:
    """Categories that the catalogue does not have."""
    listed = ", ".join(names)
    text = Text(
        zh=f"目录没有类别 {listed}：归入“其他”",
        en=f"the catalogue has no category {listed}: they are `other`",
    )
    return Change("lost", text)


def merged(
    category: str, names: Sequence[str], chosen: float, share: float, expected: float
) -> Change:
    """Categories that are one in the catalogue."""
    listed = ", ".join(names)
    text = Text(
        zh=f"类别 {listed} 在目录中合为 {category}，取平均分（工具分 {chosen:.4g}）",
        en=f"{listed} are {category} in the catalogue: their mean ({chosen:.4g} of the tool's)",
    )
    return Change("merged", text, share, expected)
