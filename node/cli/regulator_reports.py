"""`yinxin regulator evidence`, `usage`, `usage-verify`: what leaves the regulator, signed."""

from __future__ import annotations

import contextlib
import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from federation.errors import FederationError
from federation.identity import Role, SpiffeId
from federation.membership import Members
from node.cli.output import AsJson, emit
from node.cli.regulator_shared import DEFAULT, Config, run
from node.enrolment.folder import read_file
from node.files import replacing
from node.identity import read_trust_root
from node.regulator.errors import RegulatorError
from node.regulator.membership import Regulator
from node.regulator.peers.sharing_books import RECEIVED, ShareBooks
from node.regulator.usage import FORMATS, SIGNATURE, UsageReport, usage, verify_usage

if TYPE_CHECKING:
    from rich.text import Text

    from node.regulator.evidence.export import Exported

HASH_BYTES = 32


def add_reports(app: typer.Typer) -> None:
    """Adds the commands to the regulator's."""
    app.command("evidence")(evidence_command)
    app.command("usage")(usage_command)
    app.command("usage-verify")(usage_verify_command)


def evidence_command(
    query: Annotated[
        str, typer.Argument(metavar="QUERY_ID", help="The permit's hash, in hex. / 查询编号")
    ],
    out: Annotated[Path, typer.Option(help="The folder to make. / 输出文件夹")],
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Write a folder that proves one query to anybody. / 导出一次查询的完整证据"""
    from node.regulator.auditkeys.provider import AuditKeyRing
    from node.regulator.evidence.export import export

    wanted = _query_id(query)

    async def work(regulator: Regulator) -> Exported:
        ring = await AuditKeyRing.open(regulator.config, regulator.store)
        return await export(regulator, wanted, ring.evidence, out, getpass.getuser())

    done = run(config, work)
    failed = [check for check in done.checks if check.faults]
    emit(
        {
            "folder": str(done.path),
            "query": query.lower(),
            "verdict": done.verdict.value,
            "files": done.files,
            "trust_sha256": done.trust.hex(),
            "checks": len(done.checks),
            "failed": [
                {"step": check.step, "zh": check.zh, "en": check.en, "faults": list(check.faults)}
                for check in failed
            ],
        },
        as_json,
        _verdict(done),
    )


def usage_command(
    month: Annotated[str, typer.Option(metavar="YYYY-MM", help="Month in China. / 月份")],
    out: Annotated[Path, typer.Option(help="FILE.csv or FILE.json. / 输出文件")],
    bank: Annotated[str, typer.Option(help="Of one bank: its name or id. / 仅此机构")] = "",
    holder: Annotated[str, typer.Option(help="Of one holder: its name or id. / 仅此数据方")] = "",
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Count a month's queries by bank and holder, signed, for billing. / 用量报表"""
    write = FORMATS.get(out.suffix)
    if write is None:
        raise RegulatorError(f"{out}: a report is written as {' or '.join(FORMATS)}")
    if not out.absolute().parent.is_dir():
        raise RegulatorError(f"{out.absolute().parent} is no folder; make it first")

    async def work(regulator: Regulator) -> tuple[UsageReport, bytes]:
        members, now = await regulator.members(), regulator.clock.now()
        of_bank = _party(bank, Role.BANK, members)
        of_holder = _party(holder, Role.HOLDER, members)
        shares = ShareBooks(RECEIVED, regulator.identity.storage)
        abroad = await regulator.store.read(shares.results)
        report = await regulator.store.read(
            lambda connection: usage(connection, members, month, now, of_bank, of_holder, abroad)
        )
        return report, report.sign(regulator.identity.signing).to_json()

    report, signed = run(config, work)
    signature = out.with_name(out.name + SIGNATURE)
    for path, body in ((signature, signed), (out, write(report))):
        with replacing(path) as temporary:
            temporary.write_bytes(body)
    emit({**_totals(report), "file": str(out), "signature": str(signature)}, as_json)


def usage_verify_command(
    file: Annotated[Path, typer.Argument(help="The report; its signature lies beside it. / 报表")],
    trust: Annotated[Path, typer.Option(help="The chain's trust root. / 信任根")] = Path(
        "trust.json"
    ),
    as_json: AsJson = False,
) -> None:
    """Check a usage report against the regulator's signature. / 核验用量报表"""
    if file.suffix not in FORMATS:
        raise RegulatorError(f"{file}: a report is written as {' or '.join(FORMATS)}")
    root = read_trust_root(trust)
    raw = read_file(file, "report")
    signed = read_file(file.with_name(file.name + SIGNATURE), "report's signature")
    report = verify_usage(raw, signed, file.suffix, root.regulator_signing)
    emit({**_totals(report), "signed_by": str(root.regulator)}, as_json)


def _verdict(done: Exported) -> Text:
    """For people, in both languages."""
    from rich.text import Text

    from node.regulator.evidence.texts import word

    verdict = done.verdict.value
    lines = [
        f"{word(verdict, 'en')} / {word(verdict, 'zh')}",
        *(f"  {check.en} / {check.zh}" for check in done.checks if check.faults),
        f"{done.path}: {done.files} files / 个文件",
        f"verify / 核验: python3 {done.path / 'verify.py'} --trust {done.trust.hex()}",
    ]
    # Not wrapped: the last line is there to be copied.
    return Text("\n".join(lines), no_wrap=True, overflow="ignore")


def _totals(report: UsageReport) -> dict[str, Any]:
    holders = [row for row in report.rows if row.provider.role is Role.HOLDER]
    return {
        "chain": report.chain,
        "month": report.month,
        "rows": len(report.rows),
        "permits": sum(row.permits for row in holders),
        "answered": sum(row.answered for row in holders),
        "named": sum(row.named for row in holders),
        "refused": sum(row.refused for row in holders),
    }


def _party(text: str, role: Role, members: Members) -> SpiffeId | None:
    """A member by its name or id; None for no text."""
    if not text:
        return None
    for member in members.of(role):
        if text in (member.id.name, str(member.id)):
            return member.id
    with contextlib.suppress(FederationError):  # no id, or nobody's
        return members.require(SpiffeId.parse(text), role).id
    raise RegulatorError(f"{text} is no {role.value} of the chain; see `yinxin regulator members`")


def _query_id(text: str) -> bytes:
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    if len(raw) != HASH_BYTES:
        raise RegulatorError(f"{text!r} is no query id; `yinxin regulator query` shows them")
    return raw
