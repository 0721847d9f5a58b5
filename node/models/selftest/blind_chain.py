"""Generated firms as a chain for blind development: labels encrypted, counted and opened for real.

The parts that the roles' processes run are called here without their processes. Needs the extra
`models`.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from federation.development import privacy
from node.holder.statistics.release import Month
from node.models.selftest.pooled import Rows
from node.sample.develop import BUDGET, defaulted, holder_id, loaded, published
from node.sample.generate import generate
from node.workers import jobs
from scoring import lattice
from scoring.catalogue import MISSING, Catalogue
from scoring.development.counts import Counts, FeatureCounts
from scoring.lattice.labels import BAD, GOOD
from scoring.scorecard import Participant
from scoring.words import ROWS

Bad = NDArray[np.bool_]

_LABELLED: Final = 0.7
"""The share of the firms that the bank has as customers; the others are to compare on."""


@dataclass(frozen=True)
class Chain:
    """Generated firms: the published catalogue, what holders know, who defaulted, who is labelled.

    `bins` by kind have shape (features, firms), `known`, the firms that the kind's holder knows,
    (firms,); `defaults` and `labelled` too.
    """

    catalogue: Catalogue
    bins: Mapping[str, NDArray[np.uint16]]
    known: Mapping[str, Bad]
    defaults: Bad
    labelled: Bad

    @property
    def participants(self) -> tuple[Participant, ...]:
        """All holders."""
        return tuple(Participant(holder=holder_id(kind), kind=kind) for kind in self.bins)

    @property
    def features(self) -> int:
        """Features of all holders together: what the privacy loss depends on."""
        return sum(len(rows) for rows in self.bins.values())

    def unknown(self, chosen: Bad) -> dict[str, Bad]:
        """Which of the chosen firms each holder does not know."""
        return {holder_id(kind): ~known[chosen] for kind, known in self.known.items()}

    def rows(self, chosen: Bad) -> Rows:
        """The bins of the chosen firms."""
        return {
            (holder_id(kind), feature.name): row[chosen]
            for kind, table in self.bins.items()
            for feature, row in zip(self.catalogue.features_of(kind), table, strict=True)
        }


def generated(catalogue: Catalogue, enterprises: int, seed: int) -> Chain:
    """Generated firms of two months, as holders ingest them, with the statistics they publish."""
    with tempfile.TemporaryDirectory() as name:
        months: list[dict[str, Month]] = []
        for part, earlier in (("now", False), ("before", True)):
            folder = Path(name) / part
            generate(enterprises, seed, folder, month_before=earlier)
            months.append(loaded(folder, catalogue))
        defaults = defaulted(Path(name) / "now")
    labelled = np.random.default_rng(seed).random(enterprises) < _LABELLED
    public = published(catalogue, months[0], months[1], BUDGET)
    now = months[0]
    return Chain(
        catalogue=public,
        bins={kind: month.bins for kind, month in now.items()},
        known={kind: month.known for kind, month in now.items()},
        defaults=defaults,
        labelled=labelled,
    )


def encrypted_counts(chain: Chain, sigma: int, tell: Callable[[str], None]) -> Counts:
    """The release of all holders, counted on ciphertexts. `sigma` is in thousandths."""
    buckets = -(-len(chain.defaults) // ROWS)
    flat = np.zeros(buckets * ROWS, dtype=np.uint64)
    flat[: len(chain.defaults)] = np.where(chain.defaults, BAD, GOOD) * chain.labelled
    words = flat.reshape(buckets, ROWS)
    keys = lattice.generate_keys()
    bundle = lattice.encrypt_labels(keys, words)
    released: dict[str, NDArray[np.int64]] = {}
    with tempfile.TemporaryDirectory() as name:
        paths = {"public": keys.public_key, "labels": bundle}
        for part, raw in paths.items():
            (Path(name) / part).write_bytes(raw)
        for kind, rows in chain.bins.items():
            tell(f"blind development: {kind}")
            sizes = chain.catalogue.bins_per_feature(kind)
            padded = np.full((len(rows), buckets * ROWS), MISSING, dtype=np.uint16)
            padded[:, : rows.shape[1]] = rows
            answers = jobs.count_labels(
                str(Path(name) / "public"),
                str(Path(name) / "labels"),
                hashlib.sha256(bundle).digest(),
                hashlib.sha256(keys.public_key).digest(),
                sizes,
                np.ascontiguousarray(padded.reshape(len(rows), buckets, ROWS).swapaxes(0, 1)),
                sigma,
            )
            columns = len(lattice.count_columns(sizes))
            released[kind] = jobs.open_counts(
                keys.secret_key, answers, columns, lattice.label_totals(words)
            )
    return counted(chain, released, sigma)


def exact_counts(chain: Chain) -> dict[str, NDArray[np.int64]]:
    """What the counts would be without noise, by kind: shape (columns, 2), good and bad."""
    groups = chain.labelled & ~chain.defaults, chain.labelled & chain.defaults
    return {
        kind: np.concatenate(
            [
                np.stack(
                    [np.bincount(row[group], minlength=size)[MISSING + 1 :] for group in groups],
                    axis=1,
                )
                for row, size in zip(rows, chain.catalogue.bins_per_feature(kind), strict=True)
            ]
        )
        for kind, rows in chain.bins.items()
    }


def counted(chain: Chain, released: Mapping[str, NDArray[np.int64]], sigma: int) -> Counts:
    """The document of a release; `sigma` in thousandths, 0 for exact counts."""
    rho = sum(privacy.rho_nano(len(rows), sigma) for rows in chain.bins.values()) if sigma else 0
    features = []
    for kind, table in released.items():
        sizes = [size - 1 for size in chain.catalogue.bins_per_feature(kind)]
        parts = np.split(table, np.cumsum(sizes)[:-1])
        for feature, part in zip(chain.catalogue.features_of(kind), parts, strict=True):
            good, bad = part.T.tolist()
            features.append(
                FeatureCounts(
                    holder=holder_id(kind), feature=feature.name, good=tuple(good), bad=tuple(bad)
                )
            )
    return Counts(
        name="selftest",
        catalogue_version=chain.catalogue.version,
        catalogue_digest=chain.catalogue.digest().hex(),
        participants=chain.participants,
        good=int((chain.labelled & ~chain.defaults).sum()),
        bad=int((chain.labelled & chain.defaults).sum()),
        sigma_milli=sigma,
        epsilon_micro=privacy.epsilon_micro(rho) if sigma else None,
        delta_exponent=privacy.DELTA_EXPONENT if sigma else None,
        features=tuple(features),
    )
