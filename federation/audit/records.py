"""What the audit reads: entries of mirrored logs, and queries once they were verified."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from federation.canonical import unb64
from federation.consent import Consent
from federation.entries import Entry, Kind
from federation.errors import DocumentError

HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a mirrored log, as far as the checks over many records need it.

    `log` is the SPIFFE id of the log's owner, `time` the entry's own, in unix seconds; `subject`
    what entries of different logs have in common (`subject_of`), `ctx` the context it names or
    nothing, `body` the entry's body for the few kinds that say more.
    """

    log: str
    index: int
    kind: Kind
    time: int
    subject: bytes = b""
    ctx: bytes = b""
    body: dict[str, str | int] = field(default_factory=dict)


def subject_of(kind: Kind, body: dict[str, str | int]) -> bytes:
    """The hash that an entry is about: of the permit for `permit`, `unlock`, `query` and
    `record-failure`, else of its document; nothing for an entry without one.

    Raises DocumentError when it is not 32 bytes in base64url.
    """
    return _hash(body, "permit" if kind is Kind.FAILURE else "document")


def event(log: str, index: int, entry: Entry) -> Event:
    """An entry of `log` as the checks read it. Raises DocumentError."""
    subject, ctx = subject_of(entry.kind, entry.body), _hash(entry.body, "ctx")
    return Event(log, index, entry.kind, entry.time, subject, ctx, entry.body)


def _hash(body: dict[str, str | int], name: str) -> bytes:
    value = body.get(name, "")
    if not isinstance(value, str):
        raise DocumentError(f"entry.{name}", "is not a hash")
    raw = unb64(value, f"entry.{name}")
    if len(raw) not in (0, HASH_BYTES):
        raise DocumentError(f"entry.{name}", f"has {len(raw)} bytes, not {HASH_BYTES}")
    return raw


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentFacts:
    """What the audit keeps of a verified consent, times in unix seconds."""

    hash: bytes
    id: bytes
    uses: int
    issued_at: int
    not_before: int
    expires: int
    chains: tuple[str, ...]

    @classmethod
    def of(cls, consent: Consent) -> ConsentFacts:
        """The facts of a consent."""
        return cls(
            hash=consent.hash,
            id=consent.id,
            uses=consent.uses,
            issued_at=consent.issued_at,
            not_before=consent.not_before,
            expires=consent.expires,
            chains=consent.chains,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedQuery:
    """One permit of the hub's log. A query with named holders has one for each of them.

    What could not be established is empty: of a permit that nobody signed only `id`, `time` and
    `bank` are what the entry says; without evidence `officer`, `reference` and `uscc` are empty
    and `consent` is None.

    Attributes:
        id: SHA-256 of the permit's payload.
        index: of the entry in the hub's log.
        permit_id: the permit's 16-byte id.
        time, expires: of issue and of expiry, unix seconds.
        bank, audience: SPIFFE ids as text.
        uscc: the subject; whoever stores it keeps it sealed or tagged.
        model: hash of the model certificate, `epochs_a_month` what it allows.
        holders: all participants of the model, in order.
        named: the audience is a holder that must see the subject.
        month: the calendar month in which the epoch opens, YYYYMM in China.
        verified: consent, evidence, proof and permit are all in order.
    """

    id: bytes
    index: int
    time: int
    bank: str
    permit_id: bytes = b""
    expires: int = 0
    officer: str = ""
    reference: str = ""
    purpose: str = ""
    uscc: str = ""
    consent: ConsentFacts | None = None
    model: bytes = b""
    ctx: bytes = b""
    epoch: int = 0
    month: int = 0
    epochs_a_month: int = 0
    audience: tuple[str, ...] = ()
    holders: tuple[str, ...] = ()
    named: bool = False
    blinded: bytes = b""
    verified: bool = False

    @property
    def group(self) -> bytes:
        """What all permits of one query have in common, 32 bytes.

        Two queries of a bank with one consent, model and second are taken for one.
        """
        consent = self.consent.hash if self.consent else self.id
        parts = (self.bank.encode(), self.model, consent, self.time.to_bytes(8, "big"))
        digest = hashlib.sha256()
        for part in parts:
            digest.update(len(part).to_bytes(4, "big") + part)
        return digest.digest()
