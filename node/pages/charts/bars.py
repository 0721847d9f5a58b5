"""Amounts: upright stacks over time, rows by name, and one amount of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from node.lettering import width_of
from node.pages.charts.frame import height_of, plot
from node.pages.charts.scale import axis, finite, full, lines_of, per_cent
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
from node.pages.charts.texts import PERIOD, SUM, TOTAL

_THICK: Final = 8.0
_LIST: Final = 290.0
"""Pixels that a list of bars has at least."""


@dataclass(frozen=True)
class Stack:
    """One layer of all bars: an amount, at least 0, for each label."""

    name: str
    values: Sequence[float]
    tone: str


def stacked_bars(
    labels: Sequence[str], stacks: Sequence[Stack], *, title: str, unit: str, language: str
) -> Markup:
    """Bars over labels that have an order, as days have. Raises ValueError for a stack of another
    length or with a negative value.
    """
    layers = [[finite(value) or 0.0 for value in one.values] for one in stacks]
    if any(len(layer) != len(labels) or min(layer, default=0) < 0 for layer in layers):
        raise ValueError(f"{title}: each stack has one value, at least 0, a label")
    totals = [sum(column) for column in zip(*layers, strict=True)]
    if not totals:
        return nothing("bars", title, language)
    whole = all(value.is_integer() for layer in layers for value in map(float, layer))
    steps = axis(totals, from_zero=True, whole=whole)
    slot = 1 / len(labels)
    at = [(n + 0.5) * slot for n in range(len(labels))]
    thick = min(0.7 * slot, 0.1)
    drawn = []
    reached = [0.0] * len(labels)
    for one, layer in zip(stacks, layers, strict=True):
        for n, value in enumerate(layer):
            if value <= 0:
                continue
            top, bottom = height_of(reached[n] + value, steps), height_of(reached[n], steps)
            reached[n] += value
            drawn.append(
                element(
                    "rect", class_=toned(one.tone, "bar"), x=per_cent(at[n] - thick / 2),
                    width=per_cent(thick), y=top, height=bottom - top,
                )
            )  # fmt: skip
    several = len(stacks) > 1
    hints = [
        "\n".join(
            [
                label,
                *(f"{one.name} {full(layer[n])}"
                  for one, layer in zip(stacks, layers, strict=True)),
                *([f"{say(TOTAL, language)} {full(totals[n])}"] if several else []),
            ]
        )
        for n, label in enumerate(labels)
    ]  # fmt: skip
    told = [
        say(SUM, language, name=one.name, total=full(sum(layer)))
        for one, layer in zip(stacks, layers, strict=True)
    ]
    return figure(
        "bars",
        legend([(one.name, one.tone) for one in stacks], unit),
        plot(drawn, steps=steps, labels=labels, at=at, hints=hints, language=language,
             label=f"{title}. {('；' if language == 'zh' else '; ').join(told)}"),
        table(
            title,
            [
                say(PERIOD, language),
                *(one.name for one in stacks),
                *([say(TOTAL, language)] if several else []),
            ],
            [
                [
                    label,
                    *(full(layer[n]) for layer in layers),
                    *([full(totals[n])] if several else []),
                ]
                for n, label in enumerate(labels)
            ],
            language,
        ),
    )  # fmt: skip


def bar_list(
    rows: Sequence[tuple[str, float]],
    *,
    title: str,
    unit: str,
    language: str = "zh",
    tone: str = "brand",
    most: float = 0.0,
) -> Markup:
    """Names with their amounts as bars, in the order given. Where some are negative, bars go both
    ways from zero, in the tones `good` and `bad`. A full bar is the largest amount, or `most` where
    that is more: 100 for a share in per cent.
    """
    known = [(name, finite(value) or 0.0) for name, value in rows]
    if not known:
        return nothing("list", title, language)
    low = min(0.0, *(value for _, value in known))
    high = max(0.0, most, *(value for _, value in known))
    span = (high - low) or 1.0
    zero = -low / span
    parts, y = [], 0.0
    for name, value in known:
        amount = f"{'+' if low < 0 < value else ''}{full(value)}"
        lines = lines_of(name, _LIST - width_of(amount) - 16)
        bar = toned(tone if low == 0 else "good" if value > 0 else "bad", "bar")
        foot = y + 16 * len(lines) + 4
        parts.append(
            element(
                "g",
                element("title", f"{name} {amount} {unit}".strip()),
                *(element("text", line, class_="name", x=0, y=y + 14 + 16 * n)
                  for n, line in enumerate(lines)),
                element("text", amount, class_="amount", x="100%", y=y + 14, text_anchor="end"),
                element("rect", class_="track", x=0, y=foot, width="100%", height=_THICK, rx=2),
                element("rect", class_=bar, x=per_cent(zero + min(value, 0.0) / span), y=foot,
                        height=_THICK, rx=2,
                        width=per_cent(max(abs(value) / span, 0.004 if value else 0.0))),
                element("line", class_="base", x1=per_cent(zero), x2=per_cent(zero),
                        y1=foot - 2, y2=foot + _THICK + 2) if low < 0 else "",
            )
        )  # fmt: skip
        y = foot + _THICK + 6
    told = ", ".join(f"{name} {full(value)}" for name, value in known)
    return figure(
        "list",
        legend((), unit),
        picture(*parts, label=f"{title} ({unit}): {told}" if unit else f"{title}: {told}",
                height=y),
    )  # fmt: skip


def meter(value: float, of: float, *, title: str, tone: str = "brand") -> Markup:
    """How much of something is reached; the numbers are written beside it by the page."""
    share = min(1.0, max(0.0, value / of)) if of > 0 else 0.0
    return picture(
        element("rect", class_="track", x=0, y=0, width="100%", height=_THICK, rx=4),
        element("rect", class_=toned(tone, "bar"), x=0, y=0, width=per_cent(share), height=_THICK,
                rx=4),
        label=f"{title}: {full(value)} / {full(of)}",
        height=_THICK,
        class_="meter",
    )  # fmt: skip
