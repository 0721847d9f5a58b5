"""The policy report: every figure is in it, what others wrote is text, the same gives the same."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
from reportlab.pdfbase.ttfonts import TTFontFace

import node.regulator.evidence as evidence
from federation.identity import SpiffeId
from federation.policy import PolicyItem, PolicyReport, PolicyThresholds, certify_policy
from federation.policy.remedy import Remedies, Remedy
from node.lettering import cut
from node.models.report.compose import Subject, compose
from node.models.report.drawing import Drawing, Label, svg
from node.models.report.page import page
from node.models.report.pdf import pdf
from node.models.report.terminal import as_data
from node.models.report.texts import LANGUAGES, WORDS, say
from scoring.catalogue import Catalogue
from scoring.documents import Text
from scoring.scorecard import Scorecard
from support.small import KINDS, small_catalogue, small_scorecard

HOSTILE = '<script>alert(1)</script> & "q"'
HOLDERS = [(SpiffeId.parse(f"spiffe://csj.yinxin.example/holder/{kind}"), kind) for kind in KINDS]
FEATURE = f"{HOLDERS[0][0]} f0"


@cache
def subject(*, hostile: bool = False, thresholds: PolicyThresholds | None = None) -> Subject:
    """A refused scorecard: the small one with one feature made much wider than the others."""
    card, catalogue = small_scorecard("alpha", HOLDERS), small_catalogue()
    wide = card.points[0].model_copy(update={"points": (0, 40, 90)})
    card = Scorecard.build({**dict(card), "points": (wide, *card.points[1:])})
    report = certify_policy(card, catalogue, thresholds or PolicyThresholds())
    if hostile:
        text = Text(zh=HOSTILE, en=HOSTILE)
        features = [f.model_copy(update={"title": text}) for f in catalogue.features]
        catalogue = Catalogue.build({**dict(catalogue), "features": features})
        fields = [field.model_copy(update={"title": text}) for field in card.fields]
        card = Scorecard.build({**dict(card), "name": HOSTILE, "fields": fields})
    isolated = PolicyItem(
        rule="c",
        field="*",
        figure=2,
        limit=0,
        passed=False,
        about=(FEATURE, f"{HOLDERS[1][0]} f1"),
        text=Text(zh=f"单独显出{HOSTILE}", en=f"told alone {HOSTILE}"),
    )
    report = PolicyReport(items=(*report.items, isolated), thresholds=report.thresholds)
    remedy = Remedy(
        rules=("a",),
        changes=(Text(zh=f"改为{HOSTILE}", en=f"Change to {HOSTILE}"),),
        scorecard=card,
        shift=3.25,
        passes=False,
    )
    return Subject(
        scorecard=card,
        catalogue=catalogue,
        report=report,
        remedies=Remedies((remedy,), ("c", "d"), 12, stopped=True),
        bank="spiffe://csj.yinxin.example/bank/harbour",
        decided=1_800_000_000,
        certificate=b"\xab" * 32,
        salted=b"\xcd" * 32,
        earlier=2,
    )


class Page(HTMLParser):
    """The tags, attributes and texts of a page, without its script and style."""

    def __init__(self, raw: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.feed(raw.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] not in (["script"], ["style"]):
            self.texts.append(data.strip())


def told(made: bytes, tmp_path: Path) -> str:
    """The text of a PDF, as another program reads it."""
    program = shutil.which("pdftotext")
    if program is None:
        pytest.skip("pdftotext is not installed")
    path = tmp_path / "report.pdf"
    path.write_bytes(made)
    done = subprocess.run([program, "-raw", path, "-"], capture_output=True, check=True)
    return done.stdout.decode()


def squeezed(text: str) -> str:
    """Without spaces: a line may be broken anywhere."""
    return re.sub(r"\s+", "", text)


def test_the_page_has_every_figure_in_both_languages() -> None:
    about = subject()
    texts = set(Page(page(about, "zh")).texts)
    for language in LANGUAGES:
        view = compose(about, language)
        assert len(view.items) == len(about.report.items)
        for item in view.items:
            assert {item.figure, item.limit, item.feature, item.bins, item.prior} <= texts
        for row in (*view.facts, *view.thresholds):
            assert set(row) <= texts
        assert {row.demands for row in view.rules} <= texts
        assert {change for row in view.remedies for change in row.changes} <= texts
        assert set(view.remarks) <= texts
    assert "ab" * 32 in texts and "cd" * 32 in texts


def test_the_pdf_has_every_figure_and_its_text_can_be_read(tmp_path: Path) -> None:
    about = subject()
    for language in LANGUAGES:
        view = compose(about, language)
        made = pdf(about, language)
        assert b"/FontFile2" in made
        text = squeezed(told(made, tmp_path))
        for item in view.items:
            if item.rule == "d" and item.bins != "–":
                sign = "≤" if item.passed else ">"
                assert squeezed(f"{item.figure}{sign}{item.limit}") in text
            else:
                assert squeezed(item.text) in text and item.figure in text
        for row in view.remedies:
            assert all(squeezed(change) in text for change in row.changes)
        assert squeezed(say("refused_title", language)) in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_others_wrote_is_text(language: str) -> None:
    html = page(subject(hostile=True), language)
    found = Page(html)
    assert found.tags.count("script") == 1  # the page's own
    assert not {"img", "link", "iframe", "object"} & set(found.tags)
    assert not {"src", "href", "onload", "onclick", "srcset"} & found.attributes
    assert b"alert(1)</script>" not in html.replace(b"&lt;/script&gt;", b"")
    assert any("<script>alert(1)" in text for text in found.texts)
    assert pdf(subject(hostile=True), language).startswith(b"%PDF-")


def test_a_browser_runs_the_pages_own_script_alone() -> None:
    html = page(subject(), "zh").decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)
    script = re.search(r"<script>(.*?)</script>", html, re.DOTALL)
    assert policy and script
    digest = base64.b64encode(hashlib.sha256(script.group(1).encode()).digest()).decode()
    assert policy.group(1).startswith("default-src 'none'")
    assert f"script-src 'sha256-{digest}'" in policy.group(1)
    assert "url(" not in html and "@import" not in html


def test_a_remedy_of_many_changes_goes_on_over_pages(tmp_path: Path) -> None:
    about = subject()
    assert about.remedies
    changes = tuple(Text(zh=f"改动{n} " * 20, en=f"change {n} " * 20) for n in range(90))
    many = replace(about.remedies.found[0], changes=changes)
    long = replace(about, remedies=replace(about.remedies, found=(many,)))
    text = told(pdf(long, "en"), tmp_path)
    assert all(f"change {n} " in text for n in range(90))


def test_the_same_gives_the_same() -> None:
    for language in LANGUAGES:
        assert page(subject(), language) == page(subject(), language)
    assert pdf(subject(), "zh") == pdf(subject(), "zh")
    assert page(subject(), "zh") != page(subject(), "en")


def test_the_limits_drawn_are_those_in_force() -> None:
    view = compose(subject(thresholds=PolicyThresholds(greatest_share=0.5, least_share=0.1)), "en")
    texts = [shape.text for shape in view.fields[0].spread.shapes if isinstance(shape, Label)]
    assert "50%" in texts and "10%" in texts and "60%" not in texts
    assert ("a: share that one feature may have", "0.5") in view.thresholds


def test_a_feature_has_its_points_beside_the_published_shares() -> None:
    view = compose(subject(), "zh")
    bins = next(one for one in view.features if one.title.endswith("· tax")).bins
    texts = [shape.text for shape in bins.shapes if isinstance(shape, Label)]
    assert {"缺失", "< 100", "≥ 100", "20.00%", "40.00%", "0", "40", "90"} <= set(texts)


def test_every_label_stays_within_its_drawing() -> None:
    for language in LANGUAGES:
        for drawing in compose(subject(), language).drawings:
            for shape in drawing.shapes:
                if isinstance(shape, Label):
                    assert 0 <= shape.x <= drawing.width and 0 <= shape.y <= drawing.height


def test_long_labels_are_cut_and_the_whole_is_there_to_read() -> None:
    assert cut("abc", 100) == "abc"
    long = "近十二个月平均开票金额同比" * 3
    short = cut(long, 80, 8)
    assert short.endswith("…") and len(short) < 12
    shown = svg(Drawing(90, 20, HOSTILE, (Label(0, 10, short, whole=long),)))
    assert f"<title>{long}</title>" in shown and "<script>" not in shown


def test_failures_of_rule_d_are_summed_up_by_feature() -> None:
    about = subject()
    failed = [item for item in about.report.failures if item.rule == "d" and item.feature]
    shown = [item for item in compose(about, "en").failures if item.rule == "d"]
    assert len({item.feature for item in failed}) == len(shown) < len(failed)
    assert sum(1 + item.others for item in shown) == len(failed)
    worst = max(item.figure - item.limit for item in failed)
    assert max(item.over for item in shown) == worst


def test_plain_data_has_the_failures_and_the_remedies() -> None:
    about = subject()
    data = as_data(about)
    assert data["passed"] is False
    assert len(data["failures"]) == len(about.report.failures)
    assert data["rules"]["c"] == {"figures": 2, "failed": 1}
    assert data["remedies"][0]["rules"] == ["a"] and data["unmended"] == ["c", "d"]


def test_every_word_is_in_both_languages_and_has_its_glyphs() -> None:
    font = Path(evidence.__file__).parent / "fonts" / "report.ttf"
    face = TTFontFace(str(font))
    for name, word in WORDS.items():
        assert word.zh and word.en, name
        assert all(ord(character) in face.charToGlyph for character in word.zh + word.en), name
    assert all(ord(character) in face.charToGlyph for character in "≤≥→…·–“”（）：")
