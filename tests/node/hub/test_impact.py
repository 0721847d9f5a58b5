"""What of the chain a new catalogue breaks, as its hub knows it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from node.config import HubConfig
from node.hub.impact import CatalogueImpact, impact_of
from node.runtime import Runtime
from scoring.catalogue import Bins, Catalogue, Feature
from support.chain import HARBOUR, NOW, TAX
from support.small import small_catalogue
from tests.node.hub.test_withdrawals import withdrawn
from tests.node.hub.world import World, publish

Hub = Runtime[HubConfig]


def catalogue(features: Sequence[Feature], **changes: Any) -> Catalogue:
    document = small_catalogue().model_dump() | {"version": "next", "features": features}
    return Catalogue.build(document | changes)


FIRST, *REST = small_catalogue().features
PLAIN = {"frequencies": None, "transitions": None, "loading": None}


def other(**changes: Any) -> Catalogue:
    """The small catalogue with another first feature."""
    return catalogue((FIRST.model_copy(update={**PLAIN, **changes}), *REST))


@pytest.fixture
async def hub(world: World) -> AsyncIterator[Hub]:
    """A hub through which one model was installed."""
    async with world.state() as made:

        def unit(connection: Any) -> None:
            publish(world, made, connection)
            made.chain.put_certificate(connection, world.chain.alpha.signed)

        await made.store.run(unit)
        yield made


async def impact(hub: Hub, next_one: Catalogue) -> CatalogueImpact:
    return await hub.store.read(lambda c: impact_of(hub, c, next_one))


async def test_the_first_catalogue_breaks_nothing(world: World) -> None:
    async with world.state() as hub:
        found = await impact(hub, small_catalogue())
    assert (found.difference, found.models, found.holders, found.breaking) == (None, (), (), False)


async def test_new_statistics_end_certificates_and_break_nothing(world: World, hub: Hub) -> None:
    found = await impact(hub, other())
    (model,) = found.models
    certificate = world.chain.alpha.certificate
    assert (model.certificate, model.name) == (certificate.hash.hex(), certificate.name)
    assert (model.bank, model.guest, model.kinds) == (str(HARBOUR), False, ())
    assert model.until == max(epoch.descriptor.closes for epoch in world.chain.epochs.values())
    assert (found.holders, found.breaking) == ((), False)


async def test_other_bins_may_break_scorecards_and_no_mapping(hub: Hub) -> None:
    found = await impact(hub, other(bins=Bins(edges=(70.0,))))
    assert ([model.kinds for model in found.models], found.holders) == ([(FIRST.kind,)], ())
    assert found.breaking


@pytest.mark.parametrize(
    ("next_one", "gone", "changed"),
    [
        (other(unit="wan"), (), (FIRST.id,)),
        (catalogue(REST), (FIRST.id,), ()),
    ],
    ids=["unit", "gone"],
)
async def test_holders_whose_mapping_must_change_are_named(
    hub: Hub, next_one: Catalogue, gone: tuple[str, ...], changed: tuple[str, ...]
) -> None:
    found = await impact(hub, next_one)
    assert {(one.kind, one.mapping, one.gone, one.changed) for one in found.holders} == {
        (FIRST.kind, True, gone, changed)
    }
    assert str(TAX) in {one.holder for one in found.holders}
    assert found.breaking


async def test_a_category_that_goes_changes_the_mapping_and_one_that_comes_does_not(
    world: World, hub: Hub
) -> None:
    def grades(version: str, *names: str) -> Catalogue:
        sorts = {"type": "category", "bins": Bins(categories=names), **PLAIN}
        return catalogue((FIRST.model_copy(update=sorts), *REST), version=version)

    present = grades("present", "A", "B")
    await hub.store.run(lambda c: hub.chain.put_catalogue(c, present.to_json().encode(), 2))
    more, fewer = grades("more", "A", "B", "C"), grades("fewer", "A")
    assert (await impact(hub, more)).holders == ()
    (holder,) = {one.kind: one for one in (await impact(hub, fewer)).holders}.values()
    assert holder.changed == (FIRST.id,)
    # The model is bound to the catalogue before: that one's end is decided already.
    assert (await impact(hub, fewer)).models == ()


async def test_what_is_added_breaks_nothing_and_is_named(hub: Hub) -> None:
    extra = FIRST.model_copy(update={"name": "extra"})
    found = await impact(hub, catalogue((FIRST, *REST, extra)))
    assert {(one.mapping, one.added) for one in found.holders} == {(False, (extra.id,))}
    assert not found.breaking


async def test_a_withdrawn_model_and_one_that_ended_break_no_more(world: World, hub: Hub) -> None:
    changed = other(unit="wan")
    assert len((await impact(hub, changed)).models) == 1
    await hub.store.run(lambda c: hub.chain.put_withdrawal(c, withdrawn(world.chain)))
    assert (await impact(hub, changed)).models == ()
    await hub.store.run(lambda c: hub.chain.put_certificate(c, world.chain.beta.signed))
    assert len((await impact(hub, changed)).models) == 1
    world.clock.advance(world.chain.beta.certificate.not_after - NOW)
    assert (await impact(hub, changed)).models == ()
