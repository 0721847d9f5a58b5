"""The regulator's mirror against logs whose owners edit, fork, shorten, or leave them unsigned."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from federation.audit.findings import FindingKind
from federation.canonical import unb64
from federation.entries import Kind, entry
from federation.merkle import root
from federation.signed import SigningKey, sign
from federation.tlog.checkpoint import open_checkpoint, origin_of
from node.log.tables import witness_logs
from node.regulator.findings import KeptFinding, kept_findings
from node.regulator.mirror.books import FAULTY, OK, load_log, mirrored
from node.regulator.mirror.follower import BEHIND_SECONDS, LogFollower
from node.regulator.tables import mirror_attachments, mirror_entries
from node.rpc.errors import PartyUnavailable
from node.storage import Store
from tests.node.regulator.served import GRACE, HUB, NOW, ServedLog, entries

SIZE = 600
"""Two full bundles and a partial one."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(f"sqlite:///{tmp_path}/regulator.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def log() -> ServedLog:
    served = ServedLog()
    served.grow(entries(SIZE))
    return served


@pytest.fixture
def follower(log: ServedLog, store: Store) -> LogFollower:
    return LogFollower(HUB, log, store)


async def found(store: Store) -> list[KeptFinding]:
    return list(await store.read(kept_findings))


async def only(store: Store) -> tuple[FindingKind, str]:
    """Kind and place of the only finding."""
    (one,) = await found(store)
    assert one.subject == str(HUB)
    assert one.query is None
    return one.kind, str(one.evidence["where"])


async def test_an_honest_log_is_mirrored_as_it_grows(
    log: ServedLog, follower: LogFollower, store: Store
) -> None:
    await follower.round(log.watch(), NOW)
    for more in (1, 300, 2_500):
        log.grow(entries(more, len(log.entries)))
        state = await follower.round(log.watch(), NOW)
    kept = await store.read(lambda c: mirrored(c, str(HUB), 0, 1 << 20))
    assert list(kept) == log.entries
    assert (state.size, state.cosigned_size, state.state) == (len(kept), len(kept), OK)
    assert await found(store) == []


async def test_a_mirror_begun_anew_goes_on_where_it_was(log: ServedLog, store: Store) -> None:
    await LogFollower(HUB, log, store).round(log.watch(), NOW)
    log.grow(entries(10, SIZE))
    state = await LogFollower(HUB, log, store).round(log.watch(), NOW)
    assert (state.size, await found(store)) == (SIZE + 10, [])


@pytest.mark.parametrize("index", [0, 255, 256, 511, 512, SIZE - 1])
async def test_one_edited_entry_is_named_wherever_it_stands(
    log: ServedLog, follower: LogFollower, store: Store, index: int
) -> None:
    await follower.round(log.watch(), NOW)
    edited = bytearray(log.entries[index])
    edited[-3] ^= 1
    log.entries[index] = bytes(edited)
    state = await follower.round(log.watch(), NOW)
    assert await only(store) == (FindingKind.LOG_BROKEN, f"entry {index}")
    assert state.state == FAULTY


@pytest.mark.parametrize("index", [0, 255, 256, 512, SIZE - 1])
async def test_one_edited_leaf_hash_is_named_wherever_it_stands(
    log: ServedLog, follower: LogFollower, store: Store, index: int
) -> None:
    await follower.round(log.watch(), NOW)
    log.leaves[index] = bytes([log.leaves[index][0] ^ 1]) + log.leaves[index][1:]
    await follower.round(log.watch(), NOW)
    assert await only(store) == (FindingKind.LOG_BROKEN, f"leaf {index}")


async def test_an_edited_hash_above_the_leaves_is_found(
    log: ServedLog, follower: LogFollower, store: Store
) -> None:
    await follower.round(log.watch(), NOW)
    log.nodes[1, 0] = bytes(32)
    await follower.round(log.watch(), NOW)
    assert await only(store) == (FindingKind.LOG_BROKEN, "tile/1/000.p/2 hash 0")


async def test_an_edit_before_the_first_look_is_named(
    log: ServedLog, follower: LogFollower, store: Store
) -> None:
    log.entries[300] = log.entries[301]
    await follower.round(log.watch(), NOW)
    assert await only(store) == (FindingKind.LOG_BROKEN, "entry 300")


async def test_every_byte_of_the_checkpoint_counts(
    log: ServedLog, follower: LogFollower, store: Store
) -> None:
    await follower.round(log.watch(), NOW)
    text = log.note.index(b"\n\n")
    signed = log.note.index(b"\n", text + 2)
    for position in range(signed):
        note = bytearray(log.note)
        note[position] ^= 1
        log.note, whole = bytes(note), log.note
        state = await follower.round(log.watch(), NOW)
        log.note = whole
        assert state.state == FAULTY, (position, bytes(note))
    kinds = {one.kind for one in await found(store)}
    assert kinds == {FindingKind.LOG_UNSIGNED}


