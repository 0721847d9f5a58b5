"""The model desk's documents, read from files."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from node.bank.files import read_file
from node.errors import NodeError
from scoring.cards.real import RealCard
from scoring.catalogue import Catalogue
from scoring.scorecard import Scorecard
from scoring.stability import Distribution


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """What a TOML file says; raises NodeError naming the file, where it is none, and the remedy."""
    try:
        return tomllib.loads(read_file(path, what).decode("utf-8-sig"))
    except (ValueError, RecursionError) as failure:
        raise NodeError(f"{path}: {what}: no TOML ({failure}); correct the file") from None


def read_catalogue(path: Path) -> Catalogue:
    """A catalogue. Raises NodeError for a file that cannot be read, CatalogueError for another."""
    return Catalogue.from_json(read_file(path, "catalogue"))


def read_card(path: Path) -> RealCard:
    """A card of real points; raises as `read_catalogue`, ScorecardError for no card."""
    return RealCard.from_json(read_file(path, "card"))


def read_scorecard(path: Path) -> Scorecard:
    """A scorecard; raises as `read_card`."""
    return Scorecard.from_json(read_file(path, "scorecard"))


def read_distribution(path: Path) -> Distribution:
    """A score distribution; raises as `read_card`."""
    return Distribution.from_json(read_file(path, "distribution"))
