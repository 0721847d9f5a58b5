"""`yinxin holder disputes`: what firms dispute (异议), until when, and the answers."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from federation.disputes.reply import Outcome
from node.cli.holder_shared import DEFAULT, Config, Holder, run, table
from node.cli.output import AsJson, emit
from node.enrolment.folder import read_file
from node.errors import NodeError

if TYPE_CHECKING:
    from node.holder.disputes.register import HeldDispute

disputes = typer.Typer(no_args_is_help=True, help="Disputes of firms. / 企业异议")

Which = Annotated[str, typer.Argument(help="The dispute's hash, or how it begins. / 异议编号")]


@disputes.command("list")
def list_command(
    waiting: Annotated[
        bool, typer.Option("--open", help="Only what waits, the most urgent first. / 仅待答复")
    ] = False,
    most: Annotated[int, typer.Option(min=1, max=10_000, help="How many. / 条数")] = 100,
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """The newest disputes and their due dates; nothing of their content. / 异议列表"""
    from node.holder.disputes.register import listed_disputes
    from node.holder.status import when

    async def work(holder: Holder) -> dict[str, Any]:
        now = holder.clock.now()
        found = await holder.store.read(lambda c: listed_disputes(c, now, most, waiting=waiting))
        rows = [
            {
                "dispute": bytes(one["id"]).hex(),
                "received": when(one["received_at"]),
                "due_before": when(one["due"]),
                "state": one["state"],
                "outcome": one["outcome"] or "",
                "answered_at": when(one["answered_at"]),
                "answered_by": one["answered_by"] or "",
            }
            for one in found
        ]
        return {"disputes": rows}

    result = run(config, work)
    shown = ("dispute", "received", "due_before", "state", "outcome", "answered_at")
    emit(result, as_json, table(result["disputes"], shown))


@disputes.command("show")
def show_command(which: Which, config: Config = DEFAULT, as_json: AsJson = False) -> None:
    """One dispute with what the firm says. / 查看异议内容"""
    from node.holder.disputes.register import find_dispute, held_dispute

    async def work(holder: Holder) -> dict[str, Any]:
        now = holder.clock.now()
        found = await holder.store.read(lambda c: held_dispute(holder, c, find_dispute(c, which)))
        return _shown(found, now)

    emit(run(config, work), as_json)


@disputes.command("answer")
def answer_command(
    which: Which,
    outcome: Annotated[Outcome, typer.Option(help="What was done. / 处理结果")],
    reason: Annotated[
        Path, typer.Option(help="File with the reasons, 800 characters at most. / 答复内容文件")
    ],
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Answer a dispute, once and for all; the firm fetches the answer. / 答复异议"""
    from node.holder.disputes.register import answer_dispute, find_dispute

    try:
        text = read_file(reason, "reasons").decode("utf-8")
    except UnicodeDecodeError as error:
        raise NodeError(f"{reason} is no text in UTF-8") from error
    by = getpass.getuser()

    async def work(holder: Holder) -> dict[str, Any]:
        now = holder.clock.now()
        found = await holder.store.run(
            lambda c: answer_dispute(holder, c, by, find_dispute(c, which), outcome, text)
        )
        return _shown(found, now)

    emit(run(config, work), as_json)


def _shown(found: HeldDispute, now: int) -> dict[str, Any]:
    from node.holder.disputes.register import state_of
    from node.holder.status import when

    return {
        "dispute": found.id.hex(),
        "state": state_of(found.answered_at, found.due, now),
        "uscc": found.uscc,
        "features": list(found.features),
        "query": found.query.hex(),
        "statement": found.statement,
        "signed": when(found.issued_at),
        "received": when(found.received_at),
        "due_before": when(found.due),
        "outcome": found.outcome,
        "reason": found.reason,
        "answered_at": when(found.answered_at),
        "answered_by": found.answered_by,
        "erased_at": when(found.erased_at),
    }
