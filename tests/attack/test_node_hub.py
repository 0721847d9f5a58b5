"""Attacks on a hub's node: a stolen database, and a published document that stops everybody."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import pytest

from federation.consent import Cancellation, Consent
from federation.roster import Roster
from node.chain import sync as following_module
from node.chain.store import sign_batch
from node.hub.registry import HubRegistry
from scoring.catalogue import Catalogue
from support.chain import CHAIN, HARBOUR, HUB, NOW, UNNAMED, standard_chain
from tests.node.chain.test_sync import Follower, following
from tests.node.hub.world import World
from yinxin.v1 import hub_pb2


def names_of(consent: Consent) -> list[bytes]:
    """What a thief who knows a consent by heart would look for."""
    return [consent.hash, hashlib.sha256(consent.uscc.encode()).digest(), consent.uscc.encode()]


@pytest.mark.parametrize("defended", [True, False])
async def test_finding_a_consent_in_a_stolen_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, defended: bool
) -> None:
    """The bank of a consent, or its firm, knows it: is it in the registry, and how often used?

    Without the key in the tag, its hash is enough to tell.
    """
    if not defended:

        def plain(_: HubRegistry, statement: Consent | Cancellation) -> bytes:
            return statement.hash if isinstance(statement, Consent) else statement.consent_hash

        monkeypatch.setattr(HubRegistry, "tag", plain)
    world = World(tmp_path, standard_chain())
    consent = world.chain.consent(world.chain.firms[0])
    async with world.serving(*UNNAMED) as node, node.calling(HARBOUR) as bank:
        await node.install(world.chain.alpha)
        await node.query(bank, world.network.begin(world.chain.alpha, consent))
    stolen = b"".join(p.read_bytes() for p in (world.home / "data").rglob("*") if p.is_file())
    # The roster is public, and names the firm among all the others.
    found = [name for name in names_of(consent)[:2] if name in stolen]
    assert found == ([] if defended else [consent.hash])


@pytest.mark.parametrize("defended", [True, False])
async def test_a_batch_that_poisons_the_roster_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, defended: bool
) -> None:
    """The hub signs a batch with a root that does not follow, once. Kept, it would be refused at
    every later look, and its number would be taken.
    """
    if not defended:
        monkeypatch.setattr(Roster, "apply", _without_checks(monkeypatch))
    async with following(tmp_path) as follower:
        honest = follower.hub.batches
        batch = Roster(CHAIN).propose(firm.uscc for firm in follower.memory.firms[1:])
        poisoned = type(batch)(batch.chain, 0, 0, batch.codes, bytes(32))
        follower.hub.batches = [sign_batch(poisoned, follower.memory.signing[HUB])]
        outcomes = [await _pull(follower)]
        follower.hub.batches = honest
        monkeypatch.undo()
        outcomes.append(await _pull(follower))
        works = await _roster_works(follower)
    assert (outcomes[0] is not None, works) == (defended, defended)


def _without_checks(monkeypatch: pytest.MonkeyPatch) -> Any:
    def apply(roster: Roster, batch: Any) -> None:
        roster._batches += 1

    return apply


async def _pull(follower: Follower) -> Exception | None:
    try:
        await follower.again().sync()
    except Exception as error:
        return error
    return None


async def _roster_works(follower: Follower) -> bool:
    from node.chain import ChainStore

    restarted = ChainStore(follower.store, follower.memory.root)
    try:
        roster = await follower.read(lambda c: restarted.roster(c, NOW))
    except Exception:
        return False
    return bool(roster.root == follower.memory.roster.root)


@pytest.mark.parametrize("defended", [True, False])
async def test_a_catalogue_that_stops_every_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, defended: bool
) -> None:
    """A task of a node that fails ends the node: what the hub publishes must not fail it."""
    if not defended:

        def unguarded(raw: bytes) -> None:
            Catalogue.from_json(raw)

        monkeypatch.setattr(following_module, "check_catalogue", unguarded)

    def lie(state: hub_pb2.ChainState) -> None:
        state.catalogues.append(b"{}")

    async with following(tmp_path) as follower:
        follower.hub.change = lie
        task = asyncio.create_task(follower.sync.keep(0.01))
        async with asyncio.timeout(20):
            while follower.hub.pulls < 3 and not task.done():
                await asyncio.sleep(0.01)
        assert task.done() is not defended
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
