"""A second document for one number, and certificates that the regulator never logged."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from federation.audit.findings import FindingKind
from federation.audit.records import Event
from federation.entries import Kind
from federation.identity import SpiffeId
from support.audited import World
from support.chain import HARBOUR, HUB, NOW, POWER, TAX

OTHER = bytes(range(32))
AT = NOW + 3_000

PLANTED: dict[str, tuple[Callable[[World], Event], FindingKind, SpiffeId]] = {
    "descriptor": (
        lambda w: w.logs.log(HUB, Kind.DESCRIPTOR, AT, document=OTHER, epoch=1),
        FindingKind.SECOND_DESCRIPTOR,
        HUB,
    ),
    "opening": (
        lambda w: w.logs.log(HUB, Kind.OPENING, AT, document=OTHER, epoch=2),
        FindingKind.SECOND_OPENING,
        HUB,
    ),
    "manifest in the holder's log": (
        lambda w: w.logs.log(TAX, Kind.MANIFEST, AT, document=OTHER, epoch=1),
        FindingKind.SECOND_MANIFEST,
        TAX,
    ),
    "manifest in the hub's log": (
        lambda w: w.logs.log(HUB, Kind.MANIFEST, AT, document=OTHER, epoch=1, holder=TAX),
        FindingKind.SECOND_MANIFEST,
        HUB,
    ),
    "key of a context": (
        lambda w: w.logs.log(POWER, Kind.CTX_KEY, AT, document=OTHER, ctx=w.like.ctx),
        FindingKind.SECOND_CTX_KEY,
        POWER,
    ),
    "certificate installed by a holder": (
        lambda w: w.logs.log(TAX, Kind.INSTALLED, AT, document=OTHER, bank=HARBOUR),
        FindingKind.CERTIFICATE_UNLOGGED,
        TAX,
    ),
    "certificate that a bank says it was given": (
        lambda w: w.logs.log(HARBOUR, Kind.CERTIFIED, AT, document=OTHER),
        FindingKind.CERTIFICATE_UNLOGGED,
        HARBOUR,
    ),
}


@pytest.mark.parametrize("case", PLANTED)
def test_it_is_found_and_named(world: World, case: str) -> None:
    plant, kind, subject = PLANTED[case]
    plant(world)
    (found,) = world.logs.audit()
    assert (found.kind, found.subject, found.query) == (kind, str(subject), None)


def test_the_same_document_again_is_none(world: World) -> None:
    again = [e for e in world.logs.events if e.kind in (Kind.DESCRIPTOR, Kind.MANIFEST)]
    world.logs.events += again
    assert world.logs.audit() == []


@pytest.mark.parametrize("kind", [Kind.CERTIFIED, Kind.INSTALLED])
def test_a_banks_certificate_of_another_chain_is_for_that_chain_to_look_for(
    world: World, kind: Kind
) -> None:
    world.logs.log(HARBOUR, kind, AT, document=OTHER, chain="zsj")
    assert world.logs.audit() == []


def test_nobody_but_a_bank_has_a_certificate_of_another_chain(world: World) -> None:
    world.logs.log(TAX, Kind.INSTALLED, AT, document=OTHER, bank=HARBOUR, chain="zsj")
    (found,) = world.logs.audit()
    assert (found.kind, found.subject) == (FindingKind.CERTIFICATE_UNLOGGED, str(TAX))
