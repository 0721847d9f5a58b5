"""The audits of all chains: each regulator's own, and what they reconcile between them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from node.demo.auditing import Auditor
from node.demo.chains.network import Network
from node.demo.dishonest import Planted
from node.demo.processes import Processes


async def audit(
    network: Network, processes: Processes, planted: Sequence[Planted]
) -> dict[str, Any]:
    """The result's `audit`, of all chains together; `planted` is what was done in the first one.

    Every regulator audits what the logs hold; then one log of the first chain is edited. Raises
    DemoError as `Auditor.audit`.
    """
    begin = time.monotonic()
    first, *others = network.chains.values()
    auditors = [Auditor(layout, processes) for layout in others]
    await asyncio.gather(*(auditor.judge() for auditor in auditors))
    seconds = time.monotonic() - begin
    insider = list(first.holders.values())[1]
    found = [await Auditor(first, processes).audit(planted, insider)]
    found += [await auditor.found([], seconds) for auditor in auditors]
    total: dict[str, Any] = {"seconds": round(time.monotonic() - begin, 1)}
    for key in ("queries", "verified", "missed", "false_positives"):
        total[key] = sum(one[key] for one in found)
    for key in ("planted", "found"):
        total[key] = [finding for one in found for finding in one[key]]
    total["logs"] = {name: log for one in found for name, log in one["logs"].items()}
    return total
