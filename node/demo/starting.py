"""Starts the processes of a planned chain, and has the holders load their data."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from federation.identity import Role
from node.demo.errors import DemoError
from node.demo.layout import Layout, Party
from node.demo.processes import Processes
from node.rpc.client import Channel
from node.rpc.tls import TlsFiles

READY_SECONDS = 60.0
LOADS_AT_ONCE = 2

Tell = Callable[[int, int], None]
"""Told how much is done of how much."""


async def start(processes: Processes, parties: Sequence[Party], tell: Tell) -> None:
    """Starts the parties' nodes at once and waits until each takes calls.

    Raises DemoError, with the end of its log, for one that does not.
    """
    for party in parties:
        arguments = [party.id.role.value, "serve", "--config", str(party.config)]
        if party.clock is None:
            processes.start(party.name, arguments)
        else:
            processes.start(party.name, [str(party.clock), *arguments], "node.demo.sandbox")
    for done, party in enumerate(parties, 1):
        address = party.extra if party.id.role is Role.BANK else party.address
        await takes_calls(processes, party.name, address)
        tell(done, len(parties))


async def load(processes: Processes, layout: Layout, epoch: int, tell: Tell) -> None:
    """The administrators' own command, as a process beside each running holder."""
    gate = asyncio.Semaphore(LOADS_AT_ONCE)
    done = 0

    async def one(kind: str, party: Party) -> None:
        nonlocal done
        async with gate:
            await processes.command(
                f"{party.name}-load",
                ["holder", "epoch", "load", "--epoch", str(epoch)],
                mapping=layout.sample / "mappings" / f"{kind}.toml",
                config=party.config,
            )
        done += 1
        tell(done, len(layout.holders))

    await asyncio.gather(*(one(kind, party) for kind, party in layout.holders.items()))


def channel(to: Party, caller: Party) -> Channel:
    """A channel to a node with the certificate of another party, whose keys are at hand here."""
    keys = caller.folder / "keys"
    files = TlsFiles(keys / "tls.pem", keys / "tls.key", keys / "authority.pem")
    return Channel(to.id, to.address, files)


async def takes_calls(processes: Processes, name: str, address: str) -> None:
    """Waits until a process listens there. Raises DemoError, with the end of its log, when it ends
    or takes too long.
    """
    deadline = time.monotonic() + READY_SECONDS
    while not await _listens(address):
        processes.check(name)
        if time.monotonic() > deadline:
            raise DemoError(f"{name} does not take calls after {READY_SECONDS:.0f} s")
        await asyncio.sleep(0.1)
    processes.check(name)  # what listens there may be another program


async def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
