"""A scorecard's file, by the name of the tool that wrote it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from node.bank.files import read_file
from node.models.readers import csv, optbinning, pmml, scorecardpy, toad
from node.models.readers.labels import ModelFileError
from scoring.cards.card import FORMAT, ToolCard

_TEXT: Final[Mapping[str, Callable[[str], ToolCard]]] = {
    "optbinning": optbinning.from_csv,
    "scorecardpy": scorecardpy.from_csv,
    "csv": csv.from_csv,
}
_JSON: Final[Mapping[str, Callable[[bytes], ToolCard]]] = {
    "optbinning": optbinning.from_json,
    "scorecardpy": scorecardpy.from_json,
    "toad": toad.from_json,
}
TOOLS: Final = ("optbinning", "scorecardpy", "toad", "pmml", "csv")


def read_tool_card(path: Path, tool: str) -> ToolCard:
    """The card of a file of one of `TOOLS`; JSON of the format `yinxin-tool-card/1` is any tool's.

    Raises ModelFileError for a file that is none, NodeError for one that cannot be read.
    """
    if tool not in TOOLS:
        raise ModelFileError(f"from: {tool!r} is no tool; choose one of {', '.join(TOOLS)}")
    raw = read_file(path, "scorecard")
    if tool == "pmml":
        return pmml.from_xml(raw)
    if raw.lstrip().startswith((b"{", b"[")):
        if _is_own(raw):
            return ToolCard.from_json(raw)
        if tool in _JSON:
            return _JSON[tool](raw)
    if tool not in _TEXT:
        raise ModelFileError(f"{path}: no JSON; give the file that {tool} exports as JSON")
    try:
        return _TEXT[tool](raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ModelFileError(f"{path}: not UTF-8; save the file in that encoding") from None


def _is_own(raw: bytes) -> bool:
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        return False
    return isinstance(data, dict) and data.get("format") == FORMAT
