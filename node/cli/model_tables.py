"""What `yinxin model round` and `compare` show people."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from node.cli.output import language_of

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "quality": ("验证样本", "Validation sample"),
    "before": ("取整前", "Before"),
    "after": ("取整后", "After"),
    "without": ("不用样本取整", "Rounded without it"),
    "field": ("评分项", "Field"),
    "step": ("每档分值", "Points a level"),
    "bits": ("位宽", "Bits"),
    "feature": ("特征", "Feature"),
    "values": ("档位 前→后", "Values"),
    "span": ("分差 前→后", "Span, points"),
    "change": ("变化", "Change"),
    "alone": ("单项 AUC 前→后", "AUC alone"),
    "passed": ("认证规则：通过", "Policy: passes"),
    "failed": ("认证规则：未通过", "Policy: refused"),
    "narrowed": ("因规则 d 收窄", "narrowed for rule d"),
    "rule": ("规则", "Rule"),
    "figure": ("数值", "Figure"),
    "limit": ("界限", "Limit"),
    "more": ("其余", "More"),
    "check": (
        "修改建议：yinxin model check {out} --catalogue …",
        "For changes that would make it pass: yinxin model check {out} --catalogue …",
    ),
    "model": ("模型", "Model"),
    "mean": ("均值", "Mean"),
    "deviation": ("标准差", "Deviation"),
    "interval": ("95% 区间", "95 % interval"),
    "grades": ("各等级企业占比", "Firms by grade"),
    "cut_off": ("分数线", "Cut-off"),
    "both": ("均通过", "Both approve"),
    "only_first": ("仅甲通过", "Only first"),
    "only_second": ("仅乙通过", "Only second"),
    "neither": ("均拒绝", "Neither"),
    "swaps": ("各分数线下的企业数", "Firms by decision at a cut-off"),
    "swaps_known": (
        "各分数线下的企业数（违约率）",
        "Firms by decision at a cut-off (share that defaulted)",
    ),
    "correlation": ("相关系数", "Correlation"),
    "ranks": ("秩相关", "rank correlation"),
    "mean_change": ("平均分差", "mean difference"),
    "firms": ("家企业", "firms"),
    "of": ("其中违约", "of them bad"),
    "drawn": ("由目录公布频率抽取，无真实结果", "drawn from published frequencies, no outcomes"),
    "difference": ("AUC 差（甲−乙）", "AUC, first less second"),
    "first": ("甲", "First"),
    "second": ("乙", "Second"),
}

BARS: Final = " ▁▂▃▄▅▆▇█"


def say(key: str, lang: str, words: Mapping[str, tuple[str, str]] = _WORDS) -> str:
    """A word in the chosen language."""
    return words[key][0 if language_of(lang) == "zh" else 1]


def table(headings: Sequence[str], title: str = "", left: int = 1) -> Table:
    """An open table; the first `left` columns are text, the others figures."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    made = Table(box=SIMPLE_HEAD, pad_edge=False, title=title or None, title_justify="left")
    made.title_style = "bold"
    for index, heading in enumerate(headings):
        text = index < left
        made.add_column(
            heading, justify="left" if text else "right", no_wrap=not text, overflow="fold"
        )
    return made


def bars(shares: Sequence[float]) -> str:
    """A histogram in one line of text; the largest share is a full block."""
    most = max(shares, default=0.0) or 1.0
    return "".join(
        BARS[max(1, round(share / most * (len(BARS) - 1)))] if share > 0 else BARS[0]
        for share in shares
    )


