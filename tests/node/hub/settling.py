"""Another process that takes a use of a consent: `settle` is the target of a spawned process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import Connection

from federation.errors import Refusal
from federation.exchange.hub import PermitDesk, PermitRequest
from federation.identity import Role, SpiffeId
from node.hub.registry import HubRegistry
from node.keys import KeyEncryptionKey
from node.storage import Store

HUB = SpiffeId("csj.yinxin.example", Role.HUB, "hub")
# What a desk decides inside the transaction needs neither members nor a key.
DESK = PermitDesk(HUB, *[cast(Any, None)] * 3)


def take(connection: Connection, key: KeyEncryptionKey, request: PermitRequest) -> bool:
    """What the hub does in its transaction; whether the permits are fresh."""
    registry = HubRegistry(connection, key)
    settled = DESK.settle(request, registry)
    if settled.fresh:
        registry.keep(request, settled.drafts)
    return settled.fresh


def settle(
    url: str, key: bytes, requests: Sequence[PermitRequest], begin: Any, outcomes: Any
) -> None:
    """Tries each request in a transaction of its own, once everybody is ready."""
    store = Store.open(url)
    try:
        begin.wait()
        for request in requests:
            outcomes.put(_outcome(store, KeyEncryptionKey(key), request))
    finally:
        store.close()


def _outcome(store: Store, key: KeyEncryptionKey, request: PermitRequest) -> str:
    try:
        fresh = store.run_blocking(lambda connection: take(connection, key, request))
    except Refusal as refusal:
        return refusal.reason.value
    return "fresh" if fresh else "again"
