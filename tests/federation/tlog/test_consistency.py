"""Consistency and inclusion from subtree hashes: published vectors, the definition, forgeries."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.errors import DocumentError
from federation.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_path,
    inclusion_path,
    leaf_hash,
    root,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from federation.tlog.tiles import (
    TileReader,
    tiles_for_consistency,
    tiles_for_inclusion,
    tiles_for_root,
)
from support.tlog import levels_of, reader_of

LARGEST = 70
LEAVES = [leaf_hash(bytes([i])) for i in range(LARGEST)]
READ = reader_of(LEAVES)
# Inputs and proofs of the certificate-transparency project's tests.
CT_LEAVES = [
    leaf_hash(bytes.fromhex(text))
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_PROOFS = {
    (1, 1): [],
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}


def _split(size: int) -> int:
    k = 1
    while k * 2 < size:
        k *= 2
    return k


def _by_definition(m: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    """SUBPROOF of RFC 6962 section 2.1.2, written as it stands there."""
    n = len(leaves)
    if m == n:
        return [] if whole else [root(leaves)]
    k = _split(n)
    if m <= k:
        return [*_by_definition(m, leaves[:k], whole), root(leaves[k:])]
    return [*_by_definition(m - k, leaves[k:], False), root(leaves[:k])]


def _path_by_definition(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962 section 2.1.1, written as it stands there."""
    if len(leaves) == 1:
        return []
    k = _split(len(leaves))
    if m < k:
        return [*_path_by_definition(m, leaves[:k]), root(leaves[k:])]
    return [*_path_by_definition(m - k, leaves[k:]), root(leaves[:k])]


@pytest.mark.parametrize("sizes", CT_PROOFS)
def test_proofs_are_those_of_certificate_transparency(sizes: tuple[int, int]) -> None:
    old, new = sizes
    proof = consistency_path(old, new, reader_of(CT_LEAVES))
    assert [part.hex() for part in proof] == CT_PROOFS[sizes]
    verify_consistency(old, new, root(CT_LEAVES[:old]), root(CT_LEAVES[:new]), proof)


@pytest.mark.parametrize("new", range(1, LARGEST + 1))
def test_every_proof_is_that_of_the_definition_and_verifies(new: int) -> None:
    leaves = LEAVES[:new]
    tree = root(leaves)
    assert root_of(new, READ) == tree
    for old in range(1, new + 1):
        proof = consistency_path(old, new, READ)
        assert list(proof) == _by_definition(old, leaves)
        verify_consistency(old, new, root(leaves[:old]), tree, proof)
        path = inclusion_path(old - 1, new, READ)
        assert list(path) == _path_by_definition(old - 1, leaves)
        verify_inclusion(leaves[old - 1], old - 1, new, path, tree)


@given(st.data())
def test_no_altered_consistency_proof_verifies(data: st.DataObject) -> None:
    new = data.draw(st.integers(2, LARGEST))
    old = data.draw(st.integers(1, new - 1))
    proof = list(consistency_path(old, new, READ))
    roots = [root(LEAVES[:old]), root(LEAVES[:new])]
    hashes = [*proof, *roots]
    which = data.draw(st.sampled_from(["flip", "drop", "add", "swap", "sizes", "other"]))
    if which == "flip":
        at = data.draw(st.integers(0, len(hashes) - 1))
        bit = data.draw(st.integers(0, 255))
        flipped = int.from_bytes(hashes[at], "big") ^ 1 << bit
        hashes[at] = flipped.to_bytes(32, "big")
    elif which == "drop":
        del hashes[data.draw(st.integers(0, len(proof) - 1))]
    elif which == "add":
        hashes.insert(data.draw(st.integers(0, len(proof))), data.draw(st.sampled_from(hashes)))
    elif which == "swap":
        at = data.draw(st.integers(0, len(hashes) - 2))
        if hashes[at] == hashes[at + 1]:
            return
        hashes[at], hashes[at + 1] = hashes[at + 1], hashes[at]
    elif which == "sizes":
        other = data.draw(st.integers(1, LARGEST).filter(lambda size: size != old))
        # Another old size cannot have the old root: that of its own leaves differs.
        old = other
    else:
        forged = [*LEAVES[: old - 1], leaf_hash(b"forged")]
        hashes[-2] = root(forged)
    *proof, old_root, new_root = hashes
    with pytest.raises(DocumentError):
        verify_consistency(old, new, old_root, new_root, proof)


def test_nothing_but_the_empty_tree_extends_to_everything_without_proof() -> None:
    tree = root(LEAVES[:5])
    verify_consistency(0, 5, EMPTY_ROOT, tree, ())
    verify_consistency(0, 0, EMPTY_ROOT, EMPTY_ROOT, ())
    verify_consistency(5, 5, tree, tree, ())
    with pytest.raises(DocumentError, match="two roots"):
        verify_consistency(0, 0, EMPTY_ROOT, tree, ())
    for old, new, old_root, proof in [
        (0, 5, tree, ()),
        (0, 5, EMPTY_ROOT, (tree,)),
        (5, 5, EMPTY_ROOT, ()),
        (5, 5, tree, (tree,)),
        (6, 5, tree, ()),
        (-1, 5, EMPTY_ROOT, ()),
        (3, 5, root(LEAVES[:3]), ()),
        (4, 5, root(LEAVES[:4]), ()),
    ]:
        with pytest.raises(DocumentError, match="consistency proof"):
            verify_consistency(old, new, old_root, tree, proof)


@pytest.mark.parametrize("size", [1, 255, 256, 257, 600, 65_536, 66_000])
def test_tiles_give_every_proof(size: int) -> None:
    leaves = [leaf_hash(i.to_bytes(3, "big")) for i in range(size)]
    levels = levels_of(leaves)
    read = reader_of(leaves)

    def reader(tiles: list) -> TileReader:  # type: ignore[type-arg]
        return TileReader(
            {
                (t.level, t.number): b"".join(
                    levels[t.level][t.number * 256 : t.number * 256 + t.width]
                )
                for t in tiles
            }
        )

    assert root_of(size, reader(tiles_for_root(size))) == root(leaves)
    for index in {0, size // 2, size - 1, min(256, size - 1)}:
        found = inclusion_path(index, size, reader(tiles_for_inclusion(index, size)))
        assert found == inclusion_path(index, size, read)
    for old in {1, max(1, size // 3), max(1, size - 1), size}:
        found = consistency_path(old, size, reader(tiles_for_consistency(old, size)))
        assert found == consistency_path(old, size, read)


def test_a_frontier_is_restored_from_its_peaks_alone() -> None:
    frontier = Frontier()
    for size, (leaf, following) in enumerate(pairwise(LEAVES), start=1):
        frontier.append(leaf)
        restored = Frontier.restored(size, frontier.peaks)
        assert (restored.size, restored.root) == (size, frontier.root)
        assert restored.extended([following]).root == frontier.extended([following]).root
    for size, peaks in [(3, (LEAVES[0],)), (1, ()), (1, (b"short",)), (-1, ())]:
        with pytest.raises(DocumentError, match="peaks"):
            Frontier.restored(size, peaks)
