"""`yinxin bank` query, batch, evidence, verify."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node.bank.errors import BankError
from node.bank.files import read_file, write_file
from node.bank.texts import Code
from node.cli.bank_shared import (
    DEFAULT,
    Config,
    ModelOption,
    run,
    show_card,
    told,
)
from node.cli.output import LANGUAGE, AsJson, Lang, emit, guard, language_of, progress
from node.config import BankConfig, load

if TYPE_CHECKING:
    from node.bank.bank import Bank


def query(
    consent: Annotated[Path, typer.Option(help="File with the consent (compact JWS). / 授权书")],
    purpose: Annotated[str, typer.Option(help="Purpose: 02 or loan_approval … / 用途")] = "02",
    officer: Annotated[str, typer.Option(help="Pseudonym of the officer. / 经办人化名")] = "",
    reference: Annotated[str, typer.Option(help="Application or loan. / 业务编号")] = "",
    key: Annotated[
        str | None, typer.Option(help="Idempotency key: the same one has the same result.")
    ] = None,
    model: ModelOption = "",
    config: Config = DEFAULT,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Ask about the enterprise that consented. / 查询已授权企业"""
    from node.bank.asking import Ask

    with guard():
        compact = read_file(consent, "consent").decode("ascii", errors="replace").strip()

    async def work(bank: Bank) -> dict[str, Any]:
        await bank.agent.sync.sync()
        ask = Ask(compact, purpose, officer, reference, model)
        answer = await bank.queries.ask(ask, None if key is None else f"cli {key}")
        return answer.result

    result = run(config, work, lang)
    emit(result, as_json, None if as_json else show_card(result, lang))


def batch(
    file: Annotated[Path, typer.Argument(help="JSONL: consent, purpose, … on each line.")],
    out: Annotated[Path, typer.Option(help="Where the results go, JSONL. / 结果文件")],
    at_once: Annotated[int, typer.Option(min=1, max=64, help="Queries at a time. / 并发数")] = 8,
    config: Config = DEFAULT,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Ask many questions. The same file and --out go on where they stopped. / 批量查询"""
    from node.bank.batches import Item, read_lines

    with guard():
        asks = read_lines(read_file(file, "batch").decode("utf-8", errors="replace"))

    async def work(bank: Bank) -> list[Item]:
        await bank.agent.sync.sync()
        key = f"cli {out.absolute()} {await _newest_epoch(bank)}"
        made = await bank.batches.begin(asks, key)
        with progress(as_json) as bar:
            task = bar.add_task("query / 查询", total=len(asks))
            await bank.batches.run(
                made, lambda _, done, total: bar.update(task, completed=done), at_once
            )
        return [made.items[index] for index in sorted(made.items)]

    items = run(config, work, lang)
    lines = [json.dumps(item.to_dict(language_of(lang)), ensure_ascii=False) for item in items]
    with guard():
        write_file(out, ("\n".join(lines) + "\n").encode())
    failed = sum(item.problem is not None for item in items)
    emit({"asked": len(items), "failed": failed, "out": str(out)}, as_json)
    if failed:
        raise typer.Exit(1)


def evidence(
    query_id: Annotated[str, typer.Argument(help="The query's id. / 查询编号")],
    full: Annotated[
        bool, typer.Option("--full", help="With subject and record, for the bank's own use.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="A file; standard output unless given.")] = None,
    config: Config = DEFAULT,
    lang: Lang = LANGUAGE,
) -> None:
    """Export what proves a query, to verify without the system. / 导出可验证证据"""
    with guard():
        identifier = _identifier(query_id)
    value = run(config, lambda bank: bank.evidence.export(identifier, full=full), lang)
    text = json.dumps(value, ensure_ascii=False, indent=1) + "\n"
    if out is None:
        sys.stdout.write(text)
        return
    with guard():
        write_file(out, text.encode())


def verify(
    file: Annotated[Path, typer.Argument(help="An exported evidence file. / 证据文件")],
    trust: Annotated[Path | None, typer.Option(help="trust.json; the node's unless given.")] = None,
    config: Config = DEFAULT,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Verify exported evidence offline, against the chain's trust root. / 离线校验证据"""
    from node.bank.verification import verify_evidence
    from node.identity import read_trust_root

    with guard():
        root = read_trust_root(trust or load(BankConfig, config).trust_bundle)
        raw = read_file(file, "evidence")
    with told(lang):
        found = verify_evidence(raw, root)
    emit(found.to_dict(), as_json)


async def _newest_epoch(bank: Bank) -> int:
    """So that the same batch asked on another day, in another epoch, is another batch."""
    numbers = await bank.agent.read(bank.agent.chain.epoch_numbers)
    return numbers[-1] if numbers else 0


def _identifier(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise BankError(Code.QUERY_UNKNOWN, "query") from error
