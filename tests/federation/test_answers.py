"""What holders sign for a bank, and the bank's checks before it uses any of it."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import pytest
from pydantic import ValidationError

from federation.answers import KeyStatement, TableAnswer, UnlockAnswer, check_table, read_key
from federation.entries import Kind, Logged, entry, promise
from federation.errors import DocumentError, Reason, SignatureInvalid
from federation.signed import SigningKey, sign
from support.chain import COURT, HARBOUR, HUB, NOW, POWER, TAX, Chain
from support.checks import refused

KEY, STRANGER = SigningKey.from_bytes(bytes(32)), SigningKey.from_bytes(b"\1" * 32)
TABLE = b"a table"
CTX = bytes(range(32))


def table_answer(**changes: Any) -> TableAnswer:
    fields: dict[str, Any] = {
        "holder": TAX,
        "ctx": CTX,
        "bucket": 2,
        "table": hashlib.sha256(TABLE).digest(),
    }
    return TableAnswer(**(fields | changes))


def unlock_answer() -> UnlockAnswer:
    return UnlockAnswer(holder=TAX, ctx=CTX, permit=bytes(32), evaluated=bytes(32), proof=bytes(64))


def statement() -> KeyStatement:
    return KeyStatement(chain="csj", holder=TAX, ctx=CTX, public_key=bytes(32), manifest=bytes(32))


@pytest.mark.parametrize("document", [table_answer(), unlock_answer(), statement()], ids=repr)
def test_round_trip_wrong_signer_and_wrong_type(document: Any) -> None:
    kind = type(document)
    signed = document.sign(KEY)
    assert kind.open_(signed, KEY.public) == document
    with pytest.raises(SignatureInvalid):
        kind.open_(signed, STRANGER.public)
    for other in (table_answer(), unlock_answer(), statement()):
        if type(other) is not kind:
            with pytest.raises(SignatureInvalid):
                kind.open_(other.sign(KEY), KEY.public)
    with pytest.raises(DocumentError):
        kind.open_(sign(kind.payload_type(), document.payload() + b" ", KEY), KEY.public)


def test_table_answers_are_of_one_length() -> None:
    lengths = {
        len(table_answer(table=hashlib.sha256(bytes([n])).digest()).payload()) for n in range(64)
    }
    assert len(lengths) == 1


@pytest.mark.parametrize("changes", [{"bucket": -1}, {"table": b""}, {"ctx": bytes(33)}], ids=str)
def test_impossible_table_answer(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        table_answer(**changes)


def test_table_is_the_signed_one() -> None:
    check_table(table_answer().sign(KEY), TABLE, TAX, 2, KEY.public, CTX)


@pytest.mark.parametrize(
    "changes",
    [{"holder": POWER}, {"ctx": bytes(32)}, {"bucket": 3}, {"table": bytes(32)}],
    ids=lambda changes: next(iter(changes)),
)
def test_table_of_something_else(changes: dict[str, Any]) -> None:
    signed = table_answer(**changes).sign(KEY)
    refused(Reason.WRONG_CONTEXT, lambda: check_table(signed, TABLE, TAX, 2, KEY.public, CTX))


def test_table_altered_by_a_bit() -> None:
    signed = table_answer().sign(KEY)
    refused(Reason.WRONG_CONTEXT, lambda: check_table(signed, b"A table", TAX, 2, KEY.public, CTX))
    with pytest.raises(SignatureInvalid):
        check_table(signed, TABLE, TAX, 2, STRANGER.public, CTX)


# --- key statements ----------------------------------------------------------------------------


def test_every_holders_key_is_read(chain: Chain) -> None:
    epoch, certificate = chain.epochs[1], chain.with_court.certificate
    ctx = certificate.context(epoch)
    for holder in certificate.holders:
        logged = chain.statement(holder, chain.with_court, epoch)
        read = read_key(logged, holder, certificate, epoch, NOW)
        assert read.public_key == chain.holders[holder].keys(ctx, 1).public
        assert read.manifest == epoch.manifests[holder].hash


def test_keys_of_two_contexts_are_unrelated(chain: Chain) -> None:
    keys = {
        chain.session(model, epoch).keys[TAX]
        for model in (chain.alpha, chain.beta, chain.rival)
        for epoch in (1, 2)
    }
    assert len(keys) == 6


def test_statement_for_another_model_epoch_or_holder(chain: Chain) -> None:
    first, second = chain.epochs[1], chain.epochs[2]
    logged = chain.statement(TAX, chain.alpha, first)
    read_key(logged, TAX, chain.alpha.certificate, first, NOW)
    for certificate, epoch in (
        (chain.beta.certificate, first),
        (chain.alpha.certificate, second),
        (chain.rival.certificate, first),
    ):
        refused(
            Reason.WRONG_CONTEXT,
            lambda c=certificate, e=epoch: read_key(logged, TAX, c, e, NOW),
        )
    with pytest.raises(SignatureInvalid):
        read_key(logged, POWER, chain.alpha.certificate, first, NOW)
    refused(
        Reason.WRONG_AUDIENCE,
        lambda: read_key(logged, COURT, chain.alpha.certificate, first, NOW),
    )


def test_statement_is_in_the_holders_own_log(chain: Chain) -> None:
    epoch, certificate = chain.epochs[1], chain.alpha.certificate
    own, hub = chain.holders[TAX].signing, chain.signing[HUB]
    logged = chain.statement(TAX, chain.alpha, epoch)
    wrong = entry(Kind.PREPARED, NOW, document=logged.document.payload_hash)
    for bad in (
        dataclasses.replace(logged, promise=promise(HUB, logged.entry, own, NOW)),
        Logged(logged.document, wrong, promise(TAX, wrong, own, NOW)),
    ):
        refused(Reason.BAD_PROMISE, lambda b=bad: read_key(b, TAX, certificate, epoch, NOW))
    forged = dataclasses.replace(logged, promise=promise(TAX, logged.entry, hub, NOW))
    with pytest.raises(SignatureInvalid):
        read_key(forged, TAX, certificate, epoch, NOW)
    assert certificate.bank == HARBOUR
