"""Logs to test with: filled, checkpointed, cosigned, and edited by whoever owns the database."""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection, Engine, insert, text

from federation.entries import Kind, entry
from federation.identity import Role, SpiffeId
from federation.merkle import leaf_hash
from federation.signed import SigningKey
from federation.tlog.checkpoint import cosign
from federation.tlog.note import Note
from node.log.attachments import attach
from node.log.checkpoints import SignedCheckpoint
from node.log.tables import log_cosignatures
from node.storage import Store
from node.storage.engine import writing
from node.storage.schema import log_entries

DOMAIN = "csj.yinxin.example"
LOG = SpiffeId(DOMAIN, Role.HUB, "hub")
WITNESSES = tuple(SpiffeId(DOMAIN, Role.HOLDER, name) for name in ("tax", "water", "customs"))
NOW = 1_800_000_000
KEY = SigningKey.generate()
WITNESS_KEYS = {who: SigningKey.generate() for who in WITNESSES}
KEYS = {LOG: {KEY.public}} | {who: {key.public} for who, key in WITNESS_KEYS.items()}


def envelope(number: int) -> bytes:
    """What entry `number` names as its envelope."""
    return f"envelope {number}".encode() * 9


def raw(number: int) -> bytes:
    """Entry `number` of every log here."""
    digest = hashlib.sha256(envelope(number)).digest()
    return entry(Kind.PERMIT, NOW + number, document=leaf_hash(b"%d" % number), envelope=digest)


def leaves(size: int) -> list[bytes]:
    """The leaf hashes of the first entries."""
    return [leaf_hash(raw(number)) for number in range(size)]


async def fill(store: Store, start: int, stop: int) -> None:
    """Appends entries `start` to before `stop` at once."""

    def rows(connection: Connection) -> None:
        connection.execute(
            insert(log_entries),
            [
                {
                    "index": number,
                    "leaf_hash": leaf_hash(raw(number)),
                    "kind": Kind.PERMIT,
                    "time": NOW + number + 1,
                    "entry": raw(number),
                }
                for number in range(start, stop)
            ],
        )

    if start < stop:
        await store.run(rows)


async def keep_envelopes(store: Store, *numbers: int) -> None:
    """Keeps what these entries name."""

    def rows(connection: Connection) -> None:
        for number in numbers:
            body = envelope(number)
            attach(connection, hashlib.sha256(body).digest(), body)

    await store.run(rows)


async def cosigned(store: Store, signed: SignedCheckpoint, *witnesses: SpiffeId) -> None:
    """Keeps these witnesses' cosignatures."""
    note = Note.parse(signed.note)

    def rows(connection: Connection) -> None:
        for witness in witnesses:
            line = cosign(note, witness, WITNESS_KEYS[witness], NOW).line()
            connection.execute(
                insert(log_cosignatures).values(
                    size=signed.size, witness=str(witness), line=line, time=NOW
                )
            )

    await store.run(rows)


def edit(engine: Engine, *statements: str) -> None:
    """Runs SQL as the database's owner, whom no trigger and no check stops."""
    tables = ("log_entries", "log_nodes", "log_checkpoints")
    with writing(engine) as connection:
        if connection.dialect.name == "sqlite":
            triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            for name in connection.execute(text(triggers)).scalars().all():
                connection.execute(text(f"DROP TRIGGER {name}"))
            connection.execute(text("PRAGMA ignore_check_constraints = ON"))
        else:
            for table in tables:
                connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        for statement in statements:
            connection.execute(text(statement))
        if connection.dialect.name == "sqlite":
            connection.execute(text("PRAGMA ignore_check_constraints = OFF"))
