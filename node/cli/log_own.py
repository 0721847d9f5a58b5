"""`yinxin log prove`, `export` and `fsck`: a node's own log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from federation.canonical import unb64
from federation.entries import read_entry
from federation.errors import FederationError
from federation.merkle import HASH_BYTES
from federation.tlog.opening import LogKeys
from federation.tlog.proof import TlogProof, verify_proof
from node.cli.log_shared import (
    At,
    MemberConfig,
    MemberFiles,
    OfLog,
    Trust,
    TrustRootFile,
    VKeys,
    step_states,
    steps_text,
)
from node.cli.output import LANGUAGE, AsJson, Lang, emit, progress
from node.config import NodeConfig
from node.enrolment.folder import read_file, write_public
from node.log.export import ProvedEntry, export_log, find_document, prove_entry
from node.log.fsck import fsck, known_keys
from node.log.scrub import Check, FsckReport
from node.log.tree import LogTree
from node.log.verify.member import member_config, members_at
from node.log.verify.source import VerifyError
from node.log.verify.trust import keys_of_members
from node.runtime import Runtime, running

if TYPE_CHECKING:
    from rich.progress import TaskID

T = TypeVar("T")

ENTRY_SUFFIX: Final = ".entry"
DEFAULT: Final = Path("node.toml")

_CHECKS: Final[dict[Check, tuple[str, str]]] = {
    Check.ENTRIES: ("条目齐全，未被改动", "every entry is there, unchanged"),
    Check.TREE: ("树节点与条目一致", "the tree is that of the entries"),
    Check.CHECKPOINTS: ("检查点与树一致并已签名", "checkpoints are signed and fit the tree"),
    Check.COSIGNATURES: ("共同签名有效", "cosignatures are the witnesses'"),
    Check.ATTACHMENTS: ("附件与其哈希一致", "attachments have the hashes they are kept under"),
}

OwnConfig = Annotated[Path, typer.Option("--config", help="The node's configuration. / 配置文件")]
Node = Runtime[NodeConfig]


def add_own(app: typer.Typer) -> None:
    """Adds the commands to `yinxin log`."""
    app.command("prove")(_prove)
    app.command("export")(_export)
    app.command("fsck")(_fsck)


def _prove(
    index: Annotated[
        int | None, typer.Argument(min=0, help="Index of the entry. / 条目序号")
    ] = None,
    document: Annotated[
        str, typer.Option(help="Instead: SHA-256 of a document that it names. / 文件哈希")
    ] = "",
    out: Annotated[
        Path | None, typer.Option(help="File for the proof; the entry beside it. / 证明文件")
    ] = None,
    verify: Annotated[
        Path | None, typer.Option("--verify", help="Check this proof instead. / 校验证明")
    ] = None,
    entry: Annotated[
        Path | None, typer.Option("--entry", help="The proof's entry, if not FILE.entry.")
    ] = None,
    trust_root: TrustRootFile = None,
    members: MemberFiles = None,
    log: OfLog = "",
    vkey: VKeys = None,
    config: MemberConfig = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Write or check the proof that an entry is in the log. / 生成或校验条目的存在证明"""
    if verify is not None:
        _check(verify, entry, Trust(trust_root, members, vkey, config, log, at), as_json)
        return
    if (index is None) == (not document):
        raise VerifyError("name the entry: its index, or --document")
    if out is None:
        raise VerifyError("--out: name the file for the proof")

    async def work(node: Node, keys: LogKeys) -> ProvedEntry:
        which = index if index is not None else await find_document(node.log, _hash(document))
        return await prove_entry(LogTree(node.store), node.log, keys, which)

    proved = _own(config or DEFAULT, work)
    beside = out.with_name(out.name + ENTRY_SUFFIX)
    write_public(beside, proved.entry)
    write_public(out, proved.proof)
    result = {"index": proved.index, "size": proved.size, "proof": str(out), "entry": str(beside)}
    emit(result, as_json)


