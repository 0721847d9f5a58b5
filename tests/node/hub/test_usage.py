"""Counts of what was there before anything was counted: a database is upgraded with its permits."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, insert, select, text

from federation.permit import Permit
from node.days import DAY, day_start
from node.holder.tables import holder_answer_days
from node.hub.tables import hub_permits, hub_usage
from node.hub.usage import QUERIES, totals
from node.storage.engine import open_engine, reading, writing
from node.storage.migrate import MIGRATIONS, upgrade
from support.chain import HARBOUR, HUB, NOW, UNNAMED, Chain

BEFORE = "0023"


def at(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def permit(chain: Chain, number: int, issued: int) -> bytes:
    made = Permit(
        id=number.to_bytes(16, "big"), chain="csj", bank=HARBOUR, certificate=bytes(32),
        ctx=bytes(32), epoch=1, purpose="02", audience=UNNAMED, blinded=bytes(32),
        consent_tag=bytes(32), issued=issued, expires=issued + 60,
    )  # fmt: skip
    return made.sign(chain.signing[HUB]).to_json()


def test_permits_of_before_are_counted(tmp_path: Path, hub_chain: Chain) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/old.sqlite")
    midnight = day_start(NOW) + DAY
    with writing(engine) as connection:
        at(connection, BEFORE)
        for number, position, issued in ((1, 0, NOW), (1, 1, NOW), (2, 0, midnight - 1),
                                         (3, 0, midnight)):  # fmt: skip
            row = {
                "query": number.to_bytes(32, "big"), "position": position, "entry": b"",
                "named": b"", "permit": permit(hub_chain, number, issued),
            }  # fmt: skip
            connection.execute(insert(hub_permits).values(row))
        for number, answered in enumerate((NOW, midnight - 1, midnight)):
            connection.execute(
                text(
                    "INSERT INTO holder_permits (id, blinded, hash, bank, epoch, purpose,"
                    " consent_tag, answered_at) VALUES (:id, :id, :id, 'b', 1, '02', :id, :at)"
                ),
                {"id": bytes([number]) * 32, "at": answered},
            )
    upgrade(engine)
    with reading(engine) as connection:
        found = connection.execute(select(hub_usage.c.day, hub_usage.c.party, hub_usage.c["count"]))
        counts = {(row.day, row.party): row[2] for row in found}
        today = day_start(NOW)
        assert counts[today, QUERIES] == 2 and counts[midnight, QUERIES] == 1
        # Both permits of the first query name their holders.
        assert {counts[today, str(holder)] for holder in UNNAMED} == {3}
        both = totals(connection, today, midnight + DAY)
        assert {one.count for one in both if one.party == QUERIES} == {3}
        days = connection.execute(
            select(holder_answer_days.c.day, holder_answer_days.c["count"])
        ).all()
        assert sorted((day, count) for day, count in days) == [(today, 2), (midnight, 1)]
    engine.dispose()
