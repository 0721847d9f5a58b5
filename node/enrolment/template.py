"""The first configuration of a node, with a comment at every key that is worth changing."""

from __future__ import annotations

import json
from dataclasses import dataclass

from federation.identity import Role, SpiffeId
from node.config import PeerConfig
from node.enrolment import folder as files

_HEADER = """\
# {title} · {zh} – configuration of {id}
# Paths are relative to this file. YINXIN__SECTION__KEY in the environment overrides a key.
# 路径相对于本文件；环境变量 YINXIN__SECTION__KEY 可覆盖任一项。
"""
_TITLES = {
    Role.HUB: ("Hub", "地方征信平台"),
    Role.HOLDER: ("Data holder", "数据持有方"),
    Role.BANK: ("Bank agent", "银行端"),
    Role.REGULATOR: ("Regulator", "监管方"),
}
_TAIL = """\

# State is kept in SQLite under data_dir unless a PostgreSQL database is named.
# 默认使用 data_dir 下的 SQLite；也可改用 PostgreSQL。
{database}

[log]
level = "info"          # debug, info, warning, error
format = "json"         # json, or console for people

[tlog]                  # the log, over HTTPS, for members who verify and witness it / 透明日志
{tlog}

[pages]                 # what people work on in a browser / 工作网页
# The first account: yinxin {role} accounts add admin --duty administrator / 首个账户
{pages}

[metrics]
{metrics}

[deadlines]             # seconds
connect = 5.0
query = 10.0
prepare = 120.0
shutdown = 15.0
"""


@dataclass(frozen=True)
class HomeSettings:
    """What a role's first configuration says besides its files.

    `log` is where others reach the node's log; it listens at that port, on the host of `listen`.
    `hub` and `regulator` are the peers that the role calls; `consents` is a hub's address for
    enterprises, `api` a bank's for its own systems; None leaves the default, commented.
    """

    listen: str = "127.0.0.1:7443"
    advertise: str | None = None
    log: str | None = None
    hub: PeerConfig | None = None
    regulator: PeerConfig | None = None
    consents: str | None = None
    api: str | None = None
    peers: str | None = None
    """Where hub or regulator takes calls of peer chains."""
    peer_hub: str | None = None
    """For a regulator: where the chain's hub takes them."""
    pages: str | None = None
    """Where the web pages are; off unless given."""
    pages_url: str | None = None
    """Where browsers find them, if not there."""
    metrics: str | None = None
    database: str | None = None
    workers: int = 1
    budget: int = 10_000


def render(party: SpiffeId, chain: str, kind: str, sealing: bool, settings: HomeSettings) -> str:
    """The text of node.toml for a member."""
    title, zh = _TITLES[party.role]
    lines = [_HEADER.format(title=title, zh=zh, id=party)]
    lines += [
        _key("chain", chain),
        _key("trust_domain", party.trust_domain),
        _key("name", party.name),
        _key("data_dir", files.DATA),
        _key("listen", settings.listen, "where this node takes calls / 监听地址"),
        _optional("advertise", settings.advertise, "node.example:7443", "where others reach it"),
        f"workers = {settings.workers}  # processes for lattice and OPRF work, at most one a core",
        "",
        "# Who this node is. Keys never leave this folder. / 密钥不得离开本机",
        _key("signing_key", files.SIGNING_KEY),
        _key("key_encryption_key", files.STORAGE_KEY, "seals what the node keeps; back it up"),
        _key("credential", files.MEMBER),
        _key("trust_bundle", files.TRUST),
    ]
    lines += _ROLE_KEYS[party.role](kind, sealing, settings)
    lines += [
        "",
        "[tls]",
        _key("certificate", files.TLS_CERTIFICATE),
        _key("key", files.TLS_KEY),
        _key("ca", files.AUTHORITY),
        *_peer("hub", settings.hub),
        *_peer("regulator", settings.regulator),
    ]
    if party.role is Role.HUB:
        lines += [
            "",
            "[consents]              # for enterprises / 企业授权入口",
            _key("listen", settings.consents or "127.0.0.1:7444"),
            _key("licence_authority", files.LICENCE_AUTHORITY),
        ]
    if party.role is Role.BANK:
        lines += ["", "[api]                   # REST, for the bank's own systems / 行内系统接口"]
        lines += [_key("listen", settings.api or "127.0.0.1:8080")]
    if party.role is Role.REGULATOR:
        lines += ["", *_POLICY]
    if party.role in (Role.HUB, Role.REGULATOR):
        lines += ["", *_peers(party.role, settings)]
    lines.append(
        _TAIL.format(
            database=_database(settings),
            tlog=_tlog(settings),
            role=party.role.value,
            pages=_pages(settings),
            metrics=_metrics(settings),
        )
    )
    return "\n".join(lines)