def rounding_view(found: Mapping[str, Any], lang: str) -> RenderableType:
    """A rounding for people: quality, fields, what each feature lost, the verdict."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [Text(found["model"], style="bold")]
    if "quality" in found:
        parts.append(_quality(found, lang))
    fields = table([say(k, lang) for k in ("field", "step", "bits")])
    for row in found["fields"]:
        fields.add_row(row["field"], f"{row['step']:.3f}", str(row["bits"]))
    parts += [fields, _features(found["features"], lang), _verdict(found, lang)]
    parts.append(Text(f"→ {found['out']}", style="cyan"))
    return Group(*parts)


def _quality(found: Mapping[str, Any], lang: str) -> Table:
    sample = found["sample"]
    title = (
        f"{say('quality', lang)}: {sample['firms']:,} {say('firms', lang)}, "
        f"{say('of', lang)} {sample['bad']:,}"
    )
    made = table(["", *(say(k, lang) for k in ("before", "after", "without"))], title)
    for name in ("auc", "ks"):
        figures = found["quality"][name]
        loss = figures["after"] - figures["before"]
        style = "green" if loss >= 0 else "yellow" if loss > -0.01 else "red"
        made.add_row(
            name.upper(),
            f"{figures['before']:.4f}",
            f"[{style}]{figures['after']:.4f} ({loss:+.4f})[/]",
            f"{figures['without_sample']:.4f}",
        )
    return made


def _features(rows: Sequence[Mapping[str, Any]], lang: str) -> Table:
    alone = all("auc" in row for row in rows)
    heads = ["feature", "values", "span", "change", *(["alone"] if alone else [])]
    made = table([say(k, lang) for k in heads])
    for field, members in itertools.groupby(rows, lambda row: str(row["field"])):
        made.add_row(field, style="bold")
        for row in members:
            mark = " *" if "narrowed_by" in row else ""
            cells = [
                f"{row['holder'].rpartition('/')[2]}/{row['feature']}{mark}",
                f"{row['real_values']} → {row['levels']}",
                f"{row['real_span']:.1f} → {row['span']:.1f}",
                f"{row['change']:.2f}",
            ]
            if alone:
                cells.append(f"{row['auc']['before']:.3f} → {row['auc']['after']:.3f}")
            made.add_row(*cells, style="dim" if row["levels"] == 1 else "")
    if any("narrowed_by" in row for row in rows):
        made.caption, made.caption_justify = f"* {say('narrowed', lang)}", "left"
    return made


def _verdict(found: Mapping[str, Any], lang: str) -> RenderableType:
    """Passed, or the worst figure about each feature; `check` has the others, and remedies."""
    from rich.console import Group
    from rich.text import Text

    policy = found["policy"]
    if policy["passed"]:
        return Text(f"✓ {say('passed', lang)} ({policy['figures']})", style="bold green")
    made = failures_table(policy["failures"], lang)
    title = f"✗ {say('failed', lang)} ({len(policy['failures'])} / {policy['figures']})"
    return Group(
        Text(title, style="bold red"), made, Text(say("check", lang).format(out=found["out"]))
    )


def failures_table(items: Sequence[Mapping[str, Any]], lang: str) -> Table:
    """The policy items that failed, as JSON has them: the worst about each feature."""
    from rich.text import Text

    failures: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for item in items:
        about = item.get("about") or [item.get("feature") or item["field"]]
        name = ", ".join(one.rpartition("/")[2].replace(" ", "/") for one in about)
        failures.setdefault((item["rule"], name), []).append(item)
    made = table([say(k, lang) for k in ("rule", "feature", "figure", "limit", "more")], left=2)
    for (rule, name), alike in failures.items():
        worst = max(alike, key=lambda item: abs(item["figure"] - item["limit"]))
        more = f"+{len(alike) - 1}" if len(alike) > 1 else ""
        made.add_row(rule, Text(name), f"{worst['figure']:.3g}", f"{worst['limit']:.3g}", more)
    return made


def comparison_view(found: Mapping[str, Any], lang: str) -> RenderableType:
    """A comparison for people."""
    from rich.console import Group
    from rich.text import Text

    source = say("drawn", lang) if found["source"] == "catalogue" else found["source"]
    lines = [f"{found['firms']:,} {say('firms', lang)} · {source}"]
    agreement = [
        f"{say('correlation', lang)} {_figure(found['correlation'])}",
        f"{say('ranks', lang)} {_figure(found['rank_correlation'])}",
        f"{say('mean_change', lang)} {found['mean_change']:.1f}",
    ]
    lines.append(" · ".join(agreement))
    if "auc_difference" in found:
        lines.append(f"{say('difference', lang)} {interval(found['auc_difference'])}")
    known = all("auc" in model for model in found["models"])
    return Group(
        *(Text(line) for line in lines),
        _models(found["models"], lang),
        *([_known(found["models"], lang)] if known else []),
        _swaps(found["swaps"], lang),
        _dimensions(found["dimensions"], lang),
    )


def interval(figure: Mapping[str, float], digits: int = 3) -> str:
    """A figure and its interval."""
    return f"{figure['value']:.{digits}f} ({figure['low']:.{digits}f}–{figure['high']:.{digits}f})"


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _models(models: Sequence[Mapping[str, Any]], lang: str) -> Table:
    made = table([say(k, lang) for k in ("model", "mean", "deviation", "grades")])
    for place, model in zip(("first", "second"), models, strict=True):
        counts = list(model["grades"].values())[::-1]
        made.add_row(
            f"{say(place, lang)} · {model['model']}",
            f"{model['mean']:.1f}",
            f"{model['deviation']:.1f}",
            f"C {bars(counts)} AAA",
        )
    return made


def _known(models: Sequence[Mapping[str, Any]], lang: str) -> Table:
    made = table([say("model", lang), "AUC", "KS"])
    for place, model in zip(("first", "second"), models, strict=True):
        name = f"{say(place, lang)} · {model['model']}"
        made.add_row(name, interval(model["auc"]), interval(model["ks"]))
    return made


def _swaps(swaps: Sequence[Mapping[str, Any]], lang: str) -> Table:
    names = ("both", "only_first", "only_second", "neither")
    known = any("bad_rate" in swap[name] for swap in swaps for name in names)
    made = table(
        [say(k, lang) for k in ("cut_off", *names)], say("swaps_known" if known else "swaps", lang)
    )
    for swap in swaps:
        cells = [f"{swap['cut_off']}"]
        for name in names:
            part = swap[name]
            rate = f" ({part['bad_rate']:.1%})" if "bad_rate" in part else ""
            cells.append(f"{part['firms']:,}{rate}")
        made.add_row(*cells)
    return made


def _dimensions(rows: Sequence[Mapping[str, Any]], lang: str) -> Table:
    heads = ["field", "first", "second", "correlation"]
    made = table([say(k, lang) for k in heads])
    for row in rows:
        cells = [
            "–" if mean is None else f"{mean:.1f} ± {deviation:.1f}"
            for mean, deviation in zip(row["means"], row["deviations"], strict=True)
        ]
        made.add_row(row["field"], *cells, _figure(row["correlation"]))
    return made
