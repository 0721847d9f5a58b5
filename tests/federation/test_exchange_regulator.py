"""Certification: what the regulator reads, refuses and signs."""

from __future__ import annotations

import dataclasses
import hashlib
import secrets
from typing import Any

import pytest

from federation.certificate import ModelCertificate
from federation.envelope import EnvelopeKey, EnvelopePublicKey, seal, sealed_size
from federation.errors import DocumentError, EnvelopeError, Reason
from federation.exchange.regulator import (
    KEY_PURPOSE,
    REPORT_PURPOSE,
    SUBMISSION_BYTES,
    SUBMISSION_PURPOSE,
    Considered,
    PolicyVerdict,
    Submission,
    consider,
    make_certificate,
    open_at_bank,
    seal_submission,
    seal_to_bank,
)
from federation.identity import SpiffeId
from federation.policy import PolicyThresholds
from scoring.errors import ScorecardError
from scoring.lattice import PARAMETER_SET
from scoring.scorecard import Scorecard
from support.chain import COURT, DELTA, HARBOUR, NOW, POWER, REGULATOR, TAX, UNNAMED, Chain
from support.checks import refused
from support.small import small_scorecard


def submission(chain: Chain, **changes: Any) -> Submission:
    participants = [(holder, chain.holders[holder].kind) for holder in UNNAMED]
    fields: dict[str, Any] = {
        "id": secrets.token_bytes(16),
        "bank": HARBOUR,
        "form": "sealed",
        "scorecard": small_scorecard("gamma", participants).to_json(),
        "disclosed": (),
        "days": 30,
    }
    return Submission(**(fields | changes))


def judged(chain: Chain, sealed: bytes, bank: SpiffeId = HARBOUR) -> Considered:
    key = chain.sealing[REGULATOR]
    return consider(sealed, bank, key, chain.catalogue, chain.members, PolicyThresholds())


def certified(chain: Chain, considered: Considered) -> ModelCertificate:
    bundles = {h: hashlib.sha256(str(h).encode()).digest() for h in chain.holders}
    return make_certificate(
        considered, chain.catalogue, chain.members, bundles, bytes(32), PARAMETER_SET, NOW
    )


def test_certificate_says_what_was_considered(chain: Chain) -> None:
    made = submission(chain)
    considered = judged(chain, seal_submission(made, chain.sealing[REGULATOR].public))
    assert considered.verdict.passed, considered.report.failures
    certificate = certified(chain, considered)
    layout = considered.scorecard.layout()
    assert certificate.holders == UNNAMED  # in order of their ids
    assert [(f.name, f.offset, f.width, f.maximum) for f in certificate.fields] == [
        (f.name, f.offset, f.width, f.maximum) for f in layout.fields
    ]
    assert certificate.coverage.maximum == len(UNNAMED)
    assert (certificate.model, certificate.bank) == (made.id, HARBOUR)
    assert certificate.not_after - certificate.not_before == 30 * 86_400
    assert certificate.report == considered.verdict.hash
    for participant in certificate.participants:
        side = chain.holders[participant.holder]
        assert participant.signing == side.signing.public
        assert participant.agreement == side.agreement.public_key().public_bytes_raw()
        assert participant.columns == sum(chain.catalogue.bins_per_feature(side.kind))


def test_submission_has_one_size(chain: Chain) -> None:
    public = chain.sealing[REGULATOR].public
    sizes = {
        len(seal_submission(submission(chain, disclosed=names), public))
        for names in ((), ("tax.f0", "tax.f1"))
    }
    assert sizes == {sealed_size(SUBMISSION_BYTES)}


def test_submission_of_another_bank(chain: Chain) -> None:
    """One bank passes another's envelope on, or names another bank inside its own."""
    public = chain.sealing[REGULATOR].public
    sealed = seal_submission(submission(chain), public)
    with pytest.raises(EnvelopeError):
        judged(chain, sealed, DELTA)
    judged(chain, sealed, HARBOUR)
    inside = seal(
        EnvelopePublicKey(public),
        SUBMISSION_PURPOSE,
        str(DELTA).encode(),
        submission(chain).payload(),
        SUBMISSION_BYTES,
    )
    refused(Reason.WRONG_BANK, lambda: judged(chain, inside, DELTA))


def test_submission_by_a_stranger(chain: Chain) -> None:
    stranger = dataclasses.replace(HARBOUR, name="nobody")
    made = submission(chain, bank=stranger)
    sealed = seal_submission(made, chain.sealing[REGULATOR].public)
    refused(Reason.FOREIGN_CERTIFICATE, lambda: judged(chain, sealed, stranger))


