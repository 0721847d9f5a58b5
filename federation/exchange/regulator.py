"""The regulator's side of certification: a sealed scorecard in, a certificate out.

The regulator sees the scorecard, applies the policy, fixes the participants with the keys the
chain knows them by, and makes the model's keys; what leaves to anyone but the bank is hashes.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from federation.certificate import (
    CertifiedField,
    ModelCertificate,
    Participant,
)
from federation.documents import Array, Bytes, Bytes16, Document, Id
from federation.envelope import EnvelopeKey, EnvelopePublicKey, open_, seal
from federation.errors import Reason, Refusal
from federation.identity import Role, SpiffeId
from federation.membership import Members
from federation.policy import Earlier, PolicyReport, PolicyThresholds, certify_policy
from scoring.catalogue import Catalogue
from scoring.scorecard import Scorecard

SUBMISSION_PURPOSE = "yinxin/envelope/submission/v1"
KEY_PURPOSE = "yinxin/envelope/model-key/v1"
REPORT_PURPOSE = "yinxin/envelope/policy-report/v1"
CLOCK_SKEW = 300
EPOCHS_A_MONTH = 1
"""Records of successive epochs are certified as a pair only by policy d."""
HISTORY_SECONDS = 730 * 86_400
"""How long a certified scorecard counts when later ones are judged: 24 months."""
SUBMISSION_BYTES = 1 << 20
KEY_BYTES = 1 << 19
REPORT_BYTES = 1 << 21


class Submission(Document):
    """A bank's request to certify a scorecard. Sealed to the regulator, never signed or logged.

    `scorecard` is the scorecard's JSON document; `disclosed` lists the features (`kind.name`)
    that consents under the model must name; `days` is the validity asked for.
    """

    TYPE: ClassVar[str] = "submission"

    id: Bytes16
    bank: Id
    form: Literal["sealed", "open"]
    scorecard: str
    disclosed: Annotated[tuple[str, ...], Array]
    days: Annotated[int, Field(ge=1, le=366)]


class PolicyVerdict(Document):
    """What the bank learns of the policy's outcome, sealed to it.

    `salt` makes the hash of this document, which the certificate carries, say nothing.
    """

    TYPE: ClassVar[str] = "policy-verdict"

    passed: bool
    salt: Bytes
    report: str


@dataclass(frozen=True)
class Considered:
    """A submission with the policy's verdict on it."""

    submission: Submission
    scorecard: Scorecard
    report: PolicyReport
    verdict: PolicyVerdict


def seal_submission(submission: Submission, regulator: bytes) -> bytes:
    """The submission for the regulator's eyes; constant size."""
    return seal(
        EnvelopePublicKey(regulator),
        SUBMISSION_PURPOSE,
        str(submission.bank).encode(),
        submission.payload(),
        SUBMISSION_BYTES,
    )


def open_submission(sealed: bytes, bank: SpiffeId, key: EnvelopeKey) -> Submission:
    """The submission that `bank` sealed to the regulator.

    Raises EnvelopeError or DocumentError for one that cannot be read, Refusal(wrong_bank) for
    one that names another bank.
    """
    submission = Submission.parse(
        open_(key, SUBMISSION_PURPOSE, str(bank).encode(), sealed, SUBMISSION_BYTES)
    )
    if submission.bank != bank:
        raise Refusal(Reason.WRONG_BANK, "submission names another bank")
    return submission


def read_scorecard(submission: Submission, members: Members) -> Scorecard:
    """The scorecard of a submission.

    Raises ScorecardError for one without a scorecard, and Refusal for one that names holders
    that the chain does not have.
    """
    members.require(submission.bank, Role.BANK)
    scorecard = Scorecard.from_json(submission.scorecard)
    if submission.disclosed != scorecard.disclosed:
        # Policy judges by the scorecard, consents by the certificate: they must not differ.
        raise Refusal(Reason.MALFORMED, "submission and scorecard disclose different features")
    for participant in scorecard.participants:
        member = members.require(SpiffeId.parse(participant.holder), Role.HOLDER)
        if member.kind != participant.kind:
            raise Refusal(Reason.MALFORMED, f"{member.id} is of kind {member.kind}")
    return scorecard


