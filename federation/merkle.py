"""Merkle tree hashes as Certificate Transparency has them: RFC 6962 section 2.1.

A leaf is SHA-256(0x00 ‖ data), a node SHA-256(0x01 ‖ left ‖ right), the empty tree
SHA-256 of nothing; the left subtree of n leaves holds the largest power of two below n.
`Frontier` gives the root of a growing list from one hash a level; paths for proofs are read from
whoever keeps the hashes of complete subtrees (`HashReader`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

from federation.errors import DocumentError

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()

HashReader = Callable[[int, int], bytes]
"""(level, index) → hash of the complete subtree over 2^level leaves from index · 2^level on."""


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

    @classmethod
    def restored(cls, size: int, peaks: Sequence[bytes]) -> Frontier:
        """The frontier with these `peaks`. Raises DocumentError unless `size` has as many."""
        if size < 0 or len(peaks) != size.bit_count():
            raise DocumentError("peaks", f"{len(peaks)} do not make a tree of {size}")
        if any(len(peak) != HASH_BYTES for peak in peaks):
            raise DocumentError("peaks", "hold a hash that is not 32 bytes long")
        result = cls()
        result._size, result._peaks = size, list(peaks)
        return result

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """Roots of the complete subtrees that make up the tree, the largest first."""
        return tuple(self._peaks)

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


def root_of(size: int, read: HashReader) -> bytes:
    """Merkle tree hash of the first `size` leaves."""
    return _range_root(0, size, read) if size else EMPTY_ROOT


def inclusion_proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The audit path of leaf `index` among `leaves` (hashes): `inclusion_path` of a short list."""
    return inclusion_path(index, len(leaves), _reader_of(leaves))


def inclusion_path(index: int, size: int, read: HashReader) -> tuple[bytes, ...]:
    """The audit path of leaf `index` in the tree of `size`, RFC 6962 section 2.1.1.

    Siblings from the leaf upwards. Raises DocumentError when there is no such leaf.
    """
    if not 0 <= index < size:
        raise DocumentError("index", f"{index} is not a leaf of a tree of {size}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _left_size(end - start)
        if index < middle:
            path.append(_range_root(middle, end, read))
            end = middle
        else:
            path.append(_range_root(start, middle, read))
            start = middle
    path.reverse()
    return tuple(path)


def consistency_path(old_size: int, new_size: int, read: HashReader) -> tuple[bytes, ...]:
    """The proof that the tree of `new_size` extends that of `old_size`, RFC 6962 section 2.1.2.

    Empty from the empty tree and for equal sizes. Raises DocumentError unless
    0 <= old_size <= new_size.
    """
    if not 0 <= old_size <= new_size:
        raise DocumentError("size", f"{old_size} is not within a tree of {new_size}")
    if old_size == 0:
        return ()
    path: list[bytes] = []
    start, end = 0, new_size
    while end != old_size:
        middle = start + _left_size(end - start)
        if old_size <= middle:
            path.append(_range_root(middle, end, read))
            end = middle
        else:
            path.append(_range_root(start, middle, read))
            start = middle
    if start:  # else the old tree is a subtree whose root the verifier has
        path.append(_range_root(start, end, read))
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


def verify_consistency(
    old_size: int, new_size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Checks that the tree of `new_size` with `new_root` begins with that of `old_size`.

    The algorithm is that of RFC 9162 section 2.1.4.2; every tree extends the empty one, by an empty
    proof. Raises DocumentError for field `consistency proof`.
    """
    field = "consistency proof"
    if not 0 <= old_size <= new_size:
        raise DocumentError(field, f"a tree of {new_size} does not extend one of {old_size}")
    if any(len(part) != HASH_BYTES for part in (old_root, new_root, *proof)):
        raise DocumentError(field, "holds a hash that is not 32 bytes long")
    if old_size in (0, new_size):
        if proof:
            raise DocumentError(field, "is not empty where nothing is to be proved")
        same = old_size != new_size or old_root == new_root
        if not same or (old_size == 0 and old_root != EMPTY_ROOT):
            raise DocumentError(field, f"two roots of a tree of {old_size}")
        return
    path = list(proof)
    if old_size & (old_size - 1) == 0:  # the old tree is a subtree of the new one
        path.insert(0, old_root)
    if not path:
        raise DocumentError(field, "is shorter than the tree is high")
    position, last = old_size - 1, new_size - 1
    while position & 1:
        position >>= 1
        last >>= 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise DocumentError(field, "is longer than the tree is high")
        if position & 1 or position == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not position & 1 and position != 0:
                position >>= 1
                last >>= 1
        else:
            new = node_hash(new, sibling)
        position >>= 1
        last >>= 1
    if last != 0:
        raise DocumentError(field, "is shorter than the tree is high")
    if old != old_root or new != new_root:
        raise DocumentError(field, "does not lead from the old root to the new one")


def _range_root(start: int, end: int, read: HashReader) -> bytes:
    """Merkle tree hash of leaves start to end, as they occur in a path: `start` is a multiple of
    the smallest power of two that is not below end - start.
    """
    parts: list[bytes] = []
    while start < end:
        level = (end - start).bit_length() - 1
        parts.append(read(level, start >> level))
        start += 1 << level
    result = parts.pop()
    while parts:
        result = node_hash(parts.pop(), result)
    return result


def _reader_of(leaves: Sequence[bytes]) -> HashReader:
    def read(level: int, index: int) -> bytes:
        return root(leaves[index << level : (index + 1) << level])

    return read


def _left_size(size: int) -> int:
    """The largest power of two below `size` (at least 2)."""
    return 1 << (size - 1).bit_length() - 1
