"""One result: a score on its scale, and its dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from node.lettering import cut
from node.pages.charts.bars import bar_list
from node.pages.charts.scale import finite, full, lines_of
from node.pages.charts.svg import element, figure, picture, toned

_MIDDLE: Final = (150.0, 140.0)
_ARC: Final = 112.0
_WEB: Final = (180.0, 142.0)
_REACH: Final = 84.0
_SIZE: Final = 14.0
"""Size of the radar's text, in its units."""
_HIGH: Final = 284.0


def gauge(
    value: float,
    low: float,
    high: float,
    *,
    title: str,
    label: str,
    bands: Sequence[tuple[float, str]],
) -> Markup:
    """A value on a half circle from `low` to `high`, `label` below it (a grade, say). `bands` are
    each band's upper end and tone, ascending. Raises ValueError where `low` is not below `high`.
    """
    if low >= high:
        raise ValueError(f"{title}: low {low} is not below high {high}")

    def share(of: float) -> float:
        return min(1.0, max(0.0, (of - low) / (high - low)))

    arcs, start = [], 0.0
    tone = "brand"
    for end, name in bands or [(high, "soft")]:
        if share(end) > start:
            arcs.append(element("path", d=_arc(start, share(end)), class_=toned(name, "band")))
            if start <= share(value):
                tone = name
            start = share(end)
    inner, outer = _on_arc(share(value), _ARC - 13), _on_arc(share(value), _ARC + 13)
    return figure(
        "gauge",
        picture(
            *arcs,
            element("line", class_="mark-edge", x1=inner[0], y1=inner[1], x2=outer[0], y2=outer[1]),
            element("line", class_="mark", x1=inner[0], y1=inner[1], x2=outer[0], y2=outer[1]),
            element("text", full(value), class_="value", x=_MIDDLE[0], y=128, text_anchor="middle"),
            element("text", cut(label, 170, 15), class_=toned(tone, "grade"), x=_MIDDLE[0], y=152,
                    text_anchor="middle"),
            element("text", full(low), class_="end", x=_MIDDLE[0] - _ARC, y=160,
                    text_anchor="middle"),
            element("text", full(high), class_="end", x=_MIDDLE[0] + _ARC, y=160,
                    text_anchor="middle"),
            label=f"{title}: {full(value)} ({full(low)}–{full(high)}), {label}",
            viewBox="0 0 300 168",
        ),
    )  # fmt: skip


def radar(axes: Sequence[tuple[str, float | None]], *, title: str) -> Markup:
    """Shares from 0 to 1 as a web, clockwise from the top; None is an axis without a value. Fewer
    than three axes are drawn as bars.
    """
    known = [
        (name, None if (share := finite(value)) is None else min(1.0, max(0.0, share)))
        for name, value in axes
    ]
    if len(known) < 3:
        return bar_list(
            [(name, round(100 * (share or 0.0))) for name, share in known],
            title=title,
            unit="%",
            most=100,
        )
    count = len(known)
    rings = [
        element(
            "polygon", class_="ring", points=" ".join(_spot(n, count, ring) for n in range(count))
        )
        for ring in (0.25, 0.5, 0.75, 1.0)
    ]
    spokes = [
        element("line", class_="ring", x1=_WEB[0], y1=_WEB[1], x2=_place(n, count, 1)[0],
                y2=_place(n, count, 1)[1])
        for n in range(count)
    ]  # fmt: skip
    corners = [(n, share) for n, (_, share) in enumerate(known) if share is not None]
    area = element(
        "polygon", class_=toned("brand", "web"),
        points=" ".join(_spot(n, count, share) for n, share in corners),
    )  # fmt: skip
    dots = [
        element(
            "circle",
            element("title", f"{known[n][0]} {_percent(share)}"),
            class_=toned("brand", "dot"), r=4, cx=_place(n, count, share)[0],
            cy=_place(n, count, share)[1],
        )
        for n, share in corners
    ]  # fmt: skip
    names = [_name(n, count, name, share) for n, (name, share) in enumerate(known)]
    told = ", ".join(f"{name} {_percent(share)}" for name, share in known)
    return figure(
        "radar",
        picture(*rings, *spokes, area, *dots, *names, label=f"{title}: {told}",
                viewBox=f"0 0 {2 * _WEB[0]:g} {_HIGH:g}"),
    )  # fmt: skip


def _name(n: int, count: int, name: str, share: float | None) -> Markup:
    """The name on one or two lines, and the value below it, outside of the web."""
    x, y = _place(n, count, 1 + 14 / _REACH)
    side = math.sin(2 * math.pi * n / count)
    anchor = "middle" if abs(side) < 0.2 else "start" if side > 0 else "end"
    room = _WEB[0] if anchor == "middle" else (2 * _WEB[0] - x if side > 0 else x) - 2
    lines = [*lines_of(name, room, _SIZE), _percent(share)]
    # The uppermost stands on the web, the lowest hangs below it, those at the sides are centred.
    step = _SIZE + 2
    if y < _WEB[1] - _REACH:
        first = y - (len(lines) - 1) * step
    elif y > _WEB[1] + _REACH:
        first = y + _SIZE - 4
    else:
        first = y - (len(lines) - 2) * step / 2
    texts = [
        element(
            "text", line, x=x, y=first + place * step, text_anchor=anchor,
            class_="amount" if place == len(lines) - 1 else "name",
        )
        for place, line in enumerate(lines)
    ]  # fmt: skip
    return element("g", element("title", f"{name} {_percent(share)}"), *texts)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f}%"


def _place(n: int, count: int, share: float) -> tuple[float, float]:
    angle = 2 * math.pi * n / count
    return (
        _WEB[0] + _REACH * share * math.sin(angle),
        _WEB[1] - _REACH * share * math.cos(angle),
    )


def _spot(n: int, count: int, share: float) -> str:
    x, y = _place(n, count, share)
    return f"{x:.1f},{y:.1f}"


def _on_arc(share: float, radius: float) -> tuple[float, float]:
    angle = math.pi * (1 - share)
    return _MIDDLE[0] + radius * math.cos(angle), _MIDDLE[1] - radius * math.sin(angle)


def _arc(start: float, end: float) -> str:
    (x1, y1), (x2, y2) = _on_arc(start, _ARC), _on_arc(end, _ARC)
    return f"M{x1:.1f} {y1:.1f}A{_ARC:g} {_ARC:g} 0 0 1 {x2:.1f} {y2:.1f}"
