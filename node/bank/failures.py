"""Answers that do not verify: recorded, and told to the regulator and to nobody else.

A bank that told a holder or the hub whether a row opened would be a decryption oracle for them. A
report is durable before it is sent, and is sent again until the regulator has it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

import structlog
from sqlalchemy import Connection, insert, select, update

from federation.entries import Kind, entry
from federation.exchange.bank import AnswerRejected
from federation.failure import Failed, FailureReport
from federation.identity import Role, SpiffeId
from federation.signed import Signed
from node.bank.agent import Agent
from node.bank.errors import Rejected
from node.bank.tables import bank_failures
from node.rpc.convert import signed_to_wire
from node.rpc.errors import PartyUnavailable, RemoteError
from scoring.errors import OprfError, RecordError
from yinxin.v1 import common_pb2

REPORT_FAILURE = "/yinxin.v1.Regulator/ReportFailure"
NO_PERMIT = bytes(32)
"""Stands for the permit of what failed before any query: a table or a key statement."""
DELIVERY_SECONDS = 5.0

_log = structlog.get_logger(__name__)


class Failures:
    """Reports failures to the regulator."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    async def rejected(
        self,
        field: str,
        chain: str,
        ctx: bytes,
        error: AnswerRejected,
        holders: Sequence[SpiffeId],
        *,
        permit: bytes = NO_PERMIT,
        also: Callable[[Connection], None] | None = None,
    ) -> Rejected:
        """Records and reports what failed; the error to raise for it.

        `chain` is the chain that answered, `holders` are the participants: all of them are named
        where no single one is at fault. `also` is done in the same unit of work.
        """
        agent = self._agent
        now = agent.now()
        party = error.party
        named = (party,) if party.role is Role.HOLDER else tuple(sorted(holders, key=str))
        report = FailureReport(
            chain=chain,
            bank=agent.id,
            ctx=ctx,
            permit=permit,
            parties=named,
            failed=_failed(error),
            time=now,
        )
        signed = report.sign(agent.runtime.identity.signing)
        raw = entry(
            Kind.FAILURE,
            now,
            document=report.hash,
            ctx=ctx,
            permit=permit,
            party=party,
            failed=report.failed.value,
        )

        def unit(connection: Connection) -> None:
            connection.execute(
                insert(bank_failures).values(id=secrets.token_bytes(16), report=signed.to_json())
            )
            agent.runtime.append(connection, Kind.FAILURE, raw)
            if also is not None:
                also(connection)

        await agent.write(unit)
        agent.runtime.metrics.query("failed", "" if chain == agent.root.chain else chain)
        _log.warning("answer does not verify", party=str(party), during=field, problem=str(error))
        await self.deliver()
        return Rejected(field, str(party), str(error))

    async def deliver(self) -> None:
        """Sends what the regulator has not received; what cannot be sent waits for next time."""
        agent = self._agent
        waiting = await agent.read(_waiting)
        for identifier, signed in waiting:
            message = signed_to_wire(signed)
            try:
                await agent.regulator.unary(
                    REPORT_FAILURE, message, common_pb2.Receipt, DELIVERY_SECONDS
                )
            except PartyUnavailable as error:
                _log.warning("failure not reported yet", error=str(error))
                return
            except RemoteError as error:
                _log.warning("failure report not taken", error=str(error))
                continue
            await agent.write(_delivered(identifier, agent.now()))


def _failed(error: AnswerRejected) -> Failed:
    match error.__cause__:
        case OprfError():
            return Failed.PROOF
        case RecordError():
            return Failed.RECORD
    return Failed.SIGNATURE


def _waiting(connection: Connection) -> list[tuple[bytes, Signed]]:
    rows = connection.execute(select(bank_failures).where(bank_failures.c.delivered.is_(None)))
    return [(bytes(row.id), Signed.from_json(bytes(row.report))) for row in rows]


def _delivered(identifier: bytes, now: int) -> Callable[[Connection], None]:
    def unit(connection: Connection) -> None:
        connection.execute(
            update(bank_failures).where(bank_failures.c.id == identifier).values(delivered=now)
        )

    return unit
