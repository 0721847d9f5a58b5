"""The parts of a chain's state that the hub publishes to whoever may ask: members, peer chains."""

from __future__ import annotations

from sqlalchemy import Connection

from node.chain.store import DESCRIPTOR, MANIFEST, OPENING
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