async def test_a_fault_is_found_once_and_gone_when_the_log_is_restored(
    log: ServedLog, follower: LogFollower, store: Store
) -> None:
    await follower.round(log.watch(), NOW)
    whole = list(log.entries)
    log.entries[7] = log.entries[8]
    for _ in range(3):
        await follower.round(log.watch(), NOW)
    assert len(await found(store)) == 1
    log.entries = whole
    assert (await follower.round(log.watch(), NOW)).state == OK


async def test_a_second_view_of_the_same_size_is_a_fork_with_both_notes(
    log: ServedLog, follower: LogFollower, store: Store
) -> None:
    await follower.round(log.watch(), NOW)
    first = log.note
    log.entries[5] = log.entries[6]
    log.leaves[5] = log.leaves[6]
    log.sign()
    await follower.round(log.watch(), NOW)
    (one,) = await found(store)
    assert one.kind is FindingKind.LOG_FORK
    notes = [unb64(str(one.evidence[name]), name) for name in ("note_1", "note_2")]
    assert notes == [first, log.note]
    roots = {open_checkpoint(raw, origin_of(HUB), log.key.public)[0].root for raw in notes}
    assert len(roots) == 2


@pytest.mark.parametrize("index", [5, 300, SIZE - 1])
async def test_a_longer_second_view_is_a_fork(
    log: ServedLog, follower: LogFollower, store: Store, index: int
) -> None:
    await follower.round(log.watch(), NOW)
    changed = entries(1, 5_000)[0]
    kept, rest = log.entries[:index], log.entries[index + 1 :]
    log.entries, log.leaves = [], []
    log.grow([*kept, changed, *rest, *entries(500, SIZE)])
    await follower.round(log.watch(), NOW)
    kind, _ = await only(store)
    assert kind is FindingKind.LOG_FORK


async def test_a_shorter_second_view_is_a_fork(
    log: ServedLog, follower: LogFollower, store: Store
) -> None:
    await follower.round(log.watch(), NOW)
    log.entries, log.leaves = [], []
    log.grow(entries(400, 1))
    await follower.round(log.watch(), NOW)
    assert await only(store) == (FindingKind.LOG_FORK, "checkpoint of size 400")


async def test_a_log_that_stays_shorter_is_a_rollback(
    log: ServedLog, follower: LogFollower, store: Store
) -> None:
    await follower.round(log.watch(), NOW)
    log.entries, log.leaves = [], []
    log.grow(entries(400))
    await follower.round(log.watch(), NOW)
    assert await found(store) == []  # the newest cosigned one may be behind for a moment
    await follower.round(log.watch(), NOW + BEHIND_SECONDS)
    assert await only(store) == (FindingKind.LOG_ROLLBACK, "checkpoint of size 400")


async def test_another_key_signs_nothing(
    log: ServedLog, follower: LogFollower, store: Store
) -> None:
    watch = log.watch()
    log.key = SigningKey.generate()
    log.sign()
    await follower.round(watch, NOW)
    assert (await only(store))[0] is FindingKind.LOG_UNSIGNED


async def test_a_log_without_its_quorum_is_found_after_the_grace(
    log: ServedLog, follower: LogFollower, store: Store
) -> None:
    log.cosigned = False
    log.grow(entries(1, SIZE))
    await follower.round(log.watch(), NOW)
    await follower.round(log.watch(), NOW + GRACE - 1)
    assert await found(store) == []
    await follower.round(log.watch(), NOW + GRACE)
    assert [one.kind for one in await found(store)] == [FindingKind.NOT_COSIGNED]


async def test_an_edit_of_the_mirror_itself_is_not_blamed_on_the_log(
    log: ServedLog, follower: LogFollower, store: Store
) -> None:
    await follower.round(log.watch(), NOW)
    table = mirror_entries.c
    other = log.entries[4]
    await store.run(
        lambda c: c.execute(mirror_entries.update().where(table.index == 3).values(entry=other))
    )
    await follower.round(log.watch(), NOW)
    (one,) = await found(store)
    assert (one.kind, one.evidence["where"]) == (FindingKind.LOG_BROKEN, "mirrored entry 3")


async def test_a_log_is_not_another_one_than_the_regulator_cosigned(
    log: ServedLog, follower: LogFollower, store: Store
) -> None:
    other = ServedLog(log.key, log.witnesses)
    other.grow(entries(300, 7))
    seen = {"origin": origin_of(HUB), "size": 300, "root": root(other.leaves), "note": other.note}
    await store.run(lambda c: c.execute(witness_logs.insert().values(**seen, seen_at=NOW)))
    await follower.round(log.watch(), NOW)
    (one,) = await found(store)
    assert one.kind is FindingKind.LOG_FORK
    assert unb64(str(one.evidence["note_1"]), "note") == other.note


