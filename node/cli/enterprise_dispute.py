"""`yinxin enterprise connect` and `dispute`: the chains a firm deals with, and disputes (异议)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from federation.identity import SpiffeId
from node.cli.enterprise_shared import HERE, Directory, Hub, HubId, Trust, hub_of, time_text
from node.cli.output import LANGUAGE, AsJson, Lang, emit, language_of
from node.enrolment.folder import read_file
from node.enterprise import EnterpriseError
from node.enterprise.chains import ChainLink, keep_link

if TYPE_CHECKING:
    from node.enterprise.agent import Agent
    from node.enterprise.disputing import OwnDispute

T = TypeVar("T")

dispute = typer.Typer(
    no_args_is_help=True, help="Dispute what a holder knows of the firm. / 对数据提出异议"
)

Chain = Annotated[str, typer.Option(help="The chain, if the firm has several. / 征信链")]
Hash = Annotated[str, typer.Argument(help="The dispute's hash, or how it begins. / 异议编号")]


def connect(
    hub: Hub, hub_id: HubId, trust: Trust, directory: Directory = HERE, as_json: AsJson = False
) -> None:
    """Remember a chain in the firm's folder: its trust root and its hub. / 登记所用征信链"""
    root, party = hub_of(trust, hub_id)
    link = ChainLink(root, party, hub)
    keep_link(directory, link)
    emit({"chain": link.chain, "hub": str(party), "address": hub}, as_json)


@dispute.command("open")
def open_command(
    holder: Annotated[str, typer.Option(help="Name or SPIFFE id of the holder. / 数据方")],
    statement: Annotated[
        Path, typer.Option(help="File with what is wrong, 800 characters at most. / 异议内容文件")
    ],
    features: Annotated[
        str, typer.Option(help="Features (kind.name), comma-separated. / 涉及的数据项")
    ] = "",
    query: Annotated[
        str, typer.Option(help="Permit hash of a query, as `asked --json` has it. / 涉及的查询")
    ] = "",
    chain: Chain = "",
    directory: Directory = HERE,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Sign a dispute and send it to the holder, sealed. / 提出异议"""
    from node.enterprise.disputing import begin_dispute

    try:
        text = read_file(statement, "statement").decode("utf-8")
        permit = bytes.fromhex(query)
    except UnicodeDecodeError as error:
        raise EnterpriseError(f"{statement} is no text in UTF-8") from error
    except ValueError as error:
        raise EnterpriseError("query: is no hash in hexadecimal") from error
    names = tuple(part for part in (raw.strip() for raw in features.split(",")) if part)

    async def work(agent: Agent) -> OwnDispute:
        party = _holder(agent, chain, holder)
        return await begin_dispute(agent, chain, party, names, permit, text)

    _show(_run(directory, work), lang, as_json)


@dispute.command("list")
def list_command(
    directory: Directory = HERE, lang: Lang = LANGUAGE, as_json: AsJson = False
) -> None:
    """All disputes as they were last heard of. / 异议列表"""
    from node.enterprise.disputing import own_disputes

    found = [shown(one, language_of(lang)) for one in _run(directory, own_disputes)]
    emit({"disputes": found}, as_json, None if as_json else _table(found, language_of(lang)))


@dispute.command("show")
def show_command(
    which: Hash,
    directory: Directory = HERE,
    lang: Lang = LANGUAGE,
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not ask the holder. / 不向数据方查询")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """One dispute, and what the holder says of it now. / 查看异议与答复"""
    from node.enterprise.disputing import find_own, look_up, own_dispute

    async def work(agent: Agent) -> OwnDispute:
        digest = await agent.store.read(lambda connection: find_own(connection, which))
        return await (own_dispute if offline else look_up)(agent, digest)

    _show(_run(directory, work), lang, as_json)


def shown(own: OwnDispute, language: str) -> dict[str, Any]:
    """A dispute as commands print it."""
    from node.clock import SystemClock
    from node.enterprise.texts import outcome_title, reason_text, state_title

    now = SystemClock().now()
    return {
        "dispute": own.id.hex(),
        "chain": own.chain,
        "holder": str(own.holder),
        "features": list(own.features),
        "query": own.query.hex(),
        "statement": own.statement,
        "opened": time_text(own.opened_at),
        "state": own.state,
        "state_title": state_title(own.state, language),
        "received": time_text(own.received_at) if own.received_at else None,
        "due_before": time_text(own.due) if own.due else None,
        "overdue": own.overdue(now),
        "answered": time_text(own.answered_at) if own.answered_at else None,
        "outcome": own.outcome,
        "outcome_title": outcome_title(own.outcome, language),
        "reason": reason_text(own, language),
    }


def _run(directory: Path, work: Callable[[Agent], Awaitable[T]]) -> T:
    from node.enterprise.agent import open_agent

    async def inner() -> T:
        async with open_agent(directory) as agent:
            return await work(agent)

    return asyncio.run(inner())


def _holder(agent: Agent, chain: str, name: str) -> SpiffeId:
    from federation.identity import Role

    if name.startswith("spiffe://"):
        return SpiffeId.parse(name)
    return SpiffeId(agent.link(chain).root.trust_domain, Role.HOLDER, name)


def _show(own: OwnDispute, lang: str, as_json: bool) -> None:
    emit(shown(own, language_of(lang)), as_json)


def _table(found: list[dict[str, Any]], language: str) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    headings = {
        "dispute": ("异议", "Dispute"),
        "holder": ("数据方", "Holder"),
        "opened": ("提出（UTC）", "Opened (UTC)"),
        "state_title": ("状态", "State"),
        "due_before": ("答复期限（UTC）", "Due before (UTC)"),
        "outcome_title": ("结果", "Outcome"),
    }
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for zh, en in headings.values():
        table.add_column(zh if language == "zh" else en, overflow="fold")
    for one in found:
        cells = {
            **one,
            "dispute": one["dispute"][:12],
            "holder": one["holder"].rpartition("/")[2],
            "opened": one["opened"][:16].replace("T", " "),
            "due_before": (one["due_before"] or "–")[:16].replace("T", " "),
        }
        table.add_row(*(Text(str(cells[name] or "–")) for name in headings))
    return table
