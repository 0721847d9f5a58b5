"""`yinxin hub catalogue build`: the next catalogue, from the holders' signed statistics."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import Connection

from federation.signed import Signed
from node.cli.output import AsJson, emit, fail
from node.config import HubConfig, load
from node.enrolment.folder import read_file
from node.runtime import running


def build(
    statistics: Annotated[
        list[Path], typer.Argument(help="Statistics of holders, one file each. / 数据方统计")
    ],
    source: Annotated[Path, typer.Option("--from", help="The catalogue to begin with. / 基础目录")],
    version: Annotated[str, typer.Option(help="Version of the next one. / 新版本号")],
    out: Annotated[Path, typer.Option(help="Where to write it. / 输出文件")],
    config: Annotated[
        Path, typer.Option("--config", help="The node's configuration. / 节点配置")
    ] = Path("node.toml"),
    as_json: AsJson = False,
) -> None:
    """Verify statistics and write the catalogue that they give. / 由统计生成新目录

    What no statistics speak of stays as in `--from`. Publish the result with `hub catalogue
    publish`. / 未涉及的内容沿用基础目录
    """
    from node.files import replacing
    from node.hub.statistics import build_catalogue
    from scoring.catalogue import Catalogue

    try:
        begin = Catalogue.from_json(source.read_bytes())
    except OSError as error:
        fail(f"{source}: cannot be read ({error.strerror})")
    if begin.version == version:
        fail(f"version: {version} is that of {source}; give the next one", code=2)
    documents = [Signed.from_json(read_file(path, "statistics")) for path in statistics]

    async def work() -> dict[str, Any]:
        async with running(load(HubConfig, config), workers=1) as hub:

            def look(connection: Connection) -> Any:
                return build_catalogue(hub, connection, begin, version, documents)

            catalogue, read = await hub.store.read(look)
        try:
            with replacing(out) as temporary:
                temporary.write_text(catalogue.to_json() + "\n", encoding="utf-8")
        except OSError as error:
            fail(f"{out}: cannot be written ({error.strerror}); choose another file")
        given = {one.kind for one in read}
        return {
            "catalogue": catalogue.version,
            "digest": catalogue.digest().hex(),
            "holders": [
                {
                    "holder": str(one.holder),
                    "epoch": one.epoch,
                    "before": one.before,
                    "epsilon": one.budget.epsilon_micro / 1_000_000,
                    "recognition": catalogue.recognition_of(str(one.holder)),
                }
                for one in read
            ],
            "unchanged": [kind for kind in catalogue.kinds if kind not in given],
            "out": str(out),
        }

    emit(asyncio.run(work()), as_json)
