"""Scorecards fitted with other people's tools on generated firms, and the tools' own scores.

The firms do not exist. Their values have what trips importers up: missing values, special codes,
cut points that lie on values, categories that a fit has never seen. Every function gives several
models; each is a card as our reader reads it, a table of records, and the tool's scores of them.
"""

from __future__ import annotations

import contextlib
import importlib.resources
import importlib.util
import io
import json
import sys
import types
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from node.errors import NodeError
from node.models.readers import optbinning, scorecardpy, toad
from scoring.cards.card import ToolCard
from scoring.cards.cells import Scorer

FIRMS: Final = 2_000
SPECIAL: Final = -999
_INSTALL: Final = 'pip install "yinxin[models]" scorecardpy toad pypmml'


class ToolMissing(NodeError):
    """A tool that a comparison needs is not installed."""


@dataclass(frozen=True)
class Fitted:
    """One model: as read, records (a column a characteristic), and its tool's scores of them.

    `odds` are the tool's own odds of good to bad, where it tells and its scores are not rounded.
    """

    name: str
    card: ToolCard
    table: Mapping[str, list[Any]]
    scores: NDArray[np.float64]
    odds: NDArray[np.float64] | None = None


@contextlib.contextmanager
def quietly(tool: str) -> Iterator[None]:
    """Keeps a tool's chatter off the terminal; raises ToolMissing where it is not installed."""
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    except ModuleNotFoundError as failure:
        raise ToolMissing(f"{tool}: {failure.name} is not installed; {_INSTALL}") from None


@contextlib.contextmanager
def _package_resources() -> Iterator[None]:
    """What scorecardpy imports of `pkg_resources`, which setuptools 82 no longer brings.

    It needs one function, for the path of its example data: nothing that scores.
    """
    if importlib.util.find_spec("pkg_resources"):
        yield
        return
    module: Any = types.ModuleType("pkg_resources")
    module.resource_filename = lambda package, path: str(importlib.resources.files(package) / path)
    sys.modules["pkg_resources"] = module
    try:
        yield
    finally:
        del sys.modules["pkg_resources"]


def firms(seed: int, count: int = FIRMS) -> tuple[Any, NDArray[np.int64]]:
    """A frame of firms and who defaulted: a seeded sample, for comparisons only."""
    import pandas as pd

    rng = np.random.default_rng(seed)
    health = rng.normal(size=count)
    sales = np.round(np.exp(13 + 0.8 * health + rng.normal(size=count)), 2)
    growth = np.round(0.1 * health + rng.normal(scale=0.2, size=count), 3)
    late = rng.poisson(np.exp(0.3 - 0.5 * health)).astype(np.int64)
    staff = np.maximum(0, 20 + 8 * health + rng.normal(scale=6, size=count)).astype(np.int64)
    growth[rng.random(count) < 0.08] = np.nan
    staff[rng.random(count) < 0.05] = SPECIAL
    trade = rng.choice(["retail", "food", "metal works", "it", "care"], count).astype(object)
    trade[rng.random(count) < 0.05] = np.nan
    odds = 1.5 + health + 0.5 * (trade == "it") - 0.3 * (staff == SPECIAL)
    bad = (rng.random(count) < 1 / (1 + np.exp(odds))).astype(np.int64)
    frame = pd.DataFrame(
        {"sales": sales, "growth": growth, "late": late, "staff": staff, "trade": trade}
    )
    return frame, bad


def records(frame: Any) -> dict[str, list[Any]]:
    """A frame's columns as plain lists, None where a value is missing."""
    import pandas as pd

    return {
        str(name): [None if pd.isna(value) else value for value in frame[name].tolist()]
        for name in frame.columns
    }


def probes(frame: Any, card: ToolCard) -> Any:
    """The frame with cut points, and the doubles next to them, in place of a few values.

    Whole numbers stay whole, and one firm has a trade that no fit has seen.
    """
    probed = frame.copy()
    for name, cells in Scorer(card).cells.items():
        cuts = cells.cuts
        if cells.characteristic.type == "category":
            continue
        if probed[name].dtype.kind == "i":
            cuts = cuts[cuts == np.floor(cuts)]
        else:
            cuts = np.concatenate([np.nextafter(cuts, -np.inf), cuts, np.nextafter(cuts, np.inf)])
        place = probed.columns.get_loc(name)
        probed.iloc[: len(cuts), place] = cuts.astype(probed[name].dtype)
    probed.iloc[-1, probed.columns.get_loc("trade")] = "unheard of"
    return probed


