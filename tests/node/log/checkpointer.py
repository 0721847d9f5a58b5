"""A process of the log tests: appends and checkpoints until it is killed, and prints what it kept.

    python checkpointer.py URL SEED NAME

`entry INDEX LEAF` for each entry and `checkpoint SIZE NOTE` for each checkpoint, in hexadecimal,
once they are durable.
"""

from __future__ import annotations

import asyncio
import itertools
import sys

from federation.entries import Kind, entry
from federation.identity import Role, SpiffeId
from federation.signed import SigningKey
from node.log import QueryLog
from node.log.tree import LogTree
from node.storage import Store

LOG = SpiffeId("csj.yinxin.example", Role.HUB, "hub")
NOW = 1_800_000_000


async def main(url: str, seed: str, name: str) -> None:
    store = Store.open(url)
    log, tree, key = QueryLog(store), LogTree(store), SigningKey.from_bytes(bytes.fromhex(seed))

    async def append(number: int) -> None:
        for turn in itertools.count():
            raw = entry(Kind.UNLOCK, NOW, document=f"{name} {number} {turn}".encode().ljust(32))
            position = await log.write(Kind.UNLOCK, NOW, raw)
            print("entry", position.index, position.leaf_hash.hex(), flush=True)

    async def checkpoint() -> None:
        while True:
            signed = await tree.checkpoint(key, LOG, NOW)
            print("checkpoint", signed.size, signed.note.hex(), flush=True)

    await asyncio.gather(checkpoint(), *(append(number) for number in range(8)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
