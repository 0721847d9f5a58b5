"""The watch on all logs at once: one that is slow, silent or hidden holds up no other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from federation.audit.findings import FindingKind
from federation.identity import SpiffeId
from node.clock import FixedClock
from node.config.sections import MirrorConfig
from node.regulator.findings import kept_findings
from node.regulator.membership import Regulator
from node.regulator.mirror.books import load_log
from node.regulator.mirror.mirror import LOGGING, Mirror
from support.chain import HUB, POWER, TAX, Chain, standard_chain
from support.mirrored import LATER, supervising
from tests.node.regulator.served import ServedLog, entries

GRACE = 60


class Endless(ServedLog):
    """A log server that sends a byte now and then."""

    async def checkpoint(self) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError


class Crashing(ServedLog):
    """A log server on which the client trips."""

    async def checkpoint(self) -> bytes:
        raise RuntimeError("nobody thought of this")


@pytest.fixture
async def regulator(tmp_path: Path) -> AsyncIterator[Regulator]:
    chain = standard_chain()
    async with supervising(tmp_path, chain) as opened:
        opened.clock = FixedClock(LATER)

        def unit(connection: object) -> None:
            for credential in chain.members.credentials():
                opened.chain.put_member(connection, credential)  # type: ignore[arg-type]

        await opened.store.run(unit)
        yield opened


def mirror_of(regulator: Regulator, sources: dict[SpiffeId, ServedLog]) -> Mirror:
    async def addresses() -> dict[SpiffeId, str]:
        return dict.fromkeys(sources, "127.0.0.1:1")

    return Mirror(
        regulator, MirrorConfig(grace=GRACE), addresses, lambda member, _: sources[member]
    )


async def rounds(mirror: Mirror, *, but: SpiffeId | None = None) -> None:
    await mirror.begin()
    waiting = [task for member, task in mirror._rounds.items() if member != but]
    await asyncio.gather(*waiting)


async def away(regulator: Regulator) -> set[str]:
    found = await regulator.store.read(kept_findings)
    return {one.subject for one in found if one.kind is FindingKind.LOG_AWAY}


def pass_time(regulator: Regulator, seconds: int) -> None:
    assert isinstance(regulator.clock, FixedClock)
    regulator.clock.advance(seconds)


def served(chain: Chain, member: SpiffeId) -> ServedLog:
    key = chain.holders[member].signing if member in chain.holders else chain.signing[member]
    log = ServedLog(key=key, owner=member)
    log.grow(entries(3))
    return log


async def test_a_log_that_never_ends_an_answer_holds_up_no_other(regulator: Regulator) -> None:
    chain = standard_chain()
    tax = served(chain, TAX)
    mirror = mirror_of(regulator, {POWER: Endless(), TAX: tax})
    await rounds(mirror, but=POWER)
    tax.grow(entries(2, 3))
    pass_time(regulator, GRACE)
    await rounds(mirror, but=POWER)
    state = await regulator.store.read(lambda c: load_log(c, str(TAX), 0))
    assert state.size == 5
    gone = await away(regulator)
    assert str(POWER) in gone
    assert str(TAX) not in gone
    mirror._rounds[POWER].cancel()


async def test_a_log_that_trips_the_client_is_away_and_holds_up_no_other(
    regulator: Regulator,
) -> None:
    chain = standard_chain()
    mirror = mirror_of(regulator, {POWER: Crashing(), TAX: served(chain, TAX)})
    for _ in range(2):
        await rounds(mirror)
        pass_time(regulator, GRACE)
    await rounds(mirror)
    gone = await away(regulator)
    assert str(POWER) in gone
    assert str(TAX) not in gone


async def test_a_member_whose_log_the_hub_does_not_tell_of_is_missed(regulator: Regulator) -> None:
    mirror = mirror_of(regulator, {})
    await rounds(mirror)
    assert await away(regulator) == set()
    pass_time(regulator, GRACE)
    await rounds(mirror)
    members = await regulator.members()
    assert await away(regulator) == {str(m.id) for role in LOGGING for m in members.of(role)}
    assert {str(HUB), str(TAX)} < await away(regulator)


async def test_who_joins_late_is_not_missed_for_the_time_before(regulator: Regulator) -> None:
    mirror = mirror_of(regulator, {})
    members = await regulator.members()
    joined = members.require(TAX, TAX.role).not_before
    mirror._since = joined - 10 * GRACE
    pass_time(regulator, joined + GRACE - 1 - regulator.clock.now())
    await rounds(mirror)
    assert await away(regulator) == set()
    pass_time(regulator, 1)
    await rounds(mirror)
    assert str(TAX) in await away(regulator)
