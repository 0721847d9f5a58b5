"""Plots as plain shapes, drawn as SVG and on a PDF page alike. Units are points of 1/72 inch.

The origin is the upper left corner. Colours are names (`Tone`): the page's style sheet says what
they are on a screen, light or dark, and `_INKS` what they are on paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Final, Literal

from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable

from node.paper import BAD, BRAND, FONT, GOOD, INK, LINE, SOFT, WASH

Tone = Literal["ink", "soft", "line", "wash", "brand", "good", "bad"]
Anchor = Literal["start", "middle", "end"]

_INKS: Final = {
    "ink": INK,
    "soft": SOFT,
    "line": LINE,
    "wash": WASH,
    "brand": BRAND,
    "good": GOOD,
    "bad": BAD,
}
TEXT: Final = 8.0


@dataclass(frozen=True)
class Bar:
    """A filled rectangle."""

    x: float
    y: float
    width: float
    height: float
    tone: Tone


@dataclass(frozen=True)
class Rule:
    """A straight line."""

    x1: float
    y1: float
    x2: float
    y2: float
    tone: Tone
    width: float = 0.6
    dashed: bool = False


@dataclass(frozen=True)
class Dot:
    """A filled circle."""

    x: float
    y: float
    radius: float
    tone: Tone


@dataclass(frozen=True)
class Label:
    """A line of text, its baseline at `y`; `whole` is the text before it was cut."""

    x: float
    y: float
    text: str
    tone: Tone = "ink"
    anchor: Anchor = "start"
    size: float = TEXT
    whole: str = ""


Shape = Bar | Rule | Dot | Label


@dataclass(frozen=True)
class Drawing:
    """A plot; `title` says in words what it shows."""

    width: float
    height: float
    title: str
    shapes: tuple[Shape, ...]


def svg(drawing: Drawing) -> str:
    """The plot as an SVG element; every text in it is escaped."""
    head = (
        f'<svg viewBox="0 0 {drawing.width:g} {drawing.height:g}" role="img" '
        f'aria-label="{escape(drawing.title)}">'
    )
    return head + "".join(map(_element, drawing.shapes)) + "</svg>"


def _element(shape: Shape) -> str:
    match shape:
        case Bar(x, y, width, height, tone):
            return (
                f'<rect class="s-{tone}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
                f'height="{height:.1f}"/>'
            )
        case Rule(x1, y1, x2, y2, tone, width, dashed):
            dash = ' stroke-dasharray="3 2"' if dashed else ""
            return (
                f'<line class="s-{tone}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
                f'stroke-width="{width:g}"{dash}/>'
            )
        case Dot(x, y, radius, tone):
            return f'<circle class="s-{tone}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"/>'
        case Label(x, y, text, tone, anchor, size, whole):
            hint = f"<title>{escape(whole)}</title>" if whole not in ("", text) else ""
            return (
                f'<text class="s-{tone}" x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" '
                f'text-anchor="{anchor}">{escape(text)}{hint}</text>'
            )


class Picture(Flowable):  # type: ignore[misc]
    """The plot on a PDF page."""

    def __init__(self, drawing: Drawing) -> None:
        super().__init__()
        self.drawing = drawing
        self.width, self.height = drawing.width, drawing.height

    def draw(self) -> None:
        """Draws the shapes."""
        for shape in self.drawing.shapes:
            _draw(self.canv, shape, self.height)


def _draw(canvas: Canvas, shape: Shape, height: float) -> None:
    """Draws on a page whose origin is the lower left corner."""
    ink = _INKS[shape.tone]
    match shape:
        case Bar(x, y, width, tall, _):
            canvas.setFillColor(ink)
            canvas.rect(x, height - y - tall, width, tall, stroke=0, fill=1)
        case Rule(x1, y1, x2, y2, _, width, dashed):
            canvas.setStrokeColor(ink)
            canvas.setLineWidth(width)
            canvas.setDash([3, 2] if dashed else [])
            canvas.line(x1, height - y1, x2, height - y2)
        case Dot(x, y, radius, _):
            canvas.setFillColor(ink)
            canvas.circle(x, height - y, radius, stroke=0, fill=1)
        case Label(x, y, text, _, anchor, size, _):
            canvas.setFillColor(ink)
            canvas.setFont(FONT, size)
            write = {
                "start": canvas.drawString,
                "middle": canvas.drawCentredString,
                "end": canvas.drawRightString,
            }[anchor]
            write(x, height - y, text)
