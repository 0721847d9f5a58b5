"""Reports as PDF (A4): one font, embedded, so that they show where there is no Chinese font.

The font is a subset of WenQuanYi Micro Hei (`regulator/evidence/fonts/README.md`); only the glyphs
that a report uses go into it. It has one weight: size and colour make the hierarchy.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache
from importlib.resources import as_file, files
from typing import Any, Final
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    CondPageBreak,
    Flowable,
    Frame,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
    TableStyle,
)

FONT: Final = "YinxinReport"
INK, SOFT, LINE = HexColor("#16202a"), HexColor("#5b6875"), HexColor("#d9dfe5")
BRAND, GOOD, BAD = HexColor("#12435c"), HexColor("#1b6b46"), HexColor("#a4262c")
GOOD_WASH, BAD_WASH, WASH = HexColor("#eef6f1"), HexColor("#fbeeee"), HexColor("#f5f7f9")
MARGIN: Final = 18 * mm
TOP: Final = 16 * mm
BOTTOM: Final = 20 * mm
WIDTH: Final = A4[0] - 2 * MARGIN


@cache
def load_font() -> None:
    """Make the font known to reportlab."""
    with as_file(files("node.regulator.evidence") / "fonts" / "report.ttf") as path:
        pdfmetrics.registerFont(TTFont(FONT, str(path)))


class Sheet:
    """What the pages of a report in one language are made of."""

    def __init__(self, language: str) -> None:
        load_font()
        self.language = language
        # Chinese breaks between any two characters, English between words.
        wrap = "CJK" if language == "zh" else None
        plain = ParagraphStyle(
            "text", fontName=FONT, fontSize=9, leading=13.5, textColor=INK, wordWrap=wrap
        )
        self._styles = {
            "text": plain,
            "soft": ParagraphStyle("soft", plain, textColor=SOFT, fontSize=8, leading=12),
            "right": ParagraphStyle(
                "right", plain, textColor=SOFT, fontSize=8, leading=12, alignment=TA_RIGHT
            ),
            "title": ParagraphStyle("title", plain, fontSize=20, leading=25, textColor=BRAND),
            "head": ParagraphStyle("head", plain, fontSize=12, leading=16, textColor=BRAND),
            "good": ParagraphStyle("good", plain, fontSize=14, leading=20, textColor=GOOD),
            "bad": ParagraphStyle("bad", plain, fontSize=14, leading=20, textColor=BAD),
            "fault": ParagraphStyle(
                "fault", plain, fontSize=8, leading=11.5, textColor=BAD, wordWrap="CJK"
            ),
            "hash": ParagraphStyle(
                "hash", plain, fontSize=8, leading=12, textColor=SOFT, wordWrap="CJK"
            ),
            "ok": ParagraphStyle("ok", plain, textColor=GOOD, alignment=TA_RIGHT),
            "no": ParagraphStyle("no", plain, textColor=BAD, alignment=TA_RIGHT),
        }

    def p(self, text: str, style: str = "text") -> Paragraph:
        """A paragraph; whatever others wrote is escaped."""
        return Paragraph(escape(text), self._styles[style])

    def section(self, title: str, *body: Flowable) -> list[Flowable]:
        """A heading and what is under it."""
        # Never a heading alone at the foot of a page; the table itself may be split.
        space = [Spacer(0, 6 * mm), CondPageBreak(28 * mm)]
        return [*space, self.p(title, "head"), Spacer(0, 1.5 * mm), *body]

    def header(self, system: str, title: str, right: Sequence[str]) -> Table:
        """The head of the first page."""
        left = [self.p(system, "soft"), self.p(title, "title")]
        lines = [self.p(line, "right") for line in right]
        table = Table([[left, lines]], colWidths=[WIDTH * 0.55, WIDTH * 0.45])
        table.setStyle(
            TableStyle(
                [
                    ("LINEBELOW", (0, 0), (-1, -1), 2, BRAND),
                    ("VALIGN", (0, 0), (-1, -1), "BOTTOM"),
                    ("LEFTPADDING", (0, 0), (-1, -1), 0),
                    ("RIGHTPADDING", (0, 0), (-1, -1), 0),
                    ("BOTTOMPADDING", (0, 0), (-1, -1), 8),
                ]
            )
        )
        return table

    def verdict(self, title: str, why: str, *, bad: bool) -> Table:
        """The report's outcome."""
        parts = [self.p(title, "bad" if bad else "good"), self.p(why)]
        return self.box(parts, *((BAD_WASH, BAD) if bad else (GOOD_WASH, GOOD)))

    def box(self, parts: list[Paragraph], wash: Any = WASH, edge: Any = BRAND) -> Table:
        """Paragraphs set off from the rest."""
        # A row a paragraph: a long box goes on over the page.
        table = Table([[part] for part in parts], colWidths=[WIDTH])
        table.setStyle(
            TableStyle(
                [
                    ("BACKGROUND", (0, 0), (-1, -1), wash),
                    ("LINEBEFORE", (0, 0), (0, -1), 4, edge),
                    ("LEFTPADDING", (0, 0), (-1, -1), 14),
                    ("TOPPADDING", (0, 0), (-1, -1), 0),
                    ("BOTTOMPADDING", (0, 0), (-1, -1), 0),
                    ("TOPPADDING", (0, 0), (-1, 0), 9),
                    ("BOTTOMPADDING", (0, -1), (-1, -1), 10),
                ]
            )
        )
        return table

    def table(self, rows: list[list[Any]], shares: list[float], *, heads: bool = False) -> Table:
        """A table whose columns have these shares of the width."""
        table = Table(
            rows, colWidths=[WIDTH * share for share in shares], repeatRows=1 if heads else 0
        )
        style: list[Any] = [
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LINEBELOW", (0, 0), (-1, -1), 0.5, LINE),
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("RIGHTPADDING", (0, 0), (-1, -1), 8),
            ("RIGHTPADDING", (-1, 0), (-1, -1), 0),
            ("TOPPADDING", (0, 0), (-1, -1), 3),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 4),
        ]
        if heads:
            style.append(("LINEBELOW", (0, 0), (-1, 0), 0.7, SOFT))
        table.setStyle(TableStyle(style))
        return table


