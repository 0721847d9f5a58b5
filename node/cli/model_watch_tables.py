"""What `yinxin model scores` and `trial report` show people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from node.cli.model_tables import bars, comparison_view, interval, say, table

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "none": ("尚无已答复的查询", "No query has been answered yet"),
    "epoch": ("数据期", "Epoch"),
    "firms": ("企业数", "Firms"),
    "mean": ("均分", "Mean"),
    "grades": ("等级 C→AAA", "Grades C→AAA"),
    "tenths": ("开发十分位", "Tenths of development"),
    "tenths_first": ("首期十分位", "Tenths of first epoch"),
    "coverage": ("数据覆盖 0→全", "Coverage 0→all"),
    "thin": ("数据不足", "Thin files"),
    "psi": ("PSI", "PSI"),
    "against": ("对照：开发样本", "against development"),
    "against_first": ("对照：首个数据期", "against the first epoch"),
    "outcomes": ("已知结果（违约）", "Outcomes (bad)"),
    "dimension": ("评分项", "Dimension"),
    "shift": ("均值偏移", "Mean shift"),
    "grade": ("等级", "Grade"),
    "bad": ("违约", "Bad"),
    "expected": ("模型违约率", "Expected"),
    "observed": ("实际违约率（95% 区间）", "Observed (95 % interval)"),
    "yes": ("一致", "agrees"),
    "no": ("不一致", "differs"),
    "stable": ("稳定", "stable"),
    "moving": ("偏移", "moving"),
    "changed": ("显著变化", "changed"),
    "drift": (
        "各评分项 PSI 与均值偏移（分）",
        "PSI of each dimension, and shift of its mean in points",
    ),
    "calibration": ("校准：等级违约率", "Calibration: default rate by grade"),
    "convention": (
        "惯例：PSI 低于 0.1 稳定，0.25 起为显著变化；样本少时不超过随机水平两倍的记为稳定",
        "By convention PSI below 0.1 is stable, from 0.25 changed; with few firms, up to twice "
        "what chance gives counts as stable",
    ),
    "model": ("模型", "Model"),
    "role": ("角色", "Role"),
    "champion": ("冠军", "champion"),
    "challenger": ("挑战者", "challenger"),
    "both": ("同一企业双模型", "both models for each firm"),
    "split": ("按企业分流", "firms split between models"),
    "since": ("自", "since"),
    "all": ("同时有两个模型结果的企业", "Firms with answers of both"),
    "known": ("其中已知结果的企业", "Of them, firms with a known outcome"),
}
_COLOURS: Final = {"stable": "green", "moving": "yellow", "changed": "bold red"}


def _word(key: str, lang: str) -> str:
    return say(key, lang, _WORDS)


def scores_view(models: Sequence[Mapping[str, Any]], lang: str) -> RenderableType:
    """Every model's epochs, drift and calibration."""
    from rich.console import Group
    from rich.text import Text

    if not models:
        return Text(_word("none", lang))
    parts: list[RenderableType] = []
    for model in models:
        given = model["against"] == "development"
        title = Text(model["model"], style="bold")
        title.append(f"  {model['certificate'][:12]} · ", style="dim")
        title.append(_word("against" if given else "against_first", lang), style="dim")
        title.append(f" ({model['development_firms']:,})", style="dim")
        parts += [title, _epochs(model, given, lang), _coverage(model, lang), _drift(model, lang)]
        if model["calibration"]:
            parts += [_outcomes(model, lang), _calibration(model["calibration"], lang)]
    parts.append(Text(_word("convention", lang), style="dim"))
    return Group(*parts)


def _psi(figure: Mapping[str, Any], lang: str) -> Text:
    from rich.text import Text

    words = f"{figure['psi']:.3f} {_word(figure['verdict'], lang)}"
    return Text(words, style=_COLOURS[figure["verdict"]])


