"""Honest queries: the record that the bank opens is the one computed in the clear."""

from __future__ import annotations

from support.chain import Chain
from support.network import Network


def test_record_of_every_firm_is_the_reference(chain: Chain, network: Network) -> None:
    for firm in chain.firms:
        assert network.query(chain.alpha, firm) == chain.reference(chain.alpha, 1, firm)
