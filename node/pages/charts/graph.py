"""Who is connected with whom."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from node.lettering import cut
from node.pages.charts.scale import per_cent
from node.pages.charts.svg import element, figure, nothing, picture, toned

_TALL: Final = 105.0
"""Half the height of the ellipse, in pixels, and below half its width as a share."""
_BROAD: Final = 0.34
_RADIUS: Final = 20.0
_TEXT: Final = _RADIUS + 38
"""From a node's middle to the far end of its name and note."""
_MARGIN: Final = 6.0
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
    places, height = _spots(nodes)
    names = {node.id: node.label for node in nodes}
    if strange := [edge for edge in edges if {edge.start, edge.end} - places.keys()]:
        raise ValueError(f"{title}: {strange[0].start}–{strange[0].end} is between no nodes")
    heaviest = max((edge.weight for edge in edges), default=0.0) or 1.0
    lines = []
    for edge in edges:
        hint = f"{names[edge.start]} → {names[edge.end]}: {edge.label}"
        width = _WIDTHS[0] + (_WIDTHS[1] - _WIDTHS[0]) * edge.weight / heaviest
        lines.append(_line(edge, places[edge.start], places[edge.end], hint, width))
    labels = [_label(edge, places[edge.start], places[edge.end]) for edge in edges if edge.label]
    told = ", ".join(
        [
            *(f"{node.label} ({node.note})" if node.note else node.label for node in nodes),
            *(f"{names[edge.start]} → {names[edge.end]}: {edge.label}" for edge in edges),
        ]
    )
    circles = [_circle(node, places[node.id]) for node in nodes]
    return figure(
        "network",
        picture(*lines, *circles, *labels, label=f"{title}: {told}", height=height),
    )


@dataclass(frozen=True)
class _Spot:
    """Where a node is: across as a share of the width, down in pixels, its name above or below."""

    x: float
    y: float
    name_above: bool

    def towards(self, other: _Spot, share: float) -> tuple[str, float]:
        """A point on the way to another."""
        return per_cent(self.x + (other.x - self.x) * share), self.y + (other.y - self.y) * share


def _spots(nodes: Sequence[Node]) -> tuple[dict[str, _Spot], float]:
    """The places, and how high it all is. No edge crosses the name of a node on its way inward."""
    count = len(nodes)
    # Three stand on their base; all others begin on the left.
    first = math.pi / 2 if count == 3 else math.pi
    angles = [first - 2 * math.pi * n / count for n in range(count)]
    across = [0.5 + (_BROAD * math.cos(angle) if count > 1 else 0.0) for angle in angles]
    down = [-_TALL * math.sin(angle) if count > 1 else 0.0 for angle in angles]
    upper = [y < -_TALL / 2 for y in down]
    top = min(y - (_TEXT if above else _RADIUS) for y, above in zip(down, upper, strict=True))
    low = max(y + (_RADIUS if above else _TEXT) for y, above in zip(down, upper, strict=True))
    spots = {
        node.id: _Spot(x, y - top + _MARGIN, above)
        for node, x, y, above in zip(nodes, across, down, upper, strict=True)
    }
    return spots, low - top + 2 * _MARGIN


def _line(edge: Edge, start: _Spot, end: _Spot, hint: str, width: float) -> Markup:
    return element(
        "line", element("title", hint), class_=toned(edge.tone, "edge"), x1=per_cent(start.x),
        y1=start.y, x2=per_cent(end.x), y2=end.y, stroke_width=width,
    )  # fmt: skip


def _label(edge: Edge, start: _Spot, end: _Spot) -> Markup:
    """Nearer to where the edge begins, so that the one in the other direction has its own place."""
    x, y = start.towards(end, 0.36)
    return element(
        "text", cut(edge.label, _LABEL), class_="edge-label", x=x, y=y + 4, text_anchor="middle"
    )


def _circle(node: Node, spot: _Spot) -> Markup:
    x = per_cent(spot.x)
    name = spot.y - _RADIUS - 24 if spot.name_above else spot.y + _RADIUS + 18
    return element(
        "g",
        element("title", f"{node.label} {node.note}".strip()),
        element("circle", class_=toned(node.tone, "node"), cx=x, cy=spot.y, r=_RADIUS),
        element("text", node.label[:1], class_="initial", x=x, y=spot.y + 5, text_anchor="middle"),
        element("text", cut(node.label, _LABEL, 13), class_="name", x=x, y=name,
                text_anchor="middle"),
        element("text", cut(node.note, _LABEL), class_="note", x=x, y=name + 16,
                text_anchor="middle"),
    )  # fmt: skip
