"""Blind development end to end on a few firms: ciphertexts, OpenDP's noise, estimate, peers."""

from __future__ import annotations

import importlib.resources

import numpy as np
import pytest

from scoring.catalogue import Catalogue
from scoring.development.evidence import findings

pytest.importorskip("optbinning", reason="extra `models` is not installed")

from node.models.selftest import blind_chain, blind_development
from node.models.selftest.pooled import pooled_auc

SIGMA = 12_000


@pytest.fixture(scope="module")
def chain() -> blind_chain.Chain:
    source = importlib.resources.files("scoring.data").joinpath("catalogue-1.json")
    return blind_chain.generated(Catalogue.from_json(source.read_bytes()), 6_000, 21)


def only(chain: blind_chain.Chain, *kinds: str) -> blind_chain.Chain:
    return blind_chain.Chain(
        chain.catalogue,
        {kind: chain.bins[kind] for kind in kinds},
        {kind: chain.known[kind] for kind in kinds},
        chain.defaults,
        chain.labelled,
    )


def test_ciphertexts_give_the_exact_counts_and_the_stated_noise(chain: blind_chain.Chain) -> None:
    few = only(chain, "housing_fund", "water")
    release = blind_chain.encrypted_counts(few, SIGMA, lambda _: None)
    exact = blind_chain.counted(few, blind_chain.exact_counts(few), 0)
    added = np.concatenate(
        [
            np.array(noisy.good + noisy.bad) - np.array(plain.good + plain.bad)
            for noisy, plain in zip(release.features, exact.features, strict=True)
        ]
    )
    assert (release.good, release.bad) == (exact.good, exact.bad)
    assert np.abs(added).max() < 7 * release.sigma
    # A hundred and more numbers: their deviation is that of the noise within some 20 %.
    assert 0.7 < added.std() / release.sigma < 1.3
    assert release.epsilon is not None
    assert release.epsilon < 3


def test_noisy_counts_develop_nearly_what_raw_data_does(chain: blind_chain.Chain) -> None:
    counts = blind_chain.exact_counts(chain)
    rng = np.random.default_rng(1)
    noisy = {kind: table + rng.integers(-12, 13, table.shape) for kind, table in counts.items()}
    exact = blind_chain.counted(chain, counts, 0)
    blind, rounded = blind_development.blind_auc(chain, blind_chain.counted(chain, noisy, SIGMA))
    part, rest = chain.labelled, ~chain.labelled
    pooled = pooled_auc(
        findings(exact, chain.catalogue),
        chain.rows(part),
        chain.defaults[part],
        chain.rows(rest),
        chain.defaults[rest],
    )
    assert pooled > 0.7
    # A third of the firms that the figures in the documents are of: the noise weighs more.
    assert blind > pooled - 0.05
    assert rounded > blind - 0.03
