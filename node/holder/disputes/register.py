"""What a holder keeps of disputes, and how its engineer answers them.

Functions for a unit of work or a snapshot: the node, its commands and its pages call the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, and_, func, insert, or_, select, update

from federation.disputes.reply import (
    DAY,
    DisputeReply,
    DisputeState,
    Outcome,
    answered_entry,
    due_of,
    received_entry,
)
from federation.disputes.statement import Dispute, check_text, read_dispute_unverified
from federation.entries import Kind, Logged
from federation.errors import Reason, Refusal
from federation.signed import Signed
from node.config import HolderConfig
from node.holder.errors import HolderError
from node.holder.tables import holder_disputes
from node.runtime import Runtime

Holder = Runtime[HolderConfig]

SOON: Final = 5 * DAY
"""A dispute that is due within so long is shown as urgent."""
MONTH: Final = 30 * DAY
_STATEMENT = b"holder/dispute/"
_ANSWER = b"holder/dispute-answer/"
_FIRM: Final = b"holder/dispute-firm"
_ABOUT: Final = b"holder/dispute-jti"


@dataclass(frozen=True, kw_only=True)
class HeldDispute:
    """One dispute with its content; empty once that is erased. Times in unix seconds, 0 for none.

    `query` is the payload hash of a permit, or empty. It is to be answered before `due`.
    """

    id: bytes
    uscc: str
    features: tuple[str, ...]
    query: bytes
    statement: str
    issued_at: int
    received_at: int
    due: int
    answered_at: int
    answered_by: str
    outcome: str
    reason: str
    erased_at: int

    def overdue(self, now: int) -> bool:
        """Whether it was not answered in time."""
        return (self.answered_at or now) >= self.due


@dataclass(frozen=True)
class OpenDisputes:
    """How many wait for an answer, and of these: are overdue, are due within five days."""

    open: int
    overdue: int
    soon: int


def open_counts(connection: Connection, now: int) -> OpenDisputes:
    """What waits, for an overview."""
    table = holder_disputes.c
    waiting = table.answered_at.is_(None)

    def count(*conditions: Any) -> int:
        return connection.execute(select(func.count()).where(waiting, *conditions)).scalar_one()

    soon = and_(table.due > now, table.due <= now + SOON)
    return OpenDisputes(count(), count(table.due <= now), count(soon))


def listed_disputes(
    connection: Connection, now: int, most: int, *, waiting: bool = False
) -> list[dict[str, Any]]:
    """The newest disputes, or those that wait, the most urgent first; nothing of their content."""
    table = holder_disputes.c
    query = select(
        table.id, table.received_at, table.due, table.answered_at, table.answered_by,
        table.outcome, table.erased_at,
    )  # fmt: skip
    if waiting:
        query = query.where(table.answered_at.is_(None)).order_by(table.due, table.id)
    else:
        query = query.order_by(table.received_at.desc(), table.id)
    rows = connection.execute(query.limit(most)).mappings()
    return [{**row, "state": state_of(row["answered_at"], row["due"], now)} for row in rows]


def state_of(answered_at: int | None, due: int, now: int) -> str:
    """`open`, `overdue`, `answered` or `answered-late`: a key of `texts.STATES`."""
    if answered_at:
        return "answered-late" if answered_at >= due else "answered"
    return "overdue" if now >= due else "open"


def find_dispute(connection: Connection, start: str) -> bytes:
    """The dispute whose hash begins so, in hexadecimal. Raises HolderError for none or several."""
    if len(start) > 64:
        raise HolderError(f"dispute: {start!r} is no part of a hash in hexadecimal")
    try:
        low = bytes.fromhex(start + "0" * (64 - len(start)))
        high = bytes.fromhex(start + "f" * (64 - len(start)))
    except ValueError as error:
        raise HolderError(f"dispute: {start!r} is no part of a hash in hexadecimal") from error
    table = holder_disputes.c
    query = select(table.id).where(table.id >= low, table.id <= high).limit(2)
    found = [bytes(row) for row in connection.execute(query).scalars()]
    if len(found) != 1:
        which = "several disputes begin" if found else "no dispute begins"
        raise HolderError(f"dispute: {which} with {start!r}; see: yinxin holder disputes list")
    return found[0]


def held_dispute(holder: Holder, connection: Connection, dispute: bytes) -> HeldDispute:
    """One dispute, opened. Raises HolderError where there is none of that hash."""
    row = _row(connection, dispute)
    if row is None:
        raise HolderError("dispute: there is none of that hash; see: yinxin holder disputes list")
    said = _statement(holder, row)
    answer = _answer(holder, row)
    return HeldDispute(
        id=dispute,
        uscc="" if said is None else said.uscc,
        features=() if said is None else said.features,
        query=b"" if said is None else said.query,
        statement="" if said is None else said.statement,
        issued_at=0 if said is None else said.issued_at,
        received_at=row.received_at,
        due=row.due,
        answered_at=row.answered_at or 0,
        answered_by=row.answered_by or "",
        outcome=row.outcome or "",
        reason="" if answer is None else DisputeReply.parse(answer.payload).reason,
        erased_at=row.erased_at or 0,
    )


def answer_dispute(
    holder: Holder, connection: Connection, by: str, dispute: bytes, outcome: Outcome, reason: str
) -> HeldDispute:
    """Answers a dispute for good, with an entry of the log. The firm fetches the answer.

    Raises HolderError for one that is not there or has its answer, DocumentError (field `reason`)
    for reasons that are empty, longer than 2400 bytes or no text.
    """
    reason = reason.replace("\r\n", "\n").strip()
    check_text("reason", reason)
    row = _row(connection, dispute)
    if row is None:
        raise HolderError("dispute: there is none of that hash; see: yinxin holder disputes list")
    if row.answered_at is not None:
        raise HolderError("dispute: it has its answer already, and there is one a dispute")
    now = max(holder.clock.now(), row.received_at)
    reply = DisputeReply(
        chain=holder.identity.root.chain,
        holder=holder.identity.id,
        dispute=dispute,
        state=DisputeState.ANSWERED,
        received=row.received_at,
        due=row.due,
        outcome=outcome.value,
        reason=reason,
        answered=now,
        stated=now,
    )
    raw = answered_entry(reply, by)
    sealed = holder.identity.storage.seal(
        reply.sign(holder.identity.signing).to_json(), _ANSWER + dispute
    )
    connection.execute(
        update(holder_disputes)
        .where(holder_disputes.c.id == dispute)
        .values(
            answered_at=now, answered_by=by, outcome=outcome.value, answer=sealed, answer_entry=raw
        )
    )
    holder.append(connection, Kind.DISPUTE_ANSWERED, raw)
    return held_dispute(holder, connection, dispute)


def take(holder: Holder, connection: Connection, dispute: Dispute) -> None:
    """Keeps and logs a verified dispute for the first time.

    Raises Refusal: `conflict` for another one of the firm with the same id, `budget_exhausted`
    where the firm has too many.
    """
    now, limits, table = holder.clock.now(), holder.config.disputes, holder_disputes.c
    firm = holder.identity.storage.tag(_FIRM, dispute.uscc.encode())
    about = holder.identity.storage.tag(_ABOUT, dispute.id)
    mine = select(func.count()).where(table.firm == firm)
    if connection.execute(mine.where(table.statement == about)).scalar_one():
        raise Refusal(Reason.CONFLICT, "another dispute of the firm has this id")
    waiting = connection.execute(mine.where(table.answered_at.is_(None))).scalar_one()
    recent = connection.execute(mine.where(table.received_at > now - MONTH)).scalar_one()
    if waiting >= limits.open_most or recent >= limits.month_most:
        raise Refusal(Reason.BUDGET_EXHAUSTED, "the firm has too many disputes")
    receipt = DisputeReply(
        chain=holder.identity.root.chain,
        holder=holder.identity.id,
        dispute=dispute.hash,
        state=DisputeState.RECEIVED,
        received=now,
        due=due_of(now),
        stated=now,
    )
    raw = received_entry(receipt)
    compact = dispute.compact.encode("ascii")
    connection.execute(
        insert(holder_disputes).values(
            id=dispute.hash,
            firm=firm,
            statement=about,
            received_at=now,
            due=receipt.due,
            receipt=receipt.sign(holder.identity.signing).to_json(),
            entry=raw,
            sealed=holder.identity.storage.seal(compact, _STATEMENT + dispute.hash),
        )
    )
    holder.append(connection, Kind.DISPUTED, raw)


def said_of(holder: Holder, connection: Connection, dispute: bytes) -> Logged | Signed | None:
    """What the holder says of a dispute, with the log's entry; None where it does not have it."""
    row = _row(connection, dispute)
    if row is None:
        return None
    answer = _answer(holder, row)
    if answer is not None:
        return holder.logged(answer, bytes(row.answer_entry))
    if row.erased_at is None:
        return holder.logged(Signed.from_json(bytes(row.receipt)), bytes(row.entry))
    return DisputeReply(
        chain=holder.identity.root.chain,
        holder=holder.identity.id,
        dispute=dispute,
        state=DisputeState.ERASED,
        received=row.received_at,
        due=row.due,
        outcome=row.outcome,
        answered=row.answered_at,
        stated=holder.clock.now(),
    ).sign(holder.identity.signing)