def test_submission_that_is_no_scorecard(chain: Chain) -> None:
    public = chain.sealing[REGULATOR].public
    for text in ("", "{}", "[]"):
        sealed = seal_submission(submission(chain, scorecard=text), public)
        with pytest.raises(ScorecardError):
            judged(chain, sealed)


@pytest.mark.parametrize(
    "changes", [{"days": 0}, {"days": 367}, {"form": "clear"}, {"id": bytes(8)}]
)
def test_submission_with_an_impossible_field(chain: Chain, changes: dict[str, Any]) -> None:
    good = submission(chain)
    with pytest.raises(ValueError, match=next(iter(changes))):
        Submission.model_validate(good.model_dump() | changes)
    payload = good.payload().replace(b'"days":30', b'"days":0')
    with pytest.raises(DocumentError, match=r"submission\.days"):
        Submission.parse(payload)


def test_participant_of_another_kind_than_it_is(chain: Chain) -> None:
    """Its weights would be laid over another kind's columns."""
    participants = [(TAX, "tax"), (POWER, "insurance"), (COURT, "court")]
    text = small_scorecard("gamma", participants).to_json()
    sealed = seal_submission(submission(chain, scorecard=text), chain.sealing[REGULATOR].public)
    refused(Reason.MALFORMED, lambda: judged(chain, sealed))


def failing(chain: Chain) -> Considered:
    """Points that read out bins: 1, 6, 36 … of one feature."""
    participants = [(holder, chain.holders[holder].kind) for holder in UNNAMED]
    document = small_scorecard("gamma", participants).model_dump(mode="json")
    for index, entry in enumerate(document["points"]):
        entry["points"] = [0, 6 ** (index % 3), 2 * 6 ** (index % 3)]
    text = Scorecard.build(document).to_json()
    sealed = seal_submission(submission(chain, scorecard=text), chain.sealing[REGULATOR].public)
    return judged(chain, sealed)


def test_no_certificate_without_a_pass(chain: Chain) -> None:
    considered = failing(chain)
    assert not considered.verdict.passed
    refused(Reason.UNCERTIFIED_MODEL, lambda: certified(chain, considered))


def test_verdict_and_key_go_to_the_bank_alone_and_bound_to_the_model(chain: Chain) -> None:
    considered = failing(chain)
    model, own = considered.submission.id, chain.sealing[HARBOUR]
    payload = considered.verdict.payload()
    for purpose in (KEY_PURPOSE, REPORT_PURPOSE):
        sealed = seal_to_bank(purpose, model, payload, own.public)
        assert PolicyVerdict.parse(open_at_bank(purpose, model, sealed, own)) == considered.verdict
        other = REPORT_PURPOSE if purpose == KEY_PURPOSE else KEY_PURPOSE
        wrong: list[tuple[str, bytes, EnvelopeKey]] = [
            (purpose, bytes(16), own),
            (purpose, model, chain.sealing[DELTA]),
            (other, model, own),
        ]
        for label, bound, key in wrong:
            with pytest.raises(EnvelopeError):
                open_at_bank(label, bound, sealed, key)


def test_two_verdicts_on_one_scorecard_hash_differently(chain: Chain) -> None:
    """The salt: else the certificate's hash would confirm a guessed scorecard."""
    sealed = seal_submission(submission(chain), chain.sealing[REGULATOR].public)
    first, second = judged(chain, sealed).verdict, judged(chain, sealed).verdict
    assert first.report == second.report and first.hash != second.hash


@pytest.mark.parametrize("named", ["submission", "scorecard"])
def test_submission_and_scorecard_disclose_the_same(chain: Chain, named: str) -> None:
    """Policy would judge by the one and consents by the other."""
    participants = [(holder, chain.holders[holder].kind) for holder in UNNAMED]
    disclosed = ("tax.f0",)
    inside = disclosed if named == "scorecard" else ()
    card = small_scorecard("gamma", participants, inside).to_json()
    outside = disclosed if named == "submission" else ()
    differing = submission(chain, scorecard=card, disclosed=outside)
    audit = chain.sealing[REGULATOR].public
    refused(Reason.MALFORMED, lambda: judged(chain, seal_submission(differing, audit)))
    both = small_scorecard("gamma", participants, disclosed).to_json()
    agreeing = submission(chain, scorecard=both, disclosed=disclosed)
    considered = judged(chain, seal_submission(agreeing, audit))
    assert certified(chain, considered).disclosed == disclosed
