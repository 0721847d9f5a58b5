"""`init` and `join`, which every member's command group has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import ValidationError

from federation.identity import Role, SpiffeId
from federation.membership import MemberRequest
from node.cli.output import AsJson, emit
from node.clock import SystemClock
from node.config import PeerConfig
from node.enrolment import HomeSettings, init_home, read_grant_file
from node.enrolment.folder import CONFIG, REQUEST
from node.errors import NodeError
from node.identity import read_trust_root

Folder = Annotated[Path, typer.Argument(help="Folder of the node; init makes it. / 节点目录")]
Name = Annotated[str, typer.Option(help="Name of the member within its role. / 成员名称")]
Trust = Annotated[Path, typer.Option(help="The chain's trust.json, from the regulator. / 信任根")]
TitleZh = Annotated[str, typer.Option("--title-zh", help="Title in Chinese. / 中文名称")]
TitleEn = Annotated[str, typer.Option("--title-en", help="Title in English. / 英文名称")]
Listen = Annotated[str, typer.Option(help="HOST:PORT to take calls on. / 监听地址")]
Advertise = Annotated[
    str | None, typer.Option(help="HOST:PORT at which others reach it, if not --listen.")
]
LogAddress = Annotated[
    str | None,
    typer.Option(
        "--log",
        help="HOST:PORT at which other members reach this node's log. / 日志服务地址",
    ),
]
Addresses = Annotated[
    list[str] | None,
    typer.Option("--address", help="Host name or IP address for the certificate; may be repeated."),
]
HubPeer = Annotated[str, typer.Option("--hub", metavar="NAME=HOST:PORT", help="The chain's hub.")]
Workers = Annotated[int, typer.Option(min=1, max=256, help="Worker processes. / 工作进程数")]


LOOPBACK: Final = frozenset({"127.0.0.1", "[::1]", "localhost"})


def add_enrolment(app: typer.Typer, role: Role) -> None:
    """Adds `init` and `join` of that role to its commands."""
    app.command("init")(_INIT[role])
    add_join(app)


def add_join(app: typer.Typer) -> None:
    """Adds `join` alone: the regulator, whose `init` is its own, renews by it."""
    app.command("join")(_join)


def peer(text: str, option: str) -> PeerConfig:
    """The peer in `NAME=HOST:PORT`. Raises NodeError naming the option."""
    name, equals, address = text.partition("=")
    if not equals or not name or not address:
        raise NodeError(f"{option}: {text!r} is no peer; write NAME=HOST:PORT")
    return peer_at(name, address, option)


def peer_at(name: str, address: str, option: str) -> PeerConfig:
    """The peer of that name at HOST:PORT. Raises NodeError naming the option."""
    try:
        return PeerConfig(name=name, address=address)
    except ValidationError as error:
        problem = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
        raise NodeError(f"{option}: {address!r} {problem}") from error


def log_address(log: str | None, listen: str) -> str | None:
    """Where others reach the node's log; only on one machine may it be left to chance.

    A node whose witnesses cannot reach it answers for a while and then no more, so this is asked
    for at once. Raises NodeError naming the option.
    """
    if log is None and listen.rpartition(":")[0] not in LOOPBACK:
        raise NodeError(
            "--log: say at which HOST:PORT the other members reach this node's log, such as "
            "node.example:7445; they verify and witness it"
        )
    return log


def title(name: str, zh: str, en: str) -> dict[str, str]:
    """The title in both languages; the name where one is not given."""
    return {"zh": zh or name, "en": en or name}


def _init_holder(
    folder: Folder,
    name: Name,
    trust: Trust,
    kind: Annotated[str, typer.Option(help="Kind in the catalogue: tax, invoice … / 数据类别")],
    hub: HubPeer,
    named: Annotated[
        bool, typer.Option("--named", help="The law demands that it is told the subject.")
    ] = False,
    title_zh: TitleZh = "",
    title_en: TitleEn = "",
    listen: Listen = "127.0.0.1:7443",
    advertise: Advertise = None,
    log: LogAddress = None,
    address: Addresses = None,
    workers: Workers = 1,
    as_json: AsJson = False,
) -> None:
    """Make a holder's folder: keys, configuration, request. / 建立数据持有方节点目录"""
    settings = HomeSettings(
        listen=listen,
        advertise=advertise,
        log=log_address(log, listen),
        hub=peer(hub, "--hub"),
        workers=workers,
    )
    request = init_home(
        Role.HOLDER,
        folder,
        name=name,
        trust_root=read_trust_root(trust),
        title=title(name, title_zh, title_en),
        settings=settings,
        kind=kind,
        named=named,
        addresses=address or (),
    )
    _made(folder, request, as_json)


