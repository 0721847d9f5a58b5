"""The audits of all chains: each regulator's own, and what they reconcile between them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection

from node.config import RegulatorConfig, load
from node.demo.auditing import Auditor
from node.demo.chains.network import Network
from node.demo.dishonest import Planted
from node.demo.errors import DemoError
from node.demo.processes import Processes
from node.keys import KeyEncryptionKey
from node.regulator.audit.run import audit_summary
from node.regulator.peers.sharing_books import RECEIVED, ShareBooks

SHARED_SECONDS: Final = 120.0
_AFTER: Final = 2
"""Seconds after a query up to which a share has to be complete before the query is judged."""
_POLL: Final = 0.5


async def audit(
    network: Network, processes: Processes, planted: Sequence[Planted]
) -> dict[str, Any]:
    """The result's `audit`, of all chains together; `planted` is what was done in the first one.

    Every regulator audits what the logs hold; then one log of the first chain is edited. Raises
    DemoError as `Auditor.audit`, and where regulators do not reconcile every query between them.
    """
    begin = time.monotonic()
    auditors = [Auditor(layout, processes) for layout in network.chains.values()]
    await shared(auditors)
    first, *others = auditors
    await asyncio.gather(*(auditor.judge() for auditor in others))
    seconds = time.monotonic() - begin
    insider = list(first.layout.holders.values())[1]
    found = [await first.audit(planted, insider)]
    found += [await auditor.found([], seconds) for auditor in others]
    await reconciled(auditors)
    total: dict[str, Any] = {"seconds": round(time.monotonic() - begin, 1)}
    for key in ("queries", "verified", "missed", "false_positives"):
        total[key] = sum(one[key] for one in found)
    for key in ("planted", "found"):
        total[key] = [finding for one in found for finding in one[key]]
    total["logs"] = {name: log for one in found for name, log in one["logs"].items()}
    return total


async def shared(auditors: Sequence[Auditor]) -> None:
    """Waits until the chains' regulators have told each other of everything up to now. Raises
    DemoError when they do not.
    """
    moment = int(time.time()) + _AFTER
    deadline = time.monotonic() + SHARED_SECONDS
    for auditor in auditors:
        config = load(RegulatorConfig, auditor.layout.regulator.config)
        books = ShareBooks(RECEIVED, KeyEncryptionKey.load(config.key_encryption_key))
        for peer in (one.layout.chain for one in auditors if one is not auditor):
            while await auditor.look(partial(_covered, books=books, peer=peer)) < moment:
                if time.monotonic() > deadline:
                    raise DemoError(f"{peer} tells {config.chain} nothing new of its logs")
                await asyncio.sleep(_POLL)


async def reconciled(auditors: Sequence[Auditor]) -> dict[str, int]:
    """How many queries out of each chain stand in both chains' logs, once all have been judged.
    Raises DemoError for one that waits for something.
    """
    out = {}
    for auditor in auditors:
        chain, summary = auditor.layout.chain, await auditor.look(audit_summary)
        for peer, numbers in summary["chains"].items():
            if numbers["open"]:
                raise DemoError(f"{numbers['open']} queries of {chain} and {peer} are not judged")
        out[chain] = sum(numbers["outward"] for numbers in summary["chains"].values())
    return out


def _covered(connection: Connection, books: ShareBooks, peer: str) -> int:
    last = books.last(connection, peer)
    return 0 if last is None else last.share.until
