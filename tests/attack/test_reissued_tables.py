"""A holder's table of one ctx is made twice: T − T′ shows the difference to a bank without consent.

Pads and masks are the same, so they cancel. What stops it: ctx names the opening and with it the
manifests; a second manifest or opening of a number is refused; a repetition returns stored bytes.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from federation.epoch import OpenEpoch, check_manifest, make_opening, read_epoch, refuse_second
from federation.errors import Reason
from scoring.lattice import Decryptor
from scoring.words import MODULUS
from support.chain import HUB, TAX, Chain
from support.checks import refused
from support.people import Data, HolderSide, Words
from support.small import BINS


@pytest.fixture
def side(chain: Chain) -> HolderSide:
    """The tax bureau, with memory of its own."""
    shared = chain.holders[TAX]
    return dataclasses.replace(
        shared,
        data=dict(shared.data),
        roots=dict(shared.roots),
        salts=dict(shared.salts),
        stored={},
    )


def corrected(data: Data) -> Data:
    """The same firms, one feature of one of them corrected."""
    bins = data.bins.copy()
    row = int(np.flatnonzero(data.known)[0])
    bins[0, row] = (bins[0, row] + 1) % BINS
    return Data(bins, data.known)


def decrypted(chain: Chain, side: HolderSide, epoch: OpenEpoch) -> Words:
    table = side.table(chain.alpha, epoch, chain.catalogue, chain.roster.codes(0))
    return Decryptor(chain.alpha.secret_key).decrypt(table)


def test_difference_of_two_tables_isolates_a_correction(chain: Chain, side: HolderSide) -> None:
    """The attack, on a holder that evaluates anew under the same ctx: no unlock is needed."""
    before = decrypted(chain, side, chain.epochs[1])
    old, side.data[1] = side.data[1], corrected(side.data[1])
    difference = (decrypted(chain, side, chain.epochs[1]) - before) & np.uint64(MODULUS - 1)
    (row,) = np.flatnonzero(difference)
    assert np.array_equal(np.flatnonzero((old.bins != side.data[1].bins).any(axis=0)), [row])
    weights = chain.alpha.scorecard.weights(chain.catalogue, str(TAX))
    changed = weights[side.data[1].bins[0, row]] - weights[old.bins[0, row]]
    assert int(difference[row]) == changed % MODULUS


def test_repeated_bucket_is_the_stored_answer(chain: Chain, side: HolderSide) -> None:
    codes, epoch = chain.roster.codes(0), chain.epochs[1]
    first = side.prepare(chain.alpha, epoch, chain.catalogue, codes)
    side.data[1] = corrected(side.data[1])
    assert side.prepare(chain.alpha, epoch, chain.catalogue, codes) == first


def reopened(chain: Chain, side: HolderSide) -> OpenEpoch:
    """Epoch 1 once more: the bureau's manifest replaced by one of the corrected data.

    Every signature and hash in it is right. It is for those who have seen the first to refuse.
    """
    epoch = chain.epochs[1]
    descriptor, manifests, _ = chain.epoch_documents[1]
    side.data[1] = corrected(side.data[1])
    second = side.manifest(chain.root.chain, 1, epoch.descriptor.hash, "2027-01-14")
    kept = [manifest for holder, manifest in epoch.manifests.items() if holder != TAX]
    opening = make_opening(epoch.descriptor, [*kept, second])
    signed = [m for m in manifests if m.payload_hash != epoch.manifests[TAX].hash]
    return read_epoch(
        descriptor,
        [*signed, second.sign(side.signing)],
        opening.sign(chain.signing[HUB]),
        chain.members,
    )


def test_second_manifest_and_opening_of_a_number(chain: Chain, side: HolderSide) -> None:
    first, second = chain.epochs[1], reopened(chain, side)
    check_manifest(second.manifests[TAX], first.descriptor)  # on its own it is in order
    for kept, offered in (
        (first.manifests[TAX], second.manifests[TAX]),
        (first.opening, second.opening),
    ):
        refused(Reason.CONFLICT, lambda k=kept, o=offered: refuse_second(k, o))
        refuse_second(kept, kept)
        refuse_second(None, offered)


def test_second_descriptor_of_a_number(chain: Chain) -> None:
    first = chain.epochs[1].descriptor
    for changes in ({"closes": first.closes + 86_400}, {"roster_rows": first.roster_rows - 1}):
        later = chain.descriptor(1, **changes)
        refused(Reason.CONFLICT, lambda d=later: refuse_second(first, d))
    refuse_second(first, chain.descriptor(1))


def test_difference_across_a_reopened_epoch_is_random(chain: Chain, side: HolderSide) -> None:
    """Even a holder that let a second opening pass gives nothing away: another ctx, other pads."""
    before = decrypted(chain, side, chain.epochs[1])
    second = reopened(chain, side)
    certificate = chain.alpha.certificate
    assert certificate.context(second) != certificate.context(chain.epochs[1])
    difference = (decrypted(chain, side, second) - before) & np.uint64(MODULUS - 1)
    # 8191 of 8192 rows did not change; a difference below 2^24 turns up once in 2^24.
    assert int((difference < 1 << 24).sum()) <= 1
    ones = sum(int(word).bit_count() for word in difference)
    assert abs(ones - 24 * len(difference)) < 6 * (12 * len(difference)) ** 0.5


def test_two_evaluations_of_unchanged_data_differ_in_nothing_but_noise(
    chain: Chain, side: HolderSide
) -> None:
    first, second = (decrypted(chain, side, chain.epochs[1]) for _ in range(2))
    assert np.array_equal(first, second)
