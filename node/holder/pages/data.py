"""The state of the data: epochs, what is missing, what was rejected and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from markupsafe import Markup
from sqlalchemy import Connection, select
from starlette.exceptions import HTTPException
from starlette.responses import Response

from node.config import HolderConfig
from node.holder import status
from node.holder.pages.texts import DATA, REASONS, REFRESH, STATES
from node.holder.quality import KEPT_EPOCHS, Fault, faults_of, is_old, missing_of
from node.holder.snapshots import Snapshot, snapshots
from node.holder.tables import holder_rejections
from node.holder.vault import EpochVault
from node.pages.charts import Series, bar_list, line_chart, meter
from node.pages.duties import Duty
from node.pages.parties import title_of, titles_of
from node.pages.site import Site
from node.pages.tables import Column, Table, every, fetch, read, to_csv
from node.pages.visit import CHINA, Visit
from node.runtime import Runtime
from scoring.catalogue import Catalogue

SHOWN_EPOCHS = 15
PACKAGE = "node.holder.pages"


def add(site: Site, holder: Runtime[HolderConfig]) -> None:
    """Adds the pages."""
    pages = DataPages(holder)
    engineer = {Duty.ENGINEER}
    site.add_section("/data", DATA["title"], "data", engineer)
    site.add("/data", pages.data, duties=engineer)
    site.add("/data/{epoch}/rejected", pages.rejected, duties=engineer)
    site.add("/data/{epoch}/rejected.csv", pages.rejected_csv, duties=engineer)


@dataclass(frozen=True)
class FeatureRow:
    """One feature of the newest loaded epoch; shares of the firms known here, None for unknown."""

    name: str
    title: str
    missing: float | None
    change: float | None
    given: bool


@dataclass(frozen=True)
class _Found:
    epochs: list[dict[str, Any]]
    contexts: list[dict[str, Any]]
    newest: Snapshot | None
    catalogue: Catalogue | None
    missing: dict[str, int]
    before: tuple[dict[str, int], int]


class DataPages:
    """The pages over one holder's runtime."""

    def __init__(self, holder: Runtime[HolderConfig]) -> None:
        self._holder = holder
        self._vault = EpochVault(holder.config.data_dir)

    async def data(self, visit: Visit) -> Response:
        """Everything of the data on one page."""
        holder, lang = self._holder, visit.language
        found = await holder.store.read(self._look)
        titles = titles_of(await holder.members(), lang)
        newest, kind = found.newest, holder.config.kind
        refresh = ""
        if found.catalogue is not None and kind in found.catalogue.kinds:
            refresh = next(one.refresh for one in found.catalogue.holders if one.kind == kind)
        today = datetime.fromtimestamp(holder.clock.now(), CHINA).date()
        as_of = date.fromisoformat(newest.document.as_of) if newest else None
        return visit.render(
            PACKAGE,
            "data.html.j2",
            words=DATA,
            epochs=list(reversed(found.epochs)),
            states=STATES,
            newest=newest,
            as_of=as_of,
            age=(today - as_of).days if as_of else None,
            old=is_old(as_of, today, refresh) if as_of else False,
            refresh=REFRESH.get(refresh),
            features=_features(found, kind, lang),
            contexts=found.contexts,
            bank_title=lambda bank: title_of(bank, titles),
            meter=meter,
            at=_minute,
            trend=self._trend(found.epochs, visit),
        )

    def _look(self, connection: Connection) -> _Found:
        holder = self._holder
        epochs = status.epochs(holder, connection, SHOWN_EPOCHS)
        loaded = [one["epoch"] for one in epochs if one["manifest"]][-2:]
        newest = snapshots(connection, loaded[-1])[0] if loaded else None
        catalogue = None
        missing: dict[str, int] = {}
        before: tuple[dict[str, int], int] = ({}, 0)
        if newest is not None:
            descriptor = holder.chain.descriptor(connection, newest.epoch)
            if descriptor is not None:
                catalogue = holder.chain.catalogue(connection, descriptor.catalogue)
            missing = missing_of(connection, newest.epoch)
        if len(loaded) > 1:
            (earlier,) = snapshots(connection, loaded[0])
            before = (missing_of(connection, loaded[0]), earlier.known)
        contexts = status.contexts(holder, connection, self._vault)
        return _Found(epochs, contexts, newest, catalogue, missing, before)

    def _trend(self, epochs: Sequence[dict[str, Any]], visit: Visit) -> Markup | None:
        shown = [one for one in epochs if one["manifest"]]
        if len(shown) < 2:
            return None
        series = [
            Series(
                visit.say(DATA[f"{key}_series"]), [(str(e["epoch"]), e[key]) for e in shown], tone
            )
            for key, tone in (("known", "brand"), ("rejected", "warn"))
        ]
        title, unit = visit.say(DATA["trend"]), visit.say(DATA["rows_unit"])
        return line_chart(series, title=title, unit=unit, language=visit.language)

    async def rejected(self, visit: Visit) -> Response:
        """The rejected rows of one epoch."""
        epoch = await self._epoch(visit)
        table, path = _table(epoch.epoch), f"/data/{epoch.epoch}/rejected"
        asked = read(table, visit)

        def look(connection: Connection) -> tuple[Any, list[Fault]]:
            return fetch(connection, table, asked, path), faults_of(connection, epoch.epoch)

        shown, faults = await self._holder.store.read(look)
        bars = [(f"{fault.field} · {visit.say(REASONS[fault.reason][0])}", fault.rows)
                for fault in faults[:8]]  # fmt: skip
        return visit.render(
            PACKAGE,
            "rejected.html.j2",
            words=DATA,
            epoch=epoch,
            shown=shown,
            faults=faults,
            reasons=REASONS,
            kept_epochs=KEPT_EPOCHS,
            chart=bar_list(
                bars, title=visit.say(DATA["by_fault"]), unit=visit.say(DATA["faults_unit"]),
                language=visit.language, tone="warn",
            ),
        )  # fmt: skip

    async def rejected_csv(self, visit: Visit) -> Response:
        """The same as a file."""
        epoch = await self._epoch(visit)
        table = _table(epoch.epoch)
        asked = read(table, visit)
        rows = await self._holder.store.read(lambda c: every(c, table, asked))
        return to_csv(table, rows, visit, f"rejected-{epoch.epoch}")

    async def _epoch(self, visit: Visit) -> Snapshot:
        number = visit.request.path_params["epoch"]
        if not number.isdecimal() or len(number) > 15:
            raise HTTPException(404)
        found = await self._holder.store.read(lambda c: snapshots(c, int(number)))
        if not found:
            raise HTTPException(404)
        return found[0]


