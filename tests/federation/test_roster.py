"""The roster: rows that never move, batches that only the right order accepts."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import pytest

from federation.canonical import canonical_json
from federation.errors import DocumentError, Reason, Refusal
from federation.merkle import EMPTY_ROOT, leaf_hash, root
from federation.roster import (
    MAX_BATCH,
    Roster,
    RosterBatch,
    bucket,
    coefficient,
    order_key,
    split,
)
from federation.uscc import Uscc

CHAIN = "csj.yinxin.example"
CODES = [Uscc.generate(serial) for serial in range(60)]


def _batches() -> tuple[Roster, RosterBatch, RosterBatch]:
    roster = Roster(CHAIN)
    return roster, roster.append(CODES[:40]), roster.append(CODES[40:])


def test_a_batch_is_sorted_by_the_hash_of_section_2() -> None:
    _, first, second = _batches()
    for batch, codes in ((first, CODES[:40]), (second, CODES[40:])):
        expected = sorted(
            codes,
            key=lambda c: hashlib.sha256(f"yinxin/roster/v1{CHAIN}{c}".encode()).digest(),
        )
        assert list(batch.codes) == expected
    assert list(first.codes) != CODES[:40]


def test_the_order_differs_from_chain_to_chain() -> None:
    assert order_key(CHAIN, CODES[0]) != order_key("zsj.yinxin.example", CODES[0])


def test_rows_count_in_order_of_enrolment_and_never_move() -> None:
    roster, first, second = _batches()
    assert (first.number, first.first_row) == (0, 0)
    assert (second.number, second.first_row) == (1, 40)
    for row, code in enumerate((*first.codes, *second.codes)):
        assert roster.row(code) == row
    assert roster.codes(0) == first.codes + second.codes
    assert roster.size == 60
    assert roster.root == root(leaf_hash(c.encode()) for c in first.codes + second.codes)


def test_a_member_that_applies_the_batches_has_the_same_roster() -> None:
    roster, first, second = _batches()
    copy = Roster(CHAIN)
    for batch in (first, second):
        copy.apply(RosterBatch.from_json(batch.to_json()))
    assert (copy.root, copy.size, copy.next_number) == (roster.root, 60, 2)


def test_an_epoch_with_an_earlier_root_does_not_see_later_rows() -> None:
    roster, first, second = _batches()
    size = roster.size_at(first.root)
    assert (roster.size_at(EMPTY_ROOT), size, roster.size_at(second.root)) == (0, 40, 60)
    assert roster.codes(0, size) == first.codes
    assert roster.row(first.codes[39], size) == 39
    with pytest.raises(Refusal) as caught:
        roster.row(second.codes[0], size)
    assert caught.value.reason is Reason.UNKNOWN_ENTERPRISE
    with pytest.raises(DocumentError, match="roster_root"):
        roster.size_at(bytes(32))


def test_an_unknown_enterprise_is_refused_without_naming_it() -> None:
    roster, _, _ = _batches()
    stranger = Uscc.generate(10_000)
    with pytest.raises(Refusal) as caught:
        roster.row(stranger)
    assert caught.value.reason is Reason.UNKNOWN_ENTERPRISE
    assert stranger not in str(caught.value) + caught.value.detail
    assert stranger not in roster
    assert CODES[0] in roster


def test_buckets_have_8192_rows() -> None:
    codes = [Uscc.generate(serial) for serial in range(8192 + 10)]
    roster = Roster(CHAIN)
    batch = roster.append(codes)
    assert [bucket(row) for row in (0, 8191, 8192)] == [0, 0, 1]
    assert [coefficient(row) for row in (0, 8191, 8192)] == [0, 8191, 0]
    assert roster.buckets() == 2
    assert roster.buckets(8192) == 1
    assert roster.buckets(0) == 0
    assert roster.codes(1) == batch.codes[8192:]
    assert len(roster.codes(0)) == 8192
    for number, size in ((2, None), (-1, None), (1, 8192)):
        with pytest.raises(Refusal) as caught:
            roster.codes(number, size)
        assert caught.value.reason is Reason.UNKNOWN_BUCKET


@pytest.mark.parametrize(
    "change",
    [
        {"chain": "zsj.yinxin.example"},
        {"number": 2},
        {"number": 0},
        {"first_row": 39},
        {"root": bytes(32)},
        {"codes": ()},
        {"codes": tuple(CODES[40:])},
    ],
)
def test_a_changed_batch_is_refused_and_changes_nothing(change: dict[str, object]) -> None:
    _, first, second = _batches()
    copy = Roster(CHAIN)
    copy.apply(first)
    before = copy.root
    with pytest.raises(DocumentError) as caught:
        copy.apply(dataclasses.replace(second, **change))
    assert caught.value.field == next(iter(change))
    assert (copy.root, copy.size, copy.next_number) == (before, 40, 1)
    copy.apply(second)


def test_a_batch_out_of_order_or_twice_is_refused() -> None:
    _, first, second = _batches()
    copy = Roster(CHAIN)
    with pytest.raises(DocumentError, match="number"):
        copy.apply(second)
    copy.apply(first)
    with pytest.raises(DocumentError, match="number"):
        copy.apply(first)


def test_an_enterprise_has_one_row() -> None:
    roster, first, _ = _batches()
    with pytest.raises(DocumentError, match="enrolled already"):
        roster.append([first.codes[0]])
    with pytest.raises(DocumentError, match="twice"):
        roster.append([Uscc.generate(99), Uscc.generate(99)])
    assert roster.size == 60


def test_proposing_changes_nothing() -> None:
    roster = Roster(CHAIN)
    batch = roster.propose(CODES)
    assert (roster.size, roster.root, roster.next_number) == (0, EMPTY_ROOT, 0)
    roster.apply(batch)
    assert roster.root == batch.root


def test_codes_must_be_parsed() -> None:
    with pytest.raises(DocumentError, match="not a parsed Uscc"):
        Roster(CHAIN).append(["914403001922038216"])  # type: ignore[list-item]


def test_splitting_sorts_over_all_codes() -> None:
    codes = [Uscc.generate(serial) for serial in range(MAX_BATCH + 5)]
    pieces = list(split(CHAIN, codes))
    assert [len(piece) for piece in pieces] == [MAX_BATCH, 5]
    keys = [order_key(CHAIN, code) for piece in pieces for code in piece]
    assert keys == sorted(keys)
    with pytest.raises(DocumentError, match="split"):
        Roster(CHAIN).append(codes)


def _variants() -> list[bytes]:
    good = json.loads(Roster(CHAIN).propose(CODES[:2]).to_json())
    changed = [
        {**good, "extra": 1},
        {key: value for key, value in good.items() if key != "root"},
        {**good, "format": "yinxin-roster-batch/2"},
        {**good, "codes": []},
        {**good, "codes": ["914403001922038217"]},
        {**good, "codes": [good["codes"][0].lower()]},
        {**good, "codes": [7]},
        {**good, "number": True},
        {**good, "first_row": "0"},
        {**good, "chain": 1},
        {**good, "root": good["root"][:-2]},
        [good],
    ]
    return [canonical_json(value) for value in changed] + [canonical_json(good) + b"\n"]


@pytest.mark.parametrize("raw", _variants())
def test_other_forms_of_a_batch_are_refused(raw: bytes) -> None:
    with pytest.raises(DocumentError):
        RosterBatch.from_json(raw)
