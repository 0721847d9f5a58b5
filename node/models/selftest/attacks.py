"""The attacks on certification: scorecards that ask for data under the name of a score.

Each attack has the scorecards a bank would submit, the features it is after, and what it reads from
records where policy is not applied. Policy has to refuse it and to name the features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from federation.policy import Earlier, PolicyReport, PolicyThresholds, certify_policy
from node.models.selftest.laboratory import (
    KINDS,
    Firms,
    Published,
    catalogue,
    draw,
    scorecard,
)
from scoring.catalogue import Catalogue
from scoring.scorecard import Scorecard

KNOWN: Final = dict.fromkeys(KINDS, 0.95)
FIRMS: Final = 20_000

_EVEN: Final = (0.0, 0.25, 0.25, 0.25, 0.25)
_HALF: Final = (0.0, 0.5, 0.5, 0.0, 0.0)
_FLAG: Final = (0.0, 0.99, 0.01, 0.0, 0.0)
_NEVER: Final = (0.0, 0.999, 0.001, 0.0, 0.0)
_RARE: Final = (0.0, 0.82, *[0.015] * 12)
"""Thirteen bins, of which twelve are rare."""

FEATURES: Final = (
    *(Published(kind, f"even{n}", _EVEN) for kind in KINDS for n in range(8)),
    *(Published(kind, "half", _HALF) for kind in KINDS),
    *(Published(kind, "still", _HALF, moving=0.0) for kind in KINDS),
    *(Published(kind, "flag", _FLAG) for kind in KINDS),
    *(Published(kind, "never", _NEVER) for kind in KINDS),
    Published("tax", "rare", _RARE, edges=tuple(float(n) for n in range(1, 13))),
)
CATALOGUE: Final[Catalogue] = catalogue(FEATURES, KNOWN)

Points = dict[tuple[str, str], list[int]]


@dataclass(frozen=True)
class Attack:
    """One attack: what is submitted, what went before, which rule and features refuse it.

    `read` gives, from firms' records without policy, the share of firms of whom the bank finds what
    it is after, and the share that it would find by guessing.
    """

    name: str
    submitted: Scorecard
    earlier: tuple[Scorecard, ...]
    valid: bool
    rule: str
    features: frozenset[str]
    read: Callable[[Firms], tuple[float, float]]

    @cached_property
    def report(self) -> PolicyReport:
        """Policy's verdict."""
        before = [Earlier(card, CATALOGUE, self.valid) for card in self.earlier]
        return certify_policy(self.submitted, CATALOGUE, PolicyThresholds(), before)

    def refused(self) -> bool:
        """Whether policy refuses, by the rule that is there for it, and names every feature."""
        named: set[str] = set()
        for item in self.report.failures:
            if item.rule == self.rule:
                named.update(item.about or ([item.feature] if item.feature else []))
        return self.features <= named


def key(kind: str, name: str) -> tuple[str, str]:
    """(holder, feature) of the laboratory."""
    return next(f.key for f in FEATURES if (f.kind, f.name) == (kind, name))


def honest(turn: int = 0, kinds: tuple[str, ...] = KINDS) -> Points:
    """A field that passes: ten even features with jumps of 1 and 2."""
    shapes = ([1, 0, 1, 2, 3], [2, 0, 1, 2, 4], [1, 0, 1, 3, 3], [1, 3, 2, 1, 0], [2, 4, 2, 1, 0])
    points: Points = {}
    for number, kind in enumerate(kinds):
        for n in (0, 1):
            points[key(kind, f"even{n}")] = list(shapes[(turn + number + 2 * n) % len(shapes)])
    return points


def _names(*keys: tuple[str, str]) -> frozenset[str]:
    return frozenset(" ".join(found) for found in keys)


def positional_codes() -> Attack:
    """Points in base 6 read out every bin."""
    wanted = [key(kind, "even2") for kind in KINDS]
    code = {k: [b * 6**n for b in range(5)] for n, k in enumerate(wanted)}
    card = scorecard({"code": code})

    def read(firms: Firms) -> tuple[float, float]:
        record = firms.record(card, "code")
        right = np.ones(len(record), dtype=bool)
        for n, k in enumerate(wanted):
            right &= firms.bins[k] == record // 6**n % 6
        return float(right.mean()), 0.25 ** len(wanted)

    jumps = frozenset(" ".join(k) for k in wanted)
    return Attack("positional_codes", card, (), False, "b", jumps, read)


