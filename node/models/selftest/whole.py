"""All parts of `yinxin model selftest`, side by side in processes of their own, in one document."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any, Final

from node.errors import NodeError

PARTS: Final = ("attacks", "simulated", "imports", "rounding", "blind_development")
SHARES: Final = 20
"""Jobs that the simulation is cut into, each with populations of its own."""

Tell = Callable[[str], None]


class SelftestError(NodeError):
    """A part of the selftest that cannot run."""


def run(parts: Mapping[str, bool], models: int, processes: int, tell: Tell) -> dict[str, Any]:
    """The figures of the chosen parts; `models` scorecards are simulated.

    Raises SelftestError where a part cannot run, such as for a tool that is not installed.
    """
    jobs: list[tuple[str, dict[str, Any]]] = [
        (part, {}) for part in PARTS if parts.get(part) and part != "simulated"
    ]
    if parts.get("simulated"):
        jobs += [("simulated", job) for job in _shares(models)]
    results: dict[str, list[dict[str, Any]]] = {part: [] for part in PARTS}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        running = {pool.submit(_job, part, job): part for part, job in jobs}
        for done, future in enumerate(as_completed(running), start=1):
            part = running[future]
            try:
                results[part].append(future.result())
            except NodeError as error:
                for other in running:
                    other.cancel()
                raise SelftestError(f"{part}: {error}") from error
            tell(f"{done}/{len(jobs)} {part}")
    return _document(results)


def _shares(models: int) -> list[dict[str, Any]]:
    count = min(SHARES, models)
    sizes = [models // count + (number < models % count) for number in range(count)]
    return [{"models": size, "seed": 100 + number} for number, size in enumerate(sizes)]


def _job(part: str, job: dict[str, Any]) -> dict[str, Any]:
    """One part, or a share of one, in a process of its own."""
    import importlib

    module = importlib.import_module(f"node.models.selftest.{part}")
    found: dict[str, Any] = module.run(lambda _: None, **job)
    return found


def _document(results: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for part, found in results.items():
        if not found:
            continue
        if part == "simulated":
            document[part] = {
                "models": sum(share["models"] for share in found),
                "records": found[0]["records"],
                "sets": sum(share["sets"] for share in found),
                "worst_ratio_to_bound": max(share["worst_ratio_to_bound"] for share in found),
            }
        elif part == "attacks":
            document |= found[0]
        else:
            document[part] = found[0]
    return document


def failures(document: Mapping[str, Any]) -> list[str]:
    """What in a document is not as it must be, in words; empty where all is well."""
    found = [
        f"attacks.{name}: {verdict}"
        for name, verdict in document.get("attacks", {}).items()
        if verdict != "refused"
    ]
    if document.get("simulated", {}).get("worst_ratio_to_bound", 0) > 1:
        found.append("simulated: a bank beats the certified bound")
    found += [
        f"imports.{tool}: {figures['mismatches']} mismatches"
        for tool, figures in document.get("imports", {}).items()
        if figures["mismatches"]
    ]
    return found
