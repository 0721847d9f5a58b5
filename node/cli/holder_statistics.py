"""`yinxin holder statistics`: what the holder gives to the published catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from node.cli.holder_shared import DEFAULT, Config, Holder, run
from node.cli.output import AsJson, emit, fail


def statistics(
    epoch: Annotated[int, typer.Option(min=1, help="Epoch of the data. / 数据期编号")],
    before: Annotated[
        int | None,
        typer.Option(min=1, help="Epoch a month before, for moves. / 上月数据期，用于转移矩阵"),
    ] = None,
    epsilon: Annotated[float, typer.Option(help="Privacy budget ε, 0.01–10. / 隐私预算")] = 1.0,
    delta: Annotated[float, typer.Option(help="Failure probability δ. / 失败概率")] = 1e-6,
    out: Annotated[
        Path | None,
        typer.Option(help="Where to write; statistics-KIND-EPOCH.json unless given. / 输出文件"),
    ] = None,
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Count firms with differential privacy, sign, and write for the hub. / 生成差分隐私统计

    Frequencies, moves between bins, and what features have in common. The same epochs again give
    the same document and spend nothing. / 频率、月度转移、共同因子载荷；重复执行不再花费预算
    """
    from node.files import replacing
    from node.holder.statistics.making import make
    from node.holder.statistics.mechanism import MICRO, Budget

    budget = Budget(epsilon, delta)

    async def work(holder: Holder) -> dict[str, Any]:
        made = await make(holder, epoch, before, budget)
        document = made.document
        path = out or Path(f"statistics-{document.kind}-{epoch}.json")
        try:
            with replacing(path) as temporary:
                temporary.write_bytes(made.signed.to_json())
        except OSError as error:
            fail(
                f"{path}: cannot be written ({error.strerror}); the statistics are kept: run the "
                "command again with another --out"
            )
        return {
            "epoch": document.epoch,
            "before": document.before,
            "kind": document.kind,
            "document": document.hash.hex(),
            "repeated": made.repeated,
            "spent_now": 0 if made.repeated else document.budget.epsilon_micro / MICRO,
            "epsilon": document.budget.epsilon_micro / MICRO,
            "delta": 1 / document.budget.delta_inverse,
            "epsilon_this_year": made.spent_micro / MICRO,
            "epsilon_a_year": holder.config.statistics.epsilon_a_year,
            "out": str(path),
        }

    emit(run(config, work), as_json)
