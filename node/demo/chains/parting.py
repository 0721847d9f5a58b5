"""Chains that part for a while, and for good."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from node.demo.chains.asking import Desk, Firms, Tally
from node.demo.chains.together import Together
from node.demo.chains.trusting import withdraw
from node.demo.errors import AgentError, DemoError
from node.demo.layout import Layout
from node.demo.processes import Processes

BACK_SECONDS: Final = 60.0
ENDED_SECONDS: Final = 30.0
_PAUSE: Final = 0.5


@contextmanager
def paused(processes: Processes, layout: Layout) -> Iterator[None]:
    """A chain's hub that takes connections and answers nothing, as when the network parts."""
    group = processes.pid(layout.hub.name)
    os.killpg(group, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(group, signal.SIGCONT)


async def until_back(question: Together, tally: Tally) -> dict[str, Any]:
    """Asks a question that was asked while a chain was away, until it is answered whole, and adds
    it to the tally. Raises DemoError when it is not.
    """
    deadline = time.monotonic() + BACK_SECONDS
    while True:
        with suppress(AgentError):
            if not (await question.ask())["partial"]:
                return await question.count(tally)
        if time.monotonic() > deadline:
            raise DemoError(f"{question.home}: a chain that was away does not answer again")
        await asyncio.sleep(_PAUSE)


async def withdrawn(
    desk: Desk, firms: Firms, by: Layout, peer: Layout, processes: Processes
) -> None:
    """The regulator of `by` withdraws its trust in `peer`, whose bank then asks there in vain.

    Raises DemoError when it is still answered after a while, or ever again.
    """
    await withdraw(by, peer.chain, processes)
    deadline = time.monotonic() + ENDED_SECONDS
    while await _answered(desk, peer.chain, by.chain, firms):
        if time.monotonic() > deadline:
            raise DemoError(f"{by.chain} withdrew its trust and still answers {peer.chain}")
        await asyncio.sleep(_PAUSE)
    if await _answered(desk, peer.chain, by.chain, firms):
        raise DemoError(f"{by.chain} withdrew its trust and answers {peer.chain} again")


async def _answered(desk: Desk, home: str, chain: str, firms: Firms) -> bool:
    (firm,) = firms.alone(chain, 1)
    consent = desk.consent(firm, home, [chain])
    try:
        await desk.clients[home].query(desk.models[home, chain], consent, "02")
    except AgentError:
        return False
    return True
