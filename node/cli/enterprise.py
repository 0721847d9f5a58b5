"""`yinxin enterprise`: an enterprise's keys, the consents it gives and cancels, and who asked."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from federation.consent import Consent, read_unverified, verify_consent
from federation.errors import Refusal
from federation.identity import SpiffeId
from federation.purpose import PURPOSE_TITLES, Purpose
from federation.uscc import Uscc
from node.cli.accounts_enterprise import enterprise_accounts
from node.cli.enterprise_asked import asked
from node.cli.enterprise_develop import develop
from node.cli.enterprise_dispute import connect, dispute
from node.cli.enterprise_serve import serve
from node.cli.enterprise_shared import (
    HERE,
    Directory,
    Hub,
    HubId,
    Trust,
    hub_of,
    remember,
    time_text,
)
from node.cli.output import AsJson, emit
from node.clock import SystemClock
from node.enrolment.folder import read_file, write_public
from node.enterprise import ConsentTerms, EnterpriseError
from node.enterprise.home import REQUEST, EnterpriseHome, read_grant_file
from node.keys import write_secret

if TYPE_CHECKING:
    from node.enterprise.giving import Action

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="An enterprise: its keys and its consents."
)
consent = typer.Typer(no_args_is_help=True, help="Give, show, register and cancel consents.")
app.add_typer(consent, name="consent")
app.add_typer(enterprise_accounts(), name="accounts")
app.add_typer(dispute, name="dispute")
app.command("asked")(asked)
app.command("connect")(connect)
app.command("serve")(serve)
consent.command("develop")(develop)

_PURPOSES = "; ".join(f"{p.value} {t['zh']} {t['en']}" for p, t in PURPOSE_TITLES.items())

File = Annotated[Path, typer.Argument(help="The consent. / 授权文件")]


@app.command("init")
def init(
    uscc: Annotated[str, typer.Option(help="Unified social credit code. / 统一社会信用代码")],
    out: Annotated[Path, typer.Option(help="Folder to make; keys stay in it. / 新建目录")],
    licence_authority: Annotated[
        Path,
        typer.Option(help="Certificate (PEM) of the business-licence authority. / 登记机关证书"),
    ],
    title: Annotated[str, typer.Option(help="Name of the enterprise. / 企业名称")] = "",
    as_json: AsJson = False,
) -> None:
    """Make an enterprise's keys and its request. / 生成企业密钥与申请"""
    code = Uscc.parse(uscc)
    authority = read_file(licence_authority, "licence authority's certificate")
    EnterpriseHome.create(out, code, title or code, authority)
    emit({"uscc": code, "folder": str(out), "request": str(out / REQUEST)}, as_json)


@app.command("join")
def join(
    grant: Annotated[Path, typer.Argument(help="The authority's grant. / 登记机关签发的文件")],
    directory: Directory = HERE,
    as_json: AsJson = False,
) -> None:
    """Check and install the authority's certificates. / 校验并安装证书"""
    enterprise = EnterpriseHome(directory).join(read_grant_file(grant), SystemClock().now())
    emit({"id": str(enterprise.id), "folder": str(directory)}, as_json)


@consent.command("give")
def give(
    bank: Annotated[str, typer.Option(help="SPIFFE id of the bank. / 银行标识")],
    purpose: Annotated[str, typer.Option(help=_PURPOSES)],
    fields: Annotated[str, typer.Option(help="Score fields, comma-separated. / 评分项")],
    chains: Annotated[str, typer.Option(help="Chains, comma-separated. / 征信链")],
    out: Annotated[Path, typer.Option(help="File for the consent. / 输出文件")],
    days: Annotated[int, typer.Option(min=1, max=3660, help="How long. / 有效天数")] = 30,
    uses: Annotated[int, typer.Option(min=1, max=10_000, help="How often. / 可用次数")] = 1,
    disclosed: Annotated[str, typer.Option(help="Features (kind.name) that may show.")] = "",
    named: Annotated[str, typer.Option(help="SPIFFE ids of holders told the name.")] = "",
    directory: Directory = HERE,
    as_json: AsJson = False,
) -> None:
    """Sign a consent. / 签署授权"""
    now = SystemClock().now()
    enterprise = EnterpriseHome(directory).load(now)
    terms = ConsentTerms(
        bank=SpiffeId.parse(bank),
        purpose=_purpose(purpose),
        fields=_names(fields),
        chains=_names(chains),
        days=days,
        uses=uses,
        disclosed=_names(disclosed),
        named=tuple(map(SpiffeId.parse, _names(named))),
    )
    compact = enterprise.consent(terms, now)
    # It names the firm: closed to others, and never written over another consent.
    write_secret(out, compact.encode("ascii"))
    remember(directory, compact)
    shown = {**_shown(read_unverified(compact)), "file": str(out)}
    emit(shown, as_json)


