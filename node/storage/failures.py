"""What a database's error means: a conflict, a refused statement, or an outage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import (
    DBAPIError,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from node.errors import StorageConflict, StorageError, StorageUnavailable

# SQLite result codes (the low byte) that tell of the database, not of the statement.
_SQLITE_OUTAGES = frozenset({5, 6, 8, 10, 11, 13, 14, 15, 26})
# The same in SQLSTATE: connection, read-only server, rollback, resources, state of objects,
# intervention, system, internal.
_POSTGRES_OUTAGES = ("08", "25006", "40", "53", "55", "57", "58", "XX")


@contextmanager
def translated() -> Iterator[None]:
    """Turns errors of SQLAlchemy, and of the driver's socket, into this package's; lets every
    other exception pass.
    """
    try:
        yield
    except SQLAlchemyError as error:
        raise storage_error(error) from error
    except OSError as error:
        # Of the driver's socket: what is run here does no IO of its own.
        raise lost(error) from error


def storage_error(error: SQLAlchemyError) -> StorageError:
    """The StorageError of a database error: conflict, outage, or a refused statement.

    The message carries no statement and no parameter, which may be secret.
    """
    detail = type(error).__name__
    if isinstance(error, DBAPIError):
        detail = f"{type(error.orig).__name__}: {_cause(error)}"
    if is_outage(error):
        return StorageUnavailable(f"the database cannot be used now ({detail}); it is tried again")
    if isinstance(error, IntegrityError) or _sqlstate(error).startswith("23"):
        return StorageConflict(f"the database refused a conflicting row ({detail})")
    return StorageError(f"the database refused a statement ({detail})")


def lost(error: OSError) -> StorageUnavailable:
    """The StorageUnavailable of a connection that ended."""
    return StorageUnavailable(f"the database cannot be reached ({error}); it is tried again")


def is_outage(error: SQLAlchemyError) -> bool:
    """Whether the error tells of the database (gone, locked, full, broken) or of a statement."""
    if isinstance(error, PoolTimeout):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in _SQLITE_OUTAGES
    state = _sqlstate(error)
    if state:
        return state.startswith(_POSTGRES_OUTAGES)
    return isinstance(error, InterfaceError | OperationalError | InternalError)


def _sqlstate(error: SQLAlchemyError) -> str:
    arguments = error.orig.args if isinstance(error, DBAPIError) and error.orig else ()
    fields = arguments[0] if arguments else None
    return str(fields.get("C", "")) if isinstance(fields, dict) else ""


def _cause(error: DBAPIError) -> str:
    arguments = error.orig.args if error.orig else ()
    fields = arguments[0] if arguments else ""
    # PostgreSQL's field D (detail) quotes the offending row; its M (message) does not.
    return str(fields.get("M", "")) if isinstance(fields, dict) else str(fields)
