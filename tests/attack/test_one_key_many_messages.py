"""A member signs documents, checkpoints and cosignatures with one key: none passes for another."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable

import pytest

from federation.entries import InclusionPromise, Kind, entry, promise
from federation.errors import DocumentError, FederationError, SignatureInvalid
from federation.identity import SpiffeId
from federation.signed import SigningKey
from federation.tlog.checkpoint import (
    Checkpoint,
    cosign,
    open_checkpoint,
    origin_of,
    sign_checkpoint,
    verify_cosignature,
)
from federation.tlog.note import COSIGNATURE, ED25519, Note, NoteSignature, note_key_id
from support.chain import HUB, NOW, TAX

KEY = SigningKey.generate()
NAME = origin_of(TAX)
OWN = Checkpoint(NAME, 7, bytes(32))
OTHERS = sign_checkpoint(Checkpoint(origin_of(HUB), 7, bytes(32)), SigningKey.generate())
PROMISE = promise(TAX, entry(Kind.CLOSED, NOW, epoch=1), KEY, NOW)


class Recording(SigningKey):
    """The key, which keeps what it was made to sign."""

    def __init__(self) -> None:
        super().__init__(KEY.private)
        self.messages: list[bytes] = []

    def sign(self, message: bytes) -> bytes:
        self.messages.append(message)
        return super().sign(message)


SIGNED: dict[str, Callable[[SigningKey], object]] = {
    "document": lambda key: promise(TAX, entry(Kind.CLOSED, NOW, epoch=1), key, NOW),
    "checkpoint": lambda key: sign_checkpoint(OWN, key),
    "cosignature": lambda key: cosign(OTHERS, TAX, key, NOW),
}


def message_of(kind: str) -> bytes:
    """What is signed for a kind."""
    key = Recording()
    SIGNED[kind](key)
    (message,) = key.messages
    return message


def as_document(signature: bytes) -> None:
    InclusionPromise.open_(dataclasses.replace(PROMISE, signature=signature), KEY.public)


def as_checkpoint(signature: bytes) -> None:
    line = NoteSignature(NAME, note_key_id(NAME, ED25519, KEY.public), signature)
    open_checkpoint(Note(OWN.text(), (line,)).encode(), NAME, KEY.public)


def as_cosignature(signature: bytes) -> None:
    stamped = NOW.to_bytes(8, "big") + signature
    line = NoteSignature(NAME, note_key_id(NAME, COSIGNATURE, KEY.public), stamped)
    verify_cosignature(OTHERS, line, TAX, KEY.public)


ACCEPTED: dict[str, Callable[[bytes], None]] = {
    "document": as_document,
    "checkpoint": as_checkpoint,
    "cosignature": as_cosignature,
}


@pytest.mark.parametrize(("signed", "shown"), list(itertools.product(SIGNED, ACCEPTED)))
def test_a_signature_passes_for_its_own_kind_alone(signed: str, shown: str) -> None:
    signature = KEY.sign(message_of(signed))
    if signed == shown:
        ACCEPTED[shown](signature)
        return
    with pytest.raises(SignatureInvalid):
        ACCEPTED[shown](signature)


def test_no_message_is_the_beginning_of_another() -> None:
    """Whatever follows: the first bytes of each kind exclude those of the others."""
    document, checkpoint, cosigned = map(message_of, SIGNED)
    assert document.startswith(b"DSSEv1 ")
    assert cosigned.startswith(b"cosignature/v1\ntime ")
    assert checkpoint.startswith(NAME.encode() + b"\n7\n")


@pytest.mark.parametrize("origin", ["DSSEv1 28 x", "cosignature/v1", "cosignature/v1\ntime 5"])
def test_no_log_has_a_name_that_makes_its_checkpoint_another_message(origin: str) -> None:
    """Its owner could choose size and root as the rest of a message of another kind."""
    with pytest.raises((DocumentError, FederationError)):
        checkpoint = sign_checkpoint(Checkpoint(origin, 7, bytes(32)), KEY)
        Checkpoint.parse(checkpoint.text)
        SpiffeId.parse("spiffe://" + origin)
