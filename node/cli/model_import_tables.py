"""What `yinxin model import` shows people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from node.cli.model_tables import say, table
from node.cli.output import language_of
from scoring.cards.report import ImportReport, SampleCost

if TYPE_CHECKING:
    from rich.console import RenderableType

_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "characteristic": ("变量", "Characteristic"),
    "feature": ("特征", "Feature"),
    "values": ("分值数", "Values"),
    "span": ("分差", "Span"),
    "share": ("影响企业", "Firms"),
    "change": ("变化", "Change"),
    "expected": ("平均变化", "Mean change"),
    "what": ("变化", "What changed"),
    "more": ("另有 {more} 项较小的变化，见 --json", "{more} smaller changes are in --json"),
    "none": ("分箱完全吻合，没有变化", "The bins fit: nothing changed"),
    "score": (
        "按公布频率（视各特征独立）：约 {share} 的企业分数有变；平均变化至多 {expected} 分",
        "By published frequencies about {share} of firms get another score (features taken as "
        "independent); the mean change is at most {expected} points",
    ),
    "sample": (
        "样本 {firms} 家：{changed} 分数有变，平均 {mean} 分，最大 {largest} 分",
        "Sample of {firms} firms: {changed} get another score, on average by {mean}, at most by "
        "{largest} points",
    ),
    "quality": (
        "AUC {auc_before} → {auc_after}，KS {ks_before} → {ks_after}",
        "AUC {auc_before} → {auc_after}, KS {ks_before} → {ks_after}",
    ),
    "out": ("已写入 {out}；下一步：yinxin model round", "Written: {out}; next: yinxin model round"),
}

_MOST: Final = 12
"""Rows of changes with a figure that people are shown, the costliest first."""


def import_view(report: ImportReport, out: str, lang: str) -> RenderableType:
    """The features, what changed, and what it costs."""
    from rich.console import Group
    from rich.text import Text

    figures = ("share", "expected")
    features = table(
        [_say(key, lang) for key in ("characteristic", "feature", "values", "span", "change")],
        title=" · ".join(dict.fromkeys((report.card, report.tool))),
        left=2,
    )
    for item in report.features:
        points = [value for _, value, _ in item.bins]
        features.add_row(
            Text(item.characteristic),
            Text(f"{item.holder.rpartition('/')[2]}.{item.feature}"),
            str(len(set(points))),
            f"{max(points) - min(points):.1f}",
            f"{item.expected:.2f}",
        )
    found = table([_say(key, lang) for key in ("characteristic", "what", *figures)], left=2)
    ranked = sorted(report.findings, key=lambda finding: -finding.expected)
    # What has no figure (lost values, notes) is always shown; what was dropped, in one line.
    shown = [f for place, f in enumerate(ranked) if place < _MOST or not f.expected]
    dropped: dict[str, list[str]] = {}
    for finding in shown:
        text = finding.text.zh if language_of(lang) == "zh" else finding.text.en
        if finding.kind == "dropped":
            dropped.setdefault(text, []).append(finding.characteristic)
            continue
        share = _percent(finding.share) if finding.share else "–"
        change = f"{finding.expected:.2f}" if finding.expected else "–"
        found.add_row(Text(finding.characteristic or report.tool), Text(text), share, change)
    share, expected = _percent(report.share), f"{report.expected:.2f}"
    lines = [f"{text}: {', '.join(names)}" for text, names in dropped.items()]
    if len(shown) < len(ranked):
        lines.append(_say("more", lang).format(more=len(ranked) - len(shown)))
    lines.append(_say("score", lang).format(share=share, expected=expected))
    if report.sample is not None:
        lines += _sample(report.sample, lang)
    lines.append(_say("out", lang).format(out=out))
    changes = found if found.rows else Text(_say("none", lang) + "\n")
    return Group(features, changes, Text("\n".join(lines)))


def _sample(cost: SampleCost, lang: str) -> list[str]:
    lines = [
        _say("sample", lang).format(
            firms=f"{cost.firms:,}",
            changed=_percent(cost.changed),
            mean=f"{cost.mean_change:.2f}",
            largest=f"{cost.largest_change:.1f}",
        )
    ]
    if cost.auc_before is not None:
        figures = cost.model_dump(include={"auc_before", "auc_after", "ks_before", "ks_after"})
        shown = {name: f"{value:.4f}" for name, value in figures.items()}
        lines.append(_say("quality", lang).format(**shown))
    return lines


def _percent(share: float) -> str:
    return f"{share:.2%}"


def _say(key: str, lang: str) -> str:
    return say(key, lang, _WORDS)
