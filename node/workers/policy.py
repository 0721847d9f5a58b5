"""The job that applies certification policy: a pure function of documents, in a worker process.

It has a pool of its own: a judgement takes up to minutes, and neither the event loop nor the work
on keys waits for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from federation.policy import Earlier, PolicyThresholds, certify_policy
from scoring.catalogue import Catalogue
from scoring.scorecard import Scorecard


def apply_policy(
    scorecard: str,
    catalogue: bytes,
    thresholds: Mapping[str, Any],
    earlier: Sequence[tuple[str, bytes, bool, str]],
    catalogues: Mapping[bytes, str],
) -> str:
    """The policy's report on a scorecard, as JSON.

    Scorecards and `catalogues` are JSON documents; a catalogue is named by its digest. `earlier`
    has what was certified before: scorecard, catalogue, whether it is valid now, and the peer chain
    that certified it, empty for the own one. Raises PolicyError and
    ScoringError as `certify_policy`.
    """
    read = {digest: Catalogue.from_json(text) for digest, text in catalogues.items()}
    history = tuple(
        Earlier(Scorecard.from_json(text), read[digest], valid, chain)
        for text, digest, valid, chain in earlier
    )
    limits = PolicyThresholds.model_validate(thresholds)
    return certify_policy(
        Scorecard.from_json(scorecard), read[catalogue], limits, history
    ).to_json()
