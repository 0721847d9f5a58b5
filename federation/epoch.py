"""Epochs: the hub's descriptor, each holder's manifest, the hub's opening.

The three are made in that order and each names the hash of the one before it, so that the
opening's payload hash commits to one state of everybody's data. A node refuses a second
document for a number it has one of already (`refuse_second`), whoever signed it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from federation.documents import Array, Bytes32, Document, Id, Name, Part, Time
from federation.errors import DocumentError, Reason, Refusal
from federation.identity import Role, SpiffeId
from federation.membership import Members
from federation.roster import Roster
from federation.signed import Signed

SALT_BYTES = 32
MAX_WINDOW = 92 * 86_400


class Descriptor(Document):
    """The hub's announcement of an epoch.

    `roster_rows` and `roster_root` name the prefix of the roster that takes part, `catalogue`
    is the digest of the catalogue; the epoch answers from `opens` until `closes`, which is final.
    """

    TYPE: ClassVar[str] = "epoch-descriptor"

    chain: Name
    epoch: Annotated[int, Field(ge=1)]
    roster_rows: Annotated[int, Field(ge=1)]
    roster_root: Bytes32
    catalogue: Bytes32
    opens: Time
    closes: Time

    @model_validator(mode="after")
    def _window(self) -> Descriptor:
        if self.opens >= self.closes:
            raise ValueError("closes must be later than opens")
        if self.closes - self.opens > MAX_WINDOW:
            # Until an epoch closes, its root is there to be stolen.
            raise ValueError(f"the window is longer than {MAX_WINDOW // 86_400} days")
        return self


class Manifest(Document):
    """One holder's commitment to its data for an epoch.

    `data_hash` is SHA-256 of a 32-byte secret salt followed by the column file; `as_of` is the
    day (YYYY-MM-DD) whose state the data is.
    """

    TYPE: ClassVar[str] = "manifest"

    chain: Name
    epoch: Annotated[int, Field(ge=1)]
    descriptor: Bytes32
    holder: Id
    as_of: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    rows: Annotated[int, Field(ge=1)]
    data_hash: Bytes32


class ManifestRef(Part):
    """A holder's manifest as the opening names it."""

    holder: Id
    hash: Bytes32


class Opening(Document):
    """The hub's list of the manifests that take part, in order of the holders' ids."""

    TYPE: ClassVar[str] = "epoch-opening"

    chain: Name
    epoch: Annotated[int, Field(ge=1)]
    descriptor: Bytes32
    manifests: Annotated[tuple[ManifestRef, ...], Array]

    @model_validator(mode="after")
    def _order(self) -> Opening:
        ids = [str(m.holder) for m in self.manifests]
        if ids != sorted(set(ids)):
            raise ValueError("manifests must be in order of holders, one a holder")
        return self


@dataclass(frozen=True)
class OpenEpoch:
    """An epoch whose three kinds of document verified and agree."""

    descriptor: Descriptor
    manifests: dict[SpiffeId, Manifest]
    opening: Opening

    @property
    def number(self) -> int:
        """The epoch's number."""
        return self.descriptor.epoch

    def require_open(self, now: int) -> None:
        """Raises Refusal(not_open) before the window and Refusal(closed) after it."""
        if now < self.descriptor.opens:
            raise Refusal(Reason.NOT_OPEN, f"epoch {self.number} opens later")
        if now >= self.descriptor.closes:
            raise Refusal(Reason.CLOSED, f"epoch {self.number} is closed")

    def require_participants(self, holders: Iterable[SpiffeId]) -> None:
        """Raises Refusal(closed) when a holder has no manifest in this epoch: its data is too
        old for a model that needs it.
        """
        late = [str(h) for h in holders if h not in self.manifests]
        if late:
            raise Refusal(
                Reason.CLOSED, f"epoch {self.number}: data too old, no manifest of {late}"
            )


def data_hash(salt: bytes, column_file: bytes) -> bytes:
    """The manifest's commitment. `salt` is 32 fresh random bytes that stay with the holder."""
    if len(salt) != SALT_BYTES:
        raise Refusal(Reason.MALFORMED, f"salt has {len(salt)} bytes, not {SALT_BYTES}")
    return hashlib.sha256(salt + column_file).digest()


