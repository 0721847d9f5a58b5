"""The result of a question to several chains, for a terminal: the chains side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rich.box import HEAVY, SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from node.bank.sideways import notice

_LABELS: Final = {
    "title": ("企业信用画像 · 多链", "Credit profile · several chains"),
    "model": ("模型", "Model"),
    "score": ("信用分", "Score"),
    "grade": ("等级", "Grade"),
    "default": ("违约概率", "Probability of default"),
    "coverage": ("数据覆盖", "Coverage"),
    "as_of": ("数据日期", "Data as of"),
    "combined": ("合并分", "Combined score"),
    "rule": ("规则", "rule"),
    "elsewhere": ("未在以下链登记", "Not enrolled in"),
    "lowest": ("取最低", "lowest"),
    "highest": ("取最高", "highest"),
    "mean": ("取平均", "mean"),
}


def comparison(result: Mapping[str, Any], language: str) -> RenderableType:
    """The panel of a joint result in `zh` or `en`; one that is partial says so above all else."""
    parts: list[RenderableType] = []
    told = notice(result, language)
    if told:
        parts += [Text(f"⚠ {told}", style="bold red"), Text()]
    parts += [_table(result, language), _combined(result, language)]
    if result["not_enrolled"]:
        names = ", ".join(result["not_enrolled"])
        parts.append(Text(f"{_say('elsewhere', language)}: {names}", style="dim"))
    title = Text(f" {_say('title', language)} ", style="bold")
    title.append(f"· {result['uscc']} ", style="cyan")
    return Panel(
        Group(*parts),
        box=HEAVY,
        title=title,
        subtitle=Text(f" {result['id']} ", style="dim"),
        border_style="red" if told else "cyan",
        padding=(1, 3),
        expand=False,
    )


def _table(result: Mapping[str, Any], language: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    records = result["records"]
    for record in records:
        table.add_column(record["chain"], justify="right")
    profiles = [record["profile"] for record in records]

    def row(label: str, values: list[str], style: str = "") -> None:
        table.add_row(label, *values, style=style)

    row(_say("model", language), [record["model"] for record in records])
    row(_say("score", language), [str(p["score"]) for p in profiles], "bold")
    row(_say("grade", language), [p["grade"] for p in profiles], "bold")
    shares = [f"{100 * p['probability_of_default']:.2f} %" for p in profiles]
    row(_say("default", language), shares)
    titles = {d["name"]: d["title"][language] for p in profiles for d in p["dimensions"]}
    for name, title in titles.items():
        values = [{d["name"]: str(d["value"]) for d in p["dimensions"]} for p in profiles]
        row(title, [one.get(name, "–") for one in values])
    row(_say("coverage", language), [f"{p['coverage']}/{p['participants']}" for p in profiles])
    row(_say("as_of", language), [str(min(p["as_of"].values())) for p in profiles])
    return table


def _combined(result: Mapping[str, Any], language: str) -> Text:
    combined = result["combined"]
    if combined is None:
        return Text(result["not_combined"][language], style="dim")
    line = Text(f"{_say('combined', language)}  ", style="dim")
    line.append(str(combined["score"]), style="bold")
    rule = _say(combined["rule"], language)
    line.append(f"  {_say('rule', language)}: {rule} ({', '.join(combined['chains'])})", "dim")
    return line


def _say(key: str, language: str) -> str:
    zh, en = _LABELS[key]
    return zh if language == "zh" else en
