"""What the demo reads off the chain: metrics, logs, and what a bank has at hand."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpx
from sqlalchemy import Connection, select

from federation.entries import Kind, read_entry
from federation.exchange.bank import Session
from federation.signed import Signed, SigningKey
from node.config import HubConfig, NodeConfig, load
from node.demo.errors import DemoError
from node.demo.layout import Layout, Party
from node.demo.opened import bank_of
from node.enrolment.home import CONFIGS
from node.hub.tables import hub_permits
from node.keys import read_secret
from node.log import QueryLog
from node.storage import Store
from node.storage.schema import log_entries

_BYTES = re.compile(r'^yinxin_rpc_bytes_total\{direction="(\w+)",method="([^"]+)"\} (\S+)$', re.M)
_CALLS = re.compile(r'^yinxin_rpc_calls_total\{method="([^"]+)"\} (\S+)$', re.M)


@dataclass(frozen=True)
class Traffic:
    """Messages of one method, or of all, at one node: bytes and calls."""

    received: int
    sent: int
    calls: int


async def traffic(metrics: str, method: str = "") -> Traffic:
    """What a node counted so far; of one method if given by its last name, or the last two."""
    async with httpx.AsyncClient(trust_env=False) as http:
        try:
            page = (await http.get(f"http://{metrics}/metrics")).text
        except httpx.HTTPError as error:
            raise DemoError(f"metrics of {metrics}: {error!r}") from error
    count: Counter[str] = Counter()
    ends = (f"/{method}", f".{method}") if method else ("",)
    for direction, name, value in _BYTES.findall(page):
        if name.endswith(ends):
            count[direction] += int(float(value))
    for name, value in _CALLS.findall(page):
        if name.endswith(ends):
            count["calls"] += int(float(value))
    return Traffic(count["received"], count["sent"], count["calls"])


async def session(layout: Layout, epoch: int, certificate: bytes) -> Session:
    """A certified model (its certificate's hash) in an epoch, as the bank's node keeps them."""
    async with bank_of(layout) as bank:
        now = bank.clock.now()

        def look(connection: Connection) -> Session:
            model = bank.chain.certificate(connection, certificate, now)
            opened = bank.chain.epoch(connection, epoch, now)
            if model is None or opened is None:
                raise DemoError("the bank's node has no such model in the epoch")
            return Session(model, opened, {})

        return await bank.store.read(look)


def signing_key(config: NodeConfig) -> SigningKey:
    """A node's signing key."""
    return SigningKey.from_pem(read_secret(config.signing_key))


async def logs(parties: Iterable[Party]) -> tuple[dict[str, int], Counter[str]]:
    """Entries of every node's query log, and reasons of the refusals in them."""
    sizes, reasons = {}, Counter[str]()
    for party in parties:
        config = load(CONFIGS[party.id.role], party.config)
        store = Store.open(config.database_url())
        try:
            sizes[party.name] = await QueryLog(store).size()
            for raw in await store.read(_refusals):
                reasons[str(read_entry(raw).body["reason"])] += 1
        finally:
            store.close()
    return sizes, reasons


def _refusals(connection: Connection) -> list[bytes]:
    # Not by way of QueryLog, which stops at an entry that was edited: one of the demo's is.
    entries = log_entries.c
    query = select(entries.entry).where(entries.kind == Kind.REFUSAL)
    return [bytes(raw) for raw in connection.execute(query).scalars()]


def one_permit(hub: Party) -> dict[str, Any]:
    """A permit of the hub as every holder received it, the audience by its number."""
    config = load(HubConfig, hub.config)
    store = Store.open(config.database_url())
    try:
        row = store.read_blocking(lambda c: c.execute(select(hub_permits)).first())
    finally:
        store.close()
    if row is None:
        raise DemoError("the hub issued no permit")
    permit: dict[str, Any] = json.loads(Signed.from_json(bytes(row.permit)).payload)
    permit["audience"] = len(permit["audience"])
    return permit
