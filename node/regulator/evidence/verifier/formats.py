"""Signed documents, signed notes and inclusion proofs, as far as checking them needs.

DSSE 1.0 with Ed25519 (RFC 8032); C2SP signed-note, tlog-checkpoint, tlog-cosignature/v1 and
tlog-proof; Merkle trees of RFC 6962. Every function raises `Bad` with what is wrong.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SCHEME = "spiffe://"
WITNESSES = ("hub", "holder", "regulator")


class Bad(Exception):
    """Something is not what it has to be."""


class Gone(Exception):
    """What a step needs is no more, as the case says: its key was erased after the legal term."""


def b64(raw: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: object) -> bytes:
    """What `b64` wrote; no second spelling."""
    if not isinstance(text, str):
        raise Bad("base64url is not text")
    try:
        raw = base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4))
    except (ValueError, binascii.Error) as error:
        raise Bad("not base64url") from error
    if b64(raw) != text:
        raise Bad("not base64url in canonical form")
    return raw


def canonical(value: object) -> bytes:
    """RFC 8785 for what the protocol writes: text, whole numbers, arrays, objects."""

    def ordered(item: Any) -> Any:
        if isinstance(item, dict):
            keys = sorted(item, key=lambda key: key.encode("utf-16-be"))
            return {key: ordered(item[key]) for key in keys}
        return [ordered(part) for part in item] if isinstance(item, list) else item

    return json.dumps(ordered(value), ensure_ascii=False, separators=(",", ":")).encode()


def parse(raw: bytes) -> dict[str, Any]:
    """A canonical JSON object."""
    try:
        value = json.loads(raw)
    except ValueError as error:
        raise Bad("not JSON") from error
    if not isinstance(value, dict) or canonical(value) != raw:
        raise Bad("not an object in canonical form")
    return value


def check_signature(public: bytes, signature: bytes, message: bytes) -> None:
    """One Ed25519 signature."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError) as error:
        raise Bad("signature does not verify") from error


@dataclass(frozen=True)
class Document:
    """A signed document: its type's name, its payload and that payload's SHA-256."""

    kind: str
    body: dict[str, Any]
    payload: bytes
    hash: bytes
    signature: bytes

    @classmethod
    def read(cls, raw: bytes, kind: str) -> Document:
        """A DSSE envelope with a payload of type `kind`; not verified yet."""
        value = parse(raw)
        if value.get("payloadType") != f"application/vnd.yinxin.{kind}.v1+json":
            raise Bad(f"not a document of type {kind}")
        payload, signatures = unb64(value["payload"]), value["signatures"]
        if len(signatures) != 1:
            raise Bad("not exactly one signature")
        digest = hashlib.sha256(payload).digest()
        return cls(kind, parse(payload), payload, digest, unb64(signatures[0]["sig"]))

    def verify(self, public: bytes) -> Document:
        """The document, signed by `public`."""
        name = f"application/vnd.yinxin.{self.kind}.v1+json".encode()
        message = b"DSSEv1 %d %b %d %b" % (len(name), name, len(self.payload), self.payload)
        check_signature(public, self.signature, message)
        return self


@dataclass(frozen=True)
class Members:
    """Credentials that the regulator signed: who had which key when."""

    credentials: tuple[dict[str, Any], ...] = ()

    def at(self, time: int) -> dict[str, dict[str, Any]]:
        """Everybody's newest credential that is valid at `time`, by SPIFFE id."""
        found: dict[str, dict[str, Any]] = {}
        for one in sorted(self.credentials, key=lambda c: c["not_before"]):
            if one["not_before"] <= time:
                found[one["id"]] = one
        return {member: one for member, one in found.items() if time < one["not_after"]}

    def key(self, member: str, time: int) -> bytes:
        """A member's signing key at `time`."""
        one = self.at(time).get(member)
        if one is None:
            raise Bad(f"{member} was no member at the time")
        return unb64(one["signing"])


def role(member: str) -> str:
    """hub, holder, bank or regulator, of a SPIFFE id."""
    return member.removeprefix(SCHEME).split("/")[1]