def _epochs(model: Mapping[str, Any], given: bool, lang: str) -> Table:
    tenths = "tenths" if given else "tenths_first"
    heads = ["epoch", "firms", "mean", tenths, "grades", "psi"]
    made = table([_word(head, lang) for head in heads])
    for epoch in model["epochs"]:
        made.add_row(
            str(epoch["epoch"]),
            f"{epoch['firms']:,}",
            f"{epoch['mean']:.0f}",
            bars(epoch["tenths"]),
            bars(list(epoch["grades"].values())[::-1]),
            _psi(epoch["drift"], lang),
        )
    return made


def _coverage(model: Mapping[str, Any], lang: str) -> Table:
    made = table([_word(head, lang) for head in ("epoch", "coverage", "thin")])
    for epoch in model["epochs"]:
        thin = f"{epoch['thin']:,} ({epoch['thin'] / epoch['firms']:.0%})"
        made.add_row(str(epoch["epoch"]), bars(epoch["coverage"]), thin)
    return made


def _outcomes(model: Mapping[str, Any], lang: str) -> Table:
    made = table([*(_word(head, lang) for head in ("epoch", "outcomes")), "AUC", "KS"])
    for epoch in model["epochs"]:
        outcomes = epoch["outcomes"]
        made.add_row(
            str(epoch["epoch"]),
            f"{outcomes['known']:,} ({outcomes['bad']:,})",
            *(interval(outcomes[k]) if k in outcomes else "–" for k in ("auc", "ks")),
        )
    return made


def _drift(model: Mapping[str, Any], lang: str) -> Table:
    """A row a dimension, a pair of columns an epoch; the latest two."""
    epochs = model["epochs"][-2:]
    heads = [_word("dimension", lang)]
    for epoch in epochs:
        heads += [f"{_word('epoch', lang)} {epoch['epoch']} · PSI", _word("shift", lang)]
    made = table(heads, _word("drift", lang))
    for index, dimension in enumerate(epochs[-1]["dimensions"]):
        cells: list[Any] = [dimension["field"]]
        for epoch in epochs:
            figure = epoch["dimensions"][index]
            cells += [_psi(figure, lang), f"{figure['mean_shift']:+.1f}"]
        made.add_row(*cells)
    return made


def _calibration(rows: Sequence[Mapping[str, Any]], lang: str) -> Table:
    from rich.text import Text

    heads = ["grade", "firms", "bad", "expected", "observed"]
    made = table([*(_word(h, lang) for h in heads), ""], _word("calibration", lang))
    for row in rows:
        seen = row["observed"]
        agrees = row["agrees"]
        made.add_row(
            row["grade"],
            f"{row['firms']:,}",
            f"{row['bad']:,}",
            f"{row['expected']:.2%}",
            f"{seen['value']:.2%} ({seen['low']:.2%}–{seen['high']:.2%})",
            Text(_word("yes" if agrees else "no", lang), style="green" if agrees else "yellow"),
        )
    return made


def trial_view(found: Mapping[str, Any], lang: str) -> RenderableType:
    """A trial for people: both sides, and the comparison on shared firms."""
    from rich.console import Group
    from rich.text import Text

    head = Text(found["trial"], style="bold")
    head.append(f"  {_word(found['mode'], lang)} · {_word('since', lang)} {found['since']}")
    heads = ["model", "role", "firms", "mean", "outcomes"]
    made = table([*(_word(h, lang) for h in heads), "AUC", "KS"], left=2)
    for model in found["models"]:
        outcomes = model["outcomes"]
        made.add_row(
            model["model"],
            _word(model["role"], lang),
            f"{model['firms']:,}",
            "–" if model["mean"] is None else f"{model['mean']:.1f}",
            f"{outcomes['known']:,} ({outcomes['bad']:,})",
            *(interval(outcomes[k]) if k in outcomes else "–" for k in ("auc", "ks")),
        )
    parts: list[RenderableType] = [head, made]
    for key, word in (("comparison", "all"), ("with_outcomes", "known")):
        if key in found:
            shown = {"source": _word(word, lang), **found[key]}
            parts.append(comparison_view(shown, lang))
    return Group(*parts)
