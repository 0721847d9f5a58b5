"""`yinxin licence-authority`: files only; it is no node and takes no calls."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from federation.errors import DocumentError
from federation.signed import Signed
from node.cli.output import AsJson, emit
from node.clock import SystemClock
from node.enrolment.folder import read_file, write_public
from node.enterprise.request import read_request
from node.licence import LicenceAuthority, LicenceError
from node.licence.authority import CERTIFICATE, REGISTER

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="The business-licence authority: certifies enterprises' keys.",
)

Folder = Annotated[Path, typer.Argument(help="Folder of the authority. / 登记机关目录")]


@app.command("init")
def init(
    folder: Folder,
    domain: Annotated[str, typer.Option(help="Its trust domain, no chain's. / 信任域")],
    days: Annotated[int, typer.Option(min=1, max=7300, help="Validity of the root.")] = 3650,
    as_json: AsJson = False,
) -> None:
    """Make the authority's key, certificate and register. / 建立登记机关密钥与登记簿"""
    LicenceAuthority.create(folder, domain, SystemClock().now(), days)
    emit(
        {"domain": domain, "folder": str(folder), "certificate": str(folder / CERTIFICATE)},
        as_json,
    )


@app.command("issue")
def issue(
    folder: Folder,
    request: Annotated[Path, typer.Argument(help="The enterprise's request.json. / 企业申请")],
    out: Annotated[Path, typer.Option(help="File for the certificates. / 输出文件")],
    days: Annotated[int, typer.Option(min=1, max=1825, help="Validity. / 有效天数")] = 365,
    replace: Annotated[
        bool, typer.Option("--replace", help="The enterprise has new keys. / 更换密钥")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Certify without asking.")] = False,
    as_json: AsJson = False,
) -> None:
    """Certify the keys of an enterprise. / 为企业密钥签发证书"""
    try:
        signed = Signed.from_json(read_file(request, "request"))
    except DocumentError as error:
        raise LicenceError(f"{request} is no request: {error}") from error
    asked, uscc = read_request(signed)
    described: dict[str, Any] = {
        "uscc": uscc,
        "title": asked.title,
        "request_sha256": asked.hash.hex(),
        "days": days,
    }
    if not yes:
        _confirm(described)
    authority = LicenceAuthority.open(folder)
    (grant,) = authority.issue([signed], now=SystemClock().now(), days=days, replace=replace)
    write_public(out, grant.to_json())
    emit({**described, "grant": str(out), "register": str(folder / REGISTER)}, as_json)


@app.command("register")
def register(folder: Folder, as_json: AsJson = False) -> None:
    """What was certified, oldest first. / 登记簿"""
    from dataclasses import asdict

    from rich.table import Table
    from rich.text import Text

    lines = LicenceAuthority.open(folder).register.lines()
    table = Table(title="Register / 登记簿")
    for heading in ("USCC / 统一社会信用代码", "title / 名称", "consent key / 密钥"):
        table.add_column(heading)
    for line in lines:
        table.add_row(line.uscc, Text(line.title), line.consent_key[:16])
    emit({"certified": [asdict(line) for line in lines]}, as_json, table)


def _confirm(described: dict[str, Any]) -> None:
    if not sys.stdin.isatty():
        raise LicenceError("nobody is there to ask; compare the request and add --yes")
    sys.stderr.write("About to certify / 即将签发:\n")
    for name, value in described.items():
        sys.stderr.write(f"  {name:<15} {value}\n")
    sys.stderr.write(
        "Check the applicant against the business licence, and request_sha256 by another way.\n"
        "请核验营业执照，并以其他方式核对 request_sha256。\n"
    )
    if not typer.confirm("Certify? / 是否签发？", err=True):
        raise LicenceError("not certified")
