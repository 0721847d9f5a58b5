"""`yinxin holder development`: labels that banks had counted here, and the budgets of the year."""

from __future__ import annotations

from typing import Any

from rich.console import Group
from sqlalchemy import Connection

from node.cli.holder_shared import DEFAULT, Config, Holder, run, table
from node.cli.output import AsJson, emit


def development(config: Config = DEFAULT, as_json: AsJson = False) -> None:
    """Labels counted for banks, and what is left of the year's ε. / 无数据建模：已发布计数与预算"""
    from node.holder.development import status

    async def work(holder: Holder) -> dict[str, Any]:
        def look(connection: Connection) -> dict[str, Any]:
            *banks, every = status.budgets(holder, connection)
            return {
                "holder": str(holder.identity.id),
                "budget": {name: every[name] for name in every if name.startswith("epsilon")},
                "banks": banks,
                "labels": status.labels(holder, connection),
            }

        return await holder.store.read(look)

    result = run(config, work)
    budget = result["budget"]
    head = (
        f"{result['holder']} · ε of all banks in 365 days 全部银行年度 ε: "
        f"{budget['epsilon_spent']:g} / {budget['epsilon_limit']:g} · "
        f"one more release 尚可发布: {budget['epsilon_left']:g}"
    )
    spent = ("bank", "stopped", "epsilon_spent", "epsilon_limit", "epsilon_left")
    shown = ("name", "bank", "state", "released_at", "epoch", "epsilon")
    rows = [{**item, "epoch": item["epoch"] or ""} for item in result["labels"]]
    tables = [table(result["banks"], spent), table(rows, shown)]
    emit(result, as_json, Group(head, *(one for one in tables if one.row_count)))
