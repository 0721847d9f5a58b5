"""Who is connected with whom."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from node.pages.charts.scale import cut, per_cent
from node.pages.charts.svg import element, figure, nothing, picture, toned

_HIGH: Final = 340.0
_MIDDLE: Final = 158.0
_RADIUS: Final = 20.0
_LABEL: Final = 110.0
_WIDTHS: Final = (1.5, 6.0)
"""The thinnest and the thickest edge, in pixels."""


@dataclass(frozen=True)
class Node:
    """Someone. `note` is a second line below the name."""

    id: str
    label: str
    note: str
    tone: str


@dataclass(frozen=True)
class Edge:
    """A connection, its thickness by `weight` (at least 0) relative to the others'."""

    start: str
    end: str
    label: str
    weight: float
    tone: str


def network(
    nodes: Sequence[Node], edges: Sequence[Edge], *, title: str, language: str = "zh"
) -> Markup:
    """Nodes on an ellipse, in order from the left, and the edges between them; two edges between
    the same nodes are one line with two labels. Raises ValueError for an edge to no node.
    """
    if not nodes:
        return nothing("network", title, language)
    places = {node.id: _place(n, len(nodes)) for n, node in enumerate(nodes)}
    names = {node.id: node.label for node in nodes}
    if strange := [edge for edge in edges if {edge.start, edge.end} - places.keys()]:
        raise ValueError(f"{title}: {strange[0].start}–{strange[0].end} is between no nodes")
    heaviest = max((edge.weight for edge in edges), default=0.0) or 1.0
    lines = [
        _line(edge, places, names, _WIDTHS[0] + (_WIDTHS[1] - _WIDTHS[0]) * edge.weight / heaviest)
        for edge in edges
    ]
    labels = [_label(edge, places) for edge in edges if edge.label]
    told = ", ".join(
        [
            *(f"{node.label} ({node.note})" if node.note else node.label for node in nodes),
            *(f"{names[edge.start]} → {names[edge.end]}: {edge.label}" for edge in edges),
        ]
    )
    circles = [_circle(node, *places[node.id]) for node in nodes]
    return figure(
        "network",
        picture(*lines, *circles, *labels, label=f"{title}: {told}", height=_HIGH),
    )


def _place(n: int, count: int) -> tuple[float, float]:
    """Across as a share of the width, down in pixels."""
    if count == 1:
        return 0.5, _MIDDLE
    angle = math.pi - 2 * math.pi * n / count
    if count == 3:
        # One on the left and two on the right would leave the middle empty on a phone.
        angle += math.pi / 6
    return 0.5 + 0.33 * math.cos(angle), _MIDDLE - 110 * math.sin(angle)


def _line(
    edge: Edge, places: dict[str, tuple[float, float]], names: dict[str, str], width: float
) -> Markup:
    (x1, y1), (x2, y2) = places[edge.start], places[edge.end]
    hint = f"{names[edge.start]} → {names[edge.end]}: {edge.label}"
    return element(
        "line", element("title", hint), class_=toned(edge.tone, "edge"), x1=per_cent(x1), y1=y1,
        x2=per_cent(x2), y2=y2, stroke_width=width,
    )  # fmt: skip


def _label(edge: Edge, places: dict[str, tuple[float, float]]) -> Markup:
    """Nearer to where the edge begins, so that the one in the other direction has its own place."""
    (x1, y1), (x2, y2) = places[edge.start], places[edge.end]
    return element(
        "text", cut(edge.label, _LABEL), class_="edge-label", x=per_cent(x1 + (x2 - x1) * 0.36),
        y=y1 + (y2 - y1) * 0.36 + 4, text_anchor="middle",
    )  # fmt: skip


def _circle(node: Node, x: float, y: float) -> Markup:
    across = per_cent(x)
    return element(
        "g",
        element("title", f"{node.label} {node.note}".strip()),
        element("circle", class_=toned(node.tone, "node"), cx=across, cy=y, r=_RADIUS),
        element("text", node.label[:1], class_="initial", x=across, y=y + 5, text_anchor="middle"),
        element("text", cut(node.label, _LABEL, 13), class_="name", x=across, y=y + _RADIUS + 18,
                text_anchor="middle"),
        element("text", cut(node.note, _LABEL), class_="note", x=across, y=y + _RADIUS + 34,
                text_anchor="middle"),
    )  # fmt: skip
