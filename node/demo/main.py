"""The demo as a command: runs it, shows it, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from node.demo import observed
from node.demo.dishonest import FIRMS
from node.demo.errors import DemoError
from node.demo.processes import Processes
from node.demo.querying import Outcome
from node.demo.refusals import REASONS
from node.demo.run import Demo, Options
from node.demo.show import Screen
from node.demo.texts import Language
from node.files import replacing


def run_demo(
    *,
    enterprises: int,
    queries: int,
    seed: int,
    language: Language,
    once: bool,
    result_file: Path | None,
    folder: Path | None,
    weeks: int,
) -> bool:
    """Runs the demo; true when every record was exact and every refusal as it should be.

    With `once` it asks nothing; `weeks` of history come before the present one; `folder`, which
    must not exist or be empty, is kept. Raises
    DemoError when a party fails; every process is stopped whatever happens.
    """
    # A history may be about half of the firms; whoever was asked about in it is not drawn again.
    if enterprises // (2 if weeks else 1) < queries + len(REASONS) + FIRMS:
        raise DemoError(
            f"enterprises: {enterprises} are too few for {queries} queries, {len(REASONS)} "
            f"refusals and {FIRMS} violations{', half of them after a history' if weeks else ''}; "
            "ask for more enterprises or fewer queries"
        )
    screen = Screen(language)
    with demo_folder(folder) as place:
        screen.head()
        options = Options(place, enterprises, queries, seed, language, weeks)
        result = _run(Demo(options, screen), screen, once, kept=folder is not None)
    write_result(result, result_file)
    return is_good(result)


def write_result(result: Mapping[str, Any], file: Path | None) -> None:
    """Writes the result document, if a file for it is given."""
    if file is not None:
        with replacing(file) as temporary:
            temporary.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def is_good(result: Mapping[str, Any]) -> bool:
    """Whether every record was exact, every refusal as it should be, and the audit right."""
    audit = result["audit"]
    figures = (result["mismatches"], audit["missed"], audit["false_positives"])
    exact = not any(figures)
    quiet = result.get("history", {}).get("findings", 0) == 0
    opened = not any(row["failed"] for row in result.get("pages", []))
    return (
        exact
        and quiet
        and opened
        and result["refusals"] == dict.fromkeys((r.value for r in REASONS), 1)
    )


def _run(demo: Demo, screen: Screen, once: bool, *, kept: bool) -> dict[str, Any]:
    with Processes(demo.layout.root / "logs") as processes:
        result, outcome = asyncio.run(demo.run(processes))
        traffic = asyncio.run(_traffic(demo))
        _show(demo, screen, outcome)
        screen.logins(demo.logins, result["audit"])
        if not once:
            with suppress(EOFError):  # nobody there to press Enter
                screen.console.input(f"\n  {screen.say('wait')} ")
        with screen.step("stop"):
            processes.stop_all()
    sizes, reasons = asyncio.run(observed.logs(demo.layout.servers))
    result["log_entries"] = sizes
    result["refusals"] = {reason.value: reasons[reason.value] for reason in REASONS}
    result["processes"] = processes.most
    result["peak_rss_mb"] = processes.peak_rss_mb
    screen.who_saw_what(demo.layout, traffic, sizes)
    screen.what_a_holder_received(observed.one_permit(demo.layout.hub))
    screen.refusals(result["refusals"])
    screen.audit(result["audit"])
    screen.result(result, str(demo.layout.root) if kept else "")
    return result


def _show(demo: Demo, screen: Screen, outcome: Outcome) -> None:
    from node.bank.card import card
    from scoring.profile import Profile

    profile = Profile.build(outcome.shown["profile"])
    titles = {str(p.id): p.title[screen.language] for p in demo.layout.holders.values()}
    screen.show(card(profile, outcome.shown["uscc"], screen.language, titles=titles))


async def _traffic(demo: Demo) -> Mapping[str, tuple[int, int]]:
    found = {}
    for party in demo.layout.servers:
        counted = await observed.traffic(party.metrics)
        found[party.name] = (counted.received, counted.sent)
    return found


@contextmanager
def demo_folder(wanted: Path | None) -> Iterator[Path]:
    """The folder of all parties: a temporary one, or `wanted`, which is kept."""
    if wanted is None:
        with tempfile.TemporaryDirectory(prefix="yinxin-demo-", ignore_cleanup_errors=True) as name:
            yield Path(name)
        return
    wanted = wanted.absolute()
    wanted.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(wanted.iterdir()):
        raise DemoError(f"{wanted} is not empty; name a folder that does not exist yet")
    yield wanted
