"""What was certified before: later scorecards are judged together with it.

A firm can be enrolled in several chains, head office in one and plant in another, and much of its
data is the same there: its tax record is its tax record. A bank that holds records of both chains
subtracts them as it would two records of one chain, and R_csj − R_zsj isolates a feature as R1 − R0
does. Whether data agree is the firm's affair and nobody can know it for all, so they are taken as
the same: the holders of another chain's scorecard are taken for the holders of their kind here.
Kinds that do not exist here have nothing to be the same as, and keep their names.

Where a kind has several holders in one of the two chains, it is not known which of them has the
data of which. Each *reading* is one way to pair them, and every pair of a holder there and a
holder here occurs in one: a scorecard has to pass in all readings. They are judged one after the
other and never together, because no more than one of them is true, and the difference of two would
be of nothing that a bank can have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from scoring.catalogue import Catalogue
from scoring.scorecard import Scorecard

Holders = Mapping[str, Sequence[str]]
"""Holders by kind."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """A scorecard certified within 24 months for the bank or an affiliate, open or sealed.

    `valid` says that it can still be asked with now; one that expired or was withdrawn is not.
    `catalogue` is the one that it was certified for, `chain` the peer chain that certified it,
    empty for the own one.
    """

    scorecard: Scorecard
    catalogue: Catalogue
    valid: bool
    chain: str = ""


def readings(scorecard: Scorecard, earlier: Sequence[Earlier]) -> Iterator[tuple[Earlier, ...]]:
    """What came before, with the holders of other chains as those here, in every reading.

    One reading, and the very same tuple, where no other chain has certified anything.
    """
    own = [scorecard, *(one.scorecard for one in earlier if not one.chain)]
    here = _by_kind(own)
    away = [one.scorecard for one in earlier if one.chain]
    ways = max((_ways(card, here) for card in away), default=1)
    for way in range(ways):
        yield tuple(
            replace(one, scorecard=_renamed(one.scorecard, here, way)) if one.chain else one
            for one in earlier
        )


def _by_kind(scorecards: Sequence[Scorecard]) -> Holders:
    """The participants, each kind's in order of their ids."""
    found: dict[str, set[str]] = {}
    for card in scorecards:
        for participant in card.participants:
            found.setdefault(participant.kind, set()).add(participant.holder)
    return {kind: sorted(holders) for kind, holders in found.items()}


def _ways(card: Scorecard, here: Holders) -> int:
    """How many readings it takes for every holder there to meet every one of its kind here."""
    there = _by_kind([card])
    return max(
        (max(len(there[kind]), len(here[kind])) for kind in there if kind in here), default=1
    )


def _renamed(card: Scorecard, here: Holders, way: int) -> Scorecard:
    """The scorecard in one reading: holder j of a kind there is holder j + `way` of it here, in a
    circle as long as the longer of the two lists; a holder whose place is empty keeps its name.
    """
    names: dict[str, str] = {}
    for kind, holders in _by_kind([card]).items():
        places = here.get(kind, ())
        length = max(len(holders), len(places))
        for number, holder in enumerate(holders):
            place = (number + way) % length
            if place < len(places):
                names[holder] = places[place]
    if all(holder == other for holder, other in names.items()):
        return card
    return changed(
        card,
        **{
            part: tuple(
                entry.model_copy(update={"holder": names.get(entry.holder, entry.holder)})
                for entry in getattr(card, part)
            )
            for part in ("participants", "points")
        },
    )


def changed(card: Scorecard, **parts: Any) -> Scorecard:
    """The scorecard with other parts, checked as a whole again."""
    return Scorecard(**{name: getattr(card, name) for name in Scorecard.model_fields} | parts)
