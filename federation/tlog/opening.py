"""The first steps of the inspection of a log: its checkpoint, and who signed it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from federation.errors import DocumentError, Refusal, SignatureInvalid
from federation.identity import SpiffeId
from federation.tlog.checkpoint import (
    Checkpoint,
    cosigners,
    open_checkpoint,
    origin_of,
    require_cosigned,
    verify_cosignature,
)
from federation.tlog.fault import LogFault, Step
from federation.tlog.note import COSIGNATURE, Note, note_key_id


@dataclass(frozen=True)
class LogKeys:
    """Whose log it is, and the keys (Ed25519, 32 bytes) of its owner and of its witnesses."""

    log: SpiffeId
    public: bytes
    witnesses: Mapping[SpiffeId, bytes]


@dataclass
class Followed:
    """What was verified: `times` are those of the first and last entry, unix seconds."""

    checkpoint: Checkpoint
    cosigned: Mapping[SpiffeId, int]
    kinds: Counter[str] = field(default_factory=Counter)
    times: tuple[int, int] | None = None
    earlier: tuple[int, ...] = ()
    """Sizes of the checkpoints known before that the log extends."""


def open_log(raw: bytes, keys: LogKeys) -> Followed:
    """Steps 1 and 2: the checkpoint in a note. Raises LogFault."""
    try:
        checkpoint, note = open_checkpoint(raw, origin_of(keys.log), keys.public)
    except (DocumentError, SignatureInvalid) as error:
        raise LogFault(Step.CHECKPOINT, "checkpoint", str(error)) from error
    _check_lines(note, keys)
    try:
        require_cosigned(note, keys.witnesses)
    except Refusal as error:
        raise LogFault(Step.COSIGNATURES, "checkpoint", error.detail) from error
    return Followed(checkpoint, cosigners(note, keys.witnesses))


def recognised(raw: bytes, keys: LogKeys) -> bytes:
    """The checkpoint without lines that name no key of `keys`.

    A log that is served may still show a cosignature of a witness that left or changed its keys.
    What names a known key stays, valid or not, and so does all that is no note: `open_log` says
    what is wrong with it.
    """
    try:
        note = Note.parse(raw)
    except DocumentError:
        return raw
    known = {
        (origin_of(witness), note_key_id(origin_of(witness), COSIGNATURE, public))
        for witness, public in keys.witnesses.items()
    }
    owner = origin_of(keys.log)
    kept = [s for s in note.signatures if s.name == owner or (s.name, s.key_id) in known]
    return Note(note.text, tuple(kept)).encode()


def _check_lines(note: Note, keys: LogKeys) -> None:
    """Readers of notes ignore names that they do not know; an inspector is told of each."""
    owner = origin_of(keys.log)
    by_name = {origin_of(witness): witness for witness in keys.witnesses}
    seen: set[str] = set()
    first = note.text.count("\n") + 2
    for line, signature in enumerate(note.signatures, start=first):
        where = f"checkpoint line {line}"
        if signature.name in seen:
            raise LogFault(Step.COSIGNATURES, where, f"a second signature of {signature.name}")
        seen.add(signature.name)
        if signature.name == owner:
            continue  # verified in step 1
        witness = by_name.get(signature.name)
        if witness is None:
            problem = f"{signature.name} is none of the log's witnesses; name those of its time"
            raise LogFault(Step.COSIGNATURES, where, problem)
        try:
            verify_cosignature(note, signature, witness, keys.witnesses[witness])
        except SignatureInvalid as error:
            raise LogFault(Step.COSIGNATURES, where, str(error)) from error
