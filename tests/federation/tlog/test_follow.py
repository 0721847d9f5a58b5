"""Inspecting a whole log: what is altered is found and named, and each step is needed for it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from federation.entries import Kind, entry
from federation.merkle import leaf_hash, root
from federation.signed import SigningKey
from federation.tlog import follow as following
from federation.tlog import opening
from federation.tlog.fault import LogFault, Step
from federation.tlog.follow import BACKWARDS
from federation.tlog.opening import recognised
from federation.tlog.tiles import encode_bundle
from support.tlog import START, Files, Owner, entries, fault_of, tile_files, verify

OWNER = Owner()
KEYS = OWNER.keys
BUNDLE, TILE = "tile/entries/000.p/7", "tile/0/000.p/7"


def _fault(files: Files, *earlier: bytes) -> LogFault:
    fault = fault_of(files, KEYS, earlier)
    assert fault is not None
    return fault


@pytest.mark.parametrize("size", [0, 1, 2, 7, 255, 256, 257, 511, 512, 513, 65_792])
def test_a_log_as_it_was_written_passes(size: int) -> None:
    raws = entries(size)
    sizes = sorted({s for s in (0, 1, size // 2, 255, 256, 257, size - 1, size) if 0 <= s <= size})
    leaves = [leaf_hash(raw) for raw in raws]
    earlier = [OWNER.checkpoint(s, root(leaves[:s])) for s in sizes]
    followed = verify(OWNER.files(raws), KEYS, earlier)
    assert followed.checkpoint.size == size
    assert followed.kinds == ({"epoch-closed": size} if size else {})
    assert followed.times == ((START, START + size - 1) if size else None)
    assert followed.earlier == tuple(sizes)
    assert followed.cosigned == dict.fromkeys(KEYS.witnesses, START)


def test_memory_does_not_grow_with_the_log() -> None:
    def peak(size: int) -> int:
        files = OWNER.files(entries(size))
        tracemalloc.start()
        try:
            verify(files, KEYS)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(600)  # what is made once stays out of the comparison
    # A tile of each level: 256 hashes of 65 bytes and their list. Entries alone would be 500 kB.
    assert peak(9000) < peak(1000) + 40_000


def test_an_altered_entry_is_named_whichever_it_is() -> None:
    raws = entries(600)
    files = OWNER.files(raws)
    for index in (0, 255, 256, 599):
        forged = [*raws]
        forged[index] = raws[index].replace(b'"epoch":', b'"epocH":')
        number, width = divmod(index, 256)[0], min(256, 600 - index // 256 * 256)
        path = f"tile/entries/{number:03d}" + ("" if width == 256 else f".p/{width}")
        start = number * 256
        fault = _fault(files | {path: encode_bundle(forged[start : start + width])})
        assert (fault.step, fault.where) == (Step.BUNDLES, f"entry {index}")
        assert "changed, too" not in fault.problem


def test_an_altered_hash_is_named_by_tile_and_position() -> None:
    files = OWNER.files(entries(600))
    for path, position in [("tile/0/000", 9), ("tile/0/002.p/88", 87), ("tile/1/000.p/2", 1)]:
        raw = bytearray(files[path])
        raw[position * 32 + 31] ^= 1
        fault = _fault(files | {path: bytes(raw)})
        assert (fault.step, fault.where) == (Step.TILES, f"{path} hash {position}")


def test_an_entry_altered_with_its_hash_is_named_too() -> None:
    # Entry, its hash and the tree above are consistent: only the checkpoint says otherwise.
    raws = entries(7)
    raws[3] = entry(Kind.CLOSED, START + 3, epoch=99)
    files = OWNER.files(entries(7))
    forged = OWNER.files(raws) | {"checkpoint": files["checkpoint"]}
    fault = _fault(forged)
    assert (fault.step, fault.where) == (Step.ROOT, "checkpoint of size 7")


def test_two_places_altered_at_once_are_no_excuse() -> None:
    files = OWNER.files(entries(7))
    raw, tile = bytearray(files[BUNDLE]), bytearray(files[TILE])
    raw[-3] ^= 1  # within entry 6
    tile[0] ^= 1
    fault = _fault(files | {BUNDLE: bytes(raw), TILE: bytes(tile)})
    assert fault.where == "tile/0/000.p/7 hash 0" or "changed, too" in fault.problem


@pytest.mark.parametrize("path", ["checkpoint", BUNDLE, TILE])
def test_a_missing_file_is_named(path: str) -> None:
    files = OWNER.files(entries(7))
    del files[path]
    assert _fault(files).where == path


def test_entries_left_out_swapped_or_added_are_found() -> None:
    raws = entries(7)
    files = OWNER.files(raws)
    for forged in (raws[:6], [*raws, raws[6]], [*raws[:2], raws[3], raws[2], *raws[4:]]):
        # The entries alone, and then with hashes that fit them.
        assert fault_of(files | {BUNDLE: encode_bundle(forged)}, KEYS)
        tile = b"".join(leaf_hash(raw) for raw in forged)
        assert fault_of(files | {BUNDLE: encode_bundle(forged), TILE: tile}, KEYS)


def test_bytes_after_the_last_entry_are_found() -> None:
    files = OWNER.files(entries(7))
    for tail in (b"\0", b"\0\0", b"\0\1x"):
        assert _fault(files | {BUNDLE: files[BUNDLE] + tail}).step is Step.BUNDLES
    assert _fault(files | {TILE: files[TILE] + bytes(32)}).step is Step.TILES


def test_a_log_that_shrank_is_found_by_whoever_kept_a_checkpoint() -> None:
    old = OWNER.files(entries(7))["checkpoint"]
    fault = _fault(OWNER.files(entries(6)), old)
    assert fault.step is Step.EARLIER
    assert "shrunk" in fault.problem


@pytest.mark.parametrize("size", [1, 255, 256, 257, 300])
def test_a_second_history_is_found_by_whoever_kept_a_checkpoint(size: int) -> None:
    # Owner and all witnesses sign both histories: they differ in entry 0.
    other = [entry(Kind.CLOSED, START, epoch=99), *entries(size - 1, start=1)]
    old = OWNER.files(other)["checkpoint"]
    fault = _fault(OWNER.files(entries(300)), old)
    assert (fault.step, fault.where) == (Step.EARLIER, f"checkpoint of size {size}")
    assert "two histories" in fault.problem


def test_an_earlier_checkpoint_that_its_owner_never_signed_accuses_nobody() -> None:
    stranger = Owner(key=SigningKey.generate())
    fault = _fault(OWNER.files(entries(7)), stranger.files(entries(3))["checkpoint"])
    assert (fault.step, fault.where) == (Step.EARLIER, "earlier checkpoint")
    assert "signature" in fault.problem


def test_a_minority_of_witnesses_is_not_enough() -> None:
    assert fault_of(OWNER.files(entries(7), cosigners=2), KEYS) is None
    fault = _fault(OWNER.files(entries(7), cosigners=1))
    assert (fault.step, fault.problem) == (
        Step.COSIGNATURES,
        "1 of 2 witnesses cosigned the checkpoint",
    )


def test_a_line_of_nobody_known_is_named() -> None:
    owner = Owner(witnesses=dict(list(OWNER.witnesses.items())[:2]))
    fault = fault_of(OWNER.files(entries(7)), owner.keys)
    assert fault is not None
    assert (fault.step, fault.where) == (Step.COSIGNATURES, "checkpoint line 8")
    assert "holder/tax" in fault.problem


def test_a_witness_that_left_is_left_out_and_an_altered_cosignature_is_not() -> None:
    owner = Owner(witnesses=dict(list(OWNER.witnesses.items())[:2]))
    files = OWNER.files(entries(7))
    served = recognised(files["checkpoint"], owner.keys)
    assert served == owner.files(entries(7))["checkpoint"]
    assert recognised(b"no note", owner.keys) == b"no note"
    *lines, last = files["checkpoint"].splitlines(keepends=True)
    altered = b"".join(lines) + last.replace(b"AAAA", b"AAAB", 1)
    assert altered != files["checkpoint"]
    assert recognised(altered, KEYS) == altered
    assert _fault(files | {"checkpoint": altered}).where == "checkpoint line 8"


def test_a_witness_does_not_count_twice() -> None:
    files = OWNER.files(entries(7), cosigners=1)
    twice = files["checkpoint"] + files["checkpoint"].splitlines(keepends=True)[-1]
    fault = _fault(files | {"checkpoint": twice})
    assert (fault.step, fault.where) == (Step.COSIGNATURES, "checkpoint line 7")


@pytest.mark.parametrize(
    "raw",
    [b"", b"{}", b'{"v":1}', entries(1)[0] + b" ", entries(1)[0].replace(b"epoch-closed", b"\xff")],
)
def test_an_entry_that_is_none_is_named(raw: bytes) -> None:
    fault = _fault(OWNER.files([*entries(5), raw, *entries(1)]))
    assert (fault.step, fault.where) == (Step.ENTRIES, "entry 5")


def test_a_time_that_goes_back_is_named() -> None:
    def log(seconds: int) -> Files:
        back = entry(Kind.CLOSED, START - seconds, epoch=1)
        return OWNER.files([*entries(1), back, *entries(1)])

    assert fault_of(log(BACKWARDS), KEYS) is None
    fault = _fault(log(BACKWARDS + 1))
    assert (fault.step, fault.where) == (Step.ENTRIES, "entry 1")


# --- each check is what finds it: without it the attack passes ---------------------------------


def _nothing(*_: Any) -> None:
    return None


def _no_blame(*_: Any) -> Iterator[Any]:
    return iter(())


def _altered_tile() -> tuple[Files, tuple[bytes, ...]]:
    files = OWNER.files(entries(7))
    return files | {TILE: bytes(32) + files[TILE][32:]}, ()


def _altered_history() -> tuple[Files, tuple[bytes, ...]]:
    raws = [*entries(6), entry(Kind.CLOSED, START, epoch=99)]
    honest = OWNER.files(entries(7))
    return OWNER.files(raws) | {"checkpoint": honest["checkpoint"]}, ()


def _second_history() -> tuple[Files, tuple[bytes, ...]]:
    other = [entry(Kind.CLOSED, START, epoch=99), *entries(6, start=1)]
    return OWNER.files(entries(7)), (OWNER.files(other)["checkpoint"],)


def _altered_name() -> tuple[Files, tuple[bytes, ...]]:
    files = OWNER.files(entries(7))
    return files | {"checkpoint": files["checkpoint"].replace(b"holder/tax", b"holder/fax")}, ()


def _uncosigned() -> tuple[Files, tuple[bytes, ...]]:
    return OWNER.files(entries(7), cosigners=0), ()


@pytest.mark.parametrize(
    ("attack", "module", "check", "without"),
    [
        (_altered_tile, following, "_blame", _no_blame),
        (_altered_history, following, "_check_root", _nothing),
        (_second_history, following, "_check_earlier", _nothing),
        (_uncosigned, opening, "require_cosigned", _nothing),
        (_altered_name, opening, "_check_lines", _nothing),
    ],
)
def test_without_its_check_the_attack_passes(
    attack: Any, module: Any, check: str, without: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, earlier = attack()
    assert fault_of(files, KEYS, earlier) is not None
    monkeypatch.setattr(module, check, without)
    assert fault_of(files, KEYS, earlier) is None


def test_tiles_that_fit_the_entries_are_those_of_the_tree() -> None:
    leaves = [leaf_hash(raw) for raw in entries(300)]
    files = tile_files(leaves)
    assert set(files) == {"tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1"}
    assert files["tile/1/000.p/1"] == root(leaves[:256])
