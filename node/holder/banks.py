"""What a holder remembers of banks: permits it answered, budgets, and who is stopped.

Everything is read inside the transaction that decides, so that an administrator's word in another
process counts from its commit on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, func, insert, select, update

from federation.entries import Kind, entry
from federation.errors import Refusal
from federation.identity import Role, SpiffeId
from federation.permit import Permit
from node.config import HolderConfig
from node.days import day_start
from node.holder.errors import HolderError
from node.holder.tables import holder_answer_days, holder_banks, holder_permits
from node.runtime import Runtime

BUDGET_SECONDS: Final = 86_400
"""The window of a budget."""


class SqlLedger:
    """`federation.exchange.holder.Ledger` within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def permit_of_id(self, permit_id: bytes) -> bytes | None:
        """The hash of the permit answered under this id, if any."""
        return self._hash(holder_permits.c.id == permit_id)

    def permit_of_element(self, blinded: bytes) -> bytes | None:
        """The hash of the permit answered for this element, if any."""
        return self._hash(holder_permits.c.blinded == blinded)

    def stopped(self, bank: SpiffeId) -> bool:
        """Whether the administrator stopped this bank."""
        return is_stopped(self._connection, bank)

    def answered(self, bank: SpiffeId, since: int) -> int:
        """How many permits of this bank were answered since then."""
        table = holder_permits.c
        return self._connection.execute(
            select(func.count()).where(table.bank == str(bank), table.answered_at >= since)
        ).scalar_one()

    def budget(self, bank: SpiffeId, default: int) -> int:
        """The bank's budget, or the default where it has none of its own."""
        own = self._connection.execute(
            select(holder_banks.c.budget).where(holder_banks.c.bank == str(bank))
        ).scalar_one_or_none()
        return default if own is None else own

    def record(self, permit: Permit, now: int) -> None:
        """Remembers an answered permit for good."""
        self._connection.execute(
            insert(holder_permits).values(
                id=permit.id,
                blinded=permit.blinded,
                hash=permit.hash,
                bank=str(permit.bank),
                epoch=permit.epoch,
                purpose=permit.purpose,
                consent_tag=permit.consent_tag,
                answered_at=now,
            )
        )
        self._count(str(permit.bank), permit.purpose, day_start(now))

    def _count(self, bank: str, purpose: str, day: int) -> None:
        table = holder_answer_days
        of = (table.c.day == day, table.c.bank == bank, table.c.purpose == purpose)
        more = update(table).where(*of).values(count=table.c.count + 1)
        if not self._connection.execute(more).rowcount:
            row = {"day": day, "bank": bank, "purpose": purpose, "count": 1}
            self._connection.execute(insert(table).values(row))

    def _hash(self, condition: object) -> bytes | None:
        found = self._connection.execute(
            select(holder_permits.c.hash).where(condition)  # type: ignore[arg-type]
        ).scalar_one_or_none()
        return None if found is None else bytes(found)


def is_stopped(connection: Connection, bank: SpiffeId) -> bool:
    """Whether the administrator stopped this bank."""
    found = connection.execute(
        select(holder_banks.c.stopped).where(holder_banks.c.bank == str(bank))
    ).scalar_one_or_none()
    return bool(found)


async def require_bank(runtime: Runtime[HolderConfig], bank: SpiffeId) -> SpiffeId:
    """The bank, once it is one of the chain, a guest, or known here: a slip of the pen would stop
    nobody, silently. Raises HolderError.
    """
    members = await runtime.members()
    try:
        return members.require(bank, Role.BANK).id
    except Refusal:
        pass
    now = runtime.clock.now()
    known = await runtime.store.read(lambda c: bank_uses(c, runtime.config.budget, now))
    names = {str(member.id) for member in members.of(Role.BANK)} | {use.bank for use in known}
    if str(bank) not in names:
        raise HolderError(
            f"bank: {bank} is no bank of the chain; it has {', '.join(sorted(names))}"
        )
    return bank


