"""An insider edits a node's log: its database is theirs, and at worst its signing key, too.

With the key they write the whole log anew, and nothing in that database tells. What is left are
those who hold something of the log of before: witnesses and the regulator.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from federation.audit.findings import FindingKind
from federation.entries import Kind, entry
from federation.errors import Reason
from federation.identity import SpiffeId
from federation.merkle import EMPTY_ROOT, leaf_hash
from federation.tlog.checkpoint import open_checkpoint, origin_of, require_cosigned, witnesses_of
from node.errors import LogError
from node.log.fsck import fsck
from node.log.tables import witness_logs
from node.regulator.mirror.follower import BEHIND_SECONDS
from support.chain import HARBOUR, HUB, NOW, REGULATOR, TAX, Chain
from support.checks import refused
from tests.attack.watched import Owner, Watched, entries, key_of, watching
from tests.node.log.logs import edit

SIZE = 300
"""A full tile and a partial one, so that the tree has a node to change."""
FORGED = entry(Kind.REFUSAL, NOW + 40, reason="expired", reference="0" * 8)

EDITS: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "one changed": lambda log: [*log[:40], FORGED, *log[41:]],
    "the newest changed": lambda log: [*log[:-1], FORGED],
    "one deleted": lambda log: [*log[:40], *log[41:]],
    "one inserted": lambda log: [*log[:40], FORGED, *log[40:]],
    "two exchanged": lambda log: [*log[:40], log[41], log[40], *log[42:]],
    "the end cut off": lambda log: log[:-5],
    "the end replaced": lambda log: [*log[:-5], FORGED, FORGED, *entries(6, 5_000)],
    "all of it": lambda log: entries(len(log), 9_000),
}


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory, chain: Chain) -> Path:
    """A hub's log of 300 entries that witnesses have cosigned and the regulator has mirrored."""
    folder = tmp_path_factory.mktemp("grown")

    async def grow() -> None:
        async with watching(folder, chain) as watched:
            await watched.owner.append(entries(SIZE))
            assert len(await watched.owner.publish()) == len(watched.witnesses) == 5
            assert (await watched.look()).size == SIZE
            assert await watched.found() == []

    asyncio.run(grow())
    return folder


@pytest.fixture
async def watched(grown: Path, tmp_path: Path, chain: Chain):  # type: ignore[no-untyped-def]
    shutil.copytree(grown, tmp_path / "all")
    async with watching(tmp_path / "all", chain) as found:
        yield found


async def nothing_is_wrong_here(owner: Owner) -> bool:
    """Whether the node's own looks at its log, the cheap one and the whole one, are content."""
    keys = {HUB: {owner.key.public}} | {
        party: {key_of(owner.chain, party).public} for party in owner.witnesses
    }
    report = await fsck(owner.store, HUB, keys, lambda *_: None)
    try:
        await owner.tree.patrol(HUB, owner.key.public)
    except LogError:
        return False
    return report.fault is None


def cosigned(owner: Owner) -> None:
    """Raises Refusal unless the checkpoint that is shown has its quorum."""
    _, note = open_checkpoint(owner.shown.note, origin_of(HUB), owner.key.public)
    require_cosigned(note, witnesses_of(owner.chain.members, HUB))


@pytest.mark.parametrize("what", EDITS)
async def test_who_has_the_signing_key_writes_the_log_anew(watched: Watched, what: str) -> None:
    owner = watched.owner
    await owner.rebuild(EDITS[what](await owner.entries()))
    assert await nothing_is_wrong_here(owner)
    # No witness cosigns it, now or however it grows,
    assert await owner.publish() == []
    refused(Reason.BAD_PROMISE, lambda: cosigned(owner))
    await watched.look()
    await watched.look(after=BEHIND_SECONDS)
    kind = FindingKind.LOG_ROLLBACK if what == "the end cut off" else FindingKind.LOG_FORK
    assert await watched.found() == [kind]
    await owner.append(entries(20, 700))
    assert await owner.publish() == []
    # and once it is longer than it was, the regulator has two notes that exclude each other.
    await watched.look()
    assert FindingKind.LOG_FORK in await watched.found()


@pytest.mark.parametrize("party", [TAX, HARBOUR, REGULATOR])
async def test_the_same_of_any_other_members_log(
    tmp_path: Path, chain: Chain, party: SpiffeId
) -> None:
    """A holder's, a bank's, and the regulator's own, which it may then mirror as it likes."""
    async with watching(tmp_path, chain, party) as watched:
        owner = watched.owner
        await owner.append(entries(9))
        assert set(await owner.publish()) == {HUB, *chain.holders, REGULATOR} - {party}
        await watched.look()
        await owner.rebuild([*entries(5), FORGED, *entries(3, 6)])
        assert await owner.publish() == []
        await watched.look()
        assert await watched.found() == [FindingKind.LOG_FORK]