def read_descriptor(signed: Signed, members: Members) -> Descriptor:
    """The hub's descriptor, verified. Raises SignatureInvalid, DocumentError, Refusal."""
    descriptor = Descriptor.open_(signed, members.hub.signing)
    _same_chain(descriptor.chain, members)
    return descriptor


def check_roster(descriptor: Descriptor, roster: Roster) -> None:
    """Raises Refusal(conflict) unless the descriptor names a state that this roster was in.

    A member that lacks batches has to fetch them first; with all of them, a refusal means that
    the hub showed it another roster than it announced.
    """
    try:
        rows = roster.size_at(descriptor.roster_root)
    except DocumentError as error:
        raise Refusal(Reason.CONFLICT, str(error)) from error
    if rows != descriptor.roster_rows:
        raise Refusal(Reason.CONFLICT, f"the roster had {rows} rows at the descriptor's root")


def read_manifest(signed: Signed, holder: SpiffeId, members: Members) -> Manifest:
    """A holder's manifest, verified. Raises SignatureInvalid, DocumentError, Refusal."""
    manifest = Manifest.open_(signed, members.require(holder, Role.HOLDER).signing)
    _same_chain(manifest.chain, members)
    if manifest.holder != holder:
        raise Refusal(Reason.CONFLICT, f"{holder} signed a manifest of {manifest.holder}")
    return manifest


def check_manifest(manifest: Manifest, descriptor: Descriptor) -> None:
    """Raises Refusal(conflict) unless the manifest is for exactly this descriptor."""
    if (manifest.epoch, manifest.descriptor) != (descriptor.epoch, descriptor.hash):
        raise Refusal(Reason.CONFLICT, f"manifest of {manifest.holder} is for another descriptor")
    if manifest.rows != descriptor.roster_rows:
        raise Refusal(Reason.CONFLICT, f"manifest of {manifest.holder} covers another roster")


def refuse_second(kept: Document | None, offered: Document) -> None:
    """Raises Refusal(conflict) when a different document has that number already.

    The same payload again is no second one: it is a repetition, and answered as the first.
    """
    if kept is not None and kept.payload() != offered.payload():
        raise Refusal(Reason.CONFLICT, f"a different {offered.TYPE} has this number already")


def make_opening(descriptor: Descriptor, manifests: Iterable[Manifest]) -> Opening:
    """The opening over these manifests. Raises Refusal(conflict) for one that does not fit."""
    refs = []
    for manifest in sorted(manifests, key=lambda m: str(m.holder)):
        check_manifest(manifest, descriptor)
        refs.append(ManifestRef(holder=manifest.holder, hash=manifest.hash))
    return Opening(
        chain=descriptor.chain,
        epoch=descriptor.epoch,
        descriptor=descriptor.hash,
        manifests=tuple(refs),
    )


def read_epoch(
    descriptor: Signed, manifests: Iterable[Signed], opening: Signed, members: Members
) -> OpenEpoch:
    """Verifies the documents of an open epoch against each other, starting from the hub's.

    Raises SignatureInvalid, DocumentError, or Refusal(conflict) when hashes or numbers differ.
    Manifests that the opening does not name are refused.
    """
    announced = read_descriptor(descriptor, members)
    opened = Opening.open_(opening, members.hub.signing)
    _same_chain(opened.chain, members)
    if (opened.epoch, opened.descriptor) != (announced.epoch, announced.hash):
        raise Refusal(Reason.CONFLICT, "opening is for another descriptor")
    by_hash = {m.payload_hash: m for m in manifests}
    if set(by_hash) != {ref.hash for ref in opened.manifests}:
        raise Refusal(Reason.CONFLICT, "manifests are not those that the opening names")
    verified = {}
    for ref in opened.manifests:
        manifest = read_manifest(by_hash[ref.hash], ref.holder, members)
        check_manifest(manifest, announced)
        verified[ref.holder] = manifest
    return OpenEpoch(announced, verified, opened)


def _same_chain(chain: str, members: Members) -> None:
    if chain != members.root.chain:
        raise Refusal(Reason.WRONG_CHAIN, f"document is of chain {chain}")