def _init_hub(
    folder: Folder,
    name: Name,
    trust: Trust,
    consents: Annotated[str, typer.Option(help="HOST:PORT for enterprises. / 企业授权入口")],
    title_zh: TitleZh = "",
    title_en: TitleEn = "",
    listen: Listen = "127.0.0.1:7443",
    advertise: Advertise = None,
    log: LogAddress = None,
    address: Addresses = None,
    workers: Workers = 1,
    as_json: AsJson = False,
) -> None:
    """Make a hub's folder: keys, configuration, request. / 建立平台节点目录"""
    settings = HomeSettings(
        listen=listen,
        advertise=advertise,
        log=log_address(log, listen),
        consents=consents,
        workers=workers,
    )
    request = init_home(
        Role.HUB,
        folder,
        name=name,
        trust_root=read_trust_root(trust),
        title=title(name, title_zh, title_en),
        settings=settings,
        addresses=address or (),
    )
    _made(folder, request, as_json)


def _init_bank(
    folder: Folder,
    name: Name,
    trust: Trust,
    hub: HubPeer,
    regulator: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where the regulator takes calls.")
    ],
    api: Annotated[str, typer.Option(help="HOST:PORT of the REST interface.")] = "127.0.0.1:8080",
    title_zh: TitleZh = "",
    title_en: TitleEn = "",
    listen: Listen = "127.0.0.1:7443",
    advertise: Advertise = None,
    log: LogAddress = None,
    address: Addresses = None,
    workers: Workers = 1,
    as_json: AsJson = False,
) -> None:
    """Make a bank agent's folder: keys, configuration, request. / 建立银行端节点目录"""
    root = read_trust_root(trust)
    settings = HomeSettings(
        listen=listen,
        advertise=advertise,
        log=log_address(log, listen),
        hub=peer(hub, "--hub"),
        # The trust root names the regulator; only its address is to be said.
        regulator=peer_at(root.regulator.name, regulator, "--regulator"),
        api=api,
        workers=workers,
    )
    request = init_home(
        Role.BANK,
        folder,
        name=name,
        trust_root=root,
        title=title(name, title_zh, title_en),
        settings=settings,
        addresses=address or (),
    )
    _made(folder, request, as_json)


def _join(
    folder: Folder,
    grant: Annotated[Path, typer.Argument(help="The regulator's grant. / 监管方签发的文件")],
    as_json: AsJson = False,
) -> None:
    """Check and install the regulator's grant. / 校验并安装监管方签发的成员凭证"""
    from node.enrolment.rejoin import join

    identity = join(folder, read_grant_file(grant), SystemClock().now())
    member = identity.member
    emit(
        {
            "id": str(identity.id),
            "chain": member.chain,
            "not_before": member.not_before,
            "not_after": member.not_after,
            "config": str(folder / CONFIG),
        },
        as_json,
    )


def _made(folder: Path, request: MemberRequest, as_json: bool) -> None:
    party: SpiffeId = request.id
    emit(
        {
            "id": str(party),
            "folder": str(folder),
            "config": str(folder / CONFIG),
            "request": str(folder / REQUEST),
            "request_sha256": request.hash.hex(),
            "next": f"yinxin regulator enrol {folder / REQUEST}; yinxin {party.role} join …",
        },
        as_json,
    )


_INIT: Final[dict[Role, Callable[..., Any]]] = {
    Role.HOLDER: _init_holder,
    Role.HUB: _init_hub,
    Role.BANK: _init_bank,
}
