"""Development without data on real invoices: `python -m bench.sme_blind DATA` (extra `models`).

DATA is the folder of the 123 anonymised firms (see `bench.sme_invoices`); nothing of it stays
behind. 27 of them defaulted. A regulator would refuse to certify labels of so few (200 good and 100
bad firms at the least, by default), so the figures say what noise does to a development that small,
not what anybody should do. Each firm's score comes from a model that was made without it, five
times a fifth of the firms; prints the AUC of pooled and of blind development as JSON.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.sme_files import KINDS, SEED
from bench.sme_invoices import prepare
from federation.development import privacy
from node.models.selftest.blind_chain import Chain, counted, exact_counts
from node.sample.develop import defaulted, loaded
from node.workers import jobs
from scoring.catalogue import Catalogue
from scoring.development.build import build_card
from scoring.development.plan import Plan, PlannedField
from scoring.documents import Text
from scoring.errors import ScorecardError
from scoring.quality import auc

EPSILON_MICRO: Final = 3_000_000
DRAWS: Final = 20
_FOLDS: Final = 5
PLAN: Final = Plan(
    fields=(
        PlannedField(
            name="trade",
            title=Text(zh="经营开票", en="Trade"),
            reason="R04",
            kinds=tuple(KINDS),
        ),
    )
)
"""One field: three would want five features each that tell something of so few firms."""


def folds(bad: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Each firm's fold, good and bad firms dealt out evenly."""
    dealt = np.empty(len(bad), dtype=np.int64)
    rng = np.random.default_rng(SEED)
    for outcome in (True, False):
        rows = rng.permutation(np.flatnonzero(bad == outcome))
        dealt[rows] = np.arange(len(rows)) % _FOLDS
    return dealt


def blind(chain: Chain, sigma: int) -> float:
    """AUC over all firms of scores by models without them; raises ScorecardError where a fold has
    counts that nothing can be developed from. `sigma` is in thousandths, 0 for no noise.
    """
    dealt, scores = folds(chain.defaults), np.zeros(len(chain.defaults))
    for fold in range(_FOLDS):
        part = dataclasses.replace(chain, labelled=dealt != fold)
        counts = exact_counts(part)
        if sigma:
            counts = {
                kind: table + jobs.discrete_gaussian(len(table), sigma)
                for kind, table in counts.items()
            }
        card, _ = build_card(
            counted(part, counts, sigma), chain.catalogue, name="sme", version="1", plan=PLAN
        )
        scores[dealt == fold] = card.scores(part.rows(dealt == fold))
    return auc(scores, chain.defaults)


def trial(data: Path) -> dict[str, Any]:
    """The figures."""
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        report = prepare(data, out)
        catalogue = Catalogue.from_json((out / "catalogue.json").read_bytes())
        months, defaults = loaded(out, catalogue), defaulted(out)
    chain = Chain(
        catalogue=catalogue,
        bins={kind: month.bins for kind, month in months.items()},
        known={kind: month.known for kind, month in months.items()},
        defaults=defaults,
        labelled=np.ones(len(defaults), dtype=np.bool_),
    )
    sigma = privacy.sigma_milli(chain.features, EPSILON_MICRO)
    found, refused = [], 0
    for _ in range(DRAWS):
        try:
            found.append(blind(chain, sigma))
        except ScorecardError:
            refused += 1
    return {
        "firms": len(defaults),
        "bad": int(defaults.sum()),
        "auc_pooled": report["cross_validated"]["auc"]["before"],
        "auc_blind_without_noise": round(blind(chain, 0), 4),
        "auc_blind": round(statistics.fmean(found), 4) if found else None,
        "deviation": round(statistics.stdev(found), 4) if len(found) > 1 else None,
        "epsilon": EPSILON_MICRO / 1e6,
        "sigma": sigma / 1000,
        "draws": DRAWS,
        "draws_without_a_model": refused,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if len(given) != 1:
        sys.stderr.write("usage: python -m bench.sme_blind DATA\n")
        return 2
    sys.stdout.write(json.dumps(trial(Path(given[0])), indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
