"""A hub tells the regulator nothing, or something else, of where a member serves its log.

That it is missed is tested in tests/node/regulator/test_mirror_watch.py, and that nobody else's
server passes for it in tests/node/log_http/test_tls.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from federation.identity import SpiffeId
from node.clock import FixedClock
from node.config.sections import MirrorConfig
from node.regulator.membership import Regulator
from node.regulator.mirror.books import load_log
from node.regulator.mirror.mirror import Mirror
from node.rpc.errors import PartyUnavailable
from support.chain import TAX, Chain
from support.mirrored import LATER, supervising
from tests.attack.watched import Owner, watching
from tests.attack.watched import entries as refusals

TRUE, FALSE = "192.0.2.1:7443", "192.0.2.66:7443"


@pytest.fixture
async def regulator(tmp_path: Path, chain: Chain) -> AsyncIterator[Regulator]:
    async with supervising(tmp_path / "regulator", chain) as opened:
        opened.clock = FixedClock(LATER)

        def unit(connection) -> None:  # type: ignore[no-untyped-def]
            for credential in chain.members.credentials():
                opened.chain.put_member(connection, credential)

        await opened.store.run(unit)
        yield opened


async def mirrored(
    regulator: Regulator, owner: Owner, told: Mapping[SpiffeId, str], own: Mapping[str, str]
) -> int:
    """How much of the holder's log is mirrored after a round."""

    async def addresses() -> Mapping[SpiffeId, str]:
        return told

    def connect(member: SpiffeId, address: str):  # type: ignore[no-untyped-def]
        if (member, address) != (TAX, TRUE):
            raise PartyUnavailable(member)
        return owner.shown

    mirror = Mirror(regulator, MirrorConfig(addresses=dict(own)), addresses, connect)
    await mirror.begin()
    await asyncio.gather(*mirror._rounds.values())
    return (await regulator.store.read(lambda c: load_log(c, str(TAX), 0))).size


@pytest.mark.parametrize("told", [{}, {TAX: FALSE}])
async def test_the_regulators_own_address_counts(
    tmp_path: Path, regulator: Regulator, chain: Chain, told: Mapping[SpiffeId, str]
) -> None:
    (tmp_path / "tax").mkdir()
    async with watching(tmp_path / "tax", chain, TAX) as tax:
        await tax.owner.append(refusals(3))
        await tax.owner.publish()
        assert await mirrored(regulator, tax.owner, told, {}) == 0
        assert await mirrored(regulator, tax.owner, told, {str(TAX): TRUE}) == 3
