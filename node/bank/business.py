"""Applications, loans and registered batches: why the bank asks, in its own log.

The regulator compares queries with them: approval (02, 24) is asked about an application that is
opened, post-loan (01) about a loan that is live, and at night only in a batch that was registered
before it ran. References and officers are the bank's pseudonyms; neither may name an enterprise.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from federation.entries import Kind, entry
from federation.purpose import Purpose
from node.bank.agent import Agent
from node.bank.asking import check_pseudonym, purpose_of
from node.bank.errors import BankError
from node.bank.tables import bank_business, bank_registered_batches
from node.bank.texts import Code

MOST_DAYS: Final = 31
"""The longest time in which a registered batch runs."""
MOST_QUERIES: Final = 1_000_000
DAY: Final = 86_400


class Matter(StrEnum):
    """What a reference is of."""

    APPLICATION = "application"
    LOAN = "loan"


_KINDS: Final = {
    (Matter.APPLICATION, True): Kind.APPLICATION_OPENED,
    (Matter.APPLICATION, False): Kind.APPLICATION_CLOSED,
    (Matter.LOAN, True): Kind.LOAN_OPENED,
    (Matter.LOAN, False): Kind.LOAN_CLOSED,
}


@dataclass(frozen=True)
class BatchPlan:
    """A batch as it is registered: when it runs (unix seconds), and how many queries it has."""

    batch: str
    officer: str
    begins: int
    ends: int
    size: int
    purpose: str = Purpose.POST_LOAN.value


class Business:
    """Keeps applications, loans and registered batches, each change with its log entry."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    async def open(self, matter: Matter, reference: str, officer: str) -> dict[str, Any]:
        """Opens an application or a loan. A reference serves once: raises BankError for one that
        is open or was closed, and for a reference or officer that is empty or too long.
        """
        _check(reference=reference, officer=officer)
        now = self._agent.now()

        def unit(connection: Connection) -> None:
            row = _row(connection, matter, reference)
            if row is not None:
                code = Code.REFERENCE_OPEN if row.closed is None else Code.REFERENCE_CLOSED
                raise BankError(code, "reference", reference=reference)
            connection.execute(
                insert(bank_business).values(kind=matter.value, reference=reference, opened=now)
            )
            self._log(connection, _KINDS[matter, True], reference=reference, officer=officer)

        await self._agent.write(unit)
        return _view(matter, reference, now, None)

    async def close(self, matter: Matter, reference: str, officer: str) -> dict[str, Any]:
        """Closes what is open. Raises BankError for a reference that is unknown or closed."""
        _check(reference=reference, officer=officer)
        now = self._agent.now()

        def unit(connection: Connection) -> int:
            row = _row(connection, matter, reference)
            if row is None:
                raise BankError(Code.REFERENCE_UNKNOWN, "reference", reference=reference)
            if row.closed is not None:
                raise BankError(Code.REFERENCE_CLOSED, "reference", reference=reference)
            table = bank_business.c
            connection.execute(
                update(bank_business)
                .where(table.kind == matter.value, table.reference == reference)
                .values(closed=now)
            )
            self._log(connection, _KINDS[matter, False], reference=reference, officer=officer)
            return int(row.opened)

        return _view(matter, reference, await self._agent.write(unit), now)

    async def register(self, plan: BatchPlan) -> dict[str, Any]:
        """Registers a post-loan batch before it runs. Raises BankError for another purpose, a time
        that has begun, is empty or longer than 31 days, and a name that is registered already.
        """
        _check(batch=plan.batch, officer=plan.officer)
        purpose, now = purpose_of(plan.purpose), self._agent.now()
        if purpose != Purpose.POST_LOAN.value:
            raise BankError(Code.BATCH_PURPOSE, "purpose", purpose=purpose)
        if plan.begins < now:
            raise BankError(Code.BATCH_BEGUN, "from")
        if not plan.begins < plan.ends <= plan.begins + MOST_DAYS * DAY:
            raise BankError(Code.BATCH_TIME, "until", days=MOST_DAYS)
        if not 1 <= plan.size <= MOST_QUERIES:
            reason = f"is {plan.size}, not from 1 to {MOST_QUERIES}"
            raise BankError(Code.BODY_INVALID, "size", reason=reason)

        def unit(connection: Connection) -> None:
            table = bank_registered_batches
            known = select(table.c.batch).where(table.c.batch == plan.batch)
            if connection.execute(known).first() is not None:
                raise BankError(Code.BATCH_REGISTERED, "batch", batch=plan.batch)
            connection.execute(
                insert(table).values(
                    batch=plan.batch,
                    officer=plan.officer,
                    begins=plan.begins,
                    ends=plan.ends,
                    size=plan.size,
                    registered=now,
                )
            )
            times = {"from": plan.begins, "until": plan.ends}
            self._log(
                connection,
                Kind.BATCH,
                batch=plan.batch,
                officer=plan.officer,
                purpose=purpose,
                size=plan.size,
                **times,
            )

        await self._agent.write(unit)
        return {
            "batch": plan.batch,
            "officer": plan.officer,
            "purpose": purpose,
            "from": plan.begins,
            "until": plan.ends,
            "size": plan.size,
            "registered": now,
        }

    def _log(self, connection: Connection, kind: Kind, **body: str | int) -> None:
        runtime = self._agent.runtime
        runtime.append(connection, kind, entry(kind, self._agent.now(), **body))


def _check(**texts: str) -> None:
    for name, text in texts.items():
        if not text.strip():
            raise BankError(Code.PSEUDONYM_MISSING, name)
        check_pseudonym(text, name)


def _row(connection: Connection, matter: Matter, reference: str) -> Any:
    table = bank_business.c
    return connection.execute(
        select(bank_business).where(table.kind == matter.value, table.reference == reference)
    ).one_or_none()


def _view(matter: Matter, reference: str, opened: int, closed: int | None) -> dict[str, Any]:
    state = "open" if closed is None else "closed"
    view = {"kind": matter.value, "reference": reference, "state": state, "opened": opened}
    return view if closed is None else {**view, "closed": closed}