def _holder(kind: str, sealing: bool, settings: HomeSettings) -> list[str]:
    lines = ["", _key("kind", kind, "what it holds, as the catalogue names it / 数据类别")]
    lines.append(_key("agreement_key", files.AGREEMENT_KEY))
    if sealing:
        lines.append(_key("sealing_key", files.SEALING_KEY))
    lines.append(
        f"budget = {settings.budget}  # most permits of one bank in 24 hours / 每家银行日限额"
    )
    return lines


def _bank(kind: str, sealing: bool, settings: HomeSettings) -> list[str]:
    return [_key("sealing_key", files.SEALING_KEY)]


def _hub(kind: str, sealing: bool, settings: HomeSettings) -> list[str]:
    return [_key("sealing_key", files.SEALING_KEY, "for queries from other chains / 跨链查询")]


def _regulator(kind: str, sealing: bool, settings: HomeSettings) -> list[str]:
    return [
        _key("sealing_key", files.SEALING_KEY),
        _key("audit_key", files.AUDIT_KEY, "master of the keys to evidence / 审计主密钥"),
        _key("authority_certificate", files.AUTHORITY),
        _key("authority_key", files.AUTHORITY_KEY, "signs the certificates of members"),
    ]


_ROLE_KEYS = {Role.HOLDER: _holder, Role.BANK: _bank, Role.HUB: _hub, Role.REGULATOR: _regulator}
_POLICY = [
    "[policy]                # certification of models, PROTOCOL section 3 / 模型认证规则",
    "fewest_features = 5     # non-public features that carry a field",
    "least_share = 0.05      # of the field's spread, from which a feature carries it",
    "greatest_share = 0.60   # of the field's spread, that one feature may have",
    "most_levels = 8         # equally spaced point values a field",
    "jump_support = 3        # features in which every jump of points occurs",
]


def _peer(section: str, peer: PeerConfig | None) -> list[str]:
    if peer is None:
        return []
    return ["", f"[{section}]", _key("name", peer.name), _key("address", peer.address)]


def _peers(role: Role, settings: HomeSettings) -> list[str]:
    lines = [
        "[peers]                 # other chains, none until they are pinned / 跨链互联",
        _optional("listen", settings.peers, "127.0.0.1:7446", "where they reach this node"),
    ]
    if role is Role.REGULATOR:
        lines.append(_optional("hub", settings.peer_hub, "127.0.0.1:7446", "and the chain's hub"))
    return lines


def _database(settings: HomeSettings) -> str:
    if settings.database is not None:
        return "[database]\n" + _key("url", settings.database)
    return "[database]\n" + '# url = "postgresql+pg8000://yinxin@localhost/yinxin"'


def _tlog(settings: HomeSettings) -> str:
    listen = None
    if settings.log is not None:
        host, port = settings.listen.rpartition(":")[0], settings.log.rpartition(":")[2]
        listen = f"{host}:{port}"
    return "\n".join(
        [
            _optional("listen", listen, "127.0.0.1:0", "a port that the firewall lets through"),
            _optional("advertise", settings.log, "node.example:7445", "where others reach it"),
        ]
    )


def _pages(settings: HomeSettings) -> str:
    about = "off unless given; with TLS, give certificate and key, unless it is this machine's"
    listen = _optional("listen", settings.pages, "127.0.0.1:8443", about)
    return listen if settings.pages_url is None else f"{listen}\n{_key('url', settings.pages_url)}"


def _metrics(settings: HomeSettings) -> str:
    return _optional("listen", settings.metrics, "127.0.0.1:9464", "Prometheus; off unless given")


def _key(name: str, value: str, about: str = "") -> str:
    # A JSON string is a TOML basic string.
    line = f"{name} = {json.dumps(value, ensure_ascii=False)}"
    return f"{line}  # {about}" if about else line


def _optional(name: str, value: str | None, example: str, about: str) -> str:
    return _key(name, value, about) if value is not None else f"# {_key(name, example, about)}"
