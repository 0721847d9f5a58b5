"""Directories: what a hub says of its chain to peer chains, dated and signed.

A hub hands its chain's state to the hubs of peer chains, which keep it and hand it on to their own
banks: members, epochs, pins and guests are signed by themselves, but nothing in them says that they
are all there is, or new. The directory does: it names the state by its hash, the roster by size and
root, and the moment. A bank refuses one that is older than its limit, or than one it has seen.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, ClassVar

from pydantic import Field

from federation.documents import Bytes32, Document, Id, Name, Time
from federation.entries import CLOCK_SKEW
from federation.errors import DocumentError, Reason, Refusal
from federation.roster import Roster
from federation.signed import Signed


class Directory(Document):
    """What the hub of `chain` published at `issued` for chain `audience`.

    `state` is SHA-256 of the state as sent (`PeerChain.state`); the roster has `batches` batches.
    """

    TYPE: ClassVar[str] = "directory"

    chain: Name
    hub: Id
    audience: Name
    issued: Time
    state: Bytes32
    roster_rows: Annotated[int, Field(ge=0)]
    roster_root: Bytes32
    batches: Annotated[int, Field(ge=0)]


def read_directory(
    signed: Signed,
    hub_signing: bytes,
    state: bytes,
    chain: str,
    audience: str,
    now: int,
    most_age: int,
    last: Directory | None = None,
) -> Directory:
    """The directory of a state of `chain` for members of `audience`, once it is the hub's, whole
    and not stale.

    `most_age` is in seconds; `last` is the newest one seen before. Raises SignatureInvalid,
    DocumentError; Refusal(wrong_chain) for another chain's, Refusal(wrong_audience) for one made
    for another chain, Refusal(conflict) for another state, and for a roster that got shorter or
    changed at the same length; Refusal(stale_directory) for one that is too old, or older than
    `last`.
    """
    directory = Directory.open_(signed, hub_signing)
    if directory.chain != chain:
        raise Refusal(Reason.WRONG_CHAIN, f"directory is of chain {directory.chain}")
    if directory.audience != audience:
        raise Refusal(Reason.WRONG_AUDIENCE, f"directory is for chain {directory.audience}")
    if hashlib.sha256(state).digest() != directory.state:
        raise Refusal(Reason.CONFLICT, "the state is not the one that the directory names")
    if directory.issued > now + CLOCK_SKEW:
        raise Refusal(Reason.NOT_YET_VALID, "directory is dated in the future")
    require_fresh(directory, now, most_age)
    if last is not None:
        _check_follows(directory, last)
    return directory


def require_fresh(directory: Directory, now: int, most_age: int) -> None:
    """Raises Refusal(stale_directory) for a directory older than `most_age` seconds."""
    if now - directory.issued > most_age:
        age = now - directory.issued
        raise Refusal(
            Reason.STALE_DIRECTORY, f"directory of {directory.chain} is {age} seconds old"
        )


def require_roster(directory: Directory, roster: Roster) -> None:
    """Raises Refusal(conflict) unless the roster, once it has the batches of the directory, came to
    the root and the rows that the directory names. A roster that has grown since is no other one.
    """
    try:
        rows = roster.size_at(directory.roster_root)
    except DocumentError as error:
        detail = f"the batches of {directory.chain} lead to another roster"
        raise Refusal(Reason.CONFLICT, detail) from error
    if rows != directory.roster_rows:
        raise Refusal(Reason.CONFLICT, f"the roster of {directory.chain} has other rows")


def _check_follows(directory: Directory, last: Directory) -> None:
    if directory.issued < last.issued:
        raise Refusal(Reason.STALE_DIRECTORY, f"a newer directory of {last.chain} was seen")
    shorter = directory.roster_rows < last.roster_rows or directory.batches < last.batches
    same = directory.roster_rows == last.roster_rows
    if shorter or (same and directory.roster_root != last.roster_root):
        raise Refusal(Reason.CONFLICT, f"the roster of {last.chain} is not what it was")
