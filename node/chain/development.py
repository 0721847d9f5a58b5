"""Development certificates among a node's copy of the chain's documents."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, select

from federation.development.certificate import DevelopmentCertificate, read_certificate
from federation.errors import Reason, Refusal
from federation.signed import Signed
from node.chain.store import ChainStore
from node.chain.tables import chain_documents

DEVELOPMENT: Final = "development-certificate"


def put_development(chain: ChainStore, connection: Connection, signed: Signed) -> bool:
    """Keeps a verified certificate; false when it was there."""
    return chain.put(connection, DEVELOPMENT, signed, 0, signed.payload_hash.hex())


def development_certificate(
    chain: ChainStore, connection: Connection, digest: bytes, now: int
) -> tuple[DevelopmentCertificate, Signed]:
    """The certificate with that payload hash, of members of now.

    Raises Refusal(uncertified_model) when it is not kept, and what `read_certificate` does.
    """
    table = chain_documents.c
    raw = connection.execute(
        select(table.body).where(table.kind == DEVELOPMENT, table.hash == digest)
    ).scalar_one_or_none()
    if raw is None:
        raise Refusal(Reason.UNCERTIFIED_MODEL, "no such development certificate is kept")
    signed = Signed.from_json(bytes(raw))
    return read_certificate(signed, chain.members(connection, now)), signed
