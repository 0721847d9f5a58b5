"""The model certificate: the regulator's word on one model of one bank in one chain.

It fixes everything that a bank must not choose at request time: the participants with their
keys, the field layout with its maxima, the parameter set, and the hashes of the public key and
of every holder's weight bundle. A holder parses no key and no ciphertext whose hash is not in a
certificate, and takes peers' keys from nowhere else.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from federation.context import context
from federation.documents import Array, Bytes16, Bytes32, Document, Id, Name, Part, Time
from federation.epoch import OpenEpoch
from federation.errors import Reason, Refusal
from federation.identity import Role, SpiffeId
from federation.membership import Members, TrustRoot
from federation.signed import Signed

MIN_PARTICIPANTS = 3
RECORD_BITS = 40


class CertifiedField(Part):
    """One unsigned field of the score record: bits [offset, offset + width), value ≤ maximum."""

    name: Name
    offset: Annotated[int, Field(ge=0, lt=RECORD_BITS)]
    width: Annotated[int, Field(ge=1, le=RECORD_BITS)]
    maximum: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _fits(self) -> CertifiedField:
        if self.offset + self.width > RECORD_BITS or self.maximum >> self.width:
            raise ValueError(f"field {self.name} does not fit into its bits")
        return self


class Participant(Part):
    """One holder of P: its keys, the number of its columns, its weight bundle's SHA-256."""

    holder: Id
    kind: str
    named: bool
    signing: Bytes32
    agreement: Bytes32
    columns: Annotated[int, Field(ge=1)]
    bundle: Bytes32


class ModelCertificate(Document):
    """What the regulator signs about a model.

    `form` is `sealed` for a bank's own encrypted scorecard, whose `public_key` is the hash of the
    BFV key, and `open` for a published one, which has no key (the hash is of nothing) and whose
    bundles hold points in the clear. `report` is the salted hash of the policy report. A consent
    with several uses may be used in `epochs_a_month` epochs of a calendar month.
    """

    TYPE: ClassVar[str] = "model-certificate"

    model: Bytes16
    name: Name
    bank: Id
    chain: Name
    form: Literal["sealed", "open"]
    catalogue: Bytes32
    fields: Annotated[tuple[CertifiedField, ...], Array]
    coverage: CertifiedField
    disclosed: Annotated[tuple[str, ...], Array]
    participants: Annotated[tuple[Participant, ...], Array]
    parameter_set: Name
    public_key: Bytes32
    report: Bytes32
    epochs_a_month: Annotated[int, Field(ge=1, le=31)]
    not_before: Time
    not_after: Time

    @model_validator(mode="after")
    def _rules(self) -> ModelCertificate:
        ids = [str(p.holder) for p in self.participants]
        if ids != sorted(set(ids)):
            raise ValueError("participants must be in order of their ids, each once")
        if len(ids) < MIN_PARTICIPANTS:
            raise ValueError(f"a model has at least {MIN_PARTICIPANTS} participants")
        for keys in (
            {p.signing for p in self.participants},
            {p.agreement for p in self.participants},
        ):
            if len(keys) < len(ids):
                # Two participants with one agreement key could cancel a third one's masks.
                raise ValueError("participants share a key")
        taken = 0
        for field in (*self.fields, self.coverage):
            bits = ((1 << field.width) - 1) << field.offset
            if taken & bits:
                raise ValueError(f"field {field.name} overlaps another")
            taken |= bits
        if self.coverage.maximum != len(ids):
            raise ValueError("the coverage maximum is the number of participants")
        if self.disclosed != tuple(sorted(set(self.disclosed))):
            raise ValueError("disclosed features must be sorted, each once")
        return self

    def participant(self, holder: SpiffeId) -> Participant:
        """The entry of `holder`. Raises Refusal(wrong_audience) for a holder outside P."""
        for participant in self.participants:
            if participant.holder == holder:
                return participant
        raise Refusal(Reason.WRONG_AUDIENCE, f"{holder} does not take part in the model")

    @property
    def holders(self) -> tuple[SpiffeId, ...]:
        """The ids of P, in order."""
        return tuple(p.holder for p in self.participants)

    @property
    def named_holders(self) -> tuple[SpiffeId, ...]:
        """The participants that must by law be told the subject of a query."""
        return tuple(p.holder for p in self.participants if p.named)

    def context(self, epoch: OpenEpoch) -> bytes:
        """The ctx of this model in an epoch (32 bytes).

        Raises Refusal(wrong_context) when the epoch is of another catalogue and
        Refusal(closed) when a participant has no manifest in it.
        """
        if epoch.descriptor.catalogue != self.catalogue:
            raise Refusal(Reason.WRONG_CONTEXT, "model and epoch have different catalogues")
        epoch.require_participants(self.holders)
        return context(self.hash, self.bank, self.chain, epoch.opening.hash)

    def require_material(self, holder: SpiffeId, public_key: bytes, bundle: bytes) -> None:
        """Raises Refusal(uncertified_model) unless key and weight bundle are the certified ones.

        Call it before either is parsed: a malformed key disables re-randomisation, and a
        ciphertext with crafted noise survives flooding.
        """
        certified = (self.public_key, self.participant(holder).bundle)
        if certified != tuple(hashlib.sha256(raw).digest() for raw in (public_key, bundle)):
            raise Refusal(Reason.UNCERTIFIED_MODEL, "key or weights are not those certified")

    def require_members(self, members: Members) -> None:
        """Raises Refusal(foreign_certificate) unless the bank is a member now, or a guest, and
        every participant what the certificate says.
        """
        members.require(self.bank, Role.BANK)
        self.require_participants(members)

    def require_participants(self, members: Members) -> None:
        """Raises Refusal(foreign_certificate) unless every participant is a member now with the
        keys, the kind and the duty to be told that its credential says.

        A participant that does not exist would let its inventor isolate another's part.
        """
        for participant in self.participants:
            member = members.require(participant.holder, Role.HOLDER)
            if (member.signing, member.agreement, member.kind, member.named) != (
                participant.signing,
                participant.agreement,
                participant.kind,
                participant.named,
            ):
                raise Refusal(Reason.FOREIGN_CERTIFICATE, f"keys of {participant.holder} differ")

    def require_valid(self, now: int) -> None:
        """Raises Refusal(uncertified_model) outside the certificate's validity."""
        if not self.not_before <= now < self.not_after:
            raise Refusal(Reason.UNCERTIFIED_MODEL, "certificate is outside its validity")


def open_certificate(signed: Signed, root: TrustRoot) -> ModelCertificate:
    """A certificate of this chain's regulator, whoever is a member of the chain now.

    Raises SignatureInvalid, DocumentError, Refusal(wrong_chain).
    """
    certificate = ModelCertificate.open_(signed, root.regulator_signing)
    if certificate.chain != root.chain:
        raise Refusal(Reason.WRONG_CHAIN, f"certificate is of chain {certificate.chain}")
    return certificate


def read_certificate(signed: Signed, members: Members) -> ModelCertificate:
    """A certificate of this chain's regulator about a bank and holders of this chain.

    Raises SignatureInvalid, DocumentError, Refusal(wrong_chain), and what `require_members` does.
    """
    certificate = open_certificate(signed, members.root)
    certificate.require_members(members)
    return certificate
