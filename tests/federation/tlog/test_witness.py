"""A witness: what it cosigns, and each answer of c2sp.org/tlog-witness to a log that misbehaves."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from federation.errors import DocumentError
from federation.identity import Role, SpiffeId
from federation.merkle import EMPTY_ROOT, consistency_path, leaf_hash, root
from federation.signed import SigningKey
from federation.tlog import witness as witnessing
from federation.tlog.checkpoint import origin_of, verify_cosignature
from federation.tlog.note import Note, NoteSignature
from federation.tlog.witness import AddCheckpoint, Seen, WitnessAnswer, answer
from support.tlog import DOMAIN, LOG, START, Owner, entries, reader_of

OWNER = Owner()
WITNESS = SpiffeId(DOMAIN, Role.REGULATOR, "pboc")
KEY = SigningKey.from_bytes(bytes([9]) * 32)
LEAVES = [leaf_hash(raw) for raw in entries(20)]
FORKED = [*LEAVES[:5], leaf_hash(b"forged"), *LEAVES[6:]]


@dataclass
class Desk:
    """A witness with its memory, which the node keeps in its database."""

    memory: dict[str, Seen] = field(default_factory=dict)

    def submit(
        self, old: int, size: int, leaves: list[bytes] = LEAVES, owner: Owner = OWNER
    ) -> WitnessAnswer:
        """What it answers to a log with these leaves, once what it says to keep is kept."""
        proof = consistency_path(old, size, reader_of(leaves)) if old <= size else ()
        note = owner.checkpoint(size, root(leaves[:size]), cosigners=0)
        return self.ask(AddCheckpoint(old, proof, note).encode())

    def ask(self, raw: bytes) -> WitnessAnswer:
        def key_of(origin: str) -> bytes | None:
            return OWNER.key.public if origin == origin_of(LOG) else None

        given = answer(raw, key_of, self.memory.get, WITNESS, KEY, START)
        if given.seen is not None:
            self.memory[given.origin] = given.seen
        return given

    @property
    def size(self) -> int:
        seen = self.memory.get(origin_of(LOG))
        return 0 if seen is None else seen.size


def test_it_cosigns_a_log_as_it_grows_and_keeps_the_last() -> None:
    desk = Desk()
    for old, size in [(0, 0), (0, 1), (1, 7), (7, 7), (7, 8), (8, 20)]:
        given = desk.submit(old, size)
        assert given.status == 200
        note = Note.parse(OWNER.checkpoint(size, root(LEAVES[:size]), cosigners=0))
        line = NoteSignature.parse(given.body.decode().removesuffix("\n"))
        assert verify_cosignature(note, line, WITNESS, KEY.public) == START
        assert desk.memory[origin_of(LOG)] == Seen(size, root(LEAVES[:size]), note.encode())


def test_a_stale_old_size_is_told_the_right_one() -> None:
    desk = Desk()
    desk.submit(0, 7)
    for old in (0, 6, 8):
        given = desk.submit(old, 9)
        assert (given.status, given.body, given.seen) == (409, b"7\n", None)
    assert desk.size == 7


def test_a_rollback_is_not_cosigned() -> None:
    desk = Desk()
    desk.submit(0, 7)
    assert desk.submit(7, 6).status == 400
    assert desk.submit(6, 6).status == 409
    assert desk.submit(0, 6).status == 409
    assert desk.size == 7


def test_a_fork_is_not_cosigned_whatever_size_it_has() -> None:
    desk = Desk()
    desk.submit(0, 7)
    for size in (7, 8, 20):
        given = desk.submit(7, size, FORKED)
        assert (given.status, given.seen) == (422, None)
        assert given.fault
    assert desk.memory[origin_of(LOG)].root == root(LEAVES[:7])


def test_without_the_consistency_check_the_fork_is_cosigned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk()
    desk.submit(0, 7)
    monkeypatch.setattr(witnessing, "verify_consistency", lambda *_: None)
    assert desk.submit(7, 8, FORKED).status == 200


def test_the_empty_log_has_one_root() -> None:
    note = OWNER.checkpoint(0, bytes(32), cosigners=0)
    given = Desk().ask(AddCheckpoint(0, (), note).encode())
    assert (given.status, given.seen) == (422, None)
    good = OWNER.checkpoint(0, EMPTY_ROOT, cosigners=0)
    assert Desk().ask(AddCheckpoint(0, (), good).encode()).status == 200


def test_a_proof_where_none_is_due_and_a_wrong_one_are_refused() -> None:
    desk = Desk()
    seven = OWNER.checkpoint(7, root(LEAVES[:7]), cosigners=0)
    assert desk.ask(AddCheckpoint(0, (bytes(32),), seven).encode()).status == 422
    desk.submit(0, 5)
    proof = consistency_path(5, 7, reader_of(LEAVES))
    for forged in (proof[:-1], (*proof, bytes(32)), proof[::-1], ()):
        assert desk.ask(AddCheckpoint(5, forged, seven).encode()).status == 422
    assert desk.size == 5


def test_only_the_owner_of_a_known_log_is_heard() -> None:
    desk = Desk()
    assert desk.submit(0, 7, owner=Owner(key=SigningKey.generate())).status == 403
    stranger = Owner(log=SpiffeId(DOMAIN, Role.HOLDER, "stranger"))
    assert desk.submit(0, 7, owner=stranger).status == 404
    assert desk.memory == {}


def test_a_signed_note_that_is_no_checkpoint_is_malformed() -> None:
    good = OWNER.checkpoint(7, root(LEAVES[:7]), cosigners=0)
    for raw in (b"", b"old 0\n", b"old 0\n\n", b"old 0\n\n\xff\n\n", b"old x\n\n" + good):
        assert Desk().ask(raw).status in {400, 404}
    with pytest.raises(DocumentError):
        AddCheckpoint.parse(b"old 0\n" + good)


def test_nothing_of_one_log_counts_for_another() -> None:
    # What was seen of one origin says nothing of another's size.
    desk = Desk({"csj.yinxin.example/bank/harbour": Seen(20, root(LEAVES), b"")})
    assert desk.submit(0, 7).status == 200
