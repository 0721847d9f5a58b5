"""`yinxin model impact`: what of a bank's own scorecards a catalogue breaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node.cli.bank_shared import ChainOption, run
from node.cli.output import LANGUAGE, AsJson, Lang, emit, fail, guard

if TYPE_CHECKING:
    from node.bank.bank import Bank
    from scoring.carrying import ScorecardImpact
    from scoring.catalogue import Catalogue
    from scoring.scorecard import Scorecard

app = typer.Typer(no_args_is_help=True)


@app.command()
def impact(
    scorecards: Annotated[list[Path], typer.Argument(help="Scorecards, JSON. / 评分卡")],
    proposed: Annotated[
        bool, typer.Option("--proposed", help="The catalogue that the hub proposes. / 公示中的目录")
    ] = False,
    catalogue: Annotated[
        Path | None, typer.Option("--catalogue", help="A catalogue in a file, JSON. / 目录文件")
    ] = None,
    chain: ChainOption = "",
    written_for: Annotated[
        list[Path] | None,
        typer.Option("--from", help="The scorecards' own catalogue; repeatable. / 原目录"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the scorecards carried over. / 转换后的评分卡")
    ] = None,
    version: Annotated[
        str, typer.Option(help="Version of those, if another. / 转换后的版本号")
    ] = "",
    config: Annotated[
        Path | None, typer.Option("--config", help="The node that knows catalogues. / 节点配置")
    ] = None,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Say what of scorecards a catalogue breaks, and carry over the others. / 评估目录变更

    The catalogue is the newest of the chain unless another is given. Exit code 1 where a scorecard
    cannot be carried over. / 有评分卡不能转换时退出码为 1
    """
    from node.cli.impact_tables import scorecards_page
    from node.models.reading import read_catalogue, read_scorecard
    from scoring.carrying import State, carry
    from scoring.impact import compare

    if proposed and catalogue is not None:
        fail("--proposed: give it or --catalogue, not both", code=2)
    names = [path.name for path in scorecards]
    if out is not None and len({*names}) < len(names):
        fail("--out: two scorecards have one file name; carry them over one by one", code=2)
    with guard():
        cards = [read_scorecard(path) for path in scorecards]
        known = [read_catalogue(path) for path in written_for or ()]
        given = None if catalogue is None else read_catalogue(catalogue)
    if config is not None:
        asked, more = run(
            config, lambda bank: _catalogues(bank, chain, proposed, given), lang, workers=False
        )
        known += more
    elif given is not None and known:
        asked = given
    else:
        fail("--config: give it, or the catalogues with --from and --catalogue", code=2)
    before = {card.catalogue_version: _written_for(card, known) for card in cards}
    with guard():
        made = [carry(card, before[card.catalogue_version], asked, version) for card in cards]
        rows = [
            _row(card, one, None if out is None else out / name)
            for card, one, name in zip(cards, made, names, strict=True)
        ]
    result = {
        "catalogue": asked.version,
        "differences": [asdict(compare(old, asked)) for old in before.values()],
        "scorecards": rows,
    }
    emit(result, as_json, None if as_json else scorecards_page(result, lang))
    if any(one.state is State.BROKEN for one in made):
        raise typer.Exit(1)


async def _catalogues(
    bank: Bank, chain: str, proposed: bool, given: Catalogue | None
) -> tuple[Catalogue, list[Catalogue]]:
    """The catalogue that is asked about, and all that the node knows of that chain and its own."""
    from node.bank.scorecards import published_catalogue
    from scoring.catalogue import Catalogue

    view = await bank.agent.chains.view(chain)
    await view.require()
    if given is None:  # else what is kept here will do, and the hub may be away
        await view.sync()
    known = list(await view.read(view.chain.catalogues))
    if view is not bank.agent.chains.home:
        known += await bank.agent.chains.home.read(bank.agent.chains.home.chain.catalogues)
    if given is not None:
        return given, known
    if proposed:
        _, raw = await view.read(view.chain.proposal)
        if not raw:
            fail(f"--proposed: the hub of {view.name} proposes no catalogue; leave it out")
        return Catalogue.from_json(raw), known
    return await published_catalogue(view), known


def _written_for(card: Scorecard, known: Sequence[Catalogue]) -> Catalogue:
    for catalogue in known:
        if catalogue.version == card.catalogue_version:
            return catalogue
    fail(
        f"{card.name}@{card.version}: its catalogue {card.catalogue_version} is not known here; "
        "give it with --from FILE"
    )


def _row(card: Scorecard, made: ScorecardImpact, out: Path | None) -> dict[str, Any]:
    """What becomes of a scorecard, as data; it is written where it could be carried over."""
    from node.bank.files import write_file

    written = None
    if out is not None and made.carried is not None:
        write_file(out, (made.carried.to_json() + "\n").encode())
        written = str(out)
    return {
        "name": card.name,
        "version": card.version,
        "state": made.state,
        "points": [asdict(entry) for entry in made.points],
        "kinds_gone": made.kinds_gone,
        "disclosed_gone": made.disclosed_gone,
        "now_public": made.now_public,
        "not_public": made.not_public,
        "out": written,
    }