def leaf_hash(entry: bytes) -> bytes:
    """RFC 6962 section 2.1."""
    return hashlib.sha256(b"\x00" + entry).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of_path(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """The root to which an inclusion proof leads, RFC 9162 section 2.1.3.2."""
    if not 0 <= index < size:
        raise Bad("entry is not within the log")
    position, last, result = index, size - 1, leaf
    for sibling in path:
        if last == 0 or len(sibling) != 32:
            raise Bad("inclusion proof has a wrong length")
        if position & 1 or position == last:
            result = _node(sibling, result)
            while not position & 1 and position != 0:
                position, last = position >> 1, last >> 1
        else:
            result = _node(result, sibling)
        position, last = position >> 1, last >> 1
    if last != 0:
        raise Bad("inclusion proof is too short")
    return result


@dataclass(frozen=True)
class Proof:
    """A tlog-proof: leaf index and path, and the checkpoint's text and signature lines."""

    index: int
    path: list[bytes]
    text: str
    signatures: list[tuple[str, bytes]]

    @classmethod
    def read(cls, raw: bytes) -> Proof:
        """Reads one; verifies nothing."""
        try:
            head, text, lines = raw.decode().split("\n\n")
            header, index, *path = head.split("\n")
            pairs = [line.removeprefix("— ").split(" ") for line in lines.splitlines()]
            signatures = [(name, _base64(value)) for name, value in pairs]
            number = int(index.removeprefix("index "))
        except ValueError as error:
            raise Bad("not a tlog-proof") from error
        if header != "c2sp.org/tlog-proof@v1":
            raise Bad("not a tlog-proof of version 1")
        return cls(number, [_base64(line) for line in path], text + "\n", signatures)

    @property
    def origin(self) -> str:
        """The name of the log."""
        return self.text.split("\n")[0]

    @property
    def size(self) -> int:
        """How many entries the log had at the checkpoint."""
        return int(self.text.split("\n")[1])

    @property
    def root(self) -> bytes:
        """The root of the log's tree."""
        return _base64(self.text.split("\n")[2])

    def check_owner(self, log: str, public: bytes) -> None:
        """Whether the log's owner signed the checkpoint."""
        if self.origin != log.removeprefix(SCHEME):
            raise Bad(f"the checkpoint is of log {self.origin}")
        wanted = _key_id(self.origin, 0x01, public)
        for name, value in self.signatures:
            if name == self.origin and value[:4] == wanted:
                return check_signature(public, value[4:], self.text.encode())
        raise Bad("the log's owner did not sign the checkpoint")

    def cosigners(self, members: dict[str, dict[str, Any]]) -> dict[str, int]:
        """Which witnesses of the log cosigned, and when (unix seconds).

        A line that does not verify is no cosignature and nothing else: the log's owner could add
        one to spoil the evidence.
        """
        found = {}
        for member, credential in members.items():
            name, key = member.removeprefix(SCHEME), unb64(credential["signing"])
            if role(member) not in WITNESSES or name == self.origin:
                continue
            for signer, value in self.signatures:
                if signer != name or value[:4] != _key_id(name, 0x04, key):
                    continue
                time = int.from_bytes(value[4:12], "big")
                try:
                    message = f"cosignature/v1\ntime {time}\n{self.text}".encode()
                    check_signature(key, value[12:], message)
                except Bad:
                    continue
                found[member] = time
        return found

    def check_inclusion(self, entry: bytes) -> None:
        """Whether the log has `entry` at the proof's index."""
        if root_of_path(leaf_hash(entry), self.index, self.size, self.path) != self.root:
            raise Bad("inclusion proof does not lead to the checkpoint's root")


def quorum(members: dict[str, dict[str, Any]], log: str) -> int:
    """How many cosignatures a checkpoint of `log` needs: a majority of its witnesses."""
    count = sum(role(member) in WITNESSES and member != log for member in members)
    return count // 2 + 1 if count else 0


def _key_id(name: str, algorithm: int, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + bytes([algorithm]) + public).digest()[:4]


def _base64(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error) as error:
        raise Bad("not base64") from error
    if base64.b64encode(raw).decode() != text:
        raise Bad("not base64 in canonical form")
    return raw
