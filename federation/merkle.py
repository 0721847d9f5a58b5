"""Merkle tree hashes as Certificate Transparency has them: RFC 6962 section 2.1.

A leaf is SHA-256(0x00 ‖ data), a node SHA-256(0x01 ‖ left ‖ right), the empty tree
SHA-256 of nothing; the left subtree of n leaves holds the largest power of two below n.
`Frontier` gives the root of a growing list from one hash a level.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from federation.errors import DocumentError

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """Hash of one leaf, 32 bytes."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node over two 32-byte hashes."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The complete subtrees of a list of leaves, enough to extend it and to tell its root.

    An append costs two hashes on average and memory is one hash a level (20 for a million).
    """

    __slots__ = ("_peaks", "_size")

    def __init__(self) -> None:
        self._size = 0
        # One hash for each set bit of the size, of the largest subtree first.
        self._peaks: list[bytes] = []

    @property
    def size(self) -> int:
        """Number of leaves."""
        return self._size

    @property
    def root(self) -> bytes:
        """Merkle tree hash of all leaves so far."""
        if not self._peaks:
            return EMPTY_ROOT
        result = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            result = node_hash(peak, result)
        return result

    def append(self, leaf: bytes) -> None:
        """Adds one leaf by its hash."""
        carry = self._size
        while carry & 1:
            leaf = node_hash(self._peaks.pop(), leaf)
            carry >>= 1
        self._peaks.append(leaf)
        self._size += 1

    def extended(self, leaves: Iterable[bytes]) -> Frontier:
        """A new frontier with `leaves` (hashes) added; this one does not change."""
        result = Frontier()
        result._size = self._size
        result._peaks = list(self._peaks)
        for leaf in leaves:
            result.append(leaf)
        return result


def root(leaves: Iterable[bytes]) -> bytes:
    """Merkle tree hash of a list of leaf hashes; of the empty list, SHA-256 of nothing."""
    return Frontier().extended(leaves).root


def inclusion_proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The audit path of leaf `index` among `leaves` (hashes), RFC 6962 section 2.1.1.

    Siblings from the leaf upwards. Raises DocumentError when there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise DocumentError("index", f"{index} is not a leaf of a tree of {len(leaves)}")
    path: list[bytes] = []
    start, end = 0, len(leaves)
    while end - start > 1:
        middle = start + _left_size(end - start)
        if index < middle:
            path.append(root(leaves[middle:end]))
            end = middle
        else:
            path.append(root(leaves[start:middle]))
            start = middle
    path.reverse()
    return tuple(path)


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected_root: bytes
) -> None:
    """Checks that `leaf` (a hash) is leaf `index` of the tree of `size` with `expected_root`.

    The algorithm is that of RFC 9162 section 2.1.3.2, which accepts no proof of a wrong length.
    Raises DocumentError for field `inclusion proof`.
    """
    if not 0 <= index < size:
        raise DocumentError("inclusion proof", f"leaf {index} is not within a tree of {size}")
    if any(len(part) != HASH_BYTES for part in (leaf, expected_root, *proof)):
        raise DocumentError("inclusion proof", "holds a hash that is not 32 bytes long")
    position, last = index, size - 1
    result = leaf
    for sibling in proof:
        if last == 0:
            raise DocumentError("inclusion proof", "is longer than the tree is high")
        if position & 1 or position == last:
            result = node_hash(sibling, result)
            while not position & 1 and position != 0:
                position >>= 1
                last >>= 1
        else:
            result = node_hash(result, sibling)
        position >>= 1
        last >>= 1
    if last != 0:
        raise DocumentError("inclusion proof", "is shorter than the tree is high")
    if result != expected_root:
        raise DocumentError("inclusion proof", "does not lead to the root")


def _left_size(size: int) -> int:
    """The largest power of two below `size` (at least 2)."""
    return 1 << (size - 1).bit_length() - 1
