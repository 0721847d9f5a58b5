"""What entries name by hash: documents and sealed envelopes, kept beside the log.

An entry's body names a document by the SHA-256 of its payload (`document`; kept as signed JSON), an
envelope by that of its bytes (`envelope`). Whoever erases an attachment leaves the log as it was.
The regulator is served them in the order in which a bundle's entries name them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, insert, select

from federation.canonical import unb64
from federation.entries import read_entry
from federation.errors import DocumentError
from federation.merkle import HASH_BYTES
from federation.signed import Signed
from node.log.tables import blob, log_attachments

NAMES: Final = ("document", "envelope")
"""The fields of an entry's body that name an attachment."""

_LENGTH_BYTES: Final = 4


def attach(connection: Connection, digest: bytes, body: bytes) -> None:
    """Keeps what an entry names, within the unit of work that appends the entry.

    What is kept under the hash already stays: documents that two entries name are one.
    """
    if attachment(connection, digest) is None:
        connection.execute(insert(log_attachments).values(hash=digest, body=body))


def attach_document(connection: Connection, document: Signed) -> None:
    """Keeps a signed document under the hash of its payload, as entries name it."""
    attach(connection, hashlib.sha256(document.payload).digest(), document.to_json())


def attachment(connection: Connection, digest: bytes) -> bytes | None:
    """What is kept under a hash; None when nothing is, or nothing is any more."""
    return connection.execute(
        select(blob(log_attachments.c.body)).where(log_attachments.c.hash == digest)
    ).scalar_one_or_none()


def named_in(raw_entry: bytes) -> list[bytes]:
    """Hashes of the attachments that an entry names; none when it cannot be read."""
    try:
        body = read_entry(raw_entry).body
    except DocumentError:
        return []
    found = []
    for name in NAMES:
        value = body.get(name)
        try:
            digest = unb64(value, name) if isinstance(value, str) else b""
        except DocumentError:
            continue
        if len(digest) == HASH_BYTES:
            found.append(digest)
    return found


def attachments_of(connection: Connection, entries: Iterable[bytes]) -> list[tuple[bytes, bytes]]:
    """(hash, body) of everything that is kept of what the entries name, each hash once."""
    named = dict.fromkeys(digest for raw in entries for digest in named_in(raw))
    table = log_attachments.c
    rows = connection.execute(select(table.hash, blob(table.body)).where(table.hash.in_(named)))
    kept = {bytes(row.hash): row.body for row in rows}
    return [(digest, kept[digest]) for digest in named if digest in kept]


def encode_attachments(kept: Iterable[tuple[bytes, bytes]]) -> bytes:
    """hash(32) ‖ length as u32, big-endian ‖ body, one after the other."""
    return b"".join(
        digest + len(body).to_bytes(_LENGTH_BYTES, "big") + body for digest, body in kept
    )


def decode_attachments(raw: bytes) -> dict[bytes, bytes]:
    """Bodies by hash, in order; the bodies are not checked. Raises DocumentError."""
    found: dict[bytes, bytes] = {}
    position = 0
    while position < len(raw):
        start = position + HASH_BYTES + _LENGTH_BYTES
        length = int.from_bytes(raw[position + HASH_BYTES : start], "big")
        if start + length > len(raw):
            raise DocumentError("attachments", f"end within attachment {len(found)}")
        digest = raw[position : position + HASH_BYTES]
        if digest in found:
            raise DocumentError("attachments", "hold the same hash twice")
        found[digest] = raw[start : start + length]
        position = start + length
    return found