@consent.command("show")
def show(
    file: File,
    licence_authority: Annotated[
        Path | None, typer.Option(help="The authority's certificate, to verify the signature.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a consent says, and whether it holds. / 查看授权内容与状态"""
    compact = _compact(file)
    claims = read_unverified(compact)
    status = {"status": "not verified", "status_zh": "未验证签名"}
    if licence_authority is not None:
        authority = read_file(licence_authority, "licence authority's certificate")
        status = _status(compact, authority)
    emit({**_shown(claims), **status}, as_json)


@consent.command("register")
def register(
    file: File,
    hub: Hub,
    hub_id: HubId,
    trust: Trust,
    directory: Directory = HERE,
    as_json: AsJson = False,
) -> None:
    """Register a consent at a hub before it is used. / 在平台登记授权"""
    _call(file, hub, hub_id, trust, directory, as_json, cancel=False)


@consent.command("cancel")
def cancel(
    file: File,
    hub: Hub,
    hub_id: HubId,
    trust: Trust,
    directory: Directory = HERE,
    as_json: AsJson = False,
) -> None:
    """Cancel a consent: the hub gives no new permit under it. / 撤销授权"""
    _call(file, hub, hub_id, trust, directory, as_json, cancel=True)


def _call(
    file: Path, hub: str, hub_id: str, trust: Path, directory: Path, as_json: bool, *, cancel: bool
) -> None:
    from node.enterprise.client import ConsentClient

    now = SystemClock().now()
    compact = _compact(file)
    enterprise = EnterpriseHome(directory).load(now)
    root, party = hub_of(trust, hub_id)

    async def run() -> bytes:
        authority = root.authority.encode()
        async with ConsentClient.connect(enterprise, party, hub, authority) as client:
            if cancel:
                receipt = await client.cancel(enterprise.cancellation(compact, now))
            else:
                receipt = await client.register(compact)
            return receipt.to_json()

    done: Action = "cancelled" if cancel else "registered"
    path = file.with_name(f"{file.name}.{done}.json")
    receipt = asyncio.run(run())
    write_public(path, receipt)
    remember(directory, compact, root.chain, done, receipt)
    emit({"consent": str(file), done: True, "hub": str(party), "receipt": str(path)}, as_json)


def _shown(claims: Consent) -> dict[str, Any]:
    titles = PURPOSE_TITLES[claims.purpose]
    return {
        "id": claims.id.hex(),
        "uscc": claims.uscc,
        "bank": str(claims.bank),
        "purpose": claims.purpose.value,
        "purpose_zh": titles["zh"],
        "purpose_en": titles["en"],
        "fields": list(claims.fields),
        "disclosed": list(claims.disclosed),
        "chains": list(claims.chains),
        "named": [str(holder) for holder in claims.named],
        "issued": time_text(claims.issued_at),
        "not_before": time_text(claims.not_before),
        "expires": time_text(claims.expires),
        "uses": claims.uses,
    }


def _status(compact: str, authority: bytes) -> dict[str, str]:
    try:
        verify_consent(compact, authority, SystemClock().now())
    except Refusal as refusal:
        return {"status": refusal.reason.value, "status_zh": "无效", "detail": refusal.detail}
    return {"status": "valid", "status_zh": "有效"}


def _purpose(code: str) -> Purpose:
    try:
        return Purpose(code)
    except ValueError as error:
        raise EnterpriseError(f"purpose: {code!r} is none of {_PURPOSES}") from error


def _names(text: str) -> tuple[str, ...]:
    return tuple(part for part in (raw.strip() for raw in text.split(",")) if part)


def _compact(file: Path) -> str:
    try:
        return read_file(file, "consent").decode("ascii").strip()
    except UnicodeDecodeError as error:
        raise EnterpriseError(f"{file} is no consent") from error