def rare_flag() -> Attack:
    """A 1 % flag with most of a field's spread."""
    flag = key("tax", "flag")
    points = {key(kind, "never"): [0, 0, 7, 0, 0] for kind in KINDS}
    points |= {key(kind, f"even{n}"): [0, 0, 0, 0, 0] for kind in KINDS for n in (0,)}
    points[flag] = [0, 0, 7, 0, 0]
    card = scorecard({"flag": points})

    def read(firms: Firms) -> tuple[float, float]:
        marked = firms.bins[flag] == 2
        found = firms.record(card, "flag") >= 7
        return float(marked[found].mean()), float(marked.mean())

    return Attack("rare_flag", card, (), False, "a", _names(flag), read)


def rare_bins_shared() -> Attack:
    """Ten rare bins of one feature share points, so that none of them alone is told."""
    rare = key("tax", "rare")
    low = {key(kind, f"even{n}"): [1, 0, 1, 2, 2] for kind in KINDS for n in (0, 1)}
    low |= {key(kind, "never"): [0, 0, 7, 0, 0] for kind in ("power", "court", "invoice")}
    low[rare] = [0, 0, *[7] * 10, 0, 0]
    card = scorecard({"trade": low})

    def read(firms: Firms) -> tuple[float, float]:
        record, truth = (
            firms.record(card, "trade"),
            (firms.bins[rare] >= 2) & (firms.bins[rare] < 12),
        )
        return _posterior(record, truth), float(truth.mean())

    return Attack("rare_bins_shared", card, (), False, "d", _names(rare), read)


def _posterior(record: np.ndarray[Any, Any], truth: np.ndarray[Any, Any]) -> float:
    """How sure records make the bank of what is true, on average over the firms it is true of."""
    _, inverse = np.unique(record, return_inverse=True)
    share = np.bincount(inverse, weights=truth) / np.bincount(inverse)
    return float(share[inverse][truth].mean())


def certain_half() -> Attack:
    """A 50/50 feature, the only one in odd steps but for two that never occur: the parity tells."""
    wanted = key("tax", "half")
    points = {key(kind, f"even{n}"): [2, 0, 2, 4, 6] for kind in KINDS for n in (0, 1)}
    points |= {key(kind, "never"): [0, 0, 1, 0, 0] for kind in ("power", "court")}
    points[wanted] = [0, 0, 1, 0, 0]
    card = scorecard({"trade": points})

    def read(firms: Firms) -> tuple[float, float]:
        truth = firms.bins[wanted] == 2
        odd = firms.record(card, "trade") % 2 == 1
        return float((truth == odd).mean()), float(max(truth.mean(), 1 - truth.mean()))

    return Attack("certain_half", card, (), False, "d", _names(wanted), read)


def _changed(points: Points, *keys: tuple[str, str]) -> Points:
    """The same points with those of some features' bins exchanged."""
    return {k: [p[b] for b in (0, 2, 1, 4, 3)] if k in keys else p for k, p in points.items()}


def four_model_tracker() -> Attack:
    """R3 − R1 − R2 + R0: every two differ in many features, the four in one."""
    first = [key(kind, f"even{n}") for kind in KINDS[:3] for n in (0, 1)]
    second = [key(kind, f"even{n}") for kind in KINDS[3:] for n in (0, 1)]
    extra = [key(kind, "even3") for kind in KINDS[:3]]
    wanted = key("tax", "even2")
    base = honest() | {k: [1, 0, 1, 2, 3] for k in extra} | {wanted: [1, 0, 1, 2, 3]}
    r0 = base
    r1 = _changed(base, *first)
    r2 = _changed(base, *second, *extra)
    r3 = _changed(r1, *second, *extra) | {wanted: [2, 1, 0, 1, 3]}
    cards = [scorecard({"trade": r}, f"r{n}") for n, r in enumerate((r0, r1, r2, r3))]

    def read(firms: Firms) -> tuple[float, float]:
        values = [firms.record(card, "trade") for card in cards]
        alone = values[3] - values[1] - values[2] + values[0]
        shift = np.array(r3[wanted]) - np.array(base[wanted])
        return _read_back(firms, wanted, alone, shift)

    return Attack(
        "four_model_tracker", cards[3], tuple(cards[:3]), False, "c", _names(wanted), read
    )


def _read_back(
    firms: Firms,
    wanted: tuple[str, str],
    alone: np.ndarray[Any, Any],
    shift: np.ndarray[Any, Any],
) -> tuple[float, float]:
    """Whether the difference gives the feature's own part, and what guessing gives."""
    truth = shift[firms.bins[wanted]]
    _, counts = np.unique(truth, return_counts=True)
    return float((truth == alone).mean()), float(counts.max() / len(truth))


