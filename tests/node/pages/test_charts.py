"""Charts: where values are drawn, what is said of them, and what hostile or missing values do."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from importlib.resources import files
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from markupsafe import Markup

from node.lettering import cut, width_of
from node.pages.charts import (
    Edge,
    Node,
    Series,
    Stack,
    bar_list,
    gauge,
    line_chart,
    meter,
    network,
    radar,
    sparkline,
    stacked_bars,
)
from node.pages.charts.scale import axis, full, lines_of, places, short, ticks

HOSTILE = "<script>alert(1)</script>\"'&]]>"


def parsed(markup: Markup) -> ElementTree.Element:
    return ElementTree.fromstring(f"<div>{markup}</div>")  # noqa: S314  # it is our own


def classed(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [one for one in root.iter() if name in (one.get("class") or "").split()]


def lines(*values: float | None, **more: str) -> ElementTree.Element:
    points = [(f"d{n}", value) for n, value in enumerate(values)]
    said = {"title": "T", "unit": "u", "language": "en"} | more
    return parsed(line_chart([Series("s", points, "a")], **said))


def lowest(root: ElementTree.Element) -> str | None:
    return classed(root, "y")[0].text


CHARTS: dict[str, Callable[[str], Markup]] = {
    "lines": lambda text: line_chart(
        [Series(text, [(text, 1.0), ("x", None)], "a"), Series("b", [("x", 2)], "b")],
        title=text, unit=text, language="zh",
    ),
    "bars": lambda text: stacked_bars(
        [text, "x"], [Stack(text, [1, 2], "a"), Stack("b", [0, 1], "b")],
        title=text, unit=text, language="en",
    ),
    "list": lambda text: bar_list([(text, 3), ("x", -1)], title=text, unit=text),
    "radar": lambda text: radar([(text, 0.5), ("b", None), ("c", 1)], title=text),
    "gauge": lambda text: gauge(5, 0, 9, title=text, label=text, bands=[(4, "bad"), (9, "good")]),
    "sparkline": lambda text: sparkline([1, None, 2, 3], title=text),
    "meter": lambda text: meter(1, 3, title=text),
    "network": lambda text: network(
        [Node("1", text, text, "brand"), Node("2", "b", "", "bad")],
        [Edge("1", "2", text, 1, "warn")], title=text,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(CHARTS))
def test_a_chart_is_well_formed_says_what_it_shows_and_has_neither_style_nor_script(
    name: str,
) -> None:
    root = parsed(CHARTS[name]("<b>&\"'税务"))
    (picture,) = (one for one in root.iter("svg") if one.get("role") == "img")
    assert (picture.get("aria-label") or "").startswith("<b>&\"'税务")
    for one in root.iter():
        assert one.tag not in ("b", "script", "style")
        assert not [key for key in one.attrib if key == "style" or key.startswith("on")]


@pytest.mark.parametrize("name", list(CHARTS))
def test_what_is_put_into_a_chart_stays_text(name: str) -> None:
    markup = CHARTS[name](HOSTILE)
    assert "<script" not in markup
    assert HOSTILE in (next(parsed(markup).iter("svg")).get("aria-label") or "")


def test_a_line_lies_where_its_values_are_on_the_axis() -> None:
    root = lines(0, 50, 100)
    ys = [float(one.get("cy") or "") for one in classed(root, "dot")]
    assert [one.get("cx") for one in classed(root, "dot")] == ["0.00%", "50.00%", "100.00%"]
    assert ys == [200, 105, 10]
    assert [one.text for one in classed(root, "y")] == ["0", "50", "100"]
    (path,) = classed(root, "line")
    assert path.get("d") == "M0.0 190.0L500.0 95.0L1000.0 0.0"
    assert [one.find("title").text for one in classed(root, "hit")] == [  # type: ignore[union-attr]
        "d0\ns 0", "d1\ns 50", "d2\ns 100",
    ]  # fmt: skip
    rows = [[cell.text for cell in row] for row in root.iter("tr")]
    assert rows == [["Period", "s"], ["d0", "0"], ["d1", "50"], ["d2", "100"]]


def test_an_axis_far_from_zero_does_not_begin_there() -> None:
    assert lowest(lines(610, 655)) == "600"
    assert lowest(lines(10, 655)) == "0"
    assert lowest(lines(-5, 5)) == "-5"


def test_a_gap_parts_a_line_and_a_lone_value_has_a_dot() -> None:
    root = lines(*([1.0] * 30), None, 5, None, *([1.0] * 30))
    assert len(classed(root, "line")) == 2
    assert len(classed(root, "dot")) == 2, "the lone value, and the last one"
    assert "–" in [cell.text for cell in root.iter("td")]


@pytest.mark.parametrize(
    "values", [(7,), (0, 0, 0), (1e14, 3e14), (1e-9, 2e-9), (math.nan, 4), (3, math.inf)],
    ids=["one", "zero", "huge", "tiny", "nan", "infinite"],
)  # fmt: skip
def test_strange_values_are_drawn_within_the_plot(values: tuple[float, ...]) -> None:
    root = lines(*values)
    heights = [float(one.get("cy") or "") for one in classed(root, "dot")]
    assert heights and all(10 <= height <= 200 for height in heights)
    labels = [one.text or "" for one in classed(root, "y")]
    assert len(set(labels)) == len(labels) >= 2, labels
    assert "nan" not in ElementTree.tostring(root, encoding="unicode")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_nothing_to_draw_is_said(language: str) -> None:
    words = {"zh": "此期间没有数据", "en": "No data in this period"}[language]
    for markup in (
        line_chart([], title="T", unit="", language=language),
        line_chart([Series("s", [("d", None)], "a")], title="T", unit="", language=language),
        stacked_bars([], [], title="T", unit="", language=language),
        bar_list([], title="T", unit="", language=language),
        network([], [], title="T", language=language),
    ):
        assert [one.text for one in classed(parsed(markup), "empty")] == [words]
    assert sparkline([], title="T") and radar([], title="T")


def test_stacks_stand_on_each_other() -> None:
    root = parsed(
        stacked_bars(["a", "b"], [Stack("x", [4, 10], "a"), Stack("y", [6, 0], "b")],
                     title="T", unit="", language="en")
    )  # fmt: skip
    found = [
        (one.get("class"), float(one.get("y") or ""), float(one.get("height") or ""))
        for one in classed(root, "bar")
    ]
    assert found == [
        ("bar tone-a", 124, 76), ("bar tone-a", 10, 190), ("bar tone-b", 10, 114),
    ]  # fmt: skip
    assert [cell.text for cell in root.iter("td")] == ["4", "6", "10", "10", "0", "10"]
    for wrong in ([1], [1, -1]):
        with pytest.raises(ValueError, match="at least 0"):
            stacked_bars(["a", "b"], [Stack("x", wrong, "a")], title="T", unit="", language="en")


def test_bars_go_both_ways_from_zero_where_some_are_negative() -> None:
    root = parsed(bar_list([("gained", 30), ("lost", -10)], title="T", unit="points"))
    bars = [(one.get("class"), one.get("x"), one.get("width")) for one in classed(root, "bar")]
    assert bars == [
        ("bar tone-good", "25.00%", "75.00%"), ("bar tone-bad", "0.00%", "25.00%"),
    ]  # fmt: skip
    assert [one.text for one in classed(root, "amount")] == ["+30", "-10"]


def test_a_gauge_points_at_its_value_and_not_beyond_its_ends() -> None:
    def mark(value: float) -> tuple[float, float]:
        root = parsed(
            gauge(value, 300, 850, title="T", label="A", bands=[(600, "warn"), (850, "good")])
        )
        (line,) = classed(root, "mark")
        return float(line.get("x2") or ""), float(line.get("y2") or "")

    assert mark(575) == (150, 15)
    assert mark(300) == mark(-1) == (25, 140)
    assert mark(850) == mark(9999) == (275, 140)
    root = parsed(gauge(700, 300, 850, title="T", label="A", bands=[(600, "warn"), (850, "good")]))
    assert classed(root, "grade")[0].get("class") == "grade tone-good"
    with pytest.raises(ValueError, match="not below"):
        gauge(1, 5, 5, title="T", label="", bands=[])


def test_a_radar_leaves_out_what_has_no_value_and_needs_three_axes() -> None:
    root = parsed(radar([("a", 1), ("b", 0), ("c", None), ("d", 7)], title="T"))
    (web,) = classed(root, "web")
    assert web.get("points") == "180.0,58.0 180.0,142.0 96.0,142.0"
    assert [one.text for one in classed(root, "amount")] == ["100%", "0%", "–", "100%"]
    two = parsed(radar([("a", 0.5), ("b", 0.25)], title="T"))
    assert classed(two, "list")
    assert [one.get("width") for one in classed(two, "bar")] == [
        "50.00%",
        "25.00%",
    ]  # of all, not of "a"


def test_a_network_refuses_an_edge_to_nobody_and_a_chart_a_tone_there_is_not() -> None:
    node = Node("a", "A", "", "brand")
    with pytest.raises(ValueError, match="between no nodes"):
        network([node], [Edge("a", "b", "", 1, "brand")], title="T")
    with pytest.raises(ValueError, match="tone 'pink'"):
        network([Node("a", "A", "", "pink")], [], title="T")
    for count in range(1, 9):
        nodes = [Node(str(n), "长三角征信链", "1", "brand") for n in range(count)]
        root = parsed(network(nodes, [], title="T"))
        (picture,) = root.iter("svg")
        tall = float(picture.get("height") or "")
        assert all(0 < float(one.get("y") or "") < tall for one in root.iter("text"))


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 100, [0, 50, 100]), (0, 7, [0, 2, 4, 6, 8]), (610, 655, [600, 620, 640, 660]),
        (0, 0, [0, 0.5, 1]), (-3, 3, [-4, -2, 0, 2, 4]),
    ],
)  # fmt: skip
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


def test_counts_have_no_fractions_on_their_axis() -> None:
    assert axis([1, 2], from_zero=True, whole=True) == [0, 1, 2]
    assert axis([0], from_zero=True, whole=True) == [0, 1]


def test_numbers_are_short_on_an_axis_and_whole_elsewhere() -> None:
    assert [short(value, "en") for value in (0, 0.25, 1200, 12_000, 3_000_000, 2e9)] == [
        "0", "0.25", "1,200", "12k", "3M", "2bn",
    ]  # fmt: skip
    assert [short(value, "zh") for value in (1200, 12_000, 3e8)] == ["1,200", "1.2万", "3亿"]
    assert [full(value) for value in (None, 1234567.0, 0.25124, 1234.56)] == [
        "–", "1,234,567", "0.2512", "1,234.6",
    ]  # fmt: skip


def test_labels_keep_apart_at_every_width() -> None:
    labels = [f"2026-10-{n:02}" for n in range(1, 32)]
    for size, width in (("s", 250), ("m", 340), ("l", 570), ("xl", 810)):
        at = [n / 30 * width for n, sizes in enumerate(places(labels)) if size in sizes]
        assert at[-1] == width and len(at) >= 3
        assert min(b - a for a, b in pairwise(at)) > width_of(labels[0])
    assert places(["only"]) == [["s", "m", "l", "xl"]]
    assert places([]) == []


def test_a_text_is_broken_between_words_and_cut_where_it_must_be() -> None:
    assert cut("统一社会信用代码", 40) == "统一…"
    assert lines_of("社保缴纳连续性", 60) == ["社保缴纳连", "续性"]
    assert lines_of("Social insurance continuity", 120) == ["Social insurance", "continuity"]
    assert lines_of("Receivables", 40) == [cut("Receivables", 40)] == ["Rece…"]


def test_a_colour_can_be_read_on_what_it_stands_on() -> None:
    """WCAG 2.2 AA: text 4.5:1, what shows a value 3:1, in both themes."""
    sheet = (files("node.pages") / "static" / "style.css").read_text(encoding="utf-8")
    light, dark, chosen = (
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
        for block in re.findall(r":root(?:\S*) \{(.*?)\}", sheet, re.DOTALL)[:3]
    )
    assert dark == chosen
    for theme in (light, light | dark):
        for text in ("ink", "soft", "brand", "good", "warn", "bad"):
            for ground in ("paper", "desk", "wash", "hover"):
                assert contrast(theme[text], theme[ground]) >= 4.5, (text, ground)
        for name in ("brand", "good", "warn", "bad"):
            assert contrast(theme[name], theme[f"{name}-wash"]) >= 4.5, name
        assert contrast(theme["on-brand"], theme["brand"]) >= 4.5
        assert contrast(theme["on-bad"], theme["bad"]) >= 4.5
        for name in ("a", "b", "c", "d", "e", "f", "edge", "focus"):
            assert contrast(theme[name], theme["paper"]) >= 3, name


def contrast(one: str, other: str) -> float:
    def light(colour: str) -> float:
        parts = (int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5))
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)
