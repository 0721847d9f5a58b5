"""Disputes of firms: by when each is to be answered, what is said, and the answer."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup
from sqlalchemy import Connection, and_, case, select
from starlette.exceptions import HTTPException
from starlette.responses import Response

from federation.disputes.reply import Outcome
from federation.errors import DocumentError
from node.config import HolderConfig
from node.days import DAY, day_start
from node.holder.disputes.register import (
    SOON,
    HeldDispute,
    OpenDisputes,
    answer_dispute,
    held_dispute,
    open_counts,
    state_of,
)
from node.holder.disputes.texts import OUTCOME_HINTS, OUTCOMES, STATES
from node.holder.errors import HolderError
from node.holder.impact import present_catalogue
from node.holder.pages.texts import DISPUTES
from node.holder.tables import holder_disputes
from node.pages.duties import Duty
from node.pages.site import Site
from node.pages.tables import Column, Shown, Table, every, fetch, read, to_csv
from node.pages.visit import Visit, day, when
from node.runtime import Runtime

PACKAGE = "node.holder.pages"
TONES = {"open": "warn", "overdue": "bad", "answered": "good", "answered-late": "soft"}


def add(site: Site, holder: Runtime[HolderConfig]) -> None:
    """Adds the pages."""
    pages = DisputePages(holder)
    engineer = {Duty.ENGINEER}
    site.add_section("/disputes", DISPUTES["title"], "dispute", engineer)
    site.add("/disputes", pages.disputes, duties=engineer)
    site.add("/disputes.csv", pages.disputes_csv, duties=engineer)
    site.add("/disputes/{dispute}", pages.dispute, duties=engineer)
    site.add("/disputes/{dispute}", pages.answer, duties=engineer, methods=("POST",))


class DisputePages:
    """The pages over one holder's runtime."""

    def __init__(self, holder: Runtime[HolderConfig]) -> None:
        self._holder = holder

    async def disputes(self, visit: Visit) -> Response:
        """What waits, and everything that was ever received."""
        now = self._holder.clock.now()
        table = _table(now)
        asked = read(table, visit)

        def look(connection: Connection) -> tuple[Shown, OpenDisputes]:
            return fetch(connection, table, asked, "/disputes"), open_counts(connection, now)

        shown, counts = await self._holder.store.read(look)
        return visit.render(PACKAGE, "disputes.html.j2", words=DISPUTES, shown=shown, counts=counts)

    async def disputes_csv(self, visit: Visit) -> Response:
        """The table as a file; nothing of what firms say is in it."""
        table = _table(self._holder.clock.now())
        asked = read(table, visit)
        rows = await self._holder.store.read(lambda c: every(c, table, asked))
        return to_csv(table, rows, visit, "disputes")

    async def dispute(self, visit: Visit) -> Response:
        """One dispute."""
        return await self._page(visit, await self._held(visit))

    async def answer(self, visit: Visit) -> Response:
        """Answers it, once and for all."""
        found, holder, by = await self._held(visit), self._holder, visit.by
        chosen, reason = visit.field("outcome"), visit.field("reason")
        if chosen not in set(Outcome):
            return await self._page(visit, found, "outcome", reason=reason)
        outcome = Outcome(chosen)
        try:
            await holder.store.run(
                lambda c: answer_dispute(holder, c, by, found.id, outcome, reason)
            )
        except DocumentError:
            return await self._page(visit, found, "reason", chosen, reason)
        except HolderError:
            return await self._page(visit, await self._held(visit), "answered")
        return visit.redirect(f"/disputes/{found.id.hex()}", "saved")

    async def _held(self, visit: Visit) -> HeldDispute:
        text = visit.request.path_params["dispute"]
        try:
            dispute = bytes.fromhex(text)
            return await self._holder.store.read(lambda c: held_dispute(self._holder, c, dispute))
        except (ValueError, HolderError) as error:
            raise HTTPException(404) from error

    async def _page(
        self, visit: Visit, found: HeldDispute, error: str = "", chosen: str = "", reason: str = ""
    ) -> Response:
        holder, now = self._holder, self._holder.clock.now()
        catalogue = await holder.store.read(lambda c: present_catalogue(holder, c))
        titles = {} if catalogue is None else {one.id: one.title for one in catalogue.features}
        state = state_of(found.answered_at, found.due, now)
        return visit.render(
            PACKAGE,
            "dispute.html.j2",
            status=422 if error else 200,
            words=DISPUTES,
            found=found,
            state=STATES[state],
            tone=TONES[state],
            left=_left(found.due, now),
            urgent=found.due - now <= SOON,
            titles=titles,
            outcomes=OUTCOMES,
            hints=OUTCOME_HINTS,
            error=error,
            chosen=chosen,
            reason=reason,
        )


def _left(due: int, now: int) -> int:
    """Days from today to the last one on which an answer is in time; negative once it is over."""
    return (day_start(due - 1) - day_start(now)) // DAY


def _table(now: int) -> Table:
    rows = holder_disputes.c
    state = case(
        (and_(rows.answered_at.is_not(None), rows.answered_at >= rows.due), "answered-late"),
        (rows.answered_at.is_not(None), "answered"),
        (rows.due <= now, "overdue"),
        else_="open",
    )
    listed = select(
        rows.id, rows.received_at, rows.due, rows.answered_at, rows.answered_by, rows.outcome,
        state.label("state"),
    )  # fmt: skip
    states = {key: text for key, text in STATES.items() if key in TONES}
    return Table(
        (
            Column("id", DISPUTES["dispute"], _link, raw=lambda r: bytes(r.id).hex()),
            Column("state", DISPUTES["state"], _state, "choice", state, raw=lambda r: r.state,
                   choices=states),
            Column("due", DISPUTES["due"], lambda r, v: day(r.due - 1), "time", rows.due,
                   raw=lambda r: r.due - 1),
            Column("received", DISPUTES["received"], lambda r, v: when(r.received_at), "time",
                   rows.received_at, raw=lambda r: r.received_at),
            Column("outcome", DISPUTES["outcome"],
                   lambda r, v: v.say(OUTCOMES[Outcome(r.outcome)]) if r.outcome else "–",
                   "choice", rows.outcome, raw=lambda r: r.outcome or "",
                   choices={key.value: text for key, text in OUTCOMES.items()}),
            Column("answered", DISPUTES["answered"], lambda r, v: when(r.answered_at), "time",
                   raw=lambda r: r.answered_at, hidden_on_phone=True),
            Column("by", DISPUTES["by"], lambda r, v: r.answered_by or "–", hidden_on_phone=True),
        ),
        listed,
        rows.id,
        "-received",
    )  # fmt: skip


def _link(row: Any, visit: Visit) -> Markup:
    name = bytes(row.id).hex()
    return Markup('<a href="/disputes/{}"><code>{}…</code></a>').format(name, name[:12])


def _state(row: Any, visit: Visit) -> Markup:
    return Markup('<span class="badge {}">{}</span>').format(
        TONES[row.state], visit.say(STATES[row.state])
    )