def _difference(name: str, cover: Sequence[tuple[str, str]] = ()) -> Attack:
    """Two scorecards that differ in one feature, and in a rare bin of others."""
    wanted = key("court", "even0")
    before = honest() | {other: [0, 0, 1, 0, 0] for other in cover}
    after = before | {wanted: [0, 4, 1, 3, 2]} | {other: [0, 0, 2, 0, 0] for other in cover}
    cards = [scorecard({"trade": p}, f"r{n}") for n, p in enumerate((before, after))]
    shift = np.array(after[wanted]) - np.array(before[wanted])

    def read(firms: Firms) -> tuple[float, float]:
        alone = firms.record(cards[1], "trade") - firms.record(cards[0], "trade")
        return _read_back(firms, wanted, alone, shift)

    return Attack(name, cards[1], (cards[0],), False, "c", _names(wanted), read)


def louder_than_cover() -> Attack:
    """Two scorecards that differ in six features: by 4 points in one, by 1 in a bin of the others.

    The first is withdrawn before the second is certified.
    """
    wanted = key("court", "even0")
    cover = [key(kind, "even0") for kind in KINDS if kind != "court"] + [key("tax", "even3")]
    still = {key(kind, "even1"): [3, 0, 1, 3, 7] for kind in KINDS[:3]}
    still |= {key(kind, "even1"): [1, 0, 1, 2, 3] for kind in KINDS[3:]}
    still |= {key("power", "even2"): [1, 0, 1, 2, 3]}
    before = still | {k: [3, 0, 1, 3, 7] for k in cover} | {wanted: [0, 0, 0, 4, 4]}
    after = still | {k: [3, 0, 1, 4, 7] for k in cover} | {wanted: [4, 4, 4, 0, 0]}
    cards = [scorecard({"trade": p}, f"r{n}") for n, p in enumerate((before, after))]

    def read(firms: Firms) -> tuple[float, float]:
        difference = firms.record(cards[1], "trade") - firms.record(cards[0], "trade")
        truth = firms.bins[wanted] >= 3
        right = float(((difference < 2) == truth).mean())
        return right, float(max(truth.mean(), 1 - truth.mean()))

    return Attack("louder_than_cover", cards[1], (cards[0],), False, "c", _names(wanted), read)


def moving_steps() -> Attack:
    """One feature moves in steps that only features which never move have, too."""
    wanted = key("tax", "half")
    points = {key(kind, f"even{n}"): [1, 0, 1, 1, 2] for kind in KINDS for n in (0, 1, 2)}
    points |= {key(kind, "still"): [0, 0, 5, 0, 0] for kind in KINDS}
    points[wanted] = [0, 0, 5, 0, 0]
    card = scorecard({"trade": points})

    def read(firms: Firms) -> tuple[float, float]:
        rng = np.random.default_rng(5)
        after = moved(firms, rng)
        rise = after.record(card, "trade") - firms.record(card, "trade")
        truth = (firms.bins[wanted] == 1) & (after.bins[wanted] == 2)
        return _posterior(rise, truth), float(truth.mean())

    return Attack("moving_steps", card, (), False, "d", _names(wanted), read)


def moved(firms: Firms, rng: np.random.Generator) -> Firms:
    """The same firms a month later."""
    bins = {}
    for feature in FEATURES:
        now = firms.bins[feature.key]
        fresh = rng.choice(len(feature.shares), size=len(now), p=feature.shares)
        moves = (rng.random(len(now)) < feature.moving) & (now > 0)
        bins[feature.key] = np.where(moves, fresh, now)
    return Firms(bins, firms.coverage)


ATTACKS: Final[Mapping[str, Callable[[], Attack]]] = {
    "positional_codes": positional_codes,
    "rare_flag": rare_flag,
    "rare_bins_shared": rare_bins_shared,
    "certain_half": certain_half,
    "four_model_tracker": four_model_tracker,
    "withdrawn_recertified": lambda: _difference("withdrawn_recertified"),
    "moving_steps": moving_steps,
    "affiliates": lambda: _difference("affiliates"),
    "open_and_private": lambda: _difference("open_and_private"),
    "louder_than_cover": louder_than_cover,
    "rare_cover": lambda: _difference("rare_cover", [key(kind, "never") for kind in KINDS]),
}
"""By name. For policy, what an affiliate had certified, what was withdrawn and what is published is
an earlier scorecard like any other; that the regulator counts them is tested at its desk."""


def run(tell: Callable[[str], None]) -> dict[str, Any]:
    """Mounts every attack: whether policy refuses it, and what it reads without policy."""
    firms = draw(FEATURES, KNOWN, FIRMS, np.random.default_rng(20261124))
    verdicts, gains = {}, {}
    for name, make in ATTACKS.items():
        tell(name)
        attack = make()
        verdicts[name] = "refused" if attack.refused() else "accepted"
        found, guessed = attack.read(firms)
        gains[name] = {"without_policy": round(found, 4), "guessing": round(guessed, 4)}
    return {"attacks": verdicts, "attack_gains": gains}
