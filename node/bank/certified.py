"""Whether what the regulator certified is what the bank submitted. All errors are BankErrors.

The regulator is trusted with the scorecard, not with mistakes: a certificate with other maxima
would let a wrong record pass the checks of section 2, one with another P would be another model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from federation.certificate import CertifiedField, ModelCertificate, open_certificate
from federation.envelope import EnvelopeKey
from federation.errors import EnvelopeError, FederationError
from federation.exchange.regulator import KEY_PURPOSE, PolicyVerdict, Submission, open_at_bank
from federation.identity import SpiffeId
from federation.membership import Members
from federation.signed import Signed
from node.bank.agent import reason_of
from node.bank.errors import BankError
from node.bank.texts import Code
from scoring import lattice, published
from scoring.catalogue import Catalogue
from scoring.record import FieldLayout
from scoring.scorecard import Scorecard

DAY = 86_400

_SETS = {"sealed": lattice.PARAMETER_SET, "open": published.PARAMETER_SET}


def wrong(what: str) -> BankError:
    """The regulator's result is not for what was sent."""
    return BankError(Code.CERTIFICATE_WRONG, "certificate", reason=what)


def read_certified(signed: Signed, members: Members) -> ModelCertificate:
    """The certificate, once it is the regulator's of that chain about holders of the chain.

    That the chain knows the bank as a guest is looked at when the model is used: where this is the
    bank's first model there, its hub may hear of the guest later than the bank of the certificate.
    """
    try:
        certificate = open_certificate(signed, members.root)
        certificate.require_participants(members)
        return certificate
    except FederationError as error:
        raise wrong(reason_of(error)) from error


def check_certificate(
    certificate: ModelCertificate,
    submission: Submission,
    scorecard: Scorecard,
    catalogue: Catalogue,
    verdict: PolicyVerdict,
) -> None:
    """Raises unless the certificate says exactly what was submitted."""
    layout = scorecard.layout()
    kinds = {p.holder: p.kind for p in scorecard.participants}
    checks = {
        "bank": certificate.bank == submission.bank,
        "model": certificate.model == submission.id,
        "name": certificate.name == scorecard.name,
        "form": certificate.form == submission.form,
        "catalogue": certificate.catalogue == catalogue.digest(),
        "fields": list(map(_certified, certificate.fields)) == list(map(_own, layout.fields)),
        "coverage": _certified(certificate.coverage) == _own(layout.coverage),
        "disclosed": certificate.disclosed == submission.disclosed,
        "participants": {str(p.holder): p.kind for p in certificate.participants} == kinds,
        "columns": all(
            p.columns == sum(catalogue.bins_per_feature(p.kind)) for p in certificate.participants
        ),
        "parameter_set": certificate.parameter_set == _SETS[submission.form],
        "report": certificate.report == verdict.hash,
        "validity": certificate.not_after - certificate.not_before == submission.days * DAY,
    }
    differing = [name for name, fits in checks.items() if not fits]
    if differing:
        raise wrong(", ".join(differing))


def check_bundles(
    bundles: Mapping[SpiffeId, bytes],
    certificate: ModelCertificate,
    scorecard: Scorecard,
    catalogue: Catalogue,
) -> None:
    """Raises unless there is one bundle a participant, the certified one; the points of an open
    scorecard, which can be read, have to be the scorecard's.
    """
    if set(bundles) != set(certificate.holders):
        raise wrong("bundles are not one a participant")
    for participant in certificate.participants:
        bundle = bundles[participant.holder]
        if hashlib.sha256(bundle).digest() != participant.bundle:
            raise wrong(f"bundle of {participant.holder}")
        if certificate.form == "open" and bundle != published.publish_weights(
            scorecard.weights(catalogue, str(participant.holder))
        ):
            raise wrong(f"weights of {participant.holder}")


def open_secret_key(
    certificate: ModelCertificate,
    public_key: bytes,
    sealed: bytes,
    submission: bytes,
    key: EnvelopeKey,
) -> bytes:
    """The model's secret key, not parsed; empty for an open scorecard, which has no keys."""
    if certificate.public_key != hashlib.sha256(public_key).digest():
        raise wrong("public_key")
    if certificate.form == "open":
        if public_key or sealed:
            raise wrong("an open scorecard came with keys")
        return b""
    try:
        return open_at_bank(KEY_PURPOSE, submission, sealed, key)
    except EnvelopeError as error:
        raise wrong("secret_key") from error


def _certified(field: CertifiedField) -> tuple[str, int, int, int]:
    return field.name, field.offset, field.width, field.maximum


def _own(field: FieldLayout) -> tuple[str, int, int, int]:
    return field.name, field.offset, field.width, field.maximum
