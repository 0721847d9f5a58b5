"""How many calls to one peer chain run at once: of all banks, and of one.

The peer's hub lets this hub have a part of its calls (`node.peers.server`). Without a bound of its
own one bank would take all of that, and no other bank here could ask there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from federation.identity import SpiffeId
from node.peers.server import SHARE
from node.rpc.identity import TooManyCalls

LEFT: Final = 4
"""One part in so many of what the peer allows stays free for this hub's own calls: a directory
comes however much banks ask. One bank has at most that part, too."""


class PeerShares:
    """Counts the relayed calls that run."""

    def __init__(self, calls: int) -> None:
        """`calls` is how many calls a hub runs at once: the peer's is taken to be as this one's."""
        allowed = max(2, calls // SHARE)
        self.one = max(1, allowed // LEFT)
        self.all = allowed - self.one
        self._running: Counter[tuple[str, SpiffeId | None]] = Counter()

    @contextmanager
    def hold(self, chain: str, bank: SpiffeId) -> Iterator[None]:
        """Counts one call of `bank` to `chain`. Raises TooManyCalls."""
        limits = {(chain, None): self.all, (chain, bank): self.one}
        for place, most in limits.items():
            if self._running[place] >= most:
                raise TooManyCalls(f"{most} calls of {place[1] or 'all banks'} to {chain} run")
        self._running.update(limits.keys())
        try:
            yield
        finally:
            self._running.subtract(limits.keys())
            self._running += Counter()  # drops what is zero
