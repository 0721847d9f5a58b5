"""The chains of the demo, and which firms each of them enrols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Final

import numpy as np

from node.demo.layout import CHAINS, LOOPBACK, Layout, Party, plan
from node.sample import Region

KINDS: Final = ("tax", "invoice", "social_insurance", "courts")
"""The holders of every chain."""
LEAST_ENTERPRISES: Final = 200
_IN_COMMON: Final = 20
"""A chain shares one firm in so many with each other chain, and as many with all."""


@dataclass(frozen=True)
class Network:
    """Several chains below one folder, by their names."""

    root: Path
    chains: dict[str, Layout]

    @property
    def servers(self) -> list[Party]:
        """The parties that run a node, in all chains."""
        return [party for layout in self.chains.values() for party in layout.servers]

    @property
    def licence_authority(self) -> Path:
        """The folder of the business-licence authority, which all chains have in common."""
        return self.root / "licence-authority"

    def directions(self) -> list[tuple[str, str]]:
        """Every pair of a bank's home chain and another chain."""
        return [(home, chain) for home in self.chains for chain in self.chains if home != chain]


def plan_network(
    root: Path, chains: int, kinds: Sequence[str] = KINDS, clock: Path | None = None
) -> Network:
    """The first `chains` of the known ones, all of them on the loopback interface. With `clock`,
    the file of a sandbox's clock, the first one goes by it and has pages.
    """
    names = list(CHAINS)[:chains]
    planned = {
        name: plan(
            root / name, list(kinds), chain=name, peers=LOOPBACK, clock=None if number else clock
        )
        for number, name in enumerate(names)
    }
    return Network(root, planned)


@dataclass(frozen=True)
class Country:
    """The firms of all chains, numbered; `rows` are each chain's, by its name."""

    size: int
    rows: dict[str, list[int]]

    def region(self, chain: str, seed: int) -> Region:
        """What `node.sample.generate` needs to write a chain's sample."""
        return Region(np.array(self.rows[chain]), seed + 1 + list(self.rows).index(chain))


def settle(chains: Sequence[str], enterprises: int) -> Country:
    """Gives each chain `enterprises` firms: some in every chain, some in two, most in one."""
    rows: dict[str, list[int]] = {chain: [] for chain in chains}
    size = 0

    def take(count: int, where: Sequence[str]) -> None:
        nonlocal size
        for chain in where:
            rows[chain] += range(size, size + count)
        size += count

    common = enterprises // _IN_COMMON
    take(common, chains)
    for pair in combinations(chains, 2) if len(chains) > 2 else ():
        take(common, pair)
    for chain in chains:
        take(enterprises - len(rows[chain]), [chain])
    return Country(size, rows)