def _table(epoch: int) -> Table:
    rows = holder_rejections.c
    return Table(
        (
            Column("row", DATA["row"], lambda r, v: f"{r.row:,}", "number", rows.row,
                   raw=lambda r: r.row),
            Column("field", DATA["column"], lambda r, v: r.field, "text", rows.field),
            Column("reason", DATA["reason"], lambda r, v: v.say(REASONS[r.reason][0]), "choice",
                   rows.reason, choices={reason: text for reason, (text, _) in REASONS.items()}),
            Column("remedy", DATA["remedy"], lambda r, v: v.say(REASONS[r.reason][1]),
                   hidden_on_phone=True),
        ),
        select(holder_rejections).where(rows.epoch == epoch),
        rows.row,
        "row",
    )  # fmt: skip


def _features(found: _Found, kind: str, language: str) -> list[FeatureRow]:
    if found.catalogue is None or found.newest is None or not found.missing:
        return []
    known, (before, known_before) = found.newest.known, found.before
    rows = []
    for feature in found.catalogue.features_of(kind):
        count = found.missing.get(feature.name)
        share = None if count is None or not known else count / known
        earlier = before.get(feature.name)
        change = None
        if share is not None and earlier is not None and known_before:
            change = share - earlier / known_before
        title = feature.title.zh if language == "zh" else feature.title.en
        rows.append(FeatureRow(feature.name, title, share, change, share is None or share < 1))
    return rows


def _minute(text: str) -> str:
    """A time as `node.holder.status` has it, in China and to the minute."""
    if not text:
        return "–"
    return datetime.fromisoformat(text).astimezone(CHINA).strftime("%Y-%m-%d %H:%M")
