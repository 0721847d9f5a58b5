"""`python -m node.demo.sandbox CLOCK ROLE serve --config FILE`: a node of a sandbox.

The same node as `yinxin ROLE serve` runs, but for its clock, which all nodes of the sandbox share,
and its pages, which say that all is made up; likewise an enterprise's agent, with `--dir FOLDER
--listen ADDRESS`. The demo's process starter calls this; the command line that is shipped has no
way to give a node another clock than the machine's.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from node.config import BankConfig, HolderConfig, HubConfig, NodeConfig, RegulatorConfig, load
from node.demo.clock import SandboxClock
from node.demo.errors import DemoError

QUICK_SECONDS: Final = 0.5
"""Between rounds of logs, witnesses and mirror, while the sandbox's days last seconds."""

_ROLES: Final[dict[str, tuple[type[NodeConfig], str]]] = {
    "hub": (HubConfig, "node.hub.main"),
    "regulator": (RegulatorConfig, "node.regulator.service"),
    "bank": (BankConfig, "node.bank.main"),
    "holder": (HolderConfig, "node.holder.main"),
}
"""What configures a role's node, and where its `build` is: one role's code a process."""


def main(arguments: Sequence[str]) -> None:
    """Runs the node until SIGTERM or SIGINT. Raises DemoError for other arguments."""
    match arguments:
        case [clock, role, "serve", "--config", config] if role in _ROLES:
            _serve(role, SandboxClock(Path(clock)), Path(config))
        case [clock, "enterprise", "serve", "--dir", folder, "--listen", address]:
            _serve_agent(SandboxClock(Path(clock)), Path(folder), address)
        case _:
            raise DemoError("usage: python -m node.demo.sandbox CLOCK ROLE serve --config FILE")


def _serve(role: str, clock: SandboxClock, file: Path) -> None:
    from node.runtime import serve

    kind, module = _ROLES[role]
    build: Any = importlib.import_module(module).build
    config = load(kind, file)
    serve(config if clock.is_real else hurried(config), build, sandbox=clock)


def _serve_agent(clock: SandboxClock, folder: Path, address: str) -> None:
    from node.enterprise.serving import serve_agent
    from node.observability import logging

    logging.configure("warning", "console")
    asyncio.run(serve_agent(folder, address, lambda _: None, clock, synthetic=True))


def hurried(config: NodeConfig) -> NodeConfig:
    """The configuration with short pauses between rounds."""
    quick: dict[str, Any] = {"period": QUICK_SECONDS}
    sections: dict[str, Any] = {"tlog": config.tlog.model_copy(update=quick)}
    if isinstance(config, RegulatorConfig):
        sections["mirror"] = config.mirror.model_copy(update=quick)
    return config.model_copy(update=sections)


if __name__ == "__main__":
    from node.cli.output import guard

    with guard():
        main(sys.argv[1:])