def _check(proof: Path, entry: Path | None, trust: Trust, as_json: bool) -> None:
    keys = trust.keys()
    beside = entry or proof.with_name(proof.name + ENTRY_SUFFIX)
    raw, logged = read_file(proof, "proof"), read_file(beside, "entry")
    try:
        checkpoint = verify_proof(raw, logged, keys.log, keys.public, keys.witnesses)
        read = read_entry(logged)
    except FederationError as error:
        detail = getattr(error, "detail", "") or str(error)
        raise VerifyError(f"{proof}: proves nothing ({detail})") from error
    emit(
        {
            "log": str(keys.log),
            "index": TlogProof.parse(raw).index,
            "size": checkpoint.size,
            "root": checkpoint.root.hex(),
            "entry": read.model_dump(mode="json"),
        },
        as_json,
    )


def _export(
    folder: Annotated[Path, typer.Argument(help="A new folder for the log's files. / 新目录")],
    config: OwnConfig = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Write checkpoint, tiles and entries for `yinxin log verify`. / 导出日志供离线校验"""

    async def work(node: Node, keys: LogKeys) -> dict[str, Any]:
        with progress(as_json) as bar:
            task = bar.add_task("log 日志", total=None)
            signed = await export_log(
                LogTree(node.store),
                keys,
                folder,
                lambda done, total: bar.update(task, completed=done, total=total),
            )
        return {"log": str(keys.log), "size": signed.size, "folder": str(folder)}

    emit(_own(config, work), as_json)


def _fsck(config: OwnConfig = DEFAULT, lang: Lang = LANGUAGE, as_json: AsJson = False) -> None:
    """Derive the whole log again from what is stored; exit code 1 names the first fault. / 自检"""

    async def work(node: Node) -> FsckReport:
        known = await node.store.read(lambda connection: known_keys(connection, node.chain))
        with progress(as_json) as bar:
            tasks: dict[Check, TaskID] = {}

            def tell(check: Check, done: int, total: int) -> None:
                if check not in tasks:
                    title = _CHECKS[check][0 if lang == "zh" else 1]
                    tasks[check] = bar.add_task(f"{int(check)} {title}", total=total)
                bar.update(tasks[check], completed=done, total=total)

            return await fsck(node.store, node.identity.id, known, tell)

    loaded = member_config(config)
    report = asyncio.run(_on(loaded, work))
    fault = report.fault
    passed = [check for check in Check if report.check is None or check < report.check]
    if report.check is Check.TREE:
        passed = []  # entries and tree are gone through together
    result: dict[str, Any] = {
        "log": str(loaded.spiffe_id),
        "entries": report.entries,
        "checkpoints": report.checkpoints,
        "cosignatures": report.cosignatures,
        "attachments": report.attachments,
    }
    if fault is None:
        result |= step_states([*Check], passed)
    else:
        result |= step_states([*Check], passed, report.check, fault.where, fault.problem)
    zh = lang == "zh"
    counted = [
        f"{report.entries} 条，{report.checkpoints} 个检查点，{report.attachments} 个附件"
        if zh
        else f"{report.entries} entries, {report.checkpoints} checkpoints, "
        f"{report.attachments} attachments"
    ]
    titles = {int(check): title for check, title in _CHECKS.items()}
    emit(result, as_json, steps_text(result, titles, [] if fault else counted, lang))
    if fault is not None:
        raise typer.Exit(1)


def _own(config: Path, work: Callable[[Node, LogKeys], Coroutine[Any, Any, T]]) -> T:
    """Runs `work` on the node's state, with the keys of its log as its members have them."""

    async def with_keys(node: Node) -> T:
        return await work(node, keys_of_members(await members_at(node), node.identity.id))

    return asyncio.run(_on(member_config(config), with_keys))


async def _on(config: NodeConfig, work: Callable[[Node], Coroutine[Any, Any, T]]) -> T:
    """Runs `work` on the node's state; the node may be serving meanwhile."""
    async with running(config) as node:
        return await work(node)


def _hash(text: str) -> bytes:
    """A hash in hexadecimal or base64url. Raises VerifyError."""
    try:
        raw = bytes.fromhex(text) if len(text) == 2 * HASH_BYTES else unb64(text, "--document")
    except (ValueError, FederationError):
        raw = b""
    if len(raw) != HASH_BYTES:
        raise VerifyError("--document: write SHA-256 as 64 hexadecimal digits or in base64url")
    return raw
