"""Log entries and the promises for them."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import pytest

from federation.canonical import b64, canonical_json
from federation.entries import (
    CLOCK_SKEW,
    MAX_ENTRY_BYTES,
    PROMISE_SECONDS,
    InclusionPromise,
    Kind,
    Logged,
    check_logged,
    entry,
    promise,
    read_entry,
)
from federation.errors import DocumentError, Reason, SignatureInvalid
from federation.merkle import leaf_hash
from federation.signed import Signed, SigningKey, sign
from support.chain import HARBOUR, HUB, NOW, TAX
from support.checks import refused

KEY, STRANGER = SigningKey.from_bytes(bytes(32)), SigningKey.from_bytes(b"\1" * 32)
DOCUMENT: Signed = sign("application/vnd.yinxin.sample.v1+json", b'{"a":1}', KEY)
RAW = entry(Kind.PERMIT, NOW, document=DOCUMENT.payload_hash, bank=HARBOUR, count=3, note="n")


def logged(raw: bytes = RAW, **changes: Any) -> Logged:
    return dataclasses.replace(Logged(DOCUMENT, raw, promise(HUB, raw, KEY, NOW)), **changes)


def check(record: Logged, kind: Kind = Kind.PERMIT, now: int = NOW) -> object:
    return check_logged(record, kind, HUB, KEY.public, now)


def test_entry_round_trip() -> None:
    recorded = read_entry(RAW)
    assert (recorded.v, recorded.kind, recorded.time) == (4, Kind.PERMIT, NOW)
    assert recorded.body == {
        "document": b64(DOCUMENT.payload_hash),
        "bank": str(HARBOUR),
        "count": 3,
        "note": "n",
    }
    assert recorded.encode() == RAW == entry(Kind.PERMIT, NOW, **recorded.body)


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.OPAQUE])
def test_every_kind_is_read_back(kind: Kind) -> None:
    assert read_entry(entry(kind, NOW)).kind is kind


def form(**changes: Any) -> bytes:
    value = {"v": 4, "kind": "permit", "time": NOW, "body": {"a": "b"}} | changes
    return canonical_json({name: item for name, item in value.items() if item is not ...})


@pytest.mark.parametrize(
    "changes",
    [
        {"v": 0},
        {"v": 6},
        {"v": True},
        {"v": "1"},
        {"v": ...},
        {"kind": "gossip"},
        {"kind": "PERMIT"},
        {"time": 1},
        {"time": str(NOW)},
        {"body": {"a": True}},
        {"time": ...},
        {"body": ...},
        {"body": []},
        {"body": {"a": ["b"]}},
        {"body": {"a": {"b": "c"}}},
        {"body": {"a": None}},
        {"extra": 1},
        {"label": ""},
        {"label": "permit", "kind": ""},
        {"kind": ""},
        {"v": 1, "kind": "gossip"},
        {"v": 5, "kind": ""},
        {"v": 5, "kind": "Gossip"},
        {"v": 5, "kind": "g" * 65},
        {"v": 5, "kind": 7},
        {"v": 5, "extra": 1},
        {"v": 5, "body": {"a": ["b"]}},
        {"v": 5, "body": {"a": True}},
        {"v": 5, "kind": "gossip", "label": "gossip"},
        {"v": 6, "kind": "gossip"},
        {"v": 2, "kind": "gossip"},
    ],
    ids=str,
)
def test_entry_of_another_form(changes: dict[str, Any]) -> None:
    with pytest.raises(DocumentError):
        read_entry(form(**changes))
    read_entry(form())


@pytest.mark.parametrize("raw", [b"", b"{}", b"null", form() + b"\n", b" " + form(), b"\xff"])
def test_entry_that_is_not_canonical(raw: bytes) -> None:
    """The leaf hash is of the bytes: two forms of one entry would be two leaves."""
    with pytest.raises(DocumentError):
        read_entry(raw)


@pytest.mark.parametrize("version", [1, 2, 3, 4, 5])
def test_earlier_versions_and_the_next_are_read(version: int) -> None:
    """Members of a chain are upgraded one after the other."""
    raw = form(v=version, body={"document": "d", "invented later": "x", "n": 3})
    read = read_entry(raw)
    assert (read.v, read.kind, read.label) == (version, Kind.PERMIT, "")
    assert read.body == {"document": "d", "invented later": "x", "n": 3}
    assert read.encode() == raw


def test_an_unknown_kind_of_the_next_version_is_opaque() -> None:
    raw = b'{"body":{"who":"x"},"kind":"gossip-heard","time":1790000000,"v":5}'
    read = read_entry(raw)
    assert (read.kind, read.label, read.body) == (Kind.OPAQUE, "gossip-heard", {"who": "x"})
    assert read.encode() == raw
    with pytest.raises(DocumentError, match="opaque"):
        entry(Kind.OPAQUE, NOW)


def test_a_document_logged_by_a_newer_member_counts() -> None:
    """A permit of a hub that is a version ahead has its promise checked as ever."""
    value = {"v": 5, "kind": "permit", "time": NOW}
    body = {"document": b64(DOCUMENT.payload_hash), "more": 1}
    raw = canonical_json(value | {"body": body})
    assert check(logged(raw)) == read_entry(raw)
    other = canonical_json(value | {"body": body, "kind": "permit-of-tomorrow"})
    refused(Reason.BAD_PROMISE, lambda: check(logged(other)))


def test_entry_size() -> None:
    room = MAX_ENTRY_BYTES - len(entry(Kind.ADMIN, NOW, note=""))
    assert len(entry(Kind.ADMIN, NOW, note="x" * room)) == MAX_ENTRY_BYTES
    with pytest.raises(DocumentError, match="bytes long"):
        entry(Kind.ADMIN, NOW, note="x" * (room + 1))


# --- promises ----------------------------------------------------------------------------------


def test_honest_promise() -> None:
    assert check(logged()) == read_entry(RAW)
    made = InclusionPromise.open_(logged().promise, KEY.public)
    assert made.leaf == leaf_hash(RAW) == hashlib.sha256(b"\0" + RAW).digest()
    assert made.include_by - made.issued == PROMISE_SECONDS == 60


def test_promise_stays_good() -> None:
    """A bank that asks again next week still holds the log's owner to it."""
    check(logged(), now=NOW + 10_000_000)


