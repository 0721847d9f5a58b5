"""What of a holder's mapping a catalogue breaks: only the holder knows its mapping.

Loading stops at the first fault of a mapping; this names all of them, and what loading cannot see:
a feature whose unit changed loads well, and means something else.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection

from node.config import HolderConfig
from node.holder.mapping import FeatureMapping, HolderMapping
from node.holder.units import Categories
from node.runtime import Runtime
from scoring.catalogue import Catalogue, Feature


class Fault(StrEnum):
    """What has to be changed in a mapping."""

    KIND_GONE = "kind_gone"
    FEATURE_GONE = "feature_gone"
    TYPE = "type"
    UNIT = "unit"
    RANGE = "range"
    CATEGORIES = "categories"


@dataclass(frozen=True)
class Broken:
    """A feature that the mapping gives and that the catalogue does not take as it is.

    `values` are the categories without a bin, or the unit before and now.
    """

    feature: str
    fault: Fault
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class MappingImpact:
    """What a catalogue makes of a mapping of `kind`.

    `broken` are what it gives in vain or wrongly. `not_given` are features of the catalogue that it
    does not give, so that every firm is `missing` there, `new` those of them that the present
    catalogue does not have. `empty` are categories that none of the mapping's values leads to.
    """

    kind: str
    broken: tuple[Broken, ...]
    not_given: tuple[str, ...]
    new: tuple[str, ...]
    empty: tuple[tuple[str, tuple[str, ...]], ...]


def present_catalogue(runtime: Runtime[HolderConfig], connection: Connection) -> Catalogue | None:
    """The catalogue of the newest epoch that is announced; None while none is."""
    announced = runtime.chain.epoch_numbers(connection)
    descriptor = runtime.chain.descriptor(connection, announced[-1]) if announced else None
    return None if descriptor is None else runtime.chain.catalogue(connection, descriptor.catalogue)


def proposed_catalogue(runtime: Runtime[HolderConfig], connection: Connection) -> Catalogue | None:
    """The catalogue that the hub proposes; None while it proposes none."""
    _, raw = runtime.chain.proposal(connection)
    return Catalogue.from_json(raw) if raw else None


def mapping_impact(
    mapping: HolderMapping, catalogue: Catalogue, present: Catalogue | None = None
) -> MappingImpact:
    """What `catalogue` makes of a mapping written for `present`, where that one is known."""
    if mapping.kind not in catalogue.kinds:
        gone = (Broken("", Fault.KIND_GONE),)
        return MappingImpact(mapping.kind, gone, (), (), ())
    features = {feature.name: feature for feature in catalogue.features_of(mapping.kind)}
    before = _before(mapping.kind, present)
    broken = [
        fault
        for name, item in mapping.features.items()
        for fault in _faults(name, item, features.get(name), before.get(name))
    ]
    not_given = tuple(name for name in features if name not in mapping.features)
    return MappingImpact(
        kind=mapping.kind,
        broken=tuple(broken),
        not_given=not_given,
        new=tuple(name for name in not_given if before and name not in before),
        empty=tuple(
            (name, unreached)
            for name, item in mapping.features.items()
            if name in features and (unreached := _unreached(item, features[name]))
        ),
    )


def _before(kind: str, present: Catalogue | None) -> dict[str, Feature]:
    if present is None or kind not in present.kinds:
        return {}
    return {feature.name: feature for feature in present.features_of(kind)}


def _faults(
    name: str, item: FeatureMapping, feature: Feature | None, before: Feature | None
) -> list[Broken]:
    if feature is None:
        return [Broken(name, Fault.FEATURE_GONE)]
    categories = isinstance(item.convert, Categories)
    if categories != (feature.type == "category"):
        return [Broken(name, Fault.TYPE, (feature.type,))]
    found = []
    if before is not None and before.unit != feature.unit:
        found.append(Broken(name, Fault.UNIT, (before.unit, feature.unit)))
    if categories and item.range is not None:
        found.append(Broken(name, Fault.RANGE))
    strangers = sorted(_given(item) - {*feature.bins.categories, "other"})
    if strangers:
        found.append(Broken(name, Fault.CATEGORIES, tuple(strangers)))
    return found


def _given(item: FeatureMapping) -> set[str]:
    """The categories to which the mapping's values lead."""
    if not isinstance(item.convert, Categories):
        return set()
    return {*item.convert.values.values(), *filter(None, [item.convert.rest])}


def _unreached(item: FeatureMapping, feature: Feature) -> tuple[str, ...]:
    given = _given(item)
    return tuple(
        category for category in feature.bins.categories if given and category not in given
    )