@pytest.mark.parametrize("what", ["one changed", "the end cut off"])
async def test_without_witnesses_and_mirror_nobody_would_know(watched: Watched, what: str) -> None:
    """The defence removed: all that others hold of the log of before."""
    owner = watched.owner
    await owner.rebuild(EDITS[what](await owner.entries()))
    for witness in watched.witnesses.values():
        await witness.forget()
    assert len(await owner.publish()) == 5
    cosigned(owner)
    watched.begin_mirror_anew()
    await watched.look()
    await watched.look(after=BEHIND_SECONDS)
    assert await watched.found() == []


@pytest.mark.parametrize("many", [1, 2])
async def test_insider_of_a_minority_of_witnesses_too(watched: Watched, many: int) -> None:
    """They sign the new log with what they control, and it is not enough."""
    owner = watched.owner
    await owner.rebuild(EDITS["one changed"](await owner.entries()))
    controlled = list(watched.witnesses)[:many]
    for party in controlled:
        await watched.witnesses[party].forget()
    assert await owner.publish() == controlled
    refused(Reason.BAD_PROMISE, lambda: cosigned(owner))
    await watched.look()
    assert await watched.found() == [FindingKind.LOG_FORK]


async def test_insider_of_a_majority_of_witnesses_is_found_by_the_mirror(watched: Watched) -> None:
    """A quorum of dishonest witnesses makes proofs of anything; the regulator's copy remains."""
    owner = watched.owner
    await owner.rebuild(EDITS["one changed"](await owner.entries()))
    for party in list(watched.witnesses)[: watched.quorum]:
        await watched.witnesses[party].forget()
    await owner.publish()
    cosigned(owner)
    await watched.look()
    assert await watched.found() == [FindingKind.LOG_FORK]


async def test_insider_turns_a_witness_back_and_not_forward(watched: Watched) -> None:
    """An older memory put in place of a witness's: it cosigns from there on, and only what leads
    on from there.
    """
    owner = watched.owner
    party = next(iter(watched.witnesses))
    witness = watched.witnesses[party]
    await owner.rebuild(EDITS["one changed"](await owner.entries()))
    other = {"size": 200, "root": leaf_hash(b"another")}
    await witness.store.run(lambda c: c.execute(witness_logs.update().values(other)))
    assert await owner.publish() == []
    empty = {"size": 0, "root": EMPTY_ROOT}
    await witness.store.run(lambda c: c.execute(witness_logs.update().values(empty)))
    assert await owner.publish() == [party]


# --- without the key ------------------------------------------------------------------------------


@pytest.mark.parametrize("what", EDITS)
async def test_who_has_only_the_database_recomputes_what_needs_no_key(
    watched: Watched, what: str
) -> None:
    """Entries, leaf hashes and nodes are theirs; the signed root is not. The node finds it, also
    one that was just restarted, signs nothing over it and says so; the regulator names it.
    """
    owner = watched.owner
    await owner.publish()
    await owner.recompute(EDITS[what](await owner.entries()))
    assert not await nothing_is_wrong_here(owner)
    with pytest.raises(LogError) as fault:
        await owner.tree.patrol(HUB, owner.key.public)
    await owner.append(entries(10, 8_000))
    with pytest.raises(LogError):
        await owner.tree.checkpoint(owner.key, HUB, NOW)
    owner.shown.own_fault = str(fault.value)
    await watched.look()
    assert await watched.found() == [FindingKind.LOG_BROKEN]


@pytest.mark.parametrize("what", ["one changed", "two exchanged"])
async def test_a_node_that_says_nothing_is_found_out_all_the_same(
    watched: Watched, what: str
) -> None:
    owner = watched.owner
    await owner.publish()
    await owner.recompute(EDITS[what](await owner.entries()))
    await watched.look()
    (found,) = await watched.findings()
    assert (found.kind, found.evidence["where"]) == (FindingKind.LOG_BROKEN, "entry 40")


async def test_insider_at_the_regulator_is_not_taken_for_one_at_the_hub(watched: Watched) -> None:
    edit(
        watched.mirror.engine,
        'UPDATE mirror_entries SET entry = (SELECT entry FROM mirror_entries WHERE "index" = 9)'
        ' WHERE "index" = 8',
    )
    await watched.owner.publish()
    await watched.look()
    (found,) = await watched.findings()
    assert found.evidence["where"] == "mirrored entry 8"