async def test_a_log_that_hides_what_the_regulator_cosigned_is_found_after_the_grace(
    log: ServedLog, follower: LogFollower, store: Store
) -> None:
    """A view that stands still, signed by all, beside one that grows for others."""

    async def cosigned(size: int) -> None:
        await store.run(lambda c: c.execute(witness_logs.delete()))
        whole = ServedLog(log.key, log.witnesses)
        whole.grow([*log.entries[:SIZE], *entries(size - SIZE, SIZE)])
        seen = {"origin": origin_of(HUB), "size": size, "root": root(whole.leaves)}
        row = {**seen, "note": whole.note, "seen_at": NOW}
        await store.run(lambda c: c.execute(witness_logs.insert().values(**row)))

    # An honest log is always a little behind what is just being cosigned.
    for step in range(4):
        await cosigned(SIZE + step + 1)
        await follower.round(log.watch(), NOW + step * GRACE)
        log.grow(entries(1, SIZE + step))
    assert await found(store) == []
    await cosigned(SIZE + 10)
    await follower.round(log.watch(), NOW + 4 * GRACE)
    await cosigned(SIZE + 20)
    await follower.round(log.watch(), NOW + 5 * GRACE)
    (one,) = await found(store)
    assert one.kind is FindingKind.NOT_COSIGNED
    assert one.evidence == {"size": SIZE + 4, "cosigned_here": SIZE + 10}


async def test_what_the_owner_says_of_its_log_is_a_finding(
    log: ServedLog, follower: LogFollower, store: Store
) -> None:
    log.own_fault = "checkpoint of size 17: its note is of another tree"
    await follower.round(log.watch(), NOW)
    assert await only(store) == (FindingKind.LOG_BROKEN, "checkpoint of size 17")


async def test_an_entry_that_is_none_is_mirrored_and_found(
    log: ServedLog, follower: LogFollower, store: Store
) -> None:
    log.grow([b"no entry"])
    state = await follower.round(log.watch(), NOW)
    assert state.size == SIZE + 1
    (one,) = await found(store)
    assert (one.kind, one.evidence["index"]) == (FindingKind.ENTRY_MALFORMED, SIZE)


async def test_clocks_of_entries_never_go_back_nor_ahead_of_the_mirror(
    log: ServedLog, follower: LogFollower, store: Store
) -> None:
    future, past = entries(1, 1_000_000)[0], entries(1, 0)[0]
    log.grow([future, past])
    await follower.round(log.watch(), NOW)
    rows = await store.read(
        lambda c: c.execute(select(mirror_entries.c.clock).order_by(mirror_entries.c.index)).all()
    )
    assert [row.clock for row in rows[-2:]] == [NOW, NOW]
    assert (await store.read(lambda c: load_log(c, str(HUB), NOW))).clock == NOW


async def test_a_log_that_shows_checkpoints_and_withholds_their_entries_was_not_seen(
    log: ServedLog, follower: LogFollower, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await follower.round(log.watch(), NOW)

    async def withheld(*_: int) -> tuple[bytes, ...]:
        raise PartyUnavailable(HUB)

    monkeypatch.setattr(log, "bundle", withheld)
    log.grow(entries(10, SIZE))
    with pytest.raises(PartyUnavailable):
        await follower.round(log.watch(), NOW + 5)
    state = await store.read(lambda c: load_log(c, str(HUB), NOW))
    assert (state.seen_at, state.checked_at) == (NOW, NOW)


async def test_only_what_entries_name_is_kept_and_only_under_its_own_hash(
    log: ServedLog, follower: LogFollower, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = SigningKey.generate()
    document = sign("application/test", b"{}", key)
    envelope = b"sealed"
    digest = hashlib.sha256(envelope).digest()
    served = {
        digest: b"garbage in the place of what another log has",
        document.payload_hash: document.to_json(),
        hashlib.sha256(b"unnamed").digest(): b"unnamed",
    }

    async def attachments(_: int) -> dict[bytes, bytes]:
        return served

    monkeypatch.setattr(log, "attachments", attachments)
    log.grow([entry(Kind.PERMIT, NOW, document=document.payload_hash, envelope=digest)])
    await follower.round(log.watch(), NOW)
    assert await attached_hashes(store) == {document.payload_hash}
    served[digest] = envelope
    log.grow(entries(1, SIZE))
    await follower.round(log.watch(), NOW)
    assert await attached_hashes(store) == {document.payload_hash, digest}


async def attached_hashes(store: Store) -> set[bytes]:
    query = select(mirror_attachments.c.hash)
    return set(map(bytes, await store.read(lambda c: c.execute(query).scalars().all())))


async def test_a_log_that_is_far_behind_is_not_in_order_before_it_is_whole(
    log: ServedLog, follower: LogFollower, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await follower.round(log.watch(), NOW)
    monkeypatch.setattr("node.regulator.mirror.follower.BATCH_BUNDLES", 1)
    monkeypatch.setattr("node.regulator.mirror.follower.ROUND_BATCHES", 2)
    log.grow(entries(500, SIZE))
    sizes = []
    for later in (10, 20):
        state = await follower.round(log.watch(), NOW + later)
        sizes.append((state.size, state.seen_at, state.checked_at))
    assert sizes == [(1_024, NOW + 10, NOW), (1_100, NOW + 20, NOW + 20)]
