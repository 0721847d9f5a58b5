"""Regulators that pin each other's chains, by their own commands."""

from __future__ import annotations

import asyncio
from typing import Final

from federation.interchain.bundle import fingerprint_of
from node.demo.chains.network import Network
from node.demo.layout import Layout
from node.demo.processes import Processes
from node.demo.starting import Tell
from node.enrolment.folder import TRUST
from node.identity import read_trust_root

_AT_ONCE: Final = 2


async def pin_all(network: Network, processes: Processes, tell: Tell) -> None:
    """Every regulator hands out its bundle, and pins every other one's.

    The regulators' nodes run meanwhile. Raises DemoError when a command fails.
    """
    folder = network.root / "bundles"
    folder.mkdir(exist_ok=True)
    directions = network.directions()
    gate = asyncio.Semaphore(_AT_ONCE)
    done = 0

    async def command(layout: Layout, name: str, arguments: list[str]) -> None:
        nonlocal done
        async with gate:
            await processes.command(
                f"{layout.regulator.name}-{name}",
                ["regulator", "chains", *arguments],
                config=layout.regulator.config,
            )
        done += 1
        tell(done, len(network.chains) + len(directions))

    chains = network.chains
    await asyncio.gather(
        *(
            command(layout, "bundle", ["bundle", "--out", str(folder / f"{name}.json")])
            for name, layout in chains.items()
        )
    )
    await asyncio.gather(
        *(
            command(
                chains[home],
                f"pin-{peer}",
                [
                    "pin",
                    str(folder / f"{peer}.json"),
                    "--fingerprint",
                    fingerprint(chains[peer]),
                ],
            )
            for home, peer in directions
        )
    )


async def withdraw(by: Layout, peer: str, processes: Processes) -> None:
    """The regulator of `by` trusts the chain `peer` no more. Raises DemoError."""
    await processes.command(
        f"{by.regulator.name}-withdraw-{peer}",
        ["regulator", "chains", "withdraw", peer, "--reason", "demo"],
        config=by.regulator.config,
    )


def fingerprint(layout: Layout) -> str:
    """What a regulator reads out to another one: of its own signing key, not of what was sent."""
    return fingerprint_of(read_trust_root(layout.regulator.folder / TRUST).regulator_signing)
