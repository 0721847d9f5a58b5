"""Joining, and joining again: a node that has been a member logs its new credential itself."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from federation.entries import Kind
from federation.errors import FederationError
from federation.membership import Member
from federation.rotation import rotation_entry
from federation.signed import Signed
from node.enrolment import folder as files
from node.enrolment.errors import EnrolmentError
from node.enrolment.folder import read_file
from node.enrolment.grant import Grant
from node.enrolment.home import check_join, join_home, load_config
from node.identity import NodeIdentity, read_trust_root
from node.log import QueryLog
from node.storage import Store


def join(folder: Path, grant: Grant, now: int) -> NodeIdentity:
    """Installs a grant as `join_home` does. A credential in place of another is logged first, so
    that no node goes by keys that its own log is silent about.

    Blocks on the database; the node may be running. Raises as `join_home`, and StorageError where
    the log cannot be written: then nothing is installed.
    """
    member = check_join(folder, grant, now)
    before = _credential(folder)
    entry = None if before is None else rotation_entry(before, member, now)
    if entry is not None:
        _append(folder, member, entry, now)
    return join_home(folder, grant, now)


def _credential(folder: Path) -> Member | None:
    """The credential that the folder has had so far, expired or not."""
    path = folder / files.MEMBER
    if not path.exists():
        return None
    root = read_trust_root(folder / files.TRUST)
    try:
        return Member.open_(Signed.from_json(read_file(path, "credential")), root.regulator_signing)
    except FederationError as error:
        raise EnrolmentError(f"{path} is no credential: {error}; move it away") from error


def _append(folder: Path, member: Member, entry: bytes, now: int) -> None:
    config = load_config(member.id.role, folder)
    config.create_data_dir()
    store = Store.open(config.database_url())
    try:
        log = QueryLog(store)

        def unit(connection: Connection) -> None:
            log.append(connection, Kind.KEY_ROTATED, now, entry)

        store.run_blocking(unit)
    finally:
        store.close()
