"""What entries name: kept beside the log, found again, and taken over from older databases."""

from __future__ import annotations

import hashlib

import pytest
from alembic import command
from alembic.config import Config
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, inspect, select, text

from federation.entries import Kind, entry
from federation.errors import DocumentError
from node.log.attachments import (
    attach,
    attachment,
    decode_attachments,
    encode_attachments,
    named_in,
)
from node.log.tables import log_attachments
from node.storage import migrate, open_engine, upgrade
from node.storage.engine import reading, writing

ONE, OTHER = bytes(range(32)), bytes(range(32, 64))
NOW = 1_800_000_000


@given(st.dictionaries(st.binary(min_size=32, max_size=32), st.binary(max_size=300), max_size=5))
def test_attachments_survive_their_encoding(kept: dict[bytes, bytes]) -> None:
    raw = encode_attachments(kept.items())
    assert list(decode_attachments(raw).items()) == list(kept.items())
    for cut in (1, 33):
        if len(raw) > cut and len(kept) == 1:
            with pytest.raises(DocumentError, match="end within attachment 0"):
                decode_attachments(raw[:-cut])


def test_the_same_hash_twice_is_refused() -> None:
    with pytest.raises(DocumentError, match="same hash twice"):
        decode_attachments(encode_attachments([(ONE, b"a"), (ONE, b"b")]))


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        (entry(Kind.PERMIT, NOW, envelope=OTHER, document=ONE, bank="b"), [ONE, OTHER]),
        (entry(Kind.UNLOCK, NOW, document=ONE), [ONE]),
        (entry(Kind.CONSENT, NOW, envelope=OTHER, consent=ONE), [OTHER]),
        (entry(Kind.ADMIN, NOW, document=b"short", envelope=7), []),
        (entry(Kind.ADMIN, NOW, document="no base64!"), []),
        (b"no entry", []),
    ],
)
def test_an_entry_names_documents_and_envelopes(raw: bytes, named: list[bytes]) -> None:
    assert named_in(raw) == named


def test_what_is_attached_first_stays(database_url: str) -> None:
    engine = open_engine(database_url)
    upgrade(engine)
    with writing(engine) as connection:
        attach(connection, ONE, b"first")
        attach(connection, ONE, b"second")
        assert attachment(connection, ONE) == b"first"
        assert attachment(connection, OTHER) is None
    engine.dispose()


def test_a_hub_s_envelopes_of_before_are_attachments(empty_database_url: str) -> None:
    """A database of schema 6 with envelopes, brought up to date."""
    engine = open_engine(empty_database_url)
    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS))
    bodies = [b"one", b"other" * 1000]
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0006")
        insert = text("INSERT INTO hub_envelopes (hash, body) VALUES (:hash, :body)")
        for body in bodies:
            connection.execute(insert, {"hash": hashlib.sha256(body).digest(), "body": body})
    upgrade(engine)
    with reading(engine) as connection:
        assert not inspect(connection).has_table("hub_envelopes")
        assert _kept(connection) == {hashlib.sha256(body).digest(): body for body in bodies}
    engine.dispose()


def _kept(connection: Connection) -> dict[bytes, bytes]:
    return {bytes(row.hash): bytes(row.body) for row in connection.execute(select(log_attachments))}
