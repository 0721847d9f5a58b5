"""Audited queries as rows of the regulator's database, where the firm is tagged and sealed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from federation.audit.records import AuditedQuery, ConsentFacts
from federation.canonical import b64, unb64
from node.keys import KeyEncryptionKey

_TAG: Final = b"audit/uscc"
_AAD: Final = b"audit/query/"


def uscc_tag(storage: KeyEncryptionKey, uscc: str) -> bytes:
    """By which the queries about a firm are found, 32 bytes."""
    return storage.tag(_TAG, uscc.encode())


def open_uscc(storage: KeyEncryptionKey, id_: bytes, sealed: bytes) -> str:
    """The firm's code of a query; nothing where the evidence did not show it. Raises SealError."""
    return storage.open(sealed, _AAD + id_).decode() if sealed else ""


def query_row(query: AuditedQuery, storage: KeyEncryptionKey) -> dict[str, Any]:
    """The row of `audit_queries` for a query."""
    consent, uscc = query.consent, query.uscc
    rest: dict[str, Any] = {
        "permit_id": b64(query.permit_id),
        "expires": query.expires,
        "ctx": b64(query.ctx),
        "month": query.month,
        "epochs_a_month": query.epochs_a_month,
        "audience": query.audience,
        "holders": query.holders,
        "blinded": b64(query.blinded),
    }
    if consent is not None:
        rest["consent"] = {
            "id": b64(consent.id),
            "uses": consent.uses,
            "issued_at": consent.issued_at,
            "not_before": consent.not_before,
            "chains": consent.chains,
        }
    return {
        "id": query.id,
        "index": query.index,
        "time": query.time,
        "bank": query.bank,
        "officer": query.officer,
        "reference": query.reference,
        "purpose": query.purpose,
        "uscc_tag": uscc_tag(storage, uscc) if uscc else b"",
        "uscc": storage.seal(uscc.encode(), _AAD + query.id) if uscc else b"",
        "consent": None if consent is None else consent.hash,
        "consent_expires": None if consent is None else consent.expires,
        "model": query.model,
        "epoch": query.epoch,
        "named": query.named,
        "verified": query.verified,
        "record": json.dumps(rest, separators=(",", ":")),
    }


def query_of(row: Mapping[str, Any], index: int) -> AuditedQuery:
    """The query of a row of `audit_queries`, as entry `index` of the hub's log has it.

    Its `uscc` is the firm's tag in base64url: the checks over many records only ask whether two
    queries are about one firm.
    """
    rest = json.loads(row["record"])
    facts = rest.get("consent")
    consent = facts and ConsentFacts(
        hash=bytes(row["consent"]),
        id=unb64(facts["id"], "record"),
        uses=facts["uses"],
        issued_at=facts["issued_at"],
        not_before=facts["not_before"],
        expires=row["consent_expires"],
        chains=tuple(facts["chains"]),
    )
    return AuditedQuery(
        id=bytes(row["id"]),
        index=index,
        time=row["time"],
        bank=row["bank"],
        permit_id=unb64(rest["permit_id"], "record"),
        expires=rest["expires"],
        officer=row["officer"],
        reference=row["reference"],
        purpose=row["purpose"],
        uscc=b64(bytes(row["uscc_tag"])),
        consent=consent or None,
        model=bytes(row["model"]),
        ctx=unb64(rest["ctx"], "record"),
        epoch=row["epoch"],
        month=rest["month"],
        epochs_a_month=rest["epochs_a_month"],
        audience=tuple(rest["audience"]),
        holders=tuple(rest["holders"]),
        named=row["named"],
        blinded=unb64(rest["blinded"], "record"),
        verified=row["verified"],
    )
