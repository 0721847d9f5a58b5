"""`yinxin bank` query, batch, evidence, verify."""

from __future__ import annotations

import json
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node.bank.errors import BankError
from node.bank.files import read_file, write_file
from node.bank.sideways import to_csv
from node.bank.texts import Code
from node.cli.bank_shared import (
    DEFAULT,
    Config,
    ModelOption,
    run,
    show_card,
    show_joint,
    told,
)
from node.cli.output import LANGUAGE, AsJson, Lang, emit, fail, guard, language_of, progress
from node.config import BankConfig, load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from federation.membership import TrustRoot
    from node.bank.bank import Bank
    from node.bank.waiting import Waiting

_QUERY = "query / 查询"


def query(
    consent: Annotated[Path, typer.Option(help="File with the consent (compact JWS). / 授权书")],
    purpose: Annotated[str, typer.Option(help="Purpose: 02 or loan_approval … / 用途")] = "02",
    officer: Annotated[str, typer.Option(help="Pseudonym of the officer. / 经办人化名")] = "",
    reference: Annotated[str, typer.Option(help="Application or loan. / 业务编号")] = "",
    key: Annotated[
        str | None, typer.Option(help="Idempotency key: the same one has the same result.")
    ] = None,
    model: ModelOption = "",
    chains: Annotated[
        str, typer.Option(help="Several chains at once, as csj,zsj. / 联合查询的征信链")
    ] = "",
    all_chains: Annotated[
        bool, typer.Option("--all-chains", help="Every chain that enrols the firm. / 全部征信链")
    ] = False,
    partial: Annotated[
        bool, typer.Option("--partial", help="Take what some chains answer. / 接受部分结果")
    ] = False,
    csv: Annotated[
        Path | None, typer.Option(help="Of several chains: also a CSV file. / 另存 CSV")
    ] = None,
    config: Config = DEFAULT,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Ask about the enterprise that consented, in one chain or in several. / 查询已授权企业"""
    from node.bank.asking import Ask

    joint = bool(chains) or all_chains
    if (chains and all_chains) or ((partial or csv) and not joint):
        fail("give --chains or --all-chains; --partial and --csv go with one of them", code=2)
    with guard():
        compact = read_file(consent, "consent").decode("ascii", errors="replace").strip()

    async def work(bank: Bank) -> dict[str, Any]:
        await bank.agent.chains.refresh()
        names = tuple(name.strip() for name in chains.split(",") if name.strip())
        ask = Ask(compact, purpose, officer, reference, model, joint, names, partial)
        own = None if key is None else f"cli {key}"
        if joint:
            return await bank.joint.ask(ask, own or f"once {secrets.token_hex(16)}")
        return (await bank.queries.ask(ask, own)).result

    result = run(config, work, lang)
    if csv is not None:
        with guard():
            write_file(csv, to_csv(result, language_of(lang)).encode())
    show = show_joint if joint else show_card
    emit(result, as_json, None if as_json else show(result, lang))


def batch(
    file: Annotated[Path, typer.Argument(help="JSONL: consent, purpose, … on each line.")],
    out: Annotated[Path, typer.Option(help="Where the results go, JSONL. / 结果文件")],
    at_once: Annotated[int, typer.Option(min=1, max=64, help="Queries at a time. / 并发数")] = 8,
    config: Config = DEFAULT,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Ask many questions. The same file and --out go on where they stopped. / 批量查询"""
    from node.bank.items import Item
    from node.bank.lines import read_lines

    with guard():
        asks = read_lines(read_file(file, "batch").decode("utf-8", errors="replace"))

    async def work(bank: Bank) -> list[Item]:
        await bank.agent.chains.refresh()
        key = f"cli {out.absolute()} {await _newest_epoch(bank)}"
        made = await bank.batches.interrupted(asks) or await bank.batches.begin(asks, key)
        with progress(as_json) as bar:
            task = bar.add_task(_QUERY, total=len(asks))
            await bank.batches.run(
                made,
                lambda _, done, total: bar.update(task, completed=done),
                at_once,
                lambda waits: bar.update(task, description=_waiting(waits, lang)),
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
    value = run(config, lambda bank: bank.evidence.of(identifier, full=full), lang)
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
    """Verify exported evidence offline, against the trust root of the chain that answered: for
    another chain than the node's, the one that its regulator pinned. / 离线校验证据
    """
    from node.bank.verifying import chains_of, verify_file
    from node.identity import read_trust_root

    with guard():
        raw = read_file(file, "evidence")
        root = read_trust_root(trust or load(BankConfig, config).trust_bundle)
    others = {} if trust else {name: root for name in chains_of(raw) if name != root.chain}
    if others:
        pinned = run(config, _roots, lang, workers=False)
        others = {name: pinned.get(name, root) for name in others}
    with told(lang):
        found = verify_file(raw, others, root)
    emit(found.to_dict(), as_json)


async def _roots(bank: Bank) -> dict[str, TrustRoot]:
    """The roots of the chains that were ever pinned: what they signed stays verifiable."""
    return {name: pin.trust().root() for name, pin in (await bank.agent.chains.pins()).items()}


def _waiting(waits: Mapping[str, Waiting], lang: str) -> str:
    if not waits:
        return _QUERY
    chains = ", ".join(f"{one.chain} ({one.items})" for one in waits.values())
    return f"等待征信链 {chains}" if language_of(lang) == "zh" else f"waiting for chain {chains}"


async def _newest_epoch(bank: Bank) -> int:
    """So that the same batch asked on another day, in another epoch, is another batch."""
    numbers = await bank.agent.read(bank.agent.chain.epoch_numbers)
    return numbers[-1] if numbers else 0


def _identifier(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise BankError(Code.QUERY_UNKNOWN, "query") from error
