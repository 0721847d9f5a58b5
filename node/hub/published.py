"""The parts of a chain's state that the hub publishes to whoever may ask: members, peer chains."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from functools import partial
from itertools import count

from sqlalchemy import Connection

from node.chain import ChainStore
from node.chain.store import BATCH, DESCRIPTOR, MANIFEST, OPENING
from node.hub.publication import Hub
from node.rpc.convert import signed_to_wire
from yinxin.v1 import common_pb2


def current_epochs(hub: Hub, connection: Connection, now: int) -> list[int]:
    """The epochs that are announced or open at `now`."""
    return [
        number
        for number in hub.chain.epoch_numbers(connection)
        if (d := hub.chain.descriptor(connection, number)) is not None and d.closes > now
    ]


def epoch_to_wire(hub: Hub, connection: Connection, number: int) -> common_pb2.Epoch:
    """An epoch with its manifests and opening, once it has one."""
    chain = hub.chain
    (descriptor,) = chain.documents(connection, DESCRIPTOR, number)
    openings = chain.documents(connection, OPENING, number)
    manifests = chain.documents(connection, MANIFEST, number) if openings else ()
    return common_pb2.Epoch(
        descriptor=signed_to_wire(descriptor),
        manifests=[signed_to_wire(manifest) for manifest in manifests],
        opening=signed_to_wire(openings[0]) if openings else None,
    )


async def roster_batches(
    hub: Hub, chain: ChainStore, first: int
) -> AsyncGenerator[common_pb2.Signed, None]:
    """The signed batches of a roster that the hub has, its own chain's or another's, from number
    `first` on. Each is read by itself, so that a slow reader keeps no transaction open.
    """
    for number in count(first):
        batch = await hub.store.read(partial(chain.documents, kind=BATCH, number=number))
        if not batch:
            return
        yield signed_to_wire(batch[0])
