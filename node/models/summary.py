"""What rounding did, in figures: quality before and after, and what each feature lost."""

from __future__ import annotations

from typing import Any

import numpy as np

from node.models.rounding import Rounded
from scoring.catalogue import Catalogue
from scoring.integer import Sample
from scoring.quality import auc, rounding_cost
from scoring.rounding import RealPoints, RoundedPoints, round_points


def summarise(rounded: Rounded, catalogue: Catalogue, sample: Sample | None) -> dict[str, Any]:
    """A rounding as plain data: fields, features, policy, and quality on a sample."""
    real = rounded.card.real_points(catalogue)
    layout = {field.name: field.width for field in rounded.scorecard.layout().fields}
    found: dict[str, Any] = {
        "model": f"{rounded.scorecard.name}@{rounded.scorecard.version}",
        "method": "frequencies" if sample is None else "sample",
        "fields": [
            {"field": field.name, "step": field.step, "bits": layout[field.name]}
            for field in rounded.scorecard.fields
        ],
        "features": [_feature(feature, rounded, sample) for feature in real],
        "policy": {
            "passed": rounded.report.passed,
            "figures": len(rounded.report.items),
            "failures": [item.model_dump(mode="json") for item in rounded.report.failures],
        },
    }
    if sample is not None:
        found["sample"] = {"firms": len(sample.bad), "bad": int(sample.bad.sum())}
        found["quality"] = quality(real, rounded.rounded, sample)
    return found


def quality(
    real: list[RealPoints], rounded: RoundedPoints, sample: Sample
) -> dict[str, dict[str, float]]:
    """AUC and KS on a sample before and after, and those of rounding without the sample."""
    cost = rounding_cost(real, rounded, sample.bins, sample.bad)
    plain = rounding_cost(real, round_points(real), sample.bins, sample.bad)
    return {
        "auc": {
            "before": cost.auc_before,
            "after": cost.auc_after,
            "without_sample": plain.auc_after,
        },
        "ks": {"before": cost.ks_before, "after": cost.ks_after, "without_sample": plain.ks_after},
    }


def _feature(feature: RealPoints, rounded: Rounded, sample: Sample | None) -> dict[str, Any]:
    """Levels and change of one feature; the change is its root mean square, in score points."""
    whole = np.array(rounded.rounded.points[feature.key], dtype=np.float64)
    points = rounded.rounded.steps[feature.field] * whole
    error = points - feature.points
    mean = np.average(error, weights=feature.frequencies)
    change = np.sqrt(np.average((error - mean) ** 2, weights=feature.frequencies))
    found: dict[str, Any] = {
        "holder": feature.holder,
        "feature": feature.feature,
        "field": feature.field,
        "real_values": len(np.unique(feature.points)),
        "levels": len(np.unique(whole)),
        "real_span": float(np.ptp(feature.points)),
        "span": float(np.ptp(points)),
        "change": float(change),
    }
    if feature.key in rounded.narrowed:
        found["narrowed_by"] = rounded.narrowed[feature.key]
    if sample is not None:
        bins = sample.bins[feature.key]
        found["auc"] = {
            "before": auc(feature.points[bins], sample.bad),
            "after": auc(points[bins], sample.bad),
        }
    return found
