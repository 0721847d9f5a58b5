"""Log entries: what a node writes before it answers, and the promise that it did.

An entry is canonical JSON of a kind, a time and a flat body of strings and numbers. Ciphertexts
and documents are in it by hash; no entry names the subject of a query. The leaf hash is that
of RFC 6962, section 2.1, so that the entries form a Merkle tree as they stand.

Members of a chain are upgraded one after the other, so a program of version n reads the entries of
versions 1 to n + 1. That holds because a step of the version may add kinds of entries and
members of bodies, and nothing else: the four members of an entry, the types of values, the
canonical form and the leaf hash stay, and no member of a body is dropped or changes its meaning.
What a reader does not know it keeps: an unknown member of a body stays in the body, an entry of an
unknown kind is opaque (`Kind.OPAQUE`, its own name in `label`), and both encode to their bytes.
docs/log.md lists the kinds with their bodies.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import Field, model_validator

from federation.canonical import b64, canonical_json, parse_canonical
from federation.documents import Bytes32, Document, Id, Part, Time
from federation.errors import DocumentError, Reason, Refusal
from federation.identity import SpiffeId
from federation.merkle import leaf_hash
from federation.signed import Signed, SigningKey

MAX_ENTRY_BYTES = 65_535
MAX_KIND = 64
PROMISE_SECONDS = 60
CLOCK_SKEW = 30
VERSION: Final = 4
"""What this program writes; it reads every version before, and one more."""


class Kind(StrEnum):
    """The kinds of entries."""

    DESCRIPTOR = "epoch-descriptor"
    MANIFEST = "manifest"
    OPENING = "epoch-opening"
    CLOSED = "epoch-closed"
    CTX_KEY = "ctx-key"
    CERTIFIED = "model-certified"
    WITHDRAWN = "model-withdrawn"
    INSTALLED = "model-installed"
    PREPARED = "bucket-prepared"
    CONSENT = "consent-registered"
    CANCELLED = "consent-cancelled"
    PERMIT = "permit"
    UNLOCK = "unlock"
    REFUSAL = "refusal"
    QUERY = "query"
    FAILURE = "record-failure"
    MEMBER = "member"
    ROSTER = "roster-batch"
    ADMIN = "administrator"
    APPLICATION_OPENED = "application-opened"
    APPLICATION_CLOSED = "application-closed"
    LOAN_OPENED = "loan-opened"
    LOAN_CLOSED = "loan-closed"
    BATCH = "batch-registered"
    KEY_ROTATED = "key-rotated"
    KEY_ERASED = "key-erased"
    FINDING = "finding"
    STATISTICS = "holder-statistics"
    LABELS = "labels-certified"
    LABELS_INSTALLED = "labels-installed"
    COUNTS = "counts-released"
    COUNTS_RECEIVED = "counts-received"
    BUNDLE = "bundle-published"
    PINNED = "chain-pinned"
    UNPINNED = "chain-withdrawn"
    GUEST = "guest"
    DIRECTORY = "directory"
    ROUTED = "query-routed"
    VOUCHED = "submission-vouched"
    HISTORY = "history-shared"
    SHARE = "audit-shared"
    DISPUTED = "disputed"
    DISPUTE_ANSWERED = "dispute-answered"
    OPAQUE = ""
    """Of the next version, and unknown to this one. Read, never written."""


Label = Annotated[str, Field(pattern=rf"^([a-z][a-z0-9-]{{0,{MAX_KIND - 1}}})?$")]


class Entry(Part):
    """One entry. `body` is flat: text (hashes as base64url) and whole numbers.

    `label` is the name of the kind where `kind` is `Kind.OPAQUE`, else empty.
    """

    v: Annotated[int, Field(ge=1, le=VERSION + 1)] = VERSION
    kind: Kind
    time: Time
    body: dict[str, str | int]
    label: Label = ""

    @model_validator(mode="after")
    def _named(self) -> Self:
        if (self.kind is Kind.OPAQUE) is not bool(self.label):
            raise ValueError("a label goes with an opaque kind, and with no other")
        return self

    def encode(self) -> bytes:
        """The bytes of the entry, at most 65,535. Raises DocumentError."""
        value = {
            "v": self.v,
            "kind": self.label or self.kind.value,
            "time": self.time,
            "body": self.body,
        }
        raw = canonical_json(value)
        if len(raw) > MAX_ENTRY_BYTES:
            raise DocumentError("entry", f"is {len(raw)} bytes long, at most {MAX_ENTRY_BYTES}")
        return raw


def entry(kind: Kind, time: int, /, **body: str | int | bytes | SpiffeId) -> bytes:
    """The encoded entry of that kind; bytes are written as base64url, ids as text.

    Raises DocumentError for `Kind.OPAQUE`, which nobody writes.
    """
    if kind is Kind.OPAQUE:
        raise DocumentError("entry.kind", "is opaque", "write a kind that this version knows")
    flat: dict[str, str | int] = {}
    for name, value in body.items():
        if isinstance(value, bytes):
            flat[name] = b64(value)
        else:
            flat[name] = str(value) if isinstance(value, SpiffeId) else value
    return Entry(kind=kind, time=time, body=flat).encode()


def read_entry(raw: bytes) -> Entry:
    """The entry in `raw`, of this version, one before it or the one after it.

    Raises DocumentError for a later version, for another form, and for a kind that is unknown
    though its version is known.
    """
    value = parse_canonical(raw, MAX_ENTRY_BYTES)
    try:
        # Lax only for the enumeration: JSON has no other way to write it.
        read = Entry.model_validate(_labelled(value), strict=False)
    except ValueError as error:
        versions = f"1 to {VERSION + 1}"
        raise DocumentError("entry", f"is not an entry of version {versions} ({error})") from error
    if read.encode() != raw:  # what lax reading would let pass: text for a number, a default
        raise DocumentError("entry", "is not in canonical form")
    return read


def _labelled(value: Any) -> Any:
    """The value as `Entry` has it: an unknown kind of the next version is a label."""
    if not isinstance(value, dict):
        return value
    if "label" in value:
        raise ValueError("an entry has no member label")
    kind = value.get("kind")
    if value.get("v") != VERSION + 1 or not isinstance(kind, str) or kind in set(Kind):
        return value
    return {**value, "kind": Kind.OPAQUE, "label": kind}


class InclusionPromise(Document):
    """The log's owner promises that its tree covers `leaf` no later than `include_by`."""

    TYPE: ClassVar[str] = "inclusion-promise"

    log: Id
    leaf: Bytes32
    issued: Time
    include_by: Time


