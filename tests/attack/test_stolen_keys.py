"""Keys that leak: what a thief opens of tables that a bank hoarded, and what stays shut."""

from __future__ import annotations

import pytest

from federation.exchange.bank import OpenQuery
from federation.identity import SpiffeId
from scoring.masks import mask
from scoring.oprf import derive_key_pair, evaluate
from scoring.words import MODULUS
from support.attacker import opened_with, outputs, own_words, pad_of, part
from support.chain import INSURANCE, POWER, TAX, UNNAMED, Chain
from support.network import Network
from support.people import Firm


def with_roots(chain: Chain, firm: Firm, roots: dict[SpiffeId, bytes]) -> dict[SpiffeId, bytes]:
    """The outputs that roots give under the ctx of `alpha` in epoch 1, with no permit at all."""
    ctx = chain.session(chain.alpha).ctx
    return {
        holder: evaluate(derive_key_pair(root, ctx).secret, firm.uscc.encode())
        for holder, root in roots.items()
    }


def test_root_that_outlived_its_epoch_opens_every_hoarded_row(chain: Chain) -> None:
    """The defence removed. This is why roots are in no backup and erased when the epoch closes."""
    roots = {holder: chain.holders[holder].roots[1] for holder in UNNAMED}
    for firm in chain.firms:
        ys = with_roots(chain, firm, roots)
        assert opened_with(ys, chain, chain.alpha, 1, firm) == chain.reference(chain.alpha, 1, firm)


def test_everything_left_after_the_epoch_opens_no_hoarded_row(chain: Chain) -> None:
    """All that a holder still has then: the next epoch's root, and its lasting keys as seeds."""
    left = [
        {holder: chain.holders[holder].roots[2] for holder in UNNAMED},
        {holder: chain.holders[holder].signing.to_bytes() for holder in UNNAMED},
        {holder: chain.holders[holder].agreement.private_bytes_raw() for holder in UNNAMED},
        {holder: chain.holders[holder].sealing.to_bytes() for holder in UNNAMED},
        {holder: chain.holders[holder].salts[1] for holder in UNNAMED},
    ]
    for firm in chain.firms[:6]:
        for roots in left:
            ys = with_roots(chain, firm, roots)
            assert opened_with(ys, chain, chain.alpha, 1, firm) is None


@pytest.mark.parametrize("kept_back", UNNAMED, ids=lambda holder: holder.name)
def test_one_holder_that_keeps_its_root_safe_is_enough(chain: Chain, kept_back: SpiffeId) -> None:
    """Every row is under the pads of all participants: two stolen roots of three open nothing."""
    roots = {holder: chain.holders[holder].roots[1] for holder in UNNAMED}
    roots[kept_back] = bytes(32)
    for firm in chain.firms[:6]:
        ys = with_roots(chain, firm, roots)
        assert opened_with(ys, chain, chain.alpha, 1, firm) is None


def stolen_mask(chain: Chain, row: int) -> int:
    """The tax bureau's mask of one row, from the X25519 keys of the two other participants."""
    certificate, ctx = chain.alpha.certificate, chain.session(chain.alpha).ctx
    keys = {str(p.holder): p.agreement for p in certificate.participants}
    total = 0
    for thief in (POWER, INSURANCE):
        others = {name: key for name, key in keys.items() if name != str(thief)}
        total += int(mask(str(thief), chain.holders[thief].agreement, others, ctx, 0)[row])
    return -total % MODULUS


def test_agreement_keys_of_all_others_expose_a_part_of_an_opened_row_only(
    chain: Chain, network: Network
) -> None:
    """A limit that the protocol states: all others of P with the bank learn the remaining one's
    part of a row that was opened. Rows that were not opened stay under the bureau's pad.
    """
    words = own_words(chain, chain.alpha)[TAX]
    granted, other = chain.firms[0], chain.firms[1]
    query: OpenQuery = network.begin(chain.alpha, chain.consent(granted))
    pad = pad_of(outputs(query, network.ask(query))[TAX], chain, chain.alpha, 1, TAX)

    row = chain.row(granted)
    exposed = (int(words[row]) - pad - stolen_mask(chain, row)) % MODULUS
    assert exposed == part(chain, chain.alpha, 1, TAX, granted)

    row = chain.row(other)
    shut = (int(words[row]) - stolen_mask(chain, row)) % MODULUS
    assert shut != part(chain, chain.alpha, 1, TAX, other)
    assert shut >> 14  # parts have 12 bits; a pad is as small once in 2^34
