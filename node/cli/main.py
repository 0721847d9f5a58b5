"""`yinxin`: one command line for every party.

Groups are imported when they are called: `yinxin enterprise consent give` needs neither gRPC nor
polars, and a worker process that imports this module as its main module needs nothing of it.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any, Final

GROUPS: Final[dict[str, tuple[str, str]]] = {
    "holder": ("node.cli.holder", "a data holder's node: load data, open epochs, answer"),
    "hub": ("node.cli.hub", "the local credit platform: members, roster, epochs, permits"),
    "bank": ("node.cli.bank", "a bank's agent: certify, prepare, query"),
    "model": ("node.cli.model", "scorecards: import, check, round, certify, explain, watch"),
    "regulator": ("node.cli.regulator", "the regulator: root of trust, certification, audit"),
    "enterprise": ("node.cli.enterprise", "an enterprise: its key, its consents"),
    "licence-authority": ("node.cli.licence", "the business-licence authority: certifies firms"),
    "log": ("node.cli.log", "transparency logs: verify, prove, check, export"),
    "sample": ("node.cli.sample", "generate holder files of firms that do not exist"),
    "demo": ("node.cli.demo", "a whole chain on this machine"),
    "bench": ("node.cli.bench", "measure this machine"),
}


def main() -> None:
    """Entry point of the console script."""
    arguments = sys.argv[1:]
    from node.cli.output import fail, guard

    if not arguments or arguments[0] in {"-h", "--help"}:
        _overview()
        return
    if arguments[0] == "--version":
        from importlib.metadata import version

        sys.stdout.write(f"yinxin {version('yinxin')}\n")
        return
    if arguments[0] not in GROUPS:
        fail(f"no command {arguments[0]!r}; commands are {', '.join(GROUPS)}", code=2)
    from node.observability import logging

    # Commands speak to people, and warnings must not get into what they print; `serve` changes
    # this to what its configuration says.
    logging.configure("warning", "console")
    module = importlib.import_module(GROUPS[arguments[0]][0])
    application: Any = module.app
    with guard():
        application(args=arguments[1:], prog_name=f"yinxin {arguments[0]}")


def _overview() -> None:
    lines = ["yinxin · 隐信: credit information, usable but invisible (可用不可见)", ""]
    lines += ["usage: yinxin COMMAND …      yinxin COMMAND --help", ""]
    lines += [f"  {name:<18} {about}" for name, (_, about) in GROUPS.items()]
    sys.stdout.write("\n".join(lines) + "\n")
