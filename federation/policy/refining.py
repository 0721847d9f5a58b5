"""Scorecards of several chains on one catalogue, so that rule d can judge their joint record.

Chains publish catalogues of their own, and may cut a feature otherwise or know kinds of holders
that this chain has not. The common catalogue has this chain's features on the atoms of all versions
(`federation.policy.atoms`), and what is only known elsewhere as it is published there. Points and
transitions are those of the bin that an atom lies in, exactly; how the firms of a bin are spread
over its atoms is published nowhere, and they are taken as equally common.

A valid scorecard of this chain that has other bins is not carried over: its bank can withdraw it,
and is told to (`federation.policy.information`). One of another chain could only be withdrawn at
the price of that chain.
"""

from __future__ import annotations

from dataclasses import replace

from federation.policy.atoms import atoms, shares_over, spread_over
from federation.policy.history import Earlier, changed
from federation.policy.report import PolicyError
from federation.policy.submission import Submission
from scoring.catalogue import Bins, Catalogue, Feature, HolderKind, Recognition
from scoring.scorecard import Scorecard


def on_common_bins(submission: Submission) -> Submission:
    """The submission and the valid scorecards beside it, on bins that all of them share.

    The same object where no other chain's scorecard is valid. What is not valid stays as it is:
    rule d does not look at it.
    """
    away = [one for one in submission.earlier if one.chain and one.valid]
    if not away:
        return submission
    catalogue = _common(submission.catalogue, away)
    return replace(
        submission,
        scorecard=_carried(submission.scorecard, submission.catalogue, catalogue),
        catalogue=catalogue,
        earlier=tuple(
            _moved(one, catalogue) if _moves(one, submission.catalogue) else one
            for one in submission.earlier
        ),
    )


def same_bins(catalogue: Catalogue, earlier: Earlier) -> bool:
    """Whether every feature of the scorecard has the bins of that catalogue."""
    card = earlier.scorecard
    for entry in card.points:
        kind = card.kind_of(entry.holder)
        known = {f.name: f.bins for f in catalogue.features if f.kind == kind}
        if known.get(entry.feature) != earlier.catalogue.feature(kind, entry.feature).bins:
            return False
    return True


def check_sorts(submission: Submission) -> None:
    """Raises PolicyError where another chain has a category under the name of a number: they have
    no bins in common.
    """
    sorts = {f.id: bool(f.bins.categories) for f in submission.catalogue.features}
    for earlier in submission.earlier:
        for feature in earlier.catalogue.features if earlier.chain else ():
            sort = bool(feature.bins.categories)
            if sorts.setdefault(feature.id, sort) is not sort:
                raise PolicyError(
                    f"catalogue: {feature.id} is a number in one chain and a category in "
                    f"{earlier.chain}; name them differently"
                )


def _moves(one: Earlier, own: Catalogue) -> bool:
    return one.valid and (bool(one.chain) or same_bins(own, one))


def _moved(one: Earlier, catalogue: Catalogue) -> Earlier:
    return replace(
        one, scorecard=_carried(one.scorecard, one.catalogue, catalogue), catalogue=catalogue
    )


def _common(own: Catalogue, away: list[Earlier]) -> Catalogue:
    kinds: dict[str, HolderKind] = {one.kind: one for one in own.holders}
    features: dict[str, Feature] = {one.id: one for one in own.features}
    known: dict[str, Recognition] = {one.holder: one for one in own.recognition or ()}
    bins: dict[str, list[Bins]] = {one.id: [one.bins] for one in own.features}
    for earlier in away:
        there = earlier.catalogue
        used = {participant.kind for participant in earlier.scorecard.participants}
        kinds |= {k.kind: k for k in there.holders if k.kind in used and k.kind not in kinds}
        for feature in there.features:
            if feature.kind in used:
                features.setdefault(feature.id, feature)
                bins.setdefault(feature.id, []).append(feature.bins)
        named = {participant.holder for participant in earlier.scorecard.participants}
        for recognition in there.recognition or ():
            if recognition.holder in named:
                known.setdefault(recognition.holder, recognition)
    return Catalogue(
        version=own.version,
        name=own.name,
        holders=tuple(kinds.values()),
        features=tuple(_refined(feature, bins[name]) for name, feature in features.items()),
        recognition=tuple(known[holder] for holder in sorted(known)) or None,
    )


def _refined(feature: Feature, versions: list[Bins]) -> Feature:
    """The feature on the atoms of all versions, in their order."""
    if all(bins == feature.bins for bins in versions):
        return feature
    found = atoms(versions)
    places = spread_over(feature.bins, range(feature.bin_count), found)
    shares, moves = feature.frequencies, feature.transitions
    values: dict[str, list[float | str]] = {}
    for sort, value in found[1:]:
        values.setdefault(sort, []).append(value)
    return feature.model_copy(
        update={
            "bins": Bins(
                specials=tuple(float(value) for value in values.get("special", ())),
                edges=tuple(float(value) for value in values.get("number", ())[1:]),
                categories=tuple(str(value) for value in values.get("category", ())[:-1]),
            ),
            "frequencies": shares and tuple(shares_over(feature.bins, shares, found)),
            "transitions": moves
            and tuple(tuple(shares_over(feature.bins, moves[place], found)) for place in places),
        }
    )


def _carried(card: Scorecard, own: Catalogue, catalogue: Catalogue) -> Scorecard:
    """The scorecard with the points of each atom, under the common catalogue's version."""
    points = []
    for entry in card.points:
        kind = card.kind_of(entry.holder)
        mine, common = own.feature(kind, entry.feature).bins, catalogue.feature(kind, entry.feature)
        spread = entry.points
        if mine != common.bins:
            spread = tuple(spread_over(mine, entry.points, atoms([common.bins])))
        points.append(entry.model_copy(update={"points": spread}))
    return changed(card, points=tuple(points), catalogue_version=catalogue.version)
