"""Our logs before an independent judge, golang.org/x/mod/sumdb: what it accepts, what it refuses.

Every altered export goes to both verifiers, and both must refuse it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from federation.entries import Kind, entry
from federation.identity import Role, SpiffeId
from federation.merkle import consistency_path, inclusion_path, leaf_hash, root
from federation.signed import SigningKey
from federation.tlog.checkpoint import quorum_of
from federation.tlog.tiles import TileReader, decode_bundle, encode_bundle, parse_tile_path
from support.golang import GoVerifier, build, installed, proof_of
from support.tlog import DOMAIN, START, Files, Owner, entries, fault_of, reader_of, write

OWNER = Owner()
KEYS = OWNER.keys
SMALL = 6
LARGE = (255, 256, 257, 511, 1000, 65_535, 65_536, 65_793)


@pytest.fixture(scope="session")
def go(tmp_path_factory: pytest.TempPathFactory) -> GoVerifier:
    if not installed():
        reason = "Go or its sumdb library is not installed; run: make golang"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    program = build(tmp_path_factory.mktemp("go"))
    return GoVerifier(program, OWNER.vkeys, quorum_of(len(OWNER.witnesses)))


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Files]:
    """The export of a log of few entries, in a folder and in memory."""
    folder = tmp_path_factory.mktemp("export")
    files = OWNER.files(entries(SMALL))
    write(files, folder)
    return folder, files


def both_refuse(
    go: GoVerifier, folder: Path, base: Files, variants: list[dict[str, bytes | None]]
) -> None:
    """Fails with the variants of an export that a verifier accepts. `None` is a missing file."""
    assert fault_of(base, KEYS) is None
    requests = [{"Do": "load", "Folder": str(folder)}, {"Do": "verify"}]
    altered = [{"Do": "verify", "Set": variant} for variant in variants]
    loaded, untouched, *errors = go.errors([*requests, *altered])
    assert (loaded, untouched) == ("", "")
    missed = []
    for variant, error in zip(variants, errors, strict=True):
        merged = {path: raw for path, raw in {**base, **variant}.items() if raw is not None}
        ours = fault_of(merged, KEYS)
        if ours is None or not error:
            missed.append((variant, ours, error))
    assert missed == []


# --- what is right ------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [range(1, 36), range(36, 71), LARGE], ids=["35", "70", "large"])
def test_go_accepts_every_log_and_makes_the_same_proofs_of_its_tiles(
    go: GoVerifier, tmp_path: Path, sizes: list[int]
) -> None:
    raws = entries(max(sizes))
    leaves = [leaf_hash(raw) for raw in raws]
    read = reader_of(leaves)
    requests: list[dict[str, object]] = []
    expected: list[tuple[bytes, ...]] = []
    for size in sizes:
        files = OWNER.files(raws[:size])
        folder = tmp_path / str(size)
        write(files, folder)
        whole = {"Size": size, "Root": root(leaves[:size])}
        requests += [{"Do": "load", "Folder": str(folder)}, {"Do": "verify"}]
        expected += [(), ()]
        tiles = {(t[0], t[1]): raw for p, raw in files.items() if (t := _tile(p)) is not None}
        for index in _some(size):
            proof = inclusion_path(index, size, read)
            assert inclusion_path(index, size, TileReader(tiles)) == proof
            request = {**whole, "Index": index}
            requests.append({"Do": "prove", **request})
            expected.append(proof)
            requests.append(
                {"Do": "inclusion", **request, "Leaf": leaves[index], "Proof": proof}
                | {"Note": files["checkpoint"]}
            )
            expected.append(())
        for old in (s for s in _some(size) if s > 0):
            proof = consistency_path(old, size, read)
            assert consistency_path(old, size, TileReader(tiles)) == proof
            request = {**whole, "Old": old}
            requests.append({"Do": "prove", **request})
            expected.append(proof)
            known = root(leaves[:old])
            requests.append({"Do": "consistency", **request, "OldRoot": known, "Proof": proof})
            expected.append(())
    answers = go.ask(requests)
    assert [proof_of(answer) for answer in answers] == expected


def _tile(path: str) -> tuple[int, int] | None:
    if path == "checkpoint":
        return None
    level, number, _ = parse_tile_path(path)
    return None if level is None else (level, number)


def _some(size: int) -> list[int]:
    """All indices of a small tree, and of a large one those beside the powers of two."""
    if size <= 70:
        return list(range(size))
    near = {0, 1, 2, 255, 256, 257, 300, size // 2, size // 3, 32_767, 32_768, 65_535, 65_536}
    return sorted(i for i in near | {size - 1, size - 2} if 0 <= i < size)


def test_go_refuses_every_forged_proof(go: GoVerifier) -> None:
    leaves = [leaf_hash(raw) for raw in entries(13)]
    read, tree = reader_of(leaves), root(leaves)
    path, consistency = inclusion_path(5, 13, read), consistency_path(6, 13, read)
    note = OWNER.checkpoint(13, tree)
    inclusion = {"Do": "inclusion", "Size": 13, "Root": tree, "Index": 5, "Leaf": leaves[5]}
    good = inclusion | {"Proof": path, "Note": note}
    old = {"Do": "consistency", "Size": 13, "Root": tree, "Old": 6, "OldRoot": root(leaves[:6])}
    extends = old | {"Proof": consistency}
    assert go.errors([good, extends]) == ["", ""]
    forged: list[dict[str, object]] = [
        good | {"Index": 4},
        good | {"Leaf": leaves[4]},
        good | {"Size": 12},
        good | {"Proof": path[:-1]},
        good | {"Proof": (*path, path[0])},
        good | {"Note": OWNER.checkpoint(13, tree, cosigners=1)},
        good | {"Note": OWNER.checkpoint(13, bytes(32))},
        good | {"Note": Owner(key=SigningKey.generate()).checkpoint(13, tree)},
        good | {"Note": Owner(SpiffeId(DOMAIN, Role.HUB, "hub2")).checkpoint(13, tree)},
        extends | {"Old": 5},
        extends | {"OldRoot": root(leaves[:5])},
        extends | {"Root": bytes(32)},
        extends | {"Proof": consistency[1:]},
    ]
    assert all(go.errors(forged))


# --- what is altered ----------------------------------------------------------------------------


def test_the_edits_cover_every_file(small: tuple[Path, Files]) -> None:
    assert set(small[1]) == {"checkpoint", f"tile/entries/000.p/{SMALL}", f"tile/0/000.p/{SMALL}"}


@pytest.mark.parametrize("path", sorted(OWNER.files(entries(SMALL))))
def test_every_edit_of_one_byte_is_refused_by_both(
    go: GoVerifier, small: tuple[Path, Files], path: str
) -> None:
    folder, files = small
    raw = files[path]
    variants = [{path: _with(raw, at, raw[at] ^ 1 << bit)} for at, bit in _bits(raw)]
    variants += [{path: raw[:at] + raw[at + 1 :]} for at in range(len(raw)) if _matters(raw, at)]
    both_refuse(go, folder, files, variants)


def test_every_value_of_the_last_characters_of_a_line_is_refused_by_both(
    go: GoVerifier, small: tuple[Path, Files]
) -> None:
    # Where base64 has bits that no byte needs, a lax reader takes a second spelling.
    folder, files = small
    raw = files["checkpoint"]
    ends = [at for at, byte in enumerate(raw) if byte == ord("\n")]
    places = sorted({max(0, end - back) for end in ends for back in range(5)})
    variants = [
        {"checkpoint": _with(raw, at, value)}
        for at in places
        for value in range(256)
        if value != raw[at]
    ]
    both_refuse(go, folder, files, variants)


def test_truncation_at_every_byte_and_addition_are_refused_by_both(
    go: GoVerifier, small: tuple[Path, Files]
) -> None:
    folder, files = small
    lines = [at + 1 for at, byte in enumerate(files["checkpoint"]) if byte == ord("\n")]
    variants: list[dict[str, bytes | None]] = [{path: None} for path in files]
    for path, raw in files.items():
        # What is left of a checkpoint with a whole line fewer is a checkpoint with fewer witnesses.
        cuts = [at for at in range(len(raw)) if path != "checkpoint" or at not in lines[-2:]]
        variants += [{path: raw[:at]} for at in cuts]
        variants += [{path: raw + tail} for tail in (b"\0", b"\n", b"\0\0", raw)]
    both_refuse(go, folder, files, variants)


def test_entries_removed_repeated_or_reordered_are_refused_by_both(
    go: GoVerifier, small: tuple[Path, Files]
) -> None:
    folder, files = small
    bundle, tile = f"tile/entries/000.p/{SMALL}", f"tile/0/000.p/{SMALL}"
    raws = list(decode_bundle(files[bundle]))
    orders = [raws[:i] + raws[i + 1 :] for i in range(SMALL)]
    orders += [[*raws[:i], raws[i], *raws[i:]] for i in range(SMALL)]
    for i in range(SMALL):
        for j in range(i):
            swapped = [*raws]
            swapped[i], swapped[j] = raws[j], raws[i]
            orders.append(swapped)
    variants: list[dict[str, bytes | None]] = []
    for order in orders:
        hashes = b"".join(leaf_hash(raw) for raw in order)
        variants += [{bundle: encode_bundle(order)}, {tile: hashes}]
        variants.append({bundle: encode_bundle(order), tile: hashes})
    both_refuse(go, folder, files, variants)


def test_a_log_rewritten_whole_needs_a_majority_of_the_witnesses(
    go: GoVerifier, small: tuple[Path, Files]
) -> None:
    # The owner rewrites an entry and everything above it, and signs. One witness helps.
    folder, files = small
    raws = [*entries(SMALL - 1), entry(Kind.CLOSED, START + SMALL, epoch=99)]
    both_refuse(go, folder, files, [{**OWNER.files(raws, cosigners=n)} for n in (0, 1)])


def _rewound() -> Iterator[tuple[str, Files, bytes]]:
    honest = OWNER.files(entries(300))
    yield "rollback", OWNER.files(entries(299)), honest["checkpoint"]
    yield "rollback to nothing", OWNER.files([]), honest["checkpoint"]
    for index in (0, 100, 255, 256, 299):
        raws = entries(300)
        raws[index] = entry(Kind.CLOSED, START + index, epoch=999)
        yield f"fork at {index}", OWNER.files(raws), honest["checkpoint"]
        grown = [*raws, *entries(20, start=300)]
        yield f"fork at {index}, grown since", OWNER.files(grown), honest["checkpoint"]


def test_rollback_and_forks_signed_by_all_are_refused_with_an_earlier_checkpoint(
    go: GoVerifier, tmp_path: Path
) -> None:
    # Owner and every witness collude, so each view by itself is perfect: both verifiers accept it.
    for number, (name, files, seen) in enumerate(_rewound()):
        folder = tmp_path / str(number)
        write(files, folder)
        load = {"Do": "load", "Folder": str(folder)}
        alone, since = {"Do": "verify"}, {"Do": "verify", "Since": seen}
        assert fault_of(files, KEYS) is None, name
        assert fault_of(files, KEYS, [seen]) is not None, name
        loaded, accepted, refused = go.errors([load, alone, since])
        assert (loaded, accepted) == ("", ""), name
        assert refused != "", name


def _with(raw: bytes, at: int, value: int) -> bytes:
    return raw[:at] + bytes([value]) + raw[at + 1 :]


def _bits(raw: bytes) -> Iterator[tuple[int, int]]:
    return ((at, bit) for at in range(len(raw)) for bit in range(8))


def _matters(raw: bytes, at: int) -> bool:
    """Whether leaving this byte out gives other bytes: not so where it stands beside its equal."""
    return at + 1 == len(raw) or raw[at] != raw[at + 1]
