"""What `yinxin log` commands share: whom to believe, and texts in both languages."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from federation.identity import SpiffeId
from federation.tlog.opening import LogKeys
from node.clock import SystemClock
from node.config import NodeConfig
from node.identity import read_trust_root
from node.log.verify.member import known_members, member_config
from node.log.verify.source import VerifyError
from node.log.verify.trust import keys_of_members, keys_of_vkeys, parse_log, read_members

if TYPE_CHECKING:
    from rich.console import RenderableType

_MARKS: Final = {"passed": "✓", "fault": "✗", "open": "–"}

TrustRootFile = Annotated[
    Path | None, typer.Option("--trust-root", help="The chain's trust.json. / 信任根")
]
MemberFiles = Annotated[
    list[Path] | None,
    typer.Option("--members", help="Credentials or grants: files or folders. / 成员凭证"),
]
OfLog = Annotated[
    str, typer.Option("--log", help="Whose log: a SPIFFE id, or its origin. / 日志所有者")
]
VKeys = Annotated[
    list[str] | None,
    typer.Option("--vkey", help="Key of the log or of a witness; may be repeated. / 公钥"),
]
MemberConfig = Annotated[
    Path | None, typer.Option("--config", help="A member's configuration. / 成员节点配置")
]
At = Annotated[
    datetime | None,
    typer.Option("--at", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"], help="Members as of then."),
]


@dataclass(frozen=True)
class Trust:
    """The options that say whom to believe: exactly one of three ways.

    A member's configuration (its node's members), a trust root with credentials, or vkeys.
    """

    trust_root: Path | None
    members: list[Path] | None
    vkeys: list[str] | None
    config: Path | None
    log: str
    at: datetime | None

    def keys(self) -> LogKeys:
        """The keys of the log. Raises VerifyError, or what the files' readers raise."""
        if self.vkeys and not self.trust_root:
            return self._named(keys_of_vkeys(self.vkeys))
        if self.vkeys or bool(self.trust_root) != bool(self.members):
            raise VerifyError("give --trust-root with --members, or --vkey, or --config")
        moment = int(self.at.replace(tzinfo=UTC).timestamp()) if self.at else None
        if self.trust_root and self.members:
            now = SystemClock().now() if moment is None else moment
            members = read_members(read_trust_root(self.trust_root), self.members, now)
            return keys_of_members(members, self._log())
        config = self.member()
        log = parse_log(self.log) if self.log else config.spiffe_id
        return keys_of_members(asyncio.run(known_members(config, moment)), log)

    def member(self) -> NodeConfig:
        """The member's configuration. Raises VerifyError where none is given."""
        if self.config is None:
            raise VerifyError("give --config of a member, or --trust-root with --members")
        return member_config(self.config)

    def _log(self) -> SpiffeId:
        if not self.log:
            raise VerifyError("--log: say whose log it must be")
        return parse_log(self.log)

    def _named(self, keys: LogKeys) -> LogKeys:
        if self.log and parse_log(self.log) != keys.log:
            raise VerifyError(f"--log: the key given is of {keys.log}")
        return keys


def step_states(
    steps: Sequence[IntEnum],
    passed: Collection[IntEnum],
    fault: IntEnum | None = None,
    where: str = "",
    problem: str = "",
) -> dict[str, Any]:
    """`steps` with their states (passed, fault, open), and the `fault`: members of a result."""
    rows = []
    for step in steps:
        state = "fault" if step is fault else "passed" if step in passed else "open"
        rows.append({"step": int(step), "name": step.name.lower(), "state": state})
    told = {"step": int(fault), "where": where, "problem": problem} if fault is not None else None
    return {"steps": rows, "fault": told}


def steps_text(
    result: Mapping[str, Any],
    titles: Mapping[int, tuple[str, str]],
    closing: Sequence[str],
    lang: str,
) -> RenderableType:
    """A result with `step_states` for people; `titles` are in Chinese and English."""
    from rich.text import Text

    zh = lang == "zh"
    lines = [f"{'日志' if zh else 'log'} {result['log']}"]
    for row in result["steps"]:
        title = titles[row["step"]][0 if zh else 1]
        lines.append(f"{_MARKS[row['state']]} {row['step']} {title}")
        if row["state"] == "fault":
            lines.append(f"    {result['fault']['where']}: {result['fault']['problem']}")
    if result["fault"] is not None:
        lines.append("未通过" if zh else "not verified")
    return Text("\n".join([*lines, *closing]))
