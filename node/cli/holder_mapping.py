"""`yinxin holder mapping check`: what of a holder's own mappings a catalogue breaks."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from sqlalchemy import Connection

from federation.identity import Role
from node.cli.holder_shared import DEFAULT, Config, Holder, chain_sync, run
from node.cli.output import LANGUAGE, AsJson, Lang, emit, fail

if TYPE_CHECKING:
    from scoring.catalogue import Catalogue

mapping = typer.Typer(no_args_is_help=True, help="Mapping files. / 字段映射")

Proposed = Annotated[
    bool, typer.Option("--proposed", help="The catalogue that the hub proposes. / 公示中的目录")
]
CatalogueFile = Annotated[
    Path | None, typer.Option("--catalogue", help="A catalogue in a file, JSON. / 目录文件")
]


@mapping.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Mapping files, TOML. / 映射文件")],
    proposed: Proposed = False,
    catalogue: CatalogueFile = None,
    config: Config = DEFAULT,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Say what of mappings a catalogue breaks: the newest one's unless given. / 检查映射与目录

    Exit code 1 where a mapping has to be changed.
    """
    from rich.console import Group

    from node.cli.impact_tables import mapping_page
    from node.holder.impact import mapping_impact
    from node.holder.mapping import load_mapping
    from node.models.reading import read_catalogue

    if proposed and catalogue is not None:
        fail("--proposed: give it or --catalogue, not both", code=2)
    given = None if catalogue is None else read_catalogue(catalogue)
    parsed = [load_mapping(path) for path in files]
    present, wanted = run(config, lambda holder: _catalogues(holder, proposed, given))
    found = [
        {
            "mapping": str(path),
            "catalogue": wanted.version,
            **asdict(mapping_impact(read, wanted, present)),
        }
        for path, read in zip(files, parsed, strict=True)
    ]
    broken = any(one["broken"] for one in found)
    page = None if as_json else Group(*(mapping_page(one, lang) for one in found))
    emit({"mappings": found, "broken": broken}, as_json, page)
    if broken:
        raise typer.Exit(1)


async def _catalogues(
    holder: Holder, proposed: bool, given: Catalogue | None
) -> tuple[Catalogue | None, Catalogue]:
    """The catalogue of the newest epoch, if one is announced, and the one that is asked about."""
    from node.holder.impact import present_catalogue, proposed_catalogue

    if given is None:  # else what is kept here will do, and the hub may be away
        hub = holder.peer_channel(Role.HUB, holder.config.hub)
        await chain_sync(holder, hub).sync()

    def look(connection: Connection) -> tuple[Catalogue | None, Catalogue | None]:
        return present_catalogue(holder, connection), proposed_catalogue(holder, connection)

    present, next_one = await holder.store.read(look)
    if given is not None:
        return present, given
    if proposed:
        if next_one is None:
            fail("--proposed: the hub proposes no catalogue; leave it out")
        return present, next_one
    if present is None:
        fail("no epoch is announced yet; give --catalogue FILE")
    return present, present
