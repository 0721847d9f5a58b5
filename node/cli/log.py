"""`yinxin log`: transparency logs, verified from outside and shown to others."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit

import typer

from federation.tlog.checkpoint import quorum_of
from federation.tlog.fault import LogFault, Step
from federation.tlog.opening import Followed, LogKeys
from node.cli.log_own import add_own
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
from node.enrolment.folder import read_file
from node.log.verify import FolderSource, RemoteSource, VerifyError, verify_log

if TYPE_CHECKING:
    from rich.console import RenderableType

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Transparency logs: verify, prove, check and export. / 透明日志：校验、证明、自检、导出",
)

add_own(app)

_STEPS: Final[dict[Step, tuple[str, str]]] = {
    Step.CHECKPOINT: ("检查点由日志所有者签名", "the checkpoint is signed by the log's owner"),
    Step.COSIGNATURES: ("多数见证方已共同签名", "a majority of the witnesses cosigned it"),
    Step.BUNDLES: ("条目齐全，未被改动", "every entry is there, unchanged"),
    Step.TILES: ("哈希分片齐全，与条目一致", "every hash tile is there and agrees"),
    Step.ROOT: ("条目得出检查点的根哈希", "the entries give the checkpoint's root"),
    Step.ENTRIES: ("条目可读、规范，时间不倒退", "every entry is readable, no time goes back"),
    Step.EARLIER: ("延续此前的检查点", "it extends the checkpoints known before"),
}
# Entries are read once, for three steps at a time: a fault in one of them leaves the others open.
_PASSED: Final[dict[Step, tuple[Step, ...]]] = {
    Step.CHECKPOINT: (),
    Step.COSIGNATURES: (Step.CHECKPOINT,),
    Step.ROOT: tuple(step for step in Step if step not in (Step.ROOT, Step.EARLIER)),
}
_OPENED: Final = (Step.CHECKPOINT, Step.COSIGNATURES)


@app.command("verify")
def verify(
    where: Annotated[str, typer.Argument(help="Folder of an export, or https://HOST:PORT.")],
    trust_root: TrustRootFile = None,
    members: MemberFiles = None,
    log: OfLog = "",
    vkey: VKeys = None,
    config: MemberConfig = None,
    since: Annotated[
        list[Path] | None,
        typer.Option("--since", help="A checkpoint kept before; may be repeated. / 此前的检查点"),
    ] = None,
    at: At = None,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """Check a whole log, step by step; exit code 1 names the first fault. / 校验整个日志"""
    trust = Trust(trust_root, members, vkey, config, log, at)
    keys = trust.keys()
    earlier = [read_file(path, "checkpoint") for path in since or ()]
    try:
        followed = asyncio.run(_verify(where, trust, keys, earlier, as_json))
    except LogFault as fault:
        result = {"log": str(keys.log), "verified": False} | _states(fault, bool(earlier))
        emit(result, as_json, _text(result, lang))
        raise typer.Exit(1) from fault
    result = _followed(followed, keys) | _states(None, bool(earlier))
    emit(result, as_json, _text(result, lang))


async def _verify(
    where: str, trust: Trust, keys: LogKeys, earlier: list[bytes], as_json: bool
) -> Followed:
    with progress(as_json) as bar:
        task = bar.add_task("log 日志", total=None)

        def tell(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        if "://" not in where:
            return await verify_log(FolderSource(Path(where)), keys, earlier, tell)

        from node.log.http.client import LogClient
        from node.log.verify.member import tls_of

        url = urlsplit(where)
        if url.scheme != "https" or not url.netloc or url.path.strip("/"):
            raise VerifyError(f"{where}: write https://HOST:PORT")
        async with LogClient(keys.log, url.netloc, tls_of(trust.member())) as client:
            return await verify_log(RemoteSource(client, keys), keys, earlier, tell)


def _followed(followed: Followed, keys: LogKeys) -> dict[str, Any]:
    checkpoint = followed.checkpoint
    cosigned = {str(who): time for who, time in sorted(followed.cosigned.items())}
    return {
        "log": str(keys.log),
        "verified": True,
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "cosigned": cosigned,
        "witnesses": len(keys.witnesses),
        "quorum": quorum_of(len(keys.witnesses)),
        "kinds": dict(sorted(followed.kinds.items())),
        "first": followed.times[0] if followed.times else None,
        "last": followed.times[1] if followed.times else None,
        "earlier": list(followed.earlier),
    }


def _states(fault: LogFault | None, earlier: bool) -> dict[str, Any]:
    """Every step's state, and the fault."""
    steps = [step for step in Step if earlier or step is not Step.EARLIER]
    if fault is None:
        return step_states(steps, steps)
    passed = _PASSED.get(fault.step, _OPENED)
    return step_states(steps, passed, fault.step, fault.where, fault.problem)


def _text(result: dict[str, Any], lang: str) -> RenderableType:
    zh = lang == "zh"
    closing = []
    if result["verified"]:
        span = " – ".join(_when(result[name]) for name in ("first", "last"))
        count, signed = result["size"], len(result["cosigned"])
        witnesses = result["witnesses"]
        closing = [
            f"已校验 {count} 条（{span}）" if zh else f"verified {count} entries ({span})",
            f"{witnesses} 个见证方中 {signed} 个共同签名"
            if zh
            else f"cosigned by {signed} of {witnesses} witnesses",
            f"{'根哈希' if zh else 'root'} {result['root']}",
        ]
    titles = {int(step): title for step, title in _STEPS.items()}
    return steps_text(result, titles, closing, lang)


def _when(time: int | None) -> str:
    return "–" if time is None else datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
