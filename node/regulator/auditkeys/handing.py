"""The serving regulator hands its hub the statements of audit keys; it has no secret half."""

from __future__ import annotations

import asyncio
from functools import partial

import structlog

from federation.auditkeys import calendar_month
from federation.errors import FederationError
from node.errors import NodeError
from node.regulator.auditkeys.issuing import issued
from node.regulator.membership import Regulator
from node.rpc.client import Channel
from node.rpc.convert import signed_to_wire
from yinxin.v1 import hub_pb2

_log = structlog.get_logger(__name__)

LOOK_SECONDS = 5.0
REPEAT_SECONDS = 600.0
"""A hub that was restored from a backup has them again after that."""


async def hand_keys(regulator: Regulator, hub: Channel) -> None:
    """Hands over the keys of this month and later ones until cancelled: new ones at once."""
    handed: set[bytes] = set()
    repeated = 0.0
    loop = asyncio.get_running_loop()
    while True:
        try:
            month = calendar_month(regulator.clock.now())
            keys = await regulator.store.read(partial(issued, since=month))
            ids = {key.statement.id for key in keys}
            if ids and (not ids <= handed or loop.time() > repeated + REPEAT_SECONDS):
                message = hub_pb2.AuditKeys(keys=[signed_to_wire(key.signed) for key in keys])
                await hub.unary("/yinxin.v1.Hub/PutAuditKeys", message, hub_pb2.AuditKeysReply)
                handed, repeated = ids, loop.time()
        except (NodeError, FederationError) as error:
            _log.warning("audit keys not handed to the hub", error=str(error))
        await asyncio.sleep(LOOK_SECONDS)
