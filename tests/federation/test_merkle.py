"""The tree hash against the vectors of Certificate Transparency, and forged inclusion proofs."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federation.errors import DocumentError
from federation.merkle import (
    EMPTY_ROOT,
    Frontier,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    verify_inclusion,
)

# The reference leaves and roots of the certificate-transparency project.
DATA = [
    bytes.fromhex(text)
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
LEAVES = [leaf_hash(data) for data in DATA]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def _by_definition(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, written as it stands there."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return node_hash(_by_definition(leaves[:k]), _by_definition(leaves[k:]))


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    assert root(LEAVES[:size]).hex() == ROOTS[size - 1]


def test_the_empty_tree_is_the_hash_of_nothing() -> None:
    assert root([]) == EMPTY_ROOT == hashlib.sha256().digest()


def test_the_proof_of_leaf_0_of_8_is_that_of_certificate_transparency() -> None:
    assert [part.hex() for part in inclusion_proof(LEAVES, 0)] == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]


@given(st.lists(st.binary(max_size=8), min_size=1, max_size=70), st.data())
@settings(max_examples=60)
def test_every_proof_leads_to_the_root_by_definition(
    items: list[bytes], data: st.DataObject
) -> None:
    leaves = [leaf_hash(item) for item in items]
    index = data.draw(st.integers(0, len(leaves) - 1))
    expected = _by_definition(leaves)
    assert root(leaves) == expected
    proof = inclusion_proof(leaves, index)
    verify_inclusion(leaves[index], index, len(leaves), proof, expected)


def test_a_frontier_grows_like_the_list_and_its_extension_leaves_it_alone() -> None:
    frontier = Frontier()
    for size, leaf in enumerate(LEAVES, start=1):
        frontier.append(leaf)
        assert (frontier.size, frontier.root) == (size, root(LEAVES[:size]))
    before = frontier.root
    assert frontier.extended(LEAVES).root == root(LEAVES * 2)
    assert (frontier.size, frontier.root) == (8, before)


def test_forged_proofs_are_refused() -> None:
    size, index = 7, 3
    tree = root(LEAVES[:size])
    proof = inclusion_proof(LEAVES[:size], index)
    verify_inclusion(LEAVES[index], index, size, proof, tree)
    flipped = (bytes([proof[0][0] ^ 1]) + proof[0][1:], *proof[1:])
    forged = [
        (LEAVES[4], index, size, proof, tree),
        (LEAVES[index], 2, size, proof, tree),
        (LEAVES[index], index, size, flipped, tree),
        (LEAVES[index], index, size, proof[:-1], tree),
        (LEAVES[index], index, size, (*proof, proof[0]), tree),
        (LEAVES[index], index, size, (), tree),
        (LEAVES[index], index, size, tuple(reversed(proof)), tree),
        (LEAVES[index], index, size, proof, bytes(32)),
        (LEAVES[index], index, size, (proof[0][:-1], *proof[1:]), tree),
        (LEAVES[index], size, size, proof, tree),
        (LEAVES[index], -1, size, proof, tree),
        (LEAVES[index], 0, 0, (), tree),
    ]
    for arguments in forged:
        with pytest.raises(DocumentError, match="inclusion proof"):
            verify_inclusion(*arguments)


def test_a_short_proof_does_not_pass_an_inner_node_for_a_leaf() -> None:
    # The hashes do lead to the root of 4; only the length of the proof gives it away.
    inner, sibling = node_hash(LEAVES[0], LEAVES[1]), node_hash(LEAVES[2], LEAVES[3])
    assert node_hash(inner, sibling) == root(LEAVES[:4])
    with pytest.raises(DocumentError, match="shorter"):
        verify_inclusion(inner, 0, 4, [sibling], root(LEAVES[:4]))


def test_a_long_proof_does_not_give_a_leaf_another_number() -> None:
    # Leaf 2 of 3 passed off as leaf 0 of 1: again the hashes lead to the root.
    proof = inclusion_proof(LEAVES[:3], 2)
    assert node_hash(proof[0], LEAVES[2]) == root(LEAVES[:3])
    with pytest.raises(DocumentError, match="longer"):
        verify_inclusion(LEAVES[2], 0, 1, proof, root(LEAVES[:3]))


def test_an_inner_node_does_not_pass_for_a_leaf() -> None:
    # Without the prefixes of section 2.1 this data would hash to the inner node.
    inner = node_hash(LEAVES[0], LEAVES[1])
    assert leaf_hash(LEAVES[0] + LEAVES[1]) != inner


def test_a_proof_of_no_leaf_is_refused() -> None:
    for index in (-1, 8):
        with pytest.raises(DocumentError):
            inclusion_proof(LEAVES, index)
