"""How wide texts are in a drawing, about, and where they are cut."""

from __future__ import annotations

import unicodedata
from typing import Final

FONT: Final = 12.0
"""Size of a text where none is named: that of the pages' charts, in pixels."""
_NARROW: Final = 0.56
"""Width of a Latin letter as a share of the font's size, about."""


def width_of(text: str, size: float = FONT) -> float:
    """About how wide a text is, in the unit of its size."""
    return sum(
        size if unicodedata.east_asian_width(one) in "WF" else size * _NARROW for one in text
    )


def cut(text: str, width: float, size: float = FONT) -> str:
    """As much of a text as fits in `width`, with … where something is left out."""
    if width_of(text, size) <= width:
        return text
    kept, used = "", width_of("…", size)
    for one in text:
        used += width_of(one, size)
        if used > width:
            break
        kept += one
    return f"{kept.rstrip()}…"
