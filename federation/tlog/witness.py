"""A witness: it cosigns only what extends what it cosigned before. C2SP tlog-witness.

`POST /add-checkpoint` carries `old SIZE`, the consistency proof, an empty line and the checkpoint.
The answers are those of the specification; the caller makes `seen` durable before it answers 200,
within one unit of work with the look at what was seen: two requests at once must not both pass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from federation.errors import DocumentError, SignatureInvalid
from federation.identity import SpiffeId
from federation.merkle import EMPTY_ROOT, verify_consistency
from federation.signed import SigningKey
from federation.tlog.checkpoint import cosign, open_checkpoint, read_number
from federation.tlog.note import MAX_NOTE_BYTES, decode_base64, encode_base64

SIZE_TYPE: Final = "text/x.tlog.size"
MAX_PROOF: Final = 63
MAX_REQUEST_BYTES: Final = MAX_NOTE_BYTES + 64 * 64
_OLD: Final = "old "


@dataclass(frozen=True)
class AddCheckpoint:
    """A request: the size the witness is believed to have seen, the proof from it, the note."""

    old: int
    proof: tuple[bytes, ...]
    checkpoint: bytes

    def encode(self) -> bytes:
        """The body of the request."""
        lines = [f"{_OLD}{self.old}", *map(encode_base64, self.proof), ""]
        return "\n".join(lines).encode() + b"\n" + self.checkpoint

    @classmethod
    def parse(cls, raw: bytes) -> AddCheckpoint:
        """Reads what `encode` writes. Raises DocumentError."""
        head, split, checkpoint = raw.partition(b"\n\n")
        try:
            lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError as error:
            raise DocumentError("request", "is not text") from error
        if len(raw) > MAX_REQUEST_BYTES or not split or not lines[0].startswith(_OLD):
            raise DocumentError("request", "is not an old size, a proof and a checkpoint")
        if len(lines) - 1 > MAX_PROOF:
            raise DocumentError("request", f"has a proof of more than {MAX_PROOF} hashes")
        proof = tuple(decode_base64(line, "request") for line in lines[1:])
        return cls(read_number(lines[0].removeprefix(_OLD), "request"), proof, checkpoint)


@dataclass(frozen=True)
class Seen:
    """The largest tree of a log that this witness cosigned, and its checkpoint."""

    size: int
    root: bytes
    note: bytes


@dataclass(frozen=True)
class WitnessAnswer:
    """An HTTP status and body. `seen` is what to keep of log `origin` before a 200 is answered;
    `fault` is for the witness's own log.
    """

    status: int
    body: bytes = b""
    origin: str = ""
    seen: Seen | None = None
    fault: str = ""


def answer(
    raw: bytes,
    key_of: Callable[[str], bytes | None],
    seen_of: Callable[[str], Seen | None],
    witness: SpiffeId,
    key: SigningKey,
    now: int,
) -> WitnessAnswer:
    """What a witness answers to a request.

    `key_of` gives the key of a log it witnesses, by origin, `seen_of` what it cosigned before.
    """
    try:
        request = AddCheckpoint.parse(raw)
        origin = request.checkpoint.split(b"\n", 1)[0].decode()
    except (DocumentError, UnicodeDecodeError) as error:
        return WitnessAnswer(400, fault=str(error))
    public = key_of(origin)
    if public is None:
        return WitnessAnswer(404, fault="log is not witnessed here")
    try:
        checkpoint, note = open_checkpoint(request.checkpoint, origin, public)
    except SignatureInvalid as error:
        return WitnessAnswer(403, origin=origin, fault=str(error))
    except DocumentError as error:
        return WitnessAnswer(400, origin=origin, fault=str(error))
    if request.old > checkpoint.size:
        return WitnessAnswer(400, origin=origin, fault="old size is above the checkpoint's")
    seen = seen_of(origin) or Seen(0, EMPTY_ROOT, b"")
    if request.old != seen.size:
        return WitnessAnswer(409, f"{seen.size}\n".encode(), origin)
    try:
        verify_consistency(seen.size, checkpoint.size, seen.root, checkpoint.root, request.proof)
    except DocumentError as error:
        return WitnessAnswer(422, origin=origin, fault=str(error))
    line = cosign(note, witness, key, now).line().encode()
    kept = Seen(checkpoint.size, checkpoint.root, request.checkpoint)
    return WitnessAnswer(200, line, origin, kept)