def erase_disputes(holder: Holder, connection: Connection, most: int = 1000) -> int:
    """Erases the content of disputes whose term of keeping is over; how many they were."""
    table, now = holder_disputes, holder.clock.now()
    before = now - holder.config.disputes.keep_days * DAY
    over = (
        select(table.c.id)
        .where(
            table.c.answered_at < before,
            or_(table.c.sealed.is_not(None), table.c.answer.is_not(None)),
        )
        .limit(most)
    )
    found = connection.execute(over).scalars().all()
    if found:
        connection.execute(
            update(table)
            .where(table.c.id.in_(found))
            .values(sealed=None, answer=None, erased_at=now)
        )
    return len(found)


def _row(connection: Connection, dispute: bytes) -> Any:
    query = select(holder_disputes).where(holder_disputes.c.id == dispute)
    return connection.execute(query).one_or_none()


def _statement(holder: Holder, row: Any) -> Dispute | None:
    if row.sealed is None:
        return None
    raw = holder.identity.storage.open(bytes(row.sealed), _STATEMENT + bytes(row.id))
    return read_dispute_unverified(raw.decode("ascii"))


def _answer(holder: Holder, row: Any) -> Signed | None:
    if row.answer is None:
        return None
    raw = holder.identity.storage.open(bytes(row.answer), _ANSWER + bytes(row.id))
    return Signed.from_json(raw)
