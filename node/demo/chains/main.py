"""The demo of several chains as a command: runs it, shows it, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from node.demo import observed
from node.demo.chains.network import LEAST_ENTERPRISES
from node.demo.chains.run import ChainsDemo, ChainsOptions
from node.demo.chains.show import ChainsScreen
from node.demo.errors import DemoError
from node.demo.main import demo_folder, is_good, write_result
from node.demo.processes import Processes
from node.demo.refusals import REASONS
from node.demo.texts import Language

FIRMS_A_QUERY: Final = 4
"""Firms that a chain enrols for each query across chains, at least: some are drawn for others."""


def run_chains_demo(
    *,
    chains: int,
    enterprises: int,
    queries: int,
    seed: int,
    language: Language,
    once: bool,
    result_file: Path | None,
    folder: Path | None,
) -> bool:
    """Runs the demo of two or more chains; true when every record was exact, every refusal as it
    should be, and the audits of all chains found what was planted and nothing else.

    `enterprises` are those of each chain, `queries` all across chains. Otherwise as
    `node.demo.main.run_demo`.
    """
    least = max(LEAST_ENTERPRISES, FIRMS_A_QUERY * queries // chains)
    if enterprises < least:
        raise DemoError(
            f"enterprises: {enterprises} a chain are too few for {queries} queries across chains; "
            f"ask for {least} or more, or for fewer queries"
        )
    screen = ChainsScreen(language)
    with demo_folder(folder) as place:
        screen.head(count=chains)
        options = ChainsOptions(place, chains, enterprises, queries, seed)
        result = _run(ChainsDemo(options, screen), screen, once, kept=folder is not None)
    write_result(result, result_file)
    across = result["cross_chain"]
    return is_good(result) and across["failures"] == across["mismatches"] == 0


def _run(demo: ChainsDemo, screen: ChainsScreen, once: bool, *, kept: bool) -> dict[str, Any]:
    network = demo.network
    with Processes(network.root / "logs") as processes:
        result, outcome = asyncio.run(demo.run(processes))
        for joint in (outcome.joint, outcome.partial):
            if joint:
                screen.beside(joint)
        screen.logins(demo.logins, result["audit"])
        if not once:
            with suppress(EOFError):  # nobody there to press Enter
                screen.console.input(f"\n  {screen.say('wait')} ")
        with screen.step("stop"):
            processes.stop_all()
    sizes, reasons = asyncio.run(observed.logs(network.servers))
    result["log_entries"] = sizes
    result["refusals"] = {reason.value: reasons[reason.value] for reason in REASONS}
    result["processes"] = processes.most
    result["peak_rss_mb"] = processes.peak_rss_mb
    screen.who_saw_a_query()
    screen.refusals(result["refusals"])
    screen.audit(result["audit"])
    screen.chains(result["chains"])
    screen.crossed(result, str(network.root) if kept else "")
    return result
