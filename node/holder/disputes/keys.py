"""The holder's keys for disputes: made in time, kept sealed, erased when they are over."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from federation.disputes.key import KEY_SECONDS, RENEW_SECONDS, DisputeKey
from federation.envelope import EnvelopeKey
from federation.errors import Reason, Refusal
from federation.signed import Signed
from node.config import HolderConfig
from node.holder.tables import holder_dispute_keys
from node.runtime import Runtime

_AAD = b"holder/dispute-key/"


def current_key(runtime: Runtime[HolderConfig], connection: Connection) -> Signed | None:
    """The signed key that firms are given; None when it is time for another."""
    table = holder_dispute_keys.c
    query = (
        select(table.document)
        .where(table.expires > runtime.clock.now() + RENEW_SECONDS)
        .order_by(table.expires.desc(), table.id)
        .limit(1)
    )
    found = connection.execute(query).scalar_one_or_none()
    signed = None if found is None else Signed.from_json(bytes(found))
    # A holder whose signing key was replaced signs its dispute key anew: firms verify it by the
    # credential of today.
    own = runtime.identity.signing.key_id
    return signed if signed is not None and signed.key_id == own else None


def renewed_key(runtime: Runtime[HolderConfig], connection: Connection) -> Signed:
    """The signed key that firms are given, made if need be. For a unit of work: of two processes
    the second finds the first one's.
    """
    known = current_key(runtime, connection)
    if known is not None:
        return known
    now, secret = runtime.clock.now(), EnvelopeKey.generate()
    key = DisputeKey(
        chain=runtime.identity.root.chain,
        holder=runtime.identity.id,
        public=secret.public,
        issued=now,
        expires=now + KEY_SECONDS,
    )
    signed = key.sign(runtime.identity.signing)
    connection.execute(
        insert(holder_dispute_keys).values(
            id=key.hash,
            document=signed.to_json(),
            secret=runtime.identity.storage.seal(secret.to_bytes(), _AAD + key.hash),
            expires=key.expires,
        )
    )
    return signed


def secret_of(
    runtime: Runtime[HolderConfig], connection: Connection, digest: bytes
) -> tuple[DisputeKey, EnvelopeKey]:
    """A key by the hash of its statement. Raises Refusal(wrong_context) for one that never was
    this holder's, or is over: the firm has to fetch the present one.
    """
    query = select(holder_dispute_keys).where(holder_dispute_keys.c.id == digest)
    row = connection.execute(query).one_or_none()
    if row is None or row.expires <= runtime.clock.now():
        raise Refusal(Reason.WRONG_CONTEXT, "dispute is sealed to no key of this holder")
    key = DisputeKey.parse(Signed.from_json(bytes(row.document)).payload)
    seed = runtime.identity.storage.open(bytes(row.secret), _AAD + digest)
    return key, EnvelopeKey.from_bytes(seed)


def erase_keys(connection: Connection, now: int) -> int:
    """Erases keys that are over; how many they were."""
    table = holder_dispute_keys
    return connection.execute(delete(table).where(table.c.expires <= now)).rowcount
