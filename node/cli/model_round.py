"""`yinxin model`: round and compare: whole points that policy allows; two models side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from node.cli.model_options import EarlierOption, PastOption, ThresholdsOption
from node.cli.output import LANGUAGE, AsJson, Lang, emit, guard, progress

app = typer.Typer(no_args_is_help=True)

CatalogueOption = Annotated[
    Path, typer.Option("--catalogue", help="The chain's catalogue, JSON. / 特征目录")
]
SampleOption = Annotated[
    Path | None,
    typer.Option("--sample", help="Firms with known outcome, CSV or Parquet. / 验证样本"),
]


@app.command("round")
def round_command(
    card: Annotated[
        Path, typer.Argument(help="A card of real points, yinxin-card/1. / 实数分值卡")
    ],
    catalogue: CatalogueOption,
    out: Annotated[Path, typer.Option(help="Where the scorecard goes. / 评分卡文件")],
    sample: SampleOption = None,
    distribution: Annotated[
        Path | None,
        typer.Option(help="Where the sample's score distribution goes. / 开发样本分布文件"),
    ] = None,
    earlier: EarlierOption = None,
    past: PastOption = None,
    thresholds: ThresholdsOption = None,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Round a card to what certification policy allows; 1 where it is still refused. / 取整"""
    from node.bank.files import write_file
    from node.cli.model_tables import rounding_view
    from node.models.checking import read_earlier, read_thresholds
    from node.models.production.development import development
    from node.models.reading import read_card, read_catalogue
    from node.models.rounding import round_card
    from node.models.samples import read_sample
    from node.models.summary import summarise

    with guard():
        published, real = read_catalogue(catalogue), read_card(card)
        firms = None if sample is None else read_sample(sample, published, real.participants)
        if distribution is not None and firms is None:
            raise typer.BadParameter("takes a --sample", param_hint="--distribution")
        with progress(as_json) as bar:
            task = bar.add_task("round", total=None)
            rounded = round_card(
                real,
                published,
                firms,
                thresholds=read_thresholds(thresholds),
                earlier=(
                    *read_earlier(earlier or (), [published], valid=True),
                    *read_earlier(past or (), [published], valid=False),
                ),
                tell=lambda what: bar.update(task, description=what),
            )
        found = summarise(rounded, published, firms)
        write_file(out, (rounded.scorecard.to_json() + "\n").encode())
        found["out"] = str(out)
        if distribution is not None and firms is not None:
            counted = development(rounded.scorecard, firms)
            write_file(distribution, (counted.to_json() + "\n").encode())
            found["distribution"] = str(distribution)
    emit(found, as_json, None if as_json else rounding_view(found, lang))
    if not rounded.report.passed:
        raise typer.Exit(1)


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(help="A scorecard, JSON. / 评分卡甲")],
    second: Annotated[Path, typer.Argument(help="Another. / 评分卡乙")],
    catalogue: CatalogueOption,
    sample: SampleOption = None,
    cut_off: Annotated[
        list[int] | None, typer.Option(help="Approve from this score; repeatable. / 通过分数线")
    ] = None,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Two scorecards on the same firms: scores, AUC and KS, who would be decided otherwise.
    Without a sample on firms drawn from the catalogue's frequencies. / 评分卡对比
    """
    from node.cli.model_tables import comparison_view
    from node.models.comparison import CUT_OFFS, compare
    from node.models.population import draw
    from node.models.reading import read_catalogue, read_scorecard
    from node.models.samples import read_sample
    from scoring.scored import score_bins

    with guard():
        published = read_catalogue(catalogue)
        cards = read_scorecard(first), read_scorecard(second)
        for card in cards:
            card.check(published)
        holders = {p.holder: p for card in cards for p in card.participants}
        bad, found = None, {"source": "catalogue" if sample is None else str(sample)}
        if sample is None:
            bins: Any = draw(published, list(holders.values()), _DRAWN)
        else:
            firms = read_sample(sample, published, holders.values())
            bins, bad = firms.bins, firms.bad
        scored = score_bins(cards[0], bins), score_bins(cards[1], bins)
        found |= compare(cards, scored, bad, cut_off or CUT_OFFS)
    emit(found, as_json, None if as_json else comparison_view(found, lang))


_DRAWN = 20_000
