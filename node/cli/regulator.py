"""`yinxin regulator`: the root of trust of a chain, and the certifier of its models."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from federation.membership import MemberRequest
from node.cli import regulator_chains, regulator_history, regulator_keys, regulator_models
from node.cli.accounts_node import node_accounts
from node.cli.enrol import (
    Addresses,
    Advertise,
    Folder,
    Listen,
    LogAddress,
    Name,
    TitleEn,
    TitleZh,
    Workers,
    add_join,
    log_address,
    peer,
    title,
)
from node.cli.output import AsJson, emit
from node.cli.regulator_audit import add_audit
from node.cli.regulator_reports import add_reports
from node.cli.regulator_shared import DEFAULT, Config, run
from node.clock import SystemClock
from node.config import RegulatorConfig, load
from node.enrolment import HomeSettings, read_request, read_request_file
from node.enrolment.folder import CONFIG, TRUST, read_file, write_public
from node.regulator import membership
from node.regulator.errors import RegulatorError
from node.regulator.membership import Regulator
from node.regulator.root import init_regulator
from node.runtime import serve

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="The regulator: root of trust, certification, audit. / 监管方：信任根、模型认证、审计",
)

add_join(app)
app.add_typer(node_accounts(RegulatorConfig), name="accounts")
add_audit(app)
add_reports(app)
app.add_typer(regulator_keys.app, name="audit-key")
app.add_typer(regulator_models.app, name="model")
app.add_typer(regulator_chains.app, name="chains")
app.command("models")(regulator_history.models)
regulator_models.app.command("withdraw")(regulator_history.withdraw)

Days = Annotated[int, typer.Option(min=1, max=3650, help="Validity in days. / 有效天数")]


@app.command("init")
def init(
    folder: Folder,
    chain: Annotated[str, typer.Option(help="Short name of the chain, such as csj. / 链名")],
    trust_domain: Annotated[str, typer.Option(help="Its trust domain. / 信任域")],
    name: Name,
    licence_authority: Annotated[
        Path,
        typer.Option(help="Certificate (PEM) of the business-licence authority. / 登记机关证书"),
    ],
    hub: Annotated[
        str, typer.Option(metavar="NAME=HOST:PORT", help="The chain's hub, once it is known.")
    ] = "",
    title_zh: TitleZh = "",
    title_en: TitleEn = "",
    listen: Listen = "127.0.0.1:7443",
    advertise: Advertise = None,
    log: LogAddress = None,
    address: Addresses = None,
    days: Days = 1825,
    workers: Workers = 1,
    as_json: AsJson = False,
) -> None:
    """Make a chain's root of trust and the regulator's folder. / 建立信任根与监管节点目录"""
    settings = HomeSettings(
        listen=listen,
        advertise=advertise,
        log=log_address(log, listen),
        hub=peer(hub, "--hub") if hub else None,
        workers=workers,
    )
    root = init_regulator(
        folder,
        chain=chain,
        trust_domain=trust_domain,
        name=name,
        licence_authority=read_file(licence_authority, "licence authority's certificate"),
        title=title(name, title_zh, title_en),
        settings=settings,
        now=SystemClock().now(),
        days=days,
        addresses=address or (),
    )
    emit(
        {
            "id": str(root.regulator),
            "chain": root.chain,
            "config": str(folder / CONFIG),
            "trust": str(folder / TRUST),
            "trust_sha256": root.hash.hex(),
        },
        as_json,
    )


@app.command("enrol")
def enrol(
    request: Annotated[Path, typer.Argument(help="The node's request.json. / 入链申请")],
    out: Annotated[Path, typer.Option(help="File for the grant. / 输出文件")],
    days: Days = 365,
    replace: Annotated[
        bool, typer.Option("--replace", help="The member has new keys. / 更换密钥")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Sign without asking. / 不再询问")] = False,
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Sign a node's request to become a member. / 签发成员凭证"""
    signed = read_request_file(request)

    async def work(regulator: Regulator) -> dict[str, Any]:
        asked = read_request(signed, regulator.identity.root)
        described = _describe(asked, days)
        if not yes:
            _confirm(described)
        await membership.record_own(regulator)
        grant = await membership.enrol(regulator, signed, days=days, replace=replace)
        write_public(out, grant.to_json())
        return {**described, "grant": str(out)}

    emit(run(config, work), as_json)


@app.command("members")
def members(config: Config = DEFAULT, as_json: AsJson = False) -> None:
    """Everyone whom the regulator enrolled. / 成员名单"""

    async def work(regulator: Regulator) -> list[dict[str, Any]]:
        now = regulator.clock.now()
        return [_member(one, now) for one in await membership.enrolled(regulator)]

    found = run(config, work)
    emit({"members": found}, as_json, _table(found))


@app.command("serve")
def serve_command(config: Config = DEFAULT) -> None:
    """Run the regulator until it is told to stop. / 运行监管节点"""
    from node.regulator.service import build

    serve(load(RegulatorConfig, config), build)


def _describe(request: MemberRequest, days: int) -> dict[str, Any]:
    return {
        "id": str(request.id),
        "role": request.id.role.value,
        "kind": request.kind,
        "title": request.title,
        "named": request.named,
        "addresses": list(request.addresses),
        "request_sha256": request.hash.hex(),
        "days": days,
    }


def _confirm(described: dict[str, Any]) -> None:
    """Shows what is to be signed, and asks. Raises RegulatorError without a yes."""
    if not sys.stdin.isatty():
        raise RegulatorError("nobody is there to ask; compare the request and add --yes")
    sys.stderr.write("About to sign / 即将签发:\n")
    for name, value in described.items():
        sys.stderr.write(f"  {name:<15} {value}\n")
    sys.stderr.write(
        "Compare request_sha256 with the applicant by another way (telephone, paper).\n"
        "请通过电话或书面方式与申请方核对 request_sha256。\n"
    )
    if not typer.confirm("Sign? / 是否签发？", err=True):
        raise RegulatorError("not signed")


def _member(enrolled: membership.Enrolled, now: int) -> dict[str, Any]:
    member = enrolled.member
    return {
        "id": str(member.id),
        "role": member.id.role.value,
        "kind": member.kind,
        "title": member.title,
        "named": member.named,
        "not_before": _time(member.not_before),
        "not_after": _time(member.not_after),
        "valid": member.not_before <= now < member.not_after,
        "credential_sha256": member.hash.hex(),
    }


def _table(found: list[dict[str, Any]]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Members / 成员")
    for heading in ("member / 成员", "kind", "名称", "title", "until / 有效期至", "valid / 有效"):
        table.add_column(heading, overflow="fold")
    for one in found:
        until = one["not_after"][:10]
        titles = one["title"]
        valid = "yes / 是" if one["valid"] else "no / 否"
        short = "/".join(one["id"].split("/")[-2:])  # the domain is the chain's, the same in all
        zh, en = Text(titles["zh"]), Text(titles["en"])  # no markup in what members wrote
        table.add_row(short, one["kind"], zh, en, until, valid)
    return table


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
