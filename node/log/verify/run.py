"""Drives `federation.tlog.follow` over a source."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from federation.tlog.follow import follow
from federation.tlog.opening import Followed, LogKeys, open_log
from federation.tlog.tiles import TILE_WIDTH
from node.log.verify.source import LogSource

Progress = Callable[[int, int], None]
"""Told how many entries are done, and of how many."""


async def verify_log(
    source: LogSource, keys: LogKeys, earlier: Sequence[bytes], progress: Progress
) -> Followed:
    """Checks a whole log. Memory does not grow with it.

    `earlier` are checkpoints of it that are known already. Raises LogFault at the first fault, and
    NodeError where the source is a node that does not answer.
    """
    followed = open_log(await source.checkpoint(), keys)
    size = followed.checkpoint.size
    progress(0, size)
    steps = follow(followed, keys, earlier)
    wanted = next(steps, None)
    while wanted is not None:
        raw = await source.read(wanted)
        if wanted.level is None:
            progress(wanted.number * TILE_WIDTH, size)
        try:
            wanted = steps.send(raw)
        except StopIteration:
            wanted = None
    progress(size, size)
    return followed
