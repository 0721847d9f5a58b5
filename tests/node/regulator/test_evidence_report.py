"""The report: what members wrote is text in it, it loads nothing, and no glyph is missing."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from reportlab.pdfbase.ttfonts import TTFontFace

import node.regulator.evidence as package
from federation.audit.findings import TITLES
from federation.purpose import PURPOSE_TITLES
from node.regulator.evidence import texts
from node.regulator.evidence.page import page
from node.regulator.evidence.pdf import pdf
from node.regulator.evidence.report import CheckRow, LogRow, Report, Verdict

HOSTILE = '<script>alert(1)</script> & "quoted" <img src=x>'
FOLDER = Path(package.__file__).parent


def report(language: str, verdict: Verdict = Verdict.NOT_IN_ORDER, rows: int = 3) -> Report:
    """A report in which every text of a member is hostile."""
    return Report(
        language=language,
        verdict=verdict,
        query="ab" * 32,
        chain="csj",
        made="2027-01-15 16:10:00",
        trust="cd" * 32,
        facts=(("名称", HOSTILE), ("query", "ab" * 32)),
        timeline=tuple(("2027-01-15 16:00:00", HOSTILE, "签发许可", f"#{n}") for n in range(rows)),
        logs=(LogRow(HOSTILE, "304", "ef" * 32, "#1, #2", ("hub", "court-1")),),
        checks=(
            CheckRow(1, "文件与清单一致", "passed", ()),
            CheckRow(2, HOSTILE, "failed", (HOSTILE,)),
            CheckRow(3, "授权", "gone", ()),
        ),
        findings=((HOSTILE, HOSTILE, "严重", "待处理", HOSTILE),),
    )


class Elements(HTMLParser):
    """The tags of a page and their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("verdict", Verdict)
def test_the_page_loads_nothing_and_runs_nothing(language: str, verdict: Verdict) -> None:
    html = page(report(language, verdict)).decode()
    elements = Elements()
    elements.feed(html)
    assert not {"script", "img", "link", "iframe", "object"} & set(elements.tags)
    assert not {"src", "href", "onload", "onclick", "srcset"} & elements.attributes
    assert "url(" not in html
    assert "@import" not in html
    assert "&lt;script&gt;" in html
    assert texts.word(verdict.value, language) in html


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("verdict", Verdict)
def test_the_pdf_embeds_its_font_and_goes_on_over_pages(language: str, verdict: Verdict) -> None:
    made = pdf(report(language, verdict, rows=120))
    assert made.startswith(b"%PDF-")
    assert b"/FontFile2" in made
    pages = re.findall(rb"/Type /Page\b(?!s)", made)
    assert len(pages) >= 3


def test_the_font_has_every_character_of_the_report() -> None:
    face = TTFontFace(str(FOLDER / "fonts" / "report.ttf"))
    words = [*texts.WORDS.values(), *texts.EVENTS.values(), *texts.ROLES.values()]
    words += [*texts.SEVERITIES.values(), *texts.STATES.values(), *TITLES.values()]
    words += list(PURPOSE_TITLES.values())
    written = "".join(text for word in words for text in word.values())
    written += (FOLDER / "verifier" / "steps.py").read_text(encoding="utf-8")
    missing = {c for c in written if c not in "\n" and ord(c) not in face.charToGlyph}
    assert not missing
    # Names of members are of the legislature's whole list, not of the commonest characters alone.
    assert all(ord(character) in face.charToGlyph for character in "喆玥镕淏甪堽")


def test_every_word_is_in_both_languages() -> None:
    for table in (texts.WORDS, texts.EVENTS, texts.ROLES, texts.SEVERITIES, texts.STATES):
        for name, word in table.items():
            assert set(word) == {"zh", "en"}, name
            assert all(word.values()), name
