"""Shares exchanged with each peer chain, counted for people; nothing sealed is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from node.regulator.peers.sharing_books import GIVEN
from node.regulator.tables import regulator_shares


@dataclass(frozen=True)
class SharesOf:
    """How many shares of one direction there are, and when the last was made or received (unix
    seconds).
    """

    count: int = 0
    last: int | None = None


def shares_exchanged(connection: Connection) -> Mapping[str, tuple[SharesOf, SharesOf]]:
    """Shares given to and received from each peer chain, by its name."""
    table = regulator_shares.c
    rows = connection.execute(
        select(table.peer, table.direction, func.count(), func.max(table.time)).group_by(
            table.peer, table.direction
        )
    )
    found: dict[str, tuple[SharesOf, SharesOf]] = {}
    for peer, direction, count, last in rows:
        given, received = found.get(peer, (SharesOf(), SharesOf()))
        one = SharesOf(count, last)
        found[peer] = (one, received) if direction == GIVEN else (given, one)
    return found
