"""Answering a permit: examined, settled and logged in one unit of work, then evaluated.

One evaluation with its proof takes a quarter of a millisecond, less than a trip to a worker, so it
is done here.
"""

from __future__ import annotations

from sqlalchemy import Connection

from federation.entries import Kind
from federation.exchange.messages import UnlockRequest
from federation.signed import Signed
from node.config import HolderConfig
from node.holder.banks import BUDGET_SECONDS, SqlLedger
from node.holder.closing import refuse_closed
from node.holder.contexts import Contexts
from node.log.attachments import attach_document
from node.runtime import Runtime
from scoring.oprf import blind_evaluate


class Unlocking:
    """Answers permits for one holder."""

    def __init__(self, runtime: Runtime[HolderConfig], contexts: Contexts) -> None:
        self._runtime = runtime
        self._contexts = contexts

    async def answer(self, request: UnlockRequest) -> Signed:
        """The signed evaluation of a permit, after its log entry is durable. Raises Refusal.

        The same permit again is evaluated again: the same Z, without a second entry or use.
        """
        runtime, now = self._runtime, self._runtime.clock.now()
        desk = await self._contexts.desk()
        permit = desk.read(request)
        certificate, epoch = await self._contexts.find(permit.certificate, permit.epoch)
        unlock = desk.examine(request, permit, certificate, epoch, now)
        context = self._contexts.bind(certificate, epoch)
        keys = await self._contexts.keys(context)

        def unit(connection: Connection) -> None:
            refuse_closed(connection, context.number)
            ledger = SqlLedger(connection)
            budget = ledger.budget(permit.bank, runtime.config.budget)
            if desk.settle(unlock, ledger, budget, now - BUDGET_SECONDS):
                ledger.record(permit, now)
                attach_document(connection, request.permit.document)
                runtime.append(connection, Kind.UNLOCK, unlock.entry)

        await runtime.store.run(unit)
        evaluation = blind_evaluate(keys, [permit.blinded])
        return desk.answer(permit, evaluation.elements[0], evaluation.proof)
