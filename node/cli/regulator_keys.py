"""`yinxin regulator audit-key`: the keys that open evidence, by month and class of subjects."""

from __future__ import annotations

import getpass
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from federation.auditkeys import AuditKey, SubjectClass
from node.cli.output import AsJson, emit
from node.cli.regulator_shared import DEFAULT, Config, run
from node.keys import read_secret, write_secret
from node.regulator.auditkeys.changing import erase, rotate
from node.regulator.auditkeys.errors import RetentionError, ShareError
from node.regulator.auditkeys.issuing import MONTHS_AHEAD, IssuedKey, issue_ahead, issued
from node.regulator.auditkeys.shares import recover_master, split_master
from node.regulator.membership import Regulator

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Keys that open the evidence of queries. / 审计密钥",
)


@app.command("issue")
def issue(
    months: Annotated[
        int, typer.Option(min=1, max=24, help="How many months from this one on. / 含本月共几个月")
    ] = MONTHS_AHEAD,
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Make the keys that are missing; the serving node hands them to the hub. / 预先生成密钥"""

    async def work(regulator: Regulator) -> list[AuditKey]:
        return await issue_ahead(regulator, months)

    made = run(config, work)
    emit({"issued": [_named(key) for key in made]}, as_json)


@app.command("list")
def list_command(config: Config = DEFAULT, as_json: AsJson = False) -> None:
    """The keys that were issued, and which of them are erased. / 密钥清单"""

    async def work(regulator: Regulator) -> list[IssuedKey]:
        return await regulator.store.read(issued)

    found = [_row(key) for key in run(config, work)]
    emit({"keys": found}, as_json, _table(found))


@app.command("rotate")
def rotate_command(config: Config = DEFAULT, as_json: AsJson = False) -> None:
    """Change the master key; every key is wrapped anew, shares are void. / 更换主密钥"""
    count = run(config, rotate)
    emit({"wrapped": count}, as_json)
    _tell("Shares of the old key are void: split the new one. / 旧分片已失效，请重新分片。")


@app.command("erase")
def erase_command(
    before: Annotated[
        str, typer.Option(metavar="YYYY-MM", help="Erase the months before this one. / 早于该月")
    ],
    subjects: Annotated[
        SubjectClass | None, typer.Option(help="Only this class of subjects. / 仅此类主体")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Erase without asking. / 不再询问")] = False,
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Erase keys after the legal term: what they opened is gone for good. / 到期销毁密钥"""
    month = _month(before)
    if not yes:
        _confirm(f"Erase every audit key before {before}? / 销毁 {before} 之前的全部审计密钥？")

    async def work(regulator: Regulator) -> list[IssuedKey]:
        return await erase(regulator, month, (subjects,) if subjects else tuple(SubjectClass))

    gone = run(config, work)
    emit({"erased": [_named(key.statement) for key in gone]}, as_json)
    _tell(
        "Backups still hold the keys, wrapped: rotate, then destroy the old master key, its shares "
        "and old backups. / 备份中仍有旧密钥，请更换主密钥并销毁旧主密钥、分片与旧备份。"
    )


@app.command("split")
def split(
    out: Annotated[Path, typer.Option(help="Folder for a file of each share. / 分片输出目录")],
    needed: Annotated[int, typer.Option(min=2, max=16, help="Shares that suffice. / 恢复所需份数")],
    shares: Annotated[int, typer.Option(min=2, max=16, help="Shares to make. / 总份数")],
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Split the master key into shares (SLIP-0039), each for another custodian. / 主密钥分片"""

    async def work(regulator: Regulator) -> list[str]:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = await split_master(regulator, needed, shares, getpass.getuser())
        paths = [out / f"share-{number}-of-{shares}.txt" for number in range(1, shares + 1)]
        for path, share in zip(paths, made, strict=True):
            write_secret(path, f"{share}\n".encode())
        return [str(path) for path in paths]

    emit({"needed": needed, "shares": run(config, work)}, as_json)


@app.command("recover")
def recover(
    files: Annotated[list[Path], typer.Argument(metavar="SHARE…", help="Files of shares. / 分片")],
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Put the master key back from its shares: to audit_key, or to the token. / 由分片恢复主密钥"""
    shares = [_share(path) for path in files]

    async def work(regulator: Regulator) -> None:
        await recover_master(regulator, shares, getpass.getuser())

    run(config, work)
    emit({"recovered": True}, as_json)


def _share(path: Path) -> str:
    try:
        return " ".join(read_secret(path).decode("ascii").split())
    except UnicodeDecodeError as error:
        raise ShareError(f"{path} holds no share") from error


def _month(text: str) -> int:
    try:
        moment = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
    except ValueError as error:
        raise RetentionError(f"--before {text}: write it as 2026-11") from error
    return moment.year * 100 + moment.month


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise RetentionError("nobody is there to ask; add --yes")
    if not typer.confirm(question, err=True):
        raise RetentionError("nothing was erased")


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _named(key: AuditKey) -> dict[str, Any]:
    return {
        "id": key.id.hex(),
        "month": f"{key.month // 100}-{key.month % 100:02}",
        "subjects": key.subjects.value,
    }


def _row(key: IssuedKey) -> dict[str, Any]:
    return {
        **_named(key.statement),
        "issued": _time(key.statement.issued),
        "erased": None if key.erased is None else _time(key.erased),
    }


def _table(found: list[dict[str, Any]]) -> Any:
    from rich.table import Table

    table = Table(title="Audit keys / 审计密钥")
    for heading in ("month / 月", "subjects / 主体", "issued / 生成", "erased / 销毁", "id"):
        table.add_column(heading, overflow="fold")
    for one in found:
        erased = (one["erased"] or "–")[:10]
        table.add_row(one["month"], one["subjects"], one["issued"][:10], erased, one["id"][:16])
    return table


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
