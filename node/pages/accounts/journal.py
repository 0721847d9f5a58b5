"""Where what is done to accounts is written: a node's transparency log, or an agent's own log.

Names of accounts are pseudonyms, and a name that somebody typed is written only if there is such an
account: people type passwords into the wrong field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import structlog
from sqlalchemy import Connection

from federation.entries import Kind, entry

if TYPE_CHECKING:
    from node.runtime import Runtime

NODE: Final = "node"
"""Who does what nobody who is signed in does: failures, and what an OpenID provider says."""

_log = structlog.get_logger(__name__)

Journal = Callable[[Connection, str, str, Mapping[str, str | int]], None]
"""Takes the unit of work, the action, the account that acts, and what else there is to say."""


def log_of(runtime: Runtime[Any]) -> Journal:
    """Entries of the node's transparency log, in the same unit of work."""

    def write(connection: Connection, action: str, by: str, more: Mapping[str, str | int]) -> None:
        raw = entry(Kind.ADMIN, runtime.clock.now(), action=action, by=by, **more)
        runtime.append(connection, Kind.ADMIN, raw)

    return write


def application_log(
    connection: Connection, action: str, by: str, more: Mapping[str, str | int]
) -> None:
    """Lines of the application's log: an enterprise's agent has no other."""
    _log.info("accounts", action=action, by=by, **more)


def record_action(
    journal: Journal, connection: Connection, action: str, by: str, **more: str | int
) -> None:
    """Writes one action."""
    journal(connection, action, by, more)
