"""The profile's card: everything the profile says, in both languages, within 80 columns."""

from __future__ import annotations

import io
import string

import pytest
from rich.cells import cell_len
from rich.console import Console

from node.bank.card import card
from node.bank.texts import TEXTS, Code
from scoring.profile import Profile

PROFILE = Profile.build(
    {
        "score": 688,
        "grade": "A",
        "probability_of_default": 0.0107,
        "dimensions": [
            {"name": "growth", "title": {"zh": "成长", "en": "Growth"}, "value": 81},
            {"name": "conduct", "title": {"zh": "守信", "en": "Conduct"}, "value": 0},
        ],
        "reasons": [{"code": "R12", "text": {"zh": "数据不足", "en": "Thin data"}}],
        "coverage": 2,
        "participants": 3,
        "as_of": {
            "spiffe://csj.yinxin.example/holder/tax-1": "2027-01-14",
            "spiffe://csj.yinxin.example/holder/power-1": "2027-01-13",
            "spiffe://csj.yinxin.example/holder/water-1": "2027-01-13",
        },
    }
)


def text(profile: Profile, language: str) -> str:
    console = Console(file=io.StringIO(), width=80)
    console.print(card(profile, "914403001922038216", language, "epoch 3"))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_card_says_all_of_the_profile(language: str) -> None:
    shown = text(PROFILE, language)
    for part in ("688", " A ", "1.07", "81", "R12", "●●○", "914403001922038216", "epoch 3"):
        assert part in shown
    both = {"zh": "power-1、water-1", "en": "power-1, water-1"}[language]
    assert "2027-01-14  tax-1" in shown and f"2027-01-13  {both}" in shown
    words = {"zh": ("成长", "守信", "数据不足"), "en": ("Growth", "Conduct", "Thin data")}
    assert all(word in shown for word in words[language])
    assert all(cell_len(line) <= 80 for line in shown.splitlines())


def test_card_names_holders_by_their_titles() -> None:
    titles = {holder: f"bureau {number}" for number, holder in enumerate(sorted(PROFILE.as_of))}
    console = Console(file=io.StringIO(), width=80)
    console.print(card(PROFILE, titles=titles))
    file = console.file
    assert isinstance(file, io.StringIO)
    assert all(title in file.getvalue() for title in titles.values())


@pytest.mark.parametrize(("score", "grade"), [(300, "C"), (850, "AAA")])
def test_ends_of_the_scale(score: int, grade: str) -> None:
    changed = {"score": score, "grade": grade, "reasons": ()}
    shown = text(PROFILE.model_copy(update=changed), "en")
    gauge = next(line for line in shown.splitlines() if "▲" in line)
    bar = gauge.strip("┃ ").removeprefix("300 ").removesuffix(" 850")
    assert bar.index("▲") == (0 if score == 300 else len(bar) - 1)


def test_every_error_has_both_texts_with_the_same_details() -> None:
    def details(words: str) -> set[str | None]:
        return {name for _, name, _, _ in string.Formatter().parse(words) if name}

    assert set(TEXTS) == set(Code)
    for problem, remedy in TEXTS.values():
        assert details(problem.zh) - {"known"} == details(problem.en) - {"known"}
        assert all((problem.zh, problem.en, remedy.zh, remedy.en))
