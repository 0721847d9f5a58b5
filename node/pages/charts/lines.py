"""Series over time: lines, and lines without any text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from node.pages.charts.frame import TALL, TOP, height_of, plot
from node.pages.charts.scale import axis, finite, full, per_cent
from node.pages.charts.svg import (
    element,
    figure,
    legend,
    nothing,
    picture,
    say,
    table,
    toned,
)  # fmt: skip
from node.pages.charts.texts import NO_VALUE, PERIOD, RANGE

_DOTTED: Final = 24
"""Up to so many points each has a dot."""
_WIDE: Final = 1000.0
"""Width in units of the part that is stretched to the plot's."""


@dataclass(frozen=True)
class Series:
    """A line. `points` are a label, in order, and a value; None is a gap."""

    name: str
    points: Sequence[tuple[str, float | None]]
    tone: str


def line_chart(series: Sequence[Series], *, title: str, unit: str, language: str) -> Markup:
    """Lines over the labels of all series, which are in order and already formatted."""
    labels = list(dict.fromkeys(label for one in series for label, _ in one.points))
    values = [[finite(dict(one.points).get(label)) for label in labels] for one in series]
    known = [value for line in values for value in line if value is not None]
    if not known:
        return nothing("lines", title, language)
    whole = all(float(value).is_integer() for value in known)
    steps = axis(known, from_zero=False, whole=whole)
    at = [n / (len(labels) - 1) for n in range(len(labels))] if len(labels) > 1 else [0.5]
    drawn = [
        part
        for one, line in zip(series, values, strict=True)
        for part in _line(line, at, steps, one.tone, filled=len(series) == 1 and steps[0] == 0)
    ]
    hints = [
        "\n".join(
            [label, *(f"{one.name} {full(line[n])}"
                      for one, line in zip(series, values, strict=True))]
        )
        for n, label in enumerate(labels)
    ]  # fmt: skip
    words = "；" if language == "zh" else "; "
    told = words.join(
        _told(one.name, labels, line, language) for one, line in zip(series, values, strict=True)
    )
    return figure(
        "lines",
        legend([(one.name, one.tone) for one in series], unit),
        plot(drawn, steps=steps, labels=labels, at=at, hints=hints, language=language,
             label=f"{title}. {told}"),
        table(
            title,
            [say(PERIOD, language), *(one.name for one in series)],
            [[label, *(full(line[n]) for line in values)] for n, label in enumerate(labels)],
            language,
        ),
    )  # fmt: skip


def sparkline(values: Sequence[float | None], *, title: str, tone: str = "brand") -> Markup:
    """A line as high as a word, without axes; its title says what it shows."""
    line = [finite(value) for value in values]
    known = [value for value in line if value is not None]
    told = f"{title}: {', '.join(full(value) for value in line)}" if known else title
    if not known:
        return picture(label=told, class_="sparkline", width=96, height=24)
    low, high = min(known), max(known)
    span = (high - low) or 1.0
    at = [n / (len(line) - 1) for n in range(len(line))] if len(line) > 1 else [0.5]
    height = [
        None if value is None else (12.0 if low == high else 21 - 18 * (value - low) / span)
        for value in line
    ]
    paths = [
        element("path", d=_path(run, at, height, 96.0), class_=toned(tone, "line"))
        for run in _runs(height)
    ]
    return picture(
        *paths, label=told, class_="sparkline", width=96, height=24, viewBox="-2 0 100 24"
    )


def _line(
    line: Sequence[float | None],
    at: Sequence[float],
    steps: Sequence[float],
    tone: str,
    *,
    filled: bool,
) -> list[Markup]:
    down = [None if value is None else height_of(value, steps) - TOP for value in line]
    runs = _runs(down)
    paths = []
    for run in runs:
        if len(run) == 1:
            continue
        path = _path(run, at, down, _WIDE)
        if filled:
            edge = f"L{_WIDE * at[run[-1]]:.1f} {TALL:g}L{_WIDE * at[run[0]]:.1f} {TALL:g}Z"
            paths.append(element("path", d=path + edge, class_=toned(tone, "area")))
        paths.append(element("path", d=path, class_=toned(tone, "line")))
    # Dots stay round: they are outside of what is stretched.
    shown = {n for run in runs for n in run if len(run) == 1 or len(line) <= _DOTTED}
    shown |= {runs[-1][-1]} if runs else set()
    dots = [
        element("circle", cx=per_cent(at[n]), cy=TOP + height, r=3, class_=toned(tone, "dot"))
        for n in sorted(shown)
        if (height := down[n]) is not None
    ]
    stretched = element(
        "svg", *paths, x=0, y=TOP, width="100%", height=TALL,
        viewBox=f"0 0 {_WIDE:g} {TALL:g}", preserveAspectRatio="none", class_="stretched",
    )  # fmt: skip
    return [stretched, *dots]


def _runs(line: Sequence[float | None]) -> list[list[int]]:
    """The stretches without a gap, as indices."""
    runs: list[list[int]] = []
    for n, value in enumerate(line):
        if value is None:
            continue
        if n and line[n - 1] is not None:
            runs[-1].append(n)
        else:
            runs.append([n])
    return runs


def _path(
    run: Sequence[int], at: Sequence[float], down: Sequence[float | None], width: float
) -> str:
    points = [f"{width * at[n]:.1f} {down[n]:.1f}" for n in run]
    return "M" + "L".join(points if len(points) > 1 else points * 2)


def _told(name: str, labels: Sequence[str], line: Sequence[float | None], language: str) -> str:
    known = [(label, value) for label, value in zip(labels, line, strict=True) if value is not None]
    if not known:
        return say(NO_VALUE, language, name=name)
    numbers = [value for _, value in known]
    return say(
        RANGE, language, name=name, first=known[0][0], last=known[-1][0],
        low=full(min(numbers)), high=full(max(numbers)), latest=full(numbers[-1]),
    )  # fmt: skip
