"""What an administrator of the agent does stands in the agent's log, with who did it.

The regulator reads there who administers, and finds an administrator that queries.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from federation.entries import Kind, entry
from node.bank.tokens import Tokens
from node.config import BankConfig
from node.runtime import Runtime

AGENT: Final = "agent"
"""Who does what nobody asked for in person."""


def record_action(
    runtime: Runtime[BankConfig],
    connection: Connection,
    action: str,
    by: str,
    **more: str | bytes,
) -> None:
    """Logs an administrator's action within the unit of work that does it.

    `by` is the account that acts: of the operating system at the command line, the token's name
    over REST.
    """
    raw = entry(Kind.ADMIN, runtime.clock.now(), action=action, by=by, **more)
    runtime.append(connection, Kind.ADMIN, raw)


async def add_token(runtime: Runtime[BankConfig], name: str, by: str) -> str:
    """Makes a bearer token, see `Tokens.add`. Logged first: no token works that the log lacks."""
    tokens = Tokens.of(runtime.config)
    tokens.require_new(name)
    await runtime.store.run(lambda c: record_action(runtime, c, "token", by, name=name))
    return tokens.add(name)
