"""The report as PDF (A4), with its font embedded: it shows where there is no Chinese font.

The font is a subset of WenQuanYi Micro Hei (`fonts/README.md`); only the glyphs that a report uses
go into it. It has one weight: size and colour make the hierarchy.
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

from node.regulator.evidence.report import Report, Verdict

FONT: Final = "YinxinReport"
INK, SOFT, LINE = HexColor("#16202a"), HexColor("#5b6875"), HexColor("#d9dfe5")
BRAND, GOOD, BAD = HexColor("#12435c"), HexColor("#1b6b46"), HexColor("#a4262c")
GOOD_WASH, BAD_WASH, WASH = HexColor("#eef6f1"), HexColor("#fbeeee"), HexColor("#f5f7f9")
MARGIN: Final = 18 * mm
TOP: Final = 16 * mm
BOTTOM: Final = 20 * mm
WIDTH: Final = A4[0] - 2 * MARGIN


@cache
def _load_font() -> None:
    with as_file(files("node.regulator.evidence") / "fonts" / "report.ttf") as path:
        pdfmetrics.registerFont(TTFont(FONT, str(path)))


def pdf(report: Report) -> bytes:
    """The PDF file."""
    _load_font()
    out = io.BytesIO()
    document = BaseDocTemplate(
        out,
        pagesize=A4,
        title=f"{report.word('title')} {report.query[:12]}",
        author="Yinxin",
        lang="zh-CN" if report.language == "zh" else "en",
    )
    height = A4[1] - TOP - BOTTOM
    frame = Frame(MARGIN, BOTTOM, WIDTH, height, 0, 0, 0, 0)  # no padding within the margins
    document.addPageTemplates(PageTemplate("all", [frame]))
    document.build(list(_Story(report).flow()), canvasmaker=_numbered(report))
    return out.getvalue()


class _Story:
    """The flowing parts of the report, from top to bottom."""

    def __init__(self, report: Report) -> None:
        self._report = report
        # Chinese breaks between any two characters, English between words.
        wrap = "CJK" if report.language == "zh" else None
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

    def flow(self) -> Sequence[Flowable]:
        """Everything, in order."""
        word = self._report.word
        return [
            self._header(),
            Spacer(0, 6 * mm),
            self._verdict(),
            *self._section("facts", self._facts()),
            *self._section("findings", self._findings()),
            *self._section("timeline", self._timeline()),
            *self._section("checks", self._checks()),
            *self._section("logs", self._logs()),
            Spacer(0, 7 * mm),
            self._box(
                [
                    self._p(word("verify"), "head"),
                    self._p(word("verify_how")),
                    self._p(self._report.trust, "hash"),
                ],
                WASH,
                BRAND,
            ),
        ]

    def _p(self, text: str, style: str = "text") -> Paragraph:
        return Paragraph(escape(text), self._styles[style])

    def _section(self, name: str, body: Table | Paragraph) -> list[Flowable]:
        head = self._p(self._report.word(name), "head")
        # Never a heading alone at the foot of a page; the table itself may be split.
        return [Spacer(0, 6 * mm), CondPageBreak(28 * mm), head, Spacer(0, 1.5 * mm), body]

    def _header(self) -> Table:
        report = self._report
        left = [self._p(report.word("system"), "soft"), self._p(report.word("title"), "title")]
        right = [
            self._p(report.chain, "right"),
            self._p(f"{report.word('made')} {report.made} (UTC+8)", "right"),
            self._p(report.word("confidential"), "right"),
        ]
        table = Table([[left, right]], colWidths=[WIDTH * 0.55, WIDTH * 0.45])
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

    def _verdict(self) -> Table:
        report = self._report
        bad = report.verdict is Verdict.NOT_IN_ORDER
        parts = [
            self._p(report.word(report.verdict), "bad" if bad else "good"),
            self._p(report.word(f"{report.verdict}_why")),
        ]
        wash, edge = (BAD_WASH, BAD) if bad else (GOOD_WASH, GOOD)
        return self._box(parts, wash, edge)

    def _box(self, parts: list[Paragraph], wash: Any, edge: Any) -> Table:
        table = Table([[parts]], colWidths=[WIDTH])
        table.setStyle(
            TableStyle(
                [
                    ("BACKGROUND", (0, 0), (-1, -1), wash),
                    ("LINEBEFORE", (0, 0), (0, -1), 4, edge),
                    ("LEFTPADDING", (0, 0), (-1, -1), 14),
                    ("TOPPADDING", (0, 0), (-1, -1), 9),
                    ("BOTTOMPADDING", (0, 0), (-1, -1), 10),
                ]
            )
        )
        return table

    def _facts(self) -> Table:
        rows = [
            [
                self._p(name, "soft"),
                self._p(value, "hash" if value == self._report.query else "text"),
            ]
            for name, value in self._report.facts
        ]
        return self._table(rows, [0.22, 0.78])

    def _findings(self) -> Table | Paragraph:
        report = self._report
        if not report.findings:
            return self._p(report.word("no_findings"))
        rows = [self._heads("what", "subject", "severity", "state")]
        for title, subject, severity, state, note in report.findings:
            what = [self._p(title), *([self._p(note, "soft")] if note else [])]
            rows.append([what, self._p(subject), self._p(severity), self._p(state)])
        return self._table(rows, [0.5, 0.28, 0.11, 0.11], heads=True)

    def _timeline(self) -> Table:
        rows = [self._heads("when", "what", "who", "entry")]
        rows += [
            [self._p(time), self._p(what), self._p(party), self._p(place)]
            for time, party, what, place in self._report.timeline
        ]
        return self._table(rows, [0.23, 0.3, 0.38, 0.09], heads=True)

    def _checks(self) -> Table:
        rows = []
        for check in self._report.checks:
            outcome = self._report.word(check.outcome)
            what = [self._p(check.title), *(self._p(fault, "fault") for fault in check.faults)]
            style = {"passed": "ok", "failed": "no", "gone": "right"}[check.outcome]
            rows.append([self._p(str(check.number), "soft"), what, self._p(outcome, style)])
        return self._table(rows, [0.06, 0.8, 0.14])

    def _logs(self) -> Table:
        join = "、" if self._report.language == "zh" else ", "
        rows = [self._heads("log", "positions", "size", "cosigners")]
        for log in self._report.logs:
            name = [self._p(log.name), self._p(log.root, "hash")]
            cosigners = self._p(join.join(log.cosigners))
            rows.append([name, self._p(log.positions), self._p(log.size), cosigners])
        return self._table(rows, [0.38, 0.15, 0.13, 0.34], heads=True)

    def _heads(self, *names: str) -> list[Any]:
        return [self._p(self._report.word(name), "soft") for name in names]

    def _table(self, rows: list[list[Any]], shares: list[float], *, heads: bool = False) -> Table:
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


def _numbered(report: Report) -> type[Canvas]:
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
                self.drawString(MARGIN, 11 * mm, report.query)
                text = report.word("page").format(page=number, pages=len(self._pages))
                self.drawRightString(A4[0] - MARGIN, 11 * mm, text)
                super().showPage()
            super().save()

    return Numbered
