"""Signed notes: a text and signatures under it, as C2SP signed-note has them.

    text, ending in a newline
    (empty line)
    — NAME base64(key id ‖ signature)

A key id is SHA-256(name ‖ 0x0A ‖ algorithm ‖ public key), its first four bytes. Algorithm 0x01 is
Ed25519 over the text, 0x04 the time-stamped cosignature of `federation.tlog.checkpoint`. Base64 is
RFC 4648 section 4, with padding, and only its canonical form is read: no byte of a note can
change without notice.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from federation.errors import DocumentError, SignatureInvalid
from federation.signed import KEY_BYTES, SigningKey, VerifyKey

ED25519: Final = 0x01
COSIGNATURE: Final = 0x04
KEY_ID_BYTES: Final = 4
MAX_NOTE_BYTES: Final = 64 * 1024
MAX_SIGNATURES: Final = 100

_DASH: Final = "— "


@dataclass(frozen=True)
class NoteSignature:
    """One signature line. `signature` is what follows the key id; its form is the algorithm's."""

    name: str
    key_id: bytes
    signature: bytes

    def line(self) -> str:
        """The line, with its newline."""
        return f"{_DASH}{self.name} {encode_base64(self.key_id + self.signature)}\n"

    @classmethod
    def parse(cls, line: str) -> NoteSignature:
        """The signature in a line without its newline. Raises DocumentError."""
        parts = line.removeprefix(_DASH).split(" ")
        if not line.startswith(_DASH) or len(parts) != 2:
            raise DocumentError("note", "has a line under its text that is no signature")
        raw = decode_base64(parts[1], "note")
        if len(raw) <= KEY_ID_BYTES:
            raise DocumentError("note", "has a signature of no bytes")
        return cls(check_name(parts[0]), raw[:KEY_ID_BYTES], raw[KEY_ID_BYTES:])


@dataclass(frozen=True)
class Note:
    """A text (ending in a newline) and its signatures. Holding one says nothing of its validity."""

    text: str
    signatures: tuple[NoteSignature, ...] = ()

    def encode(self) -> bytes:
        """The note as it is sent and kept."""
        return (self.text + "\n" + "".join(s.line() for s in self.signatures)).encode()

    def adding(self, signatures: Sequence[NoteSignature]) -> Note:
        """The same text with more signatures under it."""
        return Note(self.text, (*self.signatures, *signatures))

    @classmethod
    def parse(cls, raw: bytes, max_bytes: int = MAX_NOTE_BYTES) -> Note:
        """Reads what `encode` writes, with at least one signature. Raises DocumentError."""
        if len(raw) > max_bytes:
            raise DocumentError("note", f"has {len(raw)} bytes, at most {max_bytes}")
        try:
            whole = raw.decode()
        except UnicodeDecodeError as error:
            raise DocumentError("note", "is not UTF-8") from error
        if any(unicodedata.category(c) == "Cc" and c != "\n" for c in whole):
            raise DocumentError("note", "holds a control character")
        text, split, lines = whole.rpartition("\n\n")
        if not split or not text or not lines.endswith("\n"):
            raise DocumentError("note", "is no text with signatures under it")
        found = lines[:-1].split("\n")
        if len(found) > MAX_SIGNATURES:
            raise DocumentError("note", f"has {len(found)} signatures, at most {MAX_SIGNATURES}")
        return cls(text + "\n", tuple(NoteSignature.parse(line) for line in found))


def note_key_id(name: str, algorithm: int, public: bytes) -> bytes:
    """The four bytes by which a signature names its key."""
    tagged = name.encode() + b"\n" + bytes([algorithm]) + public
    return hashlib.sha256(tagged).digest()[:KEY_ID_BYTES]


def vkey(name: str, algorithm: int, public: bytes) -> str:
    """The public key as a line of text: NAME+hex(key id)+base64(algorithm ‖ public key)."""
    key_id = note_key_id(check_name(name), algorithm, public).hex()
    return f"{name}+{key_id}+{encode_base64(bytes([algorithm]) + public)}"


def parse_vkey(text: str) -> tuple[str, int, bytes]:
    """Name, algorithm and public key (32 bytes) of a `vkey`. Raises DocumentError."""
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    raw = decode_base64(encoded, "vkey")
    if len(raw) != 1 + KEY_BYTES or raw[0] not in (ED25519, COSIGNATURE):
        raise DocumentError("vkey", "is of no algorithm that is known here")
    if note_key_id(check_name(name), raw[0], raw[1:]).hex() != key_id:
        raise DocumentError("vkey", "has a key id that does not fit its name and key")
    return name, raw[0], raw[1:]


def sign_note(text: str, name: str, key: SigningKey) -> Note:
    """The text with one Ed25519 signature. Raises DocumentError for an impossible text or name."""
    if not text.endswith("\n") or "\n\n" in text:
        raise DocumentError("note", "text must end in a newline and have no empty line")
    key_id = note_key_id(check_name(name), ED25519, key.public)
    return Note(text, (NoteSignature(name, key_id, key.sign(text.encode())),))


def verify_note(note: Note, name: str, public: bytes) -> None:
    """Raises SignatureInvalid unless `name` signed the text with its Ed25519 key."""
    key_id = note_key_id(name, ED25519, public)
    for signature in note.signatures:
        if signature.name == name and signature.key_id == key_id:
            VerifyKey(public).verify(signature.signature, note.text.encode())
            return
    raise SignatureInvalid(f"note carries no signature of {name} with the key expected")


def check_name(name: str) -> str:
    """The name of a key. Raises DocumentError when it is empty or has a space or a plus sign."""
    if not name or "+" in name or any(c.isspace() for c in name):
        raise DocumentError("note", "names a key by nothing, or with a space or a plus sign")
    return name


def encode_base64(raw: bytes) -> str:
    """Base64 with padding, RFC 4648 section 4."""
    return base64.b64encode(raw).decode()


def decode_base64(text: str, field: str) -> bytes:
    """What `encode_base64` wrote; no second spelling. Raises DocumentError for `field`."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DocumentError(field, "holds what is not base64") from error
    if encode_base64(raw) != text:
        raise DocumentError(field, "holds base64 in a form that is not canonical")
    return raw
