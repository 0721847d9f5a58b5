"""Catalogues and counts of modelled firms for tests of the estimator."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.catalogue import Catalogue
from scoring.development.counts import Counts

HOLDERS = {
    kind: f"spiffe://csj.yinxin.example/holder/{kind}" for kind in ("tax", "invoice", "power")
}
EDGES = [1, 2, 3, 4, 5]
SHARES = [0.10, 0.12, 0.15, 0.23, 0.15, 0.15, 0.10]
FEATURES = 6


def catalogue(loading: float | None = 0.6, shares: list[float] | None = None) -> Catalogue:
    """Three kinds of six features of seven bins, published alike."""
    text = {"zh": "无", "en": "none"}
    return Catalogue.build(
        {
            "version": "t",
            "name": text,
            "holders": [{"kind": k, "title": text, "refresh": "daily"} for k in HOLDERS],
            "features": [
                {
                    "kind": kind,
                    "name": f"f{i}",
                    "title": text,
                    "unit": "ratio",
                    "type": "number",
                    "public": False,
                    "bins": {"edges": EDGES},
                    "frequencies": SHARES if shares is None else shares,
                    "loading": loading,
                }
                for kind in HOLDERS
                for i in range(FEATURES)
            ],
            "recognition": [
                {"holder": holder, "kind": kind, "share": 0.9}
                for kind, holder in sorted(HOLDERS.items(), key=lambda item: item[1])
            ],
        }
    )


def firms(count: int, seed: int) -> tuple[dict[tuple[str, str], NDArray[np.uint16]], Any]:
    """Bins by (holder, feature), and who defaulted: firms of one quality, worse ones default."""
    rng = np.random.default_rng(seed)
    quality = rng.standard_normal(count)
    edges = np.cumsum(np.array(SHARES[1:]) / sum(SHARES[1:]))[:-1]
    bins = {}
    for holder in HOLDERS.values():
        factor = 0.5 * quality + np.sqrt(0.75) * rng.standard_normal(count)
        known = rng.random(count) < 0.9
        for i in range(FEATURES):
            value = 0.6 * factor + 0.8 * rng.standard_normal(count)
            index = np.searchsorted(np.quantile(value, edges), value) + 1
            bins[holder, f"f{i}"] = np.where(known, index, 0).astype(np.uint16)
    bad = rng.random(count) < 1 / (1 + np.exp(2.0 + 1.2 * quality))
    return bins, bad


def counts(of: Catalogue, bins: Any, bad: Any, sigma: float = 0.0, seed: int = 0) -> Counts:
    """The document for those firms, with rounded normal noise: a seed repeats it."""
    rng = np.random.default_rng(seed)
    features = []
    for (holder, name), row in bins.items():
        pair = {}
        for side, group in (("good", ~bad), ("bad", bad)):
            plain = np.bincount(row[group], minlength=len(SHARES))[1:]
            noisy = plain + np.round(rng.normal(0, sigma, len(plain))) if sigma else plain
            pair[side] = [int(value) for value in noisy]
        features.append({"holder": holder, "feature": name, **pair})
    return Counts.build(
        {
            "name": "t",
            "catalogue_version": of.version,
            "catalogue_digest": of.digest().hex(),
            "participants": [{"holder": h, "kind": k} for k, h in HOLDERS.items()],
            "good": int((~bad).sum()),
            "bad": int(bad.sum()),
            "sigma_milli": round(sigma * 1000),
            "epsilon_micro": 3_000_000 if sigma else None,
            "delta_exponent": 6 if sigma else None,
            "features": features,
        }
    )
