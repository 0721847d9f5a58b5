"""`yinxin model develop build`: a scorecard of real points from the counts that came back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node.cli.bank_shared import DEFAULT, Config, run
from node.cli.output import LANGUAGE, AsJson, Lang, emit, fail, guard, language_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from node.bank.bank import Bank
    from scoring.cards.real import RealCard
    from scoring.catalogue import Catalogue
    from scoring.development.counts import Counts
    from scoring.development.evidence import Evidence, Findings
    from scoring.development.plan import Plan

_BAR = 16
_HEADINGS = {
    "holder": ("数据方", "Holder"),
    "feature": ("特征", "Feature"),
    "iv": ("信息值 IV", "IV"),
    "points": ("分值", "Points"),
    "bin": ("分箱", "Bin"),
    "share": ("占比", "Share"),
    "woe": ("WOE", "WOE"),
}


def build(
    out: Annotated[Path, typer.Option(help="Where the card of real points goes, JSON. / 输出")],
    name: Annotated[
        str | None, typer.Option("--name", help="What the development is called. / 任务名称")
    ] = None,
    counts: Annotated[
        Path | None, typer.Option(help="Counts from a file instead, JSON. / 计数文件")
    ] = None,
    catalogue: Annotated[
        Path | None, typer.Option(help="The catalogue of those counts, JSON. / 特征目录")
    ] = None,
    plan: Annotated[
        Path | None, typer.Option(help="Which kinds make which field, JSON. / 评分项规划")
    ] = None,
    version: Annotated[str, typer.Option(help="The card's version. / 版本")] = "1",
    score_unknown: Annotated[
        bool,
        typer.Option(help="Points for not being known to a holder (policy d refuses most)."),
    ] = False,
    bins: Annotated[bool, typer.Option(help="Show every bin of every feature. / 显示分箱")] = False,
    config: Config = DEFAULT,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Make a card of real points of noisy counts; then: model round. / 由加噪计数生成评分卡"""
    from node.bank.files import write_file
    from scoring.development.build import build_card
    from scoring.development.plan import DEFAULT as USUAL

    if (counts is None) == (name is None) or (counts is None) != (catalogue is None):
        fail("--name: give it alone, or --counts and --catalogue", code=2)
    if counts is not None and catalogue is not None:
        with guard():
            given, published = _read(counts, catalogue)
    else:
        given, published = run(config, lambda bank: kept(bank, name or ""), lang, workers=False)
    with guard():
        planned = _plan(plan) if plan is not None else USUAL
        card, found = build_card(
            given,
            published,
            name=given.name,
            version=version,
            plan=planned,
            score_unknown=score_unknown,
        )
        write_file(out, (card.to_json() + "\n").encode())
    view = _view(given, card, found, out)
    emit(view, as_json, None if as_json else _text(given, card, found, out, bins, lang))


def _read(counts: Path, catalogue: Path) -> tuple[Counts, Catalogue]:
    from node.bank.files import read_file
    from node.models.reading import read_catalogue
    from scoring.development.counts import Counts

    return Counts.from_json(read_file(counts, "the counts")), read_catalogue(catalogue)


def _plan(path: Path) -> Plan:
    from node.bank.files import read_file
    from scoring.development.plan import Plan

    return Plan.from_json(read_file(path, "the plan"))


async def kept(bank: Bank, name: str) -> tuple[Counts, Catalogue]:
    """The counts of a development that the bank has, and the catalogue that they are of."""
    counts = await bank.counting.counts(name)
    digest = bytes.fromhex(counts.catalogue_digest)
    agent = bank.agent
    return counts, await agent.read(lambda c: agent.chain.catalogue(c, digest))


