"""Labels that the regulator of a test's chain certified, and what they count to in the clear."""

from __future__ import annotations

import dataclasses
import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from federation.development import privacy
from federation.development.certificate import CountingHolder, DevelopmentCertificate
from federation.identity import SpiffeId
from federation.signed import Signed
from scoring.lattice import (
    BAD,
    GOOD,
    PARAMETER_SET,
    ModelKeys,
    count_columns,
    encrypt_labels,
    generate_keys,
    label_totals,
    read_counts,
)
from scoring.words import ROWS
from support.chain import CHAIN, DAY, HARBOUR, NOW, REGULATOR, TAX, UNNAMED, Chain
from support.people import Data

EPSILON = 3 * privacy.MICRO


@dataclass(frozen=True)
class Labelled:
    """Certified labels, with what only the regulator and the bank have of them."""

    certificate: DevelopmentCertificate
    signed: Signed
    keys: ModelKeys
    bundle: bytes
    words: np.ndarray

    def with_(self, **changes: object) -> Labelled:
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]


def labelled(
    chain: Chain,
    /,
    *,
    bank: SpiffeId = HARBOUR,
    epsilon: int = EPSILON,
    participants: Iterable[SpiffeId] = UNNAMED,
    **changes: object,
) -> Labelled:
    """Labels on random firms of the roster, certified as a regulator does."""
    roster = chain.roster
    words = np.zeros((roster.buckets(), ROWS), dtype=np.uint64)
    flat = words.reshape(-1)[: roster.size]
    chosen = np.random.default_rng().random(roster.size)
    flat[chosen < 0.8] = GOOD
    flat[chosen < 0.3] = BAD
    keys = generate_keys()
    bundle = encrypt_labels(keys, words)
    counting = tuple(_counting(chain, holder) for holder in sorted(participants, key=str))
    sigma = privacy.sigma_milli(sum(p.features for p in counting), epsilon)
    fields: dict[str, object] = {
        "id": secrets.token_bytes(16),
        "name": "loans-2026",
        "bank": bank,
        "chain": CHAIN,
        "catalogue": chain.catalogue.digest(),
        "roster_rows": roster.size,
        "roster_root": roster.root,
        "participants": counting,
        "parameter_set": PARAMETER_SET,
        "public_key": hashlib.sha256(keys.public_key).digest(),
        "bundle": hashlib.sha256(bundle).digest(),
        "sigma_milli": sigma,
        "epsilon_micro": epsilon,
        "delta_exponent": privacy.DELTA_EXPONENT,
        "not_before": NOW - DAY,
        "not_after": NOW + 30 * DAY,
    }
    certificate = DevelopmentCertificate.model_validate(fields | changes)
    return Labelled(certificate, certificate.sign(chain.signing[REGULATOR]), keys, bundle, words)


def _counting(chain: Chain, holder: SpiffeId) -> CountingHolder:
    side = chain.holders[holder]
    bins = chain.catalogue.bins_per_feature(side.kind)
    return CountingHolder(
        holder=holder,
        kind=side.kind,
        signing=side.signing.public,
        features=len(bins),
        columns=len(count_columns(bins)),
    )


def opened(labels: Labelled, ciphertexts: bytes) -> np.ndarray:
    """What the bank reads: the noisy good and bad count of each column."""
    columns = labels.certificate.participant(TAX).columns
    totals = label_totals(labels.words)
    return read_counts(labels.keys.secret_key, ciphertexts, columns, totals)


def true_counts(chain: Chain, labels: Labelled, data: Data) -> np.ndarray:
    """The same without noise, from the data and the labels in the clear."""
    words = labels.words.reshape(-1)[: chain.roster.size]
    layout = chain.catalogue.bins_per_feature("tax")
    return np.array(
        [
            [int(((data.bins[feature] == index) & (words == label)).sum()) for label in (GOOD, BAD)]
            for feature, index in count_columns(layout)
        ]
    )
