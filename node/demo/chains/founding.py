"""Founds the chains: each with its own root, and nothing in common but the licence authority."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final

from federation.pki import SubjectAuthority
from federation.uscc import Uscc
from node.demo import auditing, setup
from node.demo.chains.model import catalogue_of
from node.demo.chains.network import Network, settle
from node.sample import generate

EPOCH_DAYS: Final = 2
_HURRY: Final[dict[str, dict[str, float]]] = {
    "peers": {"period": 1.0, "share_period": 2.0, "share_settle": 3},
    "audit": {"permit_grace": 1},
}
"""Seconds, in a regulator's configuration."""


def samples(network: Network, enterprises: int, seed: int) -> None:
    """Writes each chain's sample: `enterprises` firms and one that the chain does not enrol."""
    country = settle(list(network.chains), enterprises + 1)
    for name, layout in network.chains.items():
        generate(country.size, seed, layout.sample, region=country.region(name, seed))


async def found(network: Network, budget: int) -> tuple[SubjectAuthority, dict[str, list[Uscc]]]:
    """Founds every chain, up to an announced epoch; the licence authority, and by chain the codes
    of the enrolled firms, followed by one that is not enrolled.
    """
    now = int(time.time())
    licence = await asyncio.to_thread(setup.licence_authority, network.licence_authority, now)
    codes = {}
    for name, layout in network.chains.items():
        await asyncio.to_thread(setup.found, layout, now, budget, licence)
        await setup.enrol_members(layout)
        await asyncio.to_thread(auditing.patient_mirror, layout)
        await asyncio.to_thread(auditing.office_hours, layout)
        await asyncio.to_thread(_hurry, layout.regulator.config)
        codes[name] = await asyncio.to_thread(setup.enterprises, layout)
        await setup.announce(layout, codes[name][:-1], catalogue_of(layout), EPOCH_DAYS)
    return licence, codes


def _hurry(config: Path) -> None:
    """Has a regulator look at its peers all the time: nobody waits for minutes here."""
    lines = config.read_text(encoding="utf-8").splitlines(keepends=True)
    for section, keys in _HURRY.items():
        place = next(i for i, line in enumerate(lines) if line.startswith(f"[{section}]"))
        lines[place + 1 : place + 1] = [f"{key} = {value}\n" for key, value in keys.items()]
    config.write_text("".join(lines), encoding="utf-8")