@dataclass(frozen=True)
class Logged:
    """A signed document, the entry of its signer's log that records it, and the promise.

    `proof` is the tlog-proof of the entry where the chain's policy asks for it, else empty.
    """

    document: Signed
    entry: bytes
    promise: Signed
    proof: bytes = b""


def promise(log: SpiffeId, raw_entry: bytes, key: SigningKey, now: int) -> Signed:
    """The promise for an entry that is durable already."""
    return InclusionPromise(
        log=log, leaf=leaf_hash(raw_entry), issued=now, include_by=now + PROMISE_SECONDS
    ).sign(key)


def check_logged(logged: Logged, kind: Kind, log: SpiffeId, public: bytes, now: int) -> Entry:
    """The entry, once the log's owner is bound to it and it records the document.

    Raises SignatureInvalid, DocumentError, or Refusal(bad_promise) when the promise is of another
    log or leaf, allows more than 60 seconds or is dated in the future, or when the entry is of
    another kind or does not carry the document's hash.
    """
    promised = InclusionPromise.open_(logged.promise, public)
    if promised.log != log or promised.leaf != leaf_hash(logged.entry):
        raise Refusal(Reason.BAD_PROMISE, "promise is for another log or entry")
    if promised.include_by - promised.issued > PROMISE_SECONDS:
        raise Refusal(Reason.BAD_PROMISE, "promise allows more than 60 seconds")
    if promised.issued > now + CLOCK_SKEW:
        raise Refusal(Reason.BAD_PROMISE, "promise is dated in the future")
    recorded = read_entry(logged.entry)
    document = b64(hashlib.sha256(logged.document.payload).digest())
    if recorded.kind is not kind or recorded.body.get("document") != document:
        raise Refusal(Reason.BAD_PROMISE, "entry does not record the document")
    return recorded