def set_stopped(
    runtime: Runtime[HolderConfig],
    connection: Connection,
    bank: SpiffeId,
    by: str,
    *,
    stopped: bool,
) -> None:
    """Stops a bank or lets it ask again, with an entry of the log."""
    _set(connection, bank, stopped=stopped)
    _record(runtime, connection, by, "bank-stop" if stopped else "bank-resume", bank)


def set_budget(
    runtime: Runtime[HolderConfig], connection: Connection, bank: SpiffeId, by: str, budget: int
) -> None:
    """Sets a bank's budget in 24 hours, with an entry of the log."""
    if budget < 0:
        raise HolderError(f"budget: {budget} is negative; give 0 or more queries in 24 hours")
    _set(connection, bank, budget=budget)
    _record(runtime, connection, by, "bank-budget", bank, budget=budget)


@dataclass(frozen=True)
class BankUse:
    """One bank at this holder; `last` in unix seconds, 0 for never."""

    bank: str
    stopped: bool
    budget: int
    own_budget: bool
    last_day: int
    total: int
    last: int


def bank_uses(connection: Connection, default: int, now: int) -> list[BankUse]:
    """Every bank that was answered or decided about, in order of ids."""
    table, days = holder_permits.c, holder_answer_days.c
    total = {
        row.bank: (int(row.total), _last(connection, row.bank))
        for row in connection.execute(
            select(days.bank, func.sum(days.count).label("total")).group_by(days.bank)
        )
    }
    recent = {
        row.bank: row.total
        for row in connection.execute(
            select(table.bank, func.count().label("total"))
            .where(table.answered_at >= now - BUDGET_SECONDS)
            .group_by(table.bank)
        )
    }
    decided = {row.bank: row for row in connection.execute(select(holder_banks))}
    uses = []
    for bank in sorted(total.keys() | decided.keys()):
        row = decided.get(bank)
        own = row.budget if row is not None else None
        uses.append(
            BankUse(
                bank=bank,
                stopped=bool(row is not None and row.stopped),
                budget=default if own is None else own,
                own_budget=own is not None,
                last_day=recent.get(bank, 0),
                total=total.get(bank, (0, 0))[0],
                last=total.get(bank, (0, 0))[1],
            )
        )
    return uses


def _last(connection: Connection, bank: str) -> int:
    table = holder_permits.c
    query = select(func.max(table.answered_at)).where(table.bank == bank)
    return connection.execute(query).scalar_one() or 0


@dataclass(frozen=True)
class Answered:
    """One answered permit: under which purpose and consent (by its random tag), and when."""

    permit: bytes
    purpose: str
    consent_tag: bytes
    epoch: int
    answered_at: int


def answered_permits(connection: Connection, bank: SpiffeId, most: int) -> list[Answered]:
    """The newest answered permits of a bank."""
    table = holder_permits.c
    rows = connection.execute(
        select(holder_permits)
        .where(table.bank == str(bank))
        .order_by(table.answered_at.desc(), table.id)
        .limit(most)
    )
    return [
        Answered(bytes(r.hash), r.purpose, bytes(r.consent_tag), r.epoch, r.answered_at)
        for r in rows
    ]


def _set(connection: Connection, bank: SpiffeId, **values: bool | int) -> None:
    table = holder_banks
    changed = connection.execute(
        table.update().where(table.c.bank == str(bank)).values(**values)
    ).rowcount
    if not changed:
        first: dict[str, bool | int | None] = {"stopped": False, "budget": None}
        connection.execute(insert(table).values(bank=str(bank), **{**first, **values}))


def _record(
    runtime: Runtime[HolderConfig],
    connection: Connection,
    by: str,
    action: str,
    bank: SpiffeId,
    **more: int,
) -> None:
    raw = entry(Kind.ADMIN, runtime.clock.now(), action=action, by=by, bank=bank, **more)
    runtime.append(connection, Kind.ADMIN, raw)
