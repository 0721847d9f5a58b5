"""A profile on a terminal: gauge, grade, dimensions, reasons, coverage and dates of the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rich.box import HEAVY, SIMPLE
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from federation.identity import SpiffeId
from scoring.documents import Text as Words
from scoring.profile import HIGHEST, LOWEST, Profile

GAUGE_WIDTH: Final = 44
BAR_WIDTH: Final = 22

_LABELS: Final = {
    "title": Words(zh="企业信用画像", en="Credit profile"),
    "score": Words(zh="信用分", en="Score"),
    "grade": Words(zh="等级", en="Grade"),
    "default": Words(zh="违约概率", en="Probability of default"),
    "dimensions": Words(zh="评分维度", en="Dimensions"),
    "reasons": Words(zh="主要原因", en="Reasons"),
    "none": Words(zh="无", en="none"),
    "coverage": Words(zh="数据覆盖", en="Coverage"),
    "of": Words(zh="家机构知晓该企业，共", en="of"),
    "holders": Words(zh="家", en="holders know the firm"),
    "as_of": Words(zh="数据日期", en="Data as of"),
}
_GRADES: Final = {
    "AAA": "bright_green",
    "AA": "green",
    "A": "green",
    "BBB": "yellow",
    "BB": "yellow",
    "B": "dark_orange",
    "CCC": "red",
    "C": "bright_red",
}
# Colours of the gauge from its lowest to its highest score.
_SCALE: Final = ((0.40, "red"), (0.55, "dark_orange"), (0.70, "yellow"), (1.01, "green"))
_WEAK, _FAIR = 40, 70


def card(
    profile: Profile,
    uscc: str = "",
    language: str = "en",
    footer: str = "",
    titles: Mapping[str, str] | None = None,
) -> RenderableType:
    """The card of a profile in `zh` or `en`; `uscc` is shown where the caller knows it.

    `titles` names holders by their SPIFFE ids; without one a holder is shown by its id's name.
    """
    parts: list[RenderableType] = [
        _head(profile, language),
        Text(),
        _gauge(profile.score),
        Text(),
        _dimensions(profile, language),
        _facts(profile, language, titles or {}),
    ]
    title = Text(f" {_say('title', language)} ", style="bold")
    if uscc:
        title.append(f"· {uscc} ", style="cyan")
    return Panel(
        Group(*parts),
        box=HEAVY,
        title=title,
        subtitle=Text(f" {footer} ", style="dim") if footer else None,
        border_style=_GRADES[profile.grade],
        padding=(1, 3),
        width=78,
    )


def _head(profile: Profile, language: str) -> Text:
    colour = _GRADES[profile.grade]
    line = Text()
    line.append(f"{_say('score', language)}  ", style="dim")
    line.append(f"{profile.score}", style=f"bold {colour}")
    line.append(f"      {_say('grade', language)}  ", style="dim")
    line.append(f" {profile.grade} ", style=f"bold reverse {colour}")
    line.append(f"      {_say('default', language)}  ", style="dim")
    line.append(f"{100 * profile.probability_of_default:.2f} %", style="bold")
    return line


def _gauge(score: int) -> Text:
    """The scale from 300 to 850 with a mark at the score."""
    place = round((score - LOWEST) / (HIGHEST - LOWEST) * (GAUGE_WIDTH - 1))
    line = Text(f"{LOWEST} ", style="dim")
    for cell in range(GAUGE_WIDTH):
        share = cell / (GAUGE_WIDTH - 1)
        colour = next(name for most, name in _SCALE if share < most)
        if cell == place:
            line.append("▲", style="bold reverse")
        else:
            line.append("━" if cell < place else "╌", style=colour if cell < place else "dim")
    line.append(f" {HIGHEST}", style="dim")
    return line


def _dimensions(profile: Profile, language: str) -> Table:
    table = Table(box=SIMPLE, show_header=False, pad_edge=False, padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.title = Text(_say("dimensions", language), style="bold dim")
    table.title_justify = "left"
    for dimension in profile.dimensions:
        filled = round(dimension.value / 100 * BAR_WIDTH)
        value = dimension.value
        colour = "red" if value < _WEAK else "yellow" if value < _FAIR else "green"
        bar = Text("█" * filled, style=colour)
        bar.append("░" * (BAR_WIDTH - filled), style="dim")
        table.add_row(_of(dimension.title, language), bar, Text(str(value), style=colour))
    return table


def _facts(profile: Profile, language: str, titles: Mapping[str, str]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    reasons = Text()
    for number, reason in enumerate(profile.reasons):
        reasons.append("\n" if number else "")
        reasons.append(f"{reason.code}  ", style="dim")
        reasons.append(_of(reason.text, language))
    if not profile.reasons:
        reasons.append(_say("none", language), style="green")
    table.add_row(_say("reasons", language), reasons)
    table.add_row(_say("coverage", language), _coverage(profile, language))
    table.add_row(_say("as_of", language), _dates(profile, language, titles))
    return table


def _coverage(profile: Profile, language: str) -> Text:
    missing = profile.participants - profile.coverage
    line = Text("●" * profile.coverage, style="green")
    line.append("○" * missing, style="dim")
    line.append(
        f"  {profile.coverage} {_say('of', language)} {profile.participants} "
        f"{_say('holders', language)}"
    )
    return line


def _dates(profile: Profile, language: str, titles: Mapping[str, str]) -> Text:
    """One line a date: usually all holders share one."""
    by_date: dict[str, list[str]] = {}
    for holder in sorted(profile.as_of):
        name = titles.get(holder) or SpiffeId.parse(holder).name
        by_date.setdefault(profile.as_of[holder].isoformat(), []).append(name)
    line = Text()
    separator = "、" if language == "zh" else ", "
    for number, (day, names) in enumerate(sorted(by_date.items(), reverse=True)):
        line.append("\n" if number else "")
        line.append(day, style="bold")
        line.append(f"  {separator.join(names)}", style="dim")
    return line


def _say(key: str, language: str) -> str:
    return _of(_LABELS[key], language)


def _of(words: Words, language: str) -> str:
    return words.zh if language == "zh" else words.en
