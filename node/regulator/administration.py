"""What inspectors do at the regulator's node stands in its log, with the account that did it.

An enterprise is in no log: that somebody asked about one is told without saying which.
"""

from __future__ import annotations

from sqlalchemy import Connection

from federation.entries import Kind, entry
from node.regulator.membership import Regulator


def record_action(
    regulator: Regulator,
    connection: Connection,
    action: str,
    by: str,
    document: bytes | None = None,
) -> None:
    """Logs an action within the unit of work that does it.

    `by` is the account: of the operating system at the command line, of the pages there.
    `document` is the hash of the permit or certificate that it is about.
    """
    now = regulator.clock.now()
    if document is None:
        raw = entry(Kind.ADMIN, now, action=action, by=by)
    else:
        raw = entry(Kind.ADMIN, now, action=action, by=by, document=document)
    regulator.append(connection, Kind.ADMIN, raw)
