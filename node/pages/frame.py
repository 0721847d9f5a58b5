"""What every template finds around its own context."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from node.html import template
from node.pages import visit as visits
from node.pages.texts import COMMON, NOTICES
from node.pages.visit import Visit
from scoring.documents import Text


def surroundings(visit: Visit, words: Mapping[str, Text]) -> dict[str, Any]:
    """The values that `Visit.render` names."""
    language = visit.language
    notice = NOTICES.get(visit.query("done"))
    return {
        "visit": visit,
        "site": visit.site,
        "language": language,
        # No dict: a word may be called as one of its methods is (`w.clear`, `w.copy`).
        "w": SimpleNamespace(
            **{key: visits.say(text, language) for key, text in (COMMON | dict(words)).items()}
        ),
        "t": lambda text, **details: visits.say(text, language, **details),
        "when": visits.when,
        "day": visits.day,
        "iso": visits.iso,
        "number": visits.number,
        "change": visits.change,
        "notice": visits.say(notice, language) if notice is not None else "",
        "today": visits.day(visit.site.clock.now()),
        "layout": template("node.pages", "layout.html.j2"),
        "parts": template("node.pages", "parts.html.j2").module,
    }
