"""The consent registry and the permits, as one transaction of the hub sees them.

Whatever could be guessed by enumerating firms (a consent's hash, a query's) is stored under a
keyed tag, and consents themselves are padded to one size and sealed.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from sqlalchemy import Column, Connection, insert, select, update

from federation.compact import MAX_COMPACT_BYTES
from federation.consent import Cancellation, Consent
from federation.exchange.hub import Draft, PermitRequest
from federation.identity import Role, SpiffeId
from federation.permit import Permit
from federation.signed import Signed
from node.hub.tables import (
    hub_consent_epochs,
    hub_consents,
    hub_elements,
    hub_permits,
)
from node.hub.usage import count_query
from node.hub.uses import Uses
from node.keys import KeyEncryptionKey
from node.log.attachments import attach, attach_document

_CONSENT, _QUERY = b"hub/consent", b"hub/query"


class HubRegistry:
    """Implements `federation.exchange.hub.Registry` on a connection within a unit of work."""

    def __init__(self, connection: Connection, key: KeyEncryptionKey) -> None:
        self._connection = connection
        self._key = key

    def tag(self, statement: Consent | Cancellation) -> bytes:
        """The name under which a consent, or the cancellation of it, is kept and logged.

        The firm is part of it: what another firm cancels has a tag that no consent has.
        """
        digest = statement.hash if isinstance(statement, Consent) else statement.consent_hash
        return self._key.tag(_CONSENT, digest + statement.uscc.encode() + statement.issuer.encode())

    def stored(self, query: bytes) -> tuple[Draft, ...] | None:
        """The permits of a query that were issued before, without their envelopes."""
        rows = self._connection.execute(
            select(hub_permits)
            .where(hub_permits.c.query == self._key.tag(_QUERY, query))
            .order_by(hub_permits.c.position)
        ).all()
        if not rows:
            return None
        drafts = []
        for row in rows:
            signed = Signed.from_json(bytes(row.permit))
            permit = Permit.parse(signed.payload)
            drafts.append(Draft(permit, signed, b"", bytes(row.entry), bytes(row.named)))
        return tuple(drafts)

    def cancelled(self, consent: Consent) -> bool:
        """Whether the enterprise cancelled this consent."""
        row = self._row(consent)
        return row is not None and row.cancelled_at is not None

    def uses(self, consent: Consent) -> int:
        """How many uses were taken."""
        row = self._row(consent)
        return 0 if row is None else row.uses

    def epochs(self, consent: Consent, month: int) -> frozenset[int]:
        """The epochs opening in that month in which the consent was used."""
        table = hub_consent_epochs.c
        query = select(table.epoch).where(table.tag == self.tag(consent), table.month == month)
        return frozenset(self._connection.execute(query).scalars())

    def element_used(self, blinded: bytes) -> bool:
        """Whether a permit for this element exists."""
        query = select(hub_elements.c.blinded).where(hub_elements.c.blinded == blinded)
        return self._connection.execute(query).first() is not None

    def keep(self, request: PermitRequest, drafts: tuple[Draft, ...]) -> None:
        """Stores fresh permits with their envelopes, and takes one use of the consent."""
        query = self._key.tag(_QUERY, request.query)
        for position, draft in enumerate(drafts):
            self._connection.execute(
                insert(hub_permits).values(
                    query=query,
                    position=position,
                    permit=draft.signed.to_json(),
                    entry=draft.entry,
                    named=draft.named,
                )
            )
            self._connection.execute(insert(hub_elements).values(blinded=draft.permit.blinded))
            self.attach(draft)
        permits = [draft.permit for draft in drafts]
        count_query(self._connection, permits)
        self.register(request.consent, permits[0].issued)
        if request.epoch not in self.epochs(request.consent, request.month):
            self._connection.execute(
                insert(hub_consent_epochs).values(
                    tag=self.tag(request.consent), month=request.month, epoch=request.epoch
                )
            )
        tag, consent = self.tag(request.consent), request.consent
        self._connection.execute(
            update(hub_consents)
            .where(hub_consents.c.tag == tag)
            .values(uses=hub_consents.c.uses + 1)
        )
        firm = SpiffeId(consent.issuer, Role.ENTERPRISE, consent.uscc)
        Uses(self._connection, self._key).record(firm, consent.id, tag, permits)

    def register(self, consent: Consent, now: int) -> bool:
        """Keeps a consent; false when it was kept already."""
        row = self._row(consent)
        if row is not None and row.registered:
            return False
        tag = self.tag(consent)
        kept = {
            "sealed": self._key.seal(consent.compact.encode().ljust(MAX_COMPACT_BYTES), tag),
            "kept_at": now,
            "expires": consent.expires,
            "permitted": consent.uses,
            "bank": str(consent.bank),
            "purpose": consent.purpose.value,
        }
        if row is None:
            new = {"tag": tag, "uses": 0, "cancelled_at": None}
            self._connection.execute(insert(hub_consents).values(new | kept))
        else:
            self._connection.execute(
                update(hub_consents).where(hub_consents.c.tag == tag).values(kept)
            )
        return True

    def cancel(self, cancellation: Cancellation, now: int) -> bool:
        """Cancels a consent, seen before or not; false when it was cancelled already."""
        row = self._row(cancellation)
        tag = self.tag(cancellation)
        if row is None:
            self._connection.execute(
                insert(hub_consents).values(
                    tag=tag, sealed=None, uses=0, cancelled_at=now, kept_at=now
                )
            )
            return True
        if row.cancelled_at is not None:
            return False
        self._connection.execute(
            update(hub_consents).where(hub_consents.c.tag == tag).values(cancelled_at=now)
        )
        return True

    def entry(self, statement: Consent | Cancellation) -> bytes | None:
        """The log entry that records a consent's registration, or its cancellation."""
        column = _entry_column(statement)
        found = self._connection.execute(
            select(column).where(hub_consents.c.tag == self.tag(statement))
        ).scalar_one_or_none()
        return None if found is None else bytes(found)

    def remember_entry(self, statement: Consent | Cancellation, raw: bytes) -> None:
        """Keeps the log entry beside what it records."""
        self._connection.execute(
            update(hub_consents)
            .where(hub_consents.c.tag == self.tag(statement))
            .values({_entry_column(statement): raw})
        )

    def attach(self, draft: Draft) -> None:
        """Keeps what a permit's entry names: the sealed evidence, and the permit itself."""
        self.keep_envelope(draft.envelope)
        attach_document(self._connection, draft.signed)

    def keep_envelope(self, body: bytes) -> bytes:
        """Keeps an envelope for the regulator; returns its SHA-256."""
        digest = hashlib.sha256(body).digest()
        attach(self._connection, digest, body)
        return digest

    def _row(self, statement: Consent | Cancellation) -> _ConsentRow | None:
        table = hub_consents.c
        row = self._connection.execute(
            select(table.sealed.is_not(None), table.uses, table.cancelled_at).where(
                table.tag == self.tag(statement)
            )
        ).first()
        return None if row is None else _ConsentRow(*row)


def _entry_column(statement: Consent | Cancellation) -> Column[bytes]:
    table = hub_consents.c
    return table.registration if isinstance(statement, Consent) else table.cancellation


class _ConsentRow(NamedTuple):
    registered: bool
    uses: int
    cancelled_at: int | None