def test_promise_of_a_clock_slightly_ahead() -> None:
    check(logged(), now=NOW - CLOCK_SKEW)
    refused(Reason.BAD_PROMISE, lambda: check(logged(), now=NOW - CLOCK_SKEW - 1))


@pytest.mark.parametrize(
    "changes",
    [
        {"log": TAX},
        {"leaf": leaf_hash(b"another entry")},
        {"include_by": NOW + PROMISE_SECONDS + 1},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_promise_of_something_else(changes: dict[str, Any]) -> None:
    fields = {"log": HUB, "leaf": leaf_hash(RAW), "issued": NOW, "include_by": NOW + 60}
    good = InclusionPromise(**fields).sign(KEY)
    check(logged(promise=good))
    bad = InclusionPromise(**(fields | changes)).sign(KEY)
    refused(Reason.BAD_PROMISE, lambda: check(logged(promise=bad)))


def test_promise_of_another_signer_or_type() -> None:
    for forged in (promise(HUB, RAW, STRANGER, NOW), DOCUMENT):
        with pytest.raises(SignatureInvalid):
            check(logged(promise=forged))


def test_entry_of_another_kind() -> None:
    refused(Reason.BAD_PROMISE, lambda: check(logged(), kind=Kind.UNLOCK))


def test_entry_does_not_carry_the_document() -> None:
    for raw in (
        entry(Kind.PERMIT, NOW, document=bytes(32)),
        entry(Kind.PERMIT, NOW),
        entry(Kind.PERMIT, NOW, other=DOCUMENT.payload_hash),
        entry(Kind.PERMIT, NOW, document=DOCUMENT.payload_hash.hex()),
    ):
        refused(Reason.BAD_PROMISE, lambda r=raw: check(logged(r)))


def test_document_is_exchanged_after_logging() -> None:
    other = sign(DOCUMENT.payload_type, b'{"a":2}', KEY)
    refused(Reason.BAD_PROMISE, lambda: check(logged(document=other)))


def test_promised_bytes_that_are_no_entry() -> None:
    raw = b"not an entry"
    with pytest.raises(DocumentError):
        check(logged(raw))