def build(story: Sequence[Flowable], title: str, language: str, foot: str, pages: str) -> bytes:
    """The PDF file; `foot` stands under every page, `pages` has {page} and {pages}.

    The same story gives the same bytes.
    """
    out = io.BytesIO()
    document = BaseDocTemplate(
        out,
        pagesize=A4,
        title=title,
        author="Yinxin",
        lang="zh-CN" if language == "zh" else "en",
        invariant=1,
    )
    height = A4[1] - TOP - BOTTOM
    frame = Frame(MARGIN, BOTTOM, WIDTH, height, 0, 0, 0, 0)  # no padding within the margins
    document.addPageTemplates(PageTemplate("all", [frame]))
    document.build(list(story), canvasmaker=_numbered(foot, pages))
    return out.getvalue()


def _numbered(foot: str, pages: str) -> type[Canvas]:
    """A canvas that knows how many pages there are once the last is done."""

    class Numbered(Canvas):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options | {"initialFontName": FONT})
            self._pages: list[dict[str, Any]] = []

        def showPage(self) -> None:
            self._pages.append(dict(self.__dict__))
            self._startPage()

        def save(self) -> None:
            for number, state in enumerate(self._pages, start=1):
                self.__dict__.update(state)
                self.setFont(FONT, 7.5)
                self.setFillColor(SOFT)
                self.drawString(MARGIN, 11 * mm, foot)
                text = pages.format(page=number, pages=len(self._pages))
                self.drawRightString(A4[0] - MARGIN, 11 * mm, text)
                super().showPage()
            super().save()

    return Numbered
