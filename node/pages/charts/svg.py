"""Elements of SVG and HTML as markup: every text and value that goes in is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from markupsafe import Markup, escape

from node.pages.charts.texts import NOTHING, TABLE
from scoring.documents import Text

TONES: Final = ("brand", "good", "warn", "bad", "soft", "a", "b", "c", "d", "e", "f")


def say(text: Text, language: str, **details: object) -> str:
    """A text in `zh` or `en`."""
    chosen = text.zh if language == "zh" else text.en
    return chosen.format(**details) if details else chosen


def element(name: str, *content: object, **attributes: object) -> Markup:
    """An element. `class_` is `class`, other underscores are hyphens; None leaves one out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_plain(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = "".join(escape(one) for one in content)
    return Markup(f"<{name}{written}>{inner}</{name}>")  # noqa: S704  # all parts are escaped


def toned(tone: str, name: str = "") -> str:
    """The classes of something in a tone. Raises ValueError for a tone there is not."""
    if tone not in TONES:
        raise ValueError(f"tone {tone!r} is none of {', '.join(TONES)}")
    return f"{name} tone-{tone}".strip()


def picture(
    *content: object, label: str, width: object = "100%", height: object = None, **more: object
) -> Markup:
    """A drawing with its content in words."""
    return element(
        "svg", *content, role="img", aria_label=label, width=width, height=height, **more
    )


def figure(kind: str, *content: object) -> Markup:
    """A chart."""
    return element("figure", *content, class_=f"chart {kind}")


def nothing(kind: str, title: str, language: str) -> Markup:
    """A chart that has nothing to show says so, and keeps its place."""
    words = say(NOTHING, language)
    return figure(kind, element("p", words, class_="empty", aria_label=f"{title}: {words}"))


def legend(entries: Iterable[tuple[str, str]], unit: str) -> Markup:
    """What stands above a plot: its unit, and the name of each tone where there are several."""
    named = list(entries)
    items = (
        [element("li", element("span", class_=toned(tone, "key")), name) for name, tone in named]
        if len(named) > 1
        else []
    )
    return element(
        "div",
        element("span", unit, class_="unit") if unit else "",
        element("ul", *items, class_="legend") if items else "",
        class_="chart-head",
    )


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]], language: str) -> Markup:
    """The chart's numbers, opened on demand; the first column names the rows."""
    body = [
        element(
            "tr",
            element("th", row[0], scope="row"),
            *(element("td", value, class_="k-number") for value in row[1:]),
        )
        for row in rows
    ]
    columns = [
        element("th", name, scope="col", class_="k-number" if n else None)
        for n, name in enumerate(head)
    ]
    return element(
        "details",
        element("summary", say(TABLE, language)),
        element(
            "div",
            element(
                "table",
                element("thead", element("tr", *columns)),
                element("tbody", *body),
            ),
            class_="scroll",
            tabindex=0,
            role="region",
            aria_label=title,
        ),
        class_="as-table",
    )


def _plain(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value
