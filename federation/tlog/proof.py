"""The proof that one entry is in a log, checkable by whoever knows the keys: C2SP tlog-proof.

c2sp.org/tlog-proof@v1
index 1234
base64 of each hash of the inclusion path
(empty line)
the checkpoint, with its cosignatures
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from federation.errors import DocumentError
from federation.identity import SpiffeId
from federation.merkle import leaf_hash, verify_inclusion
from federation.tlog.checkpoint import (
    Checkpoint,
    open_checkpoint,
    origin_of,
    read_number,
    require_cosigned,
)
from federation.tlog.note import MAX_NOTE_BYTES, decode_base64, encode_base64

HEADER: Final = "c2sp.org/tlog-proof@v1"
MAX_PATH: Final = 63
MAX_PROOF_BYTES: Final = MAX_NOTE_BYTES + 64 * 64
_INDEX: Final = "index "


@dataclass(frozen=True)
class TlogProof:
    """Leaf `index`, its path to the root, and the checkpoint with that root, as text."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes

    def encode(self) -> bytes:
        """The proof as it is sent and kept."""
        lines = [HEADER, f"{_INDEX}{self.index}", *map(encode_base64, self.path), ""]
        return "\n".join(lines).encode() + b"\n" + self.checkpoint

    @classmethod
    def parse(cls, raw: bytes) -> TlogProof:
        """Reads what `encode` writes. Raises DocumentError; verifies nothing."""
        if len(raw) > MAX_PROOF_BYTES:
            raise DocumentError("proof", f"has {len(raw)} bytes, at most {MAX_PROOF_BYTES}")
        head, split, checkpoint = raw.partition(b"\n\n")
        try:
            lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError as error:
            raise DocumentError("proof", "is not text") from error
        if not split or len(lines) < 2 or lines[0] != HEADER or not lines[1].startswith(_INDEX):
            raise DocumentError("proof", f"does not begin with {HEADER} and an index")
        if len(lines) - 2 > MAX_PATH:
            raise DocumentError("proof", f"has a path of more than {MAX_PATH} hashes")
        path = tuple(decode_base64(line, "proof") for line in lines[2:])
        return cls(read_number(lines[1].removeprefix(_INDEX), "proof"), path, checkpoint)


def verify_proof(
    raw: bytes, entry: bytes, log: SpiffeId, public: bytes, witnesses: Mapping[SpiffeId, bytes]
) -> Checkpoint:
    """The checkpoint under which `entry` is proved to be in the log of `log`.

    `public` is the log's key, `witnesses` its witnesses' keys (32 bytes each). Raises
    SignatureInvalid, DocumentError, or Refusal(bad_promise) below a quorum of cosignatures.
    """
    proof = TlogProof.parse(raw)
    checkpoint, note = open_checkpoint(proof.checkpoint, origin_of(log), public)
    require_cosigned(note, witnesses)
    verify_inclusion(leaf_hash(entry), proof.index, checkpoint.size, proof.path, checkpoint.root)
    return checkpoint