def conclude(submission: Submission, scorecard: Scorecard, report: PolicyReport) -> Considered:
    """A submission with the verdict that the policy's report is."""
    verdict = PolicyVerdict(
        passed=report.passed, salt=secrets.token_bytes(32), report=report.to_json()
    )
    return Considered(submission, scorecard, report, verdict)


def judge(
    submission: Submission,
    catalogue: Catalogue,
    members: Members,
    thresholds: PolicyThresholds,
    earlier: Sequence[Earlier] = (),
) -> Considered:
    """A submission with the policy's verdict on it; `earlier` is what was certified for the bank
    and its affiliates within `HISTORY_SECONDS`. Raises as `read_scorecard`, and PolicyError.

    A node reads, applies policy in a worker and concludes; this is the three in one.
    """
    scorecard = read_scorecard(submission, members)
    report = certify_policy(scorecard, catalogue, thresholds, earlier)
    return conclude(submission, scorecard, report)


def consider(
    sealed: bytes,
    bank: SpiffeId,
    key: EnvelopeKey,
    catalogue: Catalogue,
    members: Members,
    thresholds: PolicyThresholds,
    earlier: Sequence[Earlier] = (),
) -> Considered:
    """Opens and judges a submission of `bank`. Raises as `open_submission` and `judge`."""
    return judge(open_submission(sealed, bank, key), catalogue, members, thresholds, earlier)


def make_certificate(
    considered: Considered,
    catalogue: Catalogue,
    members: Members,
    bundles: Mapping[SpiffeId, bytes],
    public_key: bytes,
    parameter_set: str,
    now: int,
) -> ModelCertificate:
    """The certificate of a model that passed.

    `bundles` are SHA-256 of each participant's weight bundle, `public_key` SHA-256 of the BFV
    public key. Raises Refusal(uncertified_model) for a verdict that is not a pass.
    """
    if not considered.verdict.passed:
        raise Refusal(Reason.UNCERTIFIED_MODEL, "policy refuses the scorecard")
    scorecard = considered.scorecard
    layout = scorecard.layout()
    participants = []
    for listed in sorted(scorecard.participants, key=lambda p: p.holder):
        member = members.require(SpiffeId.parse(listed.holder), Role.HOLDER)
        participants.append(
            Participant(
                holder=member.id,
                kind=member.kind,
                named=member.named,
                signing=member.signing,
                agreement=member.agreement,
                columns=sum(catalogue.bins_per_feature(member.kind)),
                bundle=bundles[member.id],
            )
        )
    return ModelCertificate(
        model=considered.submission.id,
        name=scorecard.name,
        bank=considered.submission.bank,
        chain=members.root.chain,
        form=considered.submission.form,
        catalogue=catalogue.digest(),
        fields=tuple(
            CertifiedField(name=f.name, offset=f.offset, width=f.width, maximum=f.maximum)
            for f in layout.fields
        ),
        coverage=CertifiedField(
            name="coverage",
            offset=layout.coverage.offset,
            width=layout.coverage.width,
            maximum=layout.coverage.maximum,
        ),
        disclosed=scorecard.disclosed,
        participants=tuple(participants),
        parameter_set=parameter_set,
        public_key=public_key,
        report=considered.verdict.hash,
        epochs_a_month=EPOCHS_A_MONTH,
        # Holders' clocks may be behind the regulator's.
        not_before=now - CLOCK_SKEW,
        not_after=now - CLOCK_SKEW + considered.submission.days * 86_400,
    )


def seal_to_bank(purpose: str, model: bytes, content: bytes, bank: bytes) -> bytes:
    """The model's secret key or the policy verdict, sealed to the bank, bound to the model."""
    return seal(EnvelopePublicKey(bank), purpose, model, content, _size(purpose))


def open_at_bank(purpose: str, model: bytes, sealed: bytes, key: EnvelopeKey) -> bytes:
    """What `seal_to_bank` sealed. Raises EnvelopeError."""
    return open_(key, purpose, model, sealed, _size(purpose))


def sha256(raw: bytes) -> bytes:
    """SHA-256, as certificates carry it of keys and bundles."""
    return hashlib.sha256(raw).digest()


def _size(purpose: str) -> int:
    return KEY_BYTES if purpose == KEY_PURPOSE else REPORT_BYTES
