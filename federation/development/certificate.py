"""The development certificate: the regulator's word on the encrypted labels of one bank.

It fixes what a bank must not choose: that the labels in the bundle are those of firms that
consented and are enough of them, who may count them, and how much noise every one of the counts
gets. It says nothing of how many firms are labelled, or which: the bundle has a ciphertext for
every bucket of the roster. A holder parses no key and no ciphertext whose hash is not in it.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from pydantic import Field, model_validator

from federation.development import privacy
from federation.documents import Array, Bytes16, Bytes32, Document, Id, Name, Part, Time
from federation.epoch import OpenEpoch
from federation.errors import Reason, Refusal
from federation.identity import Role, SpiffeId
from federation.membership import Members
from federation.signed import Signed
from scoring.words import ROWS

MAX_BUCKETS: Final = 500
"""The flooding bound of a count is proved up to here: 4,096,000 firms."""
MAX_COLUMNS: Final = 500


class CountingHolder(Part):
    """A participant: the features of its kind, and their bins with `missing` left out."""

    holder: Id
    kind: str
    signing: Bytes32
    features: Annotated[int, Field(ge=1, le=MAX_COLUMNS)]
    columns: Annotated[int, Field(ge=1, le=MAX_COLUMNS)]


class DevelopmentCertificate(Document):
    """What the regulator signs about the labels of one bank.

    `id` is that of the bank's submission; `roster_rows` and `roster_root` name the prefix of the
    roster whose rows have labels. `bundle` and `public_key` are SHA-256. Noise of scale
    `sigma_milli`/1000 on every count of every participant costs a firm no more than
    `epsilon_micro`/10⁶ at δ = 10^-`delta_exponent` over all of them.
    """

    TYPE: ClassVar[str] = "development-certificate"

    id: Bytes16
    name: Name
    bank: Id
    chain: Name
    catalogue: Bytes32
    roster_rows: Annotated[int, Field(ge=1, le=MAX_BUCKETS * ROWS)]
    roster_root: Bytes32
    participants: Annotated[tuple[CountingHolder, ...], Array, Field(min_length=1)]
    parameter_set: Name
    public_key: Bytes32
    bundle: Bytes32
    sigma_milli: Annotated[int, Field(ge=privacy.LEAST_SIGMA_MILLI, le=privacy.MOST_SIGMA_MILLI)]
    epsilon_micro: Annotated[int, Field(ge=1)]
    delta_exponent: Annotated[int, Field(ge=5, le=12)]
    not_before: Time
    not_after: Time

    @model_validator(mode="after")
    def _rules(self) -> DevelopmentCertificate:
        ids = [str(p.holder) for p in self.participants]
        if ids != sorted(set(ids)):
            raise ValueError("participants must be in order of their ids, each once")
        if self.not_before >= self.not_after:
            raise ValueError("not_after must be later than not_before")
        if self.epsilon_micro < self.cost():
            raise ValueError("epsilon_micro is less than the noise gives")
        return self

    @property
    def buckets(self) -> int:
        """How many buckets the labelled prefix of the roster fills or begins."""
        return -(-self.roster_rows // ROWS)

    def cost(self) -> int:
        """ε over all participants, in 10⁻⁶, as its noise gives it."""
        total = sum(privacy.rho_nano(p.features, self.sigma_milli) for p in self.participants)
        return privacy.epsilon_micro(total, self.delta_exponent)

    def rho_nano(self, holder: SpiffeId) -> int:
        """What the counts of one participant cost, as ρ in 10⁻⁹."""
        return privacy.rho_nano(self.participant(holder).features, self.sigma_milli)

    def participant(self, holder: SpiffeId) -> CountingHolder:
        """The entry of `holder`. Raises Refusal(wrong_audience) for one that takes no part."""
        for participant in self.participants:
            if participant.holder == holder:
                return participant
        raise Refusal(Reason.WRONG_AUDIENCE, f"{holder} does not take part in the development")

    def require_valid(self, now: int) -> None:
        """Raises Refusal(uncertified_model) outside the certificate's validity."""
        if not self.not_before <= now < self.not_after:
            raise Refusal(Reason.UNCERTIFIED_MODEL, "certificate is outside its validity")

    def require_members(self, members: Members) -> None:
        """Raises Refusal(foreign_certificate) unless the bank is a member now, and every
        participant one with the signing key and kind that its credential says.
        """
        members.require(self.bank, Role.BANK)
        for participant in self.participants:
            member = members.require(participant.holder, Role.HOLDER)
            if (member.signing, member.kind) != (participant.signing, participant.kind):
                raise Refusal(Reason.FOREIGN_CERTIFICATE, f"keys of {participant.holder} differ")

    def require_epoch(self, epoch: OpenEpoch, holder: SpiffeId) -> None:
        """Raises Refusal unless the epoch has the certificate's catalogue (wrong_context), reaches
        its rows (wrong_context) and has a manifest of the holder (closed).

        That `roster_root` is a state of this chain's roster is checked where the roster is.
        """
        if epoch.descriptor.catalogue != self.catalogue:
            raise Refusal(Reason.WRONG_CONTEXT, "labels and epoch have different catalogues")
        if epoch.descriptor.roster_rows < self.roster_rows:
            raise Refusal(Reason.WRONG_CONTEXT, "the epoch has fewer rows than the labels")
        epoch.require_participants([holder])


def read_certificate(signed: Signed, members: Members) -> DevelopmentCertificate:
    """A certificate of this chain's regulator about a bank and holders of this chain.

    Raises SignatureInvalid, DocumentError, Refusal(wrong_chain), and what `require_members` does.
    """
    certificate = DevelopmentCertificate.open_(signed, members.root.regulator_signing)
    if certificate.chain != members.root.chain:
        raise Refusal(Reason.WRONG_CHAIN, f"certificate is of chain {certificate.chain}")
    certificate.require_members(members)
    return certificate
