"""Axes and numbers: round ticks, short labels, and which labels fit where."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

from node.lettering import FONT, cut, width_of

WIDTHS: Final = {"s": 250.0, "m": 340.0, "l": 570.0, "xl": 810.0}
"""Pixels that a plot has at least: on a phone, in a half, two thirds, all of a page's width."""


def finite(value: float | None) -> float | None:
    """The value; None for what cannot be drawn."""
    return value if value is not None and math.isfinite(value) else None


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round values from at or below `low` to at or above `high`, about `count` steps of 1, 2 or 5
    times a power of ten. At least two, even where `low` equals `high`.
    """
    if high <= low:
        high = low + (abs(low) or 1.0)
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = power * next(factor for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [n * step for n in range(first, last + 1)]


def axis(values: Iterable[float], *, from_zero: bool, whole: bool = False) -> list[float]:
    """The ticks of an axis for the values. It begins at zero if asked to, or if the values do not
    stand far from it; `whole` values get no fractions.
    """
    known = list(values) or [0.0]
    low, high = min(known), max(known)
    if from_zero or 0 <= low < high / 2 or low == high >= 0:
        low = min(0.0, low)
    if low == high == 0:
        return [0.0, 1.0] if whole else ticks(0.0, 1.0)
    made = ticks(low, high)
    return [float(n) for n in range(int(made[0]), int(made[-1]) + 1)] if (
        whole and made[1] - made[0] < 1
    ) else made  # fmt: skip


def short(value: float, language: str) -> str:
    """A number for an axis: `1,200`, `12k`, `1.2万`, `0.25`."""
    units = (
        ((1e8, "亿"), (1e4, "万")) if language == "zh" else ((1e9, "bn"), (1e6, "M"), (1e4, "k"))
    )
    for size, unit in units:
        if abs(value) >= size:
            scale = 1e3 if unit == "k" else size
            return f"{value / scale:,.4g}{unit}" if abs(value) < 1e13 else f"{value:.2g}"
    return full(value)


def full(value: float | None) -> str:
    """A number in whole: `1,234,567`, `0.2513`; a dash for None."""
    if value is None:
        return "–"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if 1000 <= abs(value) < 1e15 else f"{value:,.4g}"


def lines_of(text: str, width: float, size: float = FONT) -> list[str]:
    """A text on one line, or on two where it is wider: broken between words, Chinese anywhere, and
    cut where a line is still too wide.
    """
    if width_of(text, size) <= width:
        return [text]
    if " " not in text and text.isascii():
        return [cut(text, width, size)]
    words = text.split(" ") if " " in text else list(text)
    between = " " if " " in text else ""
    first = words[0]
    taken = 1
    for word in words[1:]:
        if width_of(f"{first}{between}{word}", size) > width:
            break
        first += between + word
        taken += 1
    rest = between.join(words[taken:])
    return [cut(first, width, size), *([cut(rest, width, size)] if rest else [])]


def places(labels: Sequence[str], widest: float = 120.0) -> list[list[str]]:
    """For each label the names of WIDTHS at which it is shown, so that none runs into the next;
    the last label always is. `widest` is where labels are cut.
    """
    count = len(labels)
    needed = min(widest, max((width_of(one) for one in labels), default=0.0)) + 12
    shown: list[list[str]] = [[] for _ in labels]
    for size, width in WIDTHS.items():
        most = max(1, min(10, int(width // needed)))
        step = max(1, -(-(count - 1) // max(1, most - 1))) if most > 1 else count
        for index in range(count - 1, -1, -step):
            shown[index].append(size)
    return shown


def per_cent(share: float) -> str:
    """A share of the width, as a length of SVG."""
    return f"{100 * share:.2f}%"