def _view(given: Counts, card: RealCard, found: Findings, out: Path) -> dict[str, Any]:
    used = {(entry.holder, entry.feature) for entry in card.features}
    return {
        "card": f"{card.name} {card.version}",
        "out": str(out),
        "good": given.good,
        "bad": given.bad,
        "sigma": given.sigma,
        "epsilon": given.epsilon,
        "used": len(used),
        "features": [
            {
                "holder": entry.holder,
                "feature": entry.feature.name,
                "iv": round(entry.iv, 4),
                "iv_deviation": round(entry.iv_deviation, 4),
                "used": entry.key in used,
                "bins": [
                    {
                        "bin": label,
                        "share": round(share, 4),
                        "woe": round(woe, 4),
                        "deviation": round(deviation, 4),
                    }
                    for label, share, woe, deviation in _bins(entry)
                ],
            }
            for entry in found.features
        ],
        "unknown": [
            {
                "holder": entry.holder,
                "log_odds": round(entry.log_odds, 4),
                "deviation": round(entry.deviation, 4),
            }
            for entry in found.unknown
        ],
    }


def _bins(entry: Evidence) -> list[tuple[str, float, float, float]]:
    return list(
        zip(
            entry.feature.bin_labels,
            entry.shares.tolist(),
            entry.woe.tolist(),
            entry.deviation.tolist(),
            strict=True,
        )
    )


def _text(
    given: Counts, card: RealCard, found: Findings, out: Path, bins: bool, lang: str
) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    zh = language_of(lang) == "zh"
    noise = f"σ = {given.sigma:g}" + (f" · ε = {given.epsilon:g}" if given.epsilon else "")
    firms = (
        f"{given.good} 正常 · {given.bad} 违约" if zh else f"{given.good} good · {given.bad} bad"
    )
    used = len(card.features)
    of = f"{used}/{len(found.features)} " + ("项特征入模" if zh else "features used")
    head = Text(f"{given.name} · {firms} · {noise} · {of}")
    tail = Text(
        f"→ {out} · " + ("下一步：yinxin model round" if zh else "next: yinxin model round")
    )
    parts: list[RenderableType] = [head, _summary(card, found, zh)]
    if bins:
        for entry in _by_iv(found):
            name = f"{entry.holder.rpartition('/')[2]}.{entry.feature.name}"
            parts += [Text(f"{_title(entry, zh)} · {name}"), _bin_table(entry, zh)]
    return Group(*parts, tail)


def _by_iv(found: Findings) -> list[Evidence]:
    return sorted(found.features, key=lambda entry: entry.iv, reverse=True)


def _summary(card: RealCard, found: Findings, zh: bool) -> RenderableType:
    """Features by information value: IV with its deviation, a bar, and the points it got."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    points = {(entry.holder, entry.feature): entry.points for entry in card.features}
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(_HEADINGS["holder"][not zh], overflow="fold")
    table.add_column(_HEADINGS["feature"][not zh], overflow="fold")
    table.add_column(_HEADINGS["iv"][not zh], justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column(_HEADINGS["points"][not zh], justify="right", no_wrap=True)
    most = max(entry.iv for entry in found.features)
    for entry in _by_iv(found):
        got = points.get(entry.key)
        span = f"{min(got):+.0f} … {max(got):+.0f}" if got else "–"
        table.add_row(
            entry.holder.rpartition("/")[2],
            _title(entry, zh),
            f"{entry.iv:.3f} ± {entry.iv_deviation:.3f}",
            "█" * round(_BAR * entry.iv / most),
            span,
        )
    return table


def _title(entry: Evidence, zh: bool) -> str:
    return entry.feature.title.zh if zh else entry.feature.title.en


def _bin_table(entry: Evidence, zh: bool) -> RenderableType:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(_HEADINGS["bin"][not zh], overflow="fold")
    for heading in ("share", "woe"):
        table.add_column(_HEADINGS[heading][not zh], justify="right", no_wrap=True)
    for label, share, woe, deviation in _bins(entry):
        spread = f" ± {deviation:.2f}" if deviation else ""
        table.add_row(label, f"{share:.1%}", f"{woe:+.2f}{spread}")
    return table
