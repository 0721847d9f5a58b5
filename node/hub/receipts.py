"""Receipts: the log entry that records what was received, and the hub's promise for it."""

from __future__ import annotations

from federation.entries import promise
from node.hub.publication import Hub
from node.rpc.convert import signed_to_wire
from yinxin.v1 import common_pb2


def receipt(hub: Hub, raw_entry: bytes) -> common_pb2.Receipt:
    """The receipt for a durable entry."""
    signed = promise(hub.identity.id, raw_entry, hub.identity.signing, hub.clock.now())
    return common_pb2.Receipt(entry=raw_entry, promise=signed_to_wire(signed))
