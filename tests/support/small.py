"""A small catalogue, and scorecards on it that pass certification policy as it stands."""

from __future__ import annotations

from collections.abc import Sequence

from federation.identity import SpiffeId
from scoring.catalogue import Bins, Catalogue, Feature, HolderKind, Recognition
from scoring.documents import Text
from scoring.scorecard import Scorecard

KINDS = ("tax", "power", "insurance", "court")
FEATURES = 4
DOMAIN = "csj.yinxin.example"
BINS = 3
"""Missing, below the one edge, from the edge on."""

# Jumps of 1 and 2 in every feature, so that policy b finds each in all six of a field.
_POINTS = ((1, 0, 3), (0, 1, 3), (0, 2, 3), (2, 3, 0), (3, 1, 0), (1, 3, 0))


def small_catalogue() -> Catalogue:
    """Four kinds of holders with four features of three bins: twelve columns a holder."""
    title = Text(zh="甲", en="a")
    return Catalogue(
        version="small-1",
        name=title,
        holders=tuple(HolderKind(kind=kind, title=title, refresh="daily") for kind in KINDS),
        features=tuple(
            Feature(
                kind=kind,
                name=f"f{number}",
                title=title,
                unit="yuan",
                type="number",
                public=False,
                bins=Bins(edges=(100.0,)),
                frequencies=(0.2, 0.4, 0.4),
                loading=0.2,
                transitions=((0.92, 0.04, 0.04), (0.02, 0.94, 0.04), (0.02, 0.04, 0.94)),
            )
            for kind in KINDS
            for number in range(FEATURES)
        ),
        # Tests name their holders after the kind, or number them.
        recognition=tuple(
            Recognition(holder=f"spiffe://{DOMAIN}/holder/{name}", kind=kind, share=0.95)
            for name, kind in sorted((f"{kind}{end}", kind) for kind in KINDS for end in ("", "-1"))
        ),
    )


def small_scorecard(
    name: str, participants: Sequence[tuple[SpiffeId, str]], disclosed: Sequence[str] = ()
) -> Scorecard:
    """Two fields over every feature of the participants; points depend on `name`."""
    title = {"zh": "甲", "en": "a"}
    turn = sum(name.encode())
    return Scorecard.build(
        {
            "name": name,
            "version": "1",
            "catalogue_version": "small-1",
            "participants": [{"holder": str(h), "kind": kind} for h, kind in participants],
            "fields": [
                {"name": field, "title": title, "reason": reason, "step": 4.0}
                for field, reason in (("money", "R01"), ("conduct", "R02"))
            ],
            "points": [
                {
                    "holder": str(holder),
                    "feature": f"f{number}",
                    "field": "money" if number < FEATURES // 2 else "conduct",
                    "points": _POINTS[(turn + index * FEATURES + number) % len(_POINTS)],
                }
                for index, (holder, _) in enumerate(participants)
                for number in range(FEATURES)
            ],
            "scale": {"offset": 480.0},
            "disclosed": sorted(disclosed),
        }
    )
