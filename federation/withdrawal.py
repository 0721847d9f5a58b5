"""The withdrawal of a certified model: from then on nobody answers under its certificate.

A bank asks for it, or the regulator decides by itself; the regulator signs, as it signed the
certificate. It is for ever: a model that is wanted again is certified again, and everything that
was certified within 24 months stays in the history that later scorecards are judged with.
"""

from __future__ import annotations

from typing import ClassVar

from federation.certificate import ModelCertificate
from federation.documents import Bytes32, Document, Id, Name, Time
from federation.entries import Kind, entry
from federation.errors import DocumentError, Reason, Refusal
from federation.identity import Role, SpiffeId
from federation.membership import TrustRoot
from federation.signed import Signed


class ModelWithdrawal(Document):
    """What the regulator signs.

    `certificate` is the payload hash of the certificate, `expires` when it would have ended:
    nobody needs the withdrawal after that. `by` is who asked for it: the model's bank, or the
    regulator.
    """

    TYPE: ClassVar[str] = "model-withdrawal"

    certificate: Bytes32
    bank: Id
    chain: Name
    by: Id
    withdrawn: Time
    expires: Time


def make_withdrawal(certificate: ModelCertificate, by: SpiffeId, now: int) -> ModelWithdrawal:
    """The withdrawal of a model by its bank or the regulator, to be signed by the regulator.

    Raises Refusal(foreign_certificate) when another bank asks, Refusal(uncertified_model) for a
    certificate that is over already.
    """
    if by.role is not Role.REGULATOR and by != certificate.bank:
        raise Refusal(Reason.FOREIGN_CERTIFICATE, f"certificate is {certificate.bank}'s")
    if now >= certificate.not_after:
        raise Refusal(Reason.UNCERTIFIED_MODEL, "the certificate has expired")
    return ModelWithdrawal(
        certificate=certificate.hash,
        bank=certificate.bank,
        chain=certificate.chain,
        by=by,
        withdrawn=now,
        expires=certificate.not_after,
    )


def withdrawal_entry(withdrawal: ModelWithdrawal, now: int) -> bytes:
    """The entry of whoever learnt of a withdrawal: regulator, hub, holders, the bank."""
    return entry(
        Kind.WITHDRAWN,
        now,
        document=withdrawal.hash,
        certificate=withdrawal.certificate,
        bank=withdrawal.bank,
    )


def open_withdrawal(signed: Signed, root: TrustRoot) -> ModelWithdrawal:
    """A withdrawal by this chain's regulator.

    Raises SignatureInvalid, DocumentError, or Refusal(wrong_chain).
    """
    withdrawal = ModelWithdrawal.open_(signed, root.regulator_signing)
    if withdrawal.chain != root.chain:
        raise Refusal(Reason.WRONG_CHAIN, f"withdrawal is of chain {withdrawal.chain}")
    if withdrawal.by not in (withdrawal.bank, root.regulator):
        raise DocumentError("model-withdrawal.by", "is neither the model's bank nor the regulator")
    return withdrawal