def of_optbinning() -> Iterator[Fitted]:
    """Models of optbinning: both scalings and none, rounded or not, with special codes."""
    with quietly("optbinning"):
        from optbinning import BinningProcess, Scorecard
        from sklearn.linear_model import LogisticRegression

    pdo = {"pdo": 30.0, "odds": 15.0, "scorecard_points": 550.0}
    settings: list[dict[str, Any]] = [
        {"scaling_method": "pdo_odds", "scaling_method_params": pdo},
        {"scaling_method": "pdo_odds", "scaling_method_params": pdo, "rounding": True},
        {"scaling_method": "min_max", "scaling_method_params": {"min": 300, "max": 850}},
        {"reverse_scorecard": True, "scaling_method": "pdo_odds", "scaling_method_params": pdo},
        {"intercept_based": True, "scaling_method": "pdo_odds", "scaling_method_params": pdo},
        {},
    ]
    for seed, setting in enumerate(settings):
        frame, bad = firms(100 + seed)
        # Codes of the whole table, or of one column and with a name.
        named = {"staff": {"special_codes": {"unknown": SPECIAL}}, "trade": {"cat_cutoff": 0.19}}
        with quietly("optbinning"):
            process = BinningProcess(
                list(frame.columns),
                categorical_variables=["trade"],
                special_codes=[SPECIAL] if seed % 2 else None,
                binning_fit_params=None if seed % 2 else named,
            )
            model = Scorecard(process, LogisticRegression(C=10.0), **setting)
            model.fit(frame, bad, metric_special="empirical", metric_missing="empirical")
            card = optbinning.from_object(model)
            probed = probes(firms(150 + seed)[0], card)
            scores = np.asarray(model.score(probed), dtype=np.float64)
            # predict gives a category that the fit has not seen other points than score does.
            bad_share = model.predict_proba(probed)[:-1, 1]
        odds = None if setting.get("rounding") else (1 - bad_share) / bad_share
        yield Fitted(f"optbinning-{seed}", card, records(probed), scores, odds)


def _by_csv(card: Any) -> ToolCard:
    """A card of scorecardpy as the command reads it: by way of its CSV."""
    import pandas as pd

    return scorecardpy.from_csv(pd.concat(card.values()).to_csv(index=False))


def _breaks(frame: Any, count: int) -> dict[str, list[float]]:
    """Cut points on values that occur: scorecardpy's own binning of numbers fails with pandas 3."""
    shares = np.linspace(0, 1, count + 1)[1:-1]
    return {
        name: sorted(set(frame[name].quantile(shares, interpolation="lower").tolist()))
        for name in ("sales", "growth", "late", "staff")
    }


def of_scorecardpy() -> Iterator[Fitted]:
    """Models of scorecardpy: base points apart or spread, special values, given breaks."""
    with quietly("scorecardpy"), _package_resources():
        import pandas as pd
        import scorecardpy as tool
        from sklearn.linear_model import LogisticRegression

    for seed in range(4):
        # scorecardpy expects text as Python objects, as pandas 2 had it.
        with quietly("scorecardpy"), pd.option_context("future.infer_string", False):
            frame, bad = firms(200 + seed)
            bins = tool.woebin(
                frame.assign(bad=bad),
                y="bad",
                special_values={"staff": [SPECIAL]},
                breaks_list=_breaks(frame, 3 + seed),
                no_cores=1,
                print_info=False,
                ignore_datetime_cols=False,
            )
            woe = tool.woebin_ply(frame, bins, no_cores=1, print_info=False)
            model = LogisticRegression(C=10.0).fit(woe, bad)
            card = tool.scorecard(bins, model, woe.columns, basepoints_eq0=seed > 1)
            read = _by_csv(card)
            probed = probes(firms(250 + seed)[0], read)
            scores = tool.scorecard_ply(probed, card)["score"].to_numpy(dtype=np.float64)
        yield Fitted(f"scorecardpy-{seed}", read, records(probed), scores)


def of_toad() -> Iterator[Fitted]:
    """Models of toad: with and without a bin for missing values, and as exported."""
    with quietly("toad"):
        import toad as tool

    for seed in range(4):
        frame, bad = firms(300 + seed)
        with quietly("toad"):
            combiner = tool.transform.Combiner()
            combiner.fit(frame, bad, method="chi", min_samples=0.06, empty_separate=seed % 2 == 1)
            binned = combiner.transform(frame)
            transformer = tool.transform.WOETransformer()
            woe = transformer.fit_transform(binned, bad)
            model = tool.ScoreCard(
                combiner=combiner, transer=transformer, pdo=40, rate=2 + seed, base_odds=20, C=10.0
            )
            model.fit(woe, bad)
            card = toad.from_object(model)
            if seed > 1:
                exported = model.export()
                model = tool.ScoreCard().load(exported)
                card = toad.from_json(json.dumps(exported, ensure_ascii=False))
            probed = probes(firms(350 + seed)[0], card)
            scores = np.asarray(model.predict(probed), dtype=np.float64)
            bad_share = model.predict_proba(probed)[:, 1]
        odds = (1 - bad_share) / bad_share
        yield Fitted(f"toad-{seed}", card, records(probed), scores, odds)
