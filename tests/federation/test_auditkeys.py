"""Audit keys: which one evidence is sealed to, and what the audit makes of a wrong one."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from federation.auditkeys import (
    CHINA,
    AuditKey,
    KeyErased,
    SealingKeys,
    SubjectClass,
    calendar_month,
    choose_key,
    key_id_of,
    month_start,
    months_later,
    read_audit_key,
    subject_class,
)
from federation.envelope import EnvelopeKey
from federation.errors import EnvelopeError, Reason, SignatureInvalid
from federation.permit import open_for_audit, seal_to_regulator
from federation.registration import open_statement, seal_statement
from federation.signed import SigningKey
from federation.uscc import Uscc
from support.chain import NOW, Chain
from support.checks import refused
from support.keyring import MonthKeys
from support.network import Network

REGULATOR = SigningKey.from_bytes(bytes(32))
COMPANY, HOUSEHOLD = "91310000999999999X", "92310000999999999X"
PUBLIC = EnvelopeKey.from_bytes(bytes(32)).public


def made(**changes: Any) -> AuditKey:
    fields: dict[str, Any] = {
        "chain": "csj",
        "month": 202701,
        "subjects": SubjectClass.ENTERPRISE,
        "public": PUBLIC,
        "issued": NOW,
    }
    return AuditKey(**fields | changes)


def test_statement_survives_the_wire() -> None:
    key = made(subjects=SubjectClass.INDIVIDUAL)
    assert read_audit_key(key.sign(REGULATOR), "csj", REGULATOR.public) == key
    with pytest.raises(SignatureInvalid):
        read_audit_key(key.sign(SigningKey.generate()), "csj", REGULATOR.public)
    refused(
        Reason.WRONG_CHAIN, lambda: read_audit_key(key.sign(REGULATOR), "zsj", REGULATOR.public)
    )


@pytest.mark.parametrize(
    "changes",
    [{"month": 202700}, {"month": 202713}, {"public": PUBLIC[:-1]}, {"subjects": "person"}],
    ids=str,
)
def test_impossible_statements(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        made(**changes)


def test_months_are_those_of_china() -> None:
    new_year = month_start(202701)
    assert (calendar_month(new_year - 1), calendar_month(new_year)) == (202612, 202701)
    assert months_later(202612, 1) == 202701
    assert months_later(202701, -1) == 202612
    assert months_later(202701, 60) == 203201
    assert CHINA.utcoffset(None).total_seconds() == 8 * 3600


def test_classes_of_subjects() -> None:
    assert subject_class(HOUSEHOLD) is SubjectClass.INDIVIDUAL
    assert subject_class(COMPANY) is SubjectClass.ENTERPRISE
    assert subject_class(Uscc.generate(1)) is SubjectClass.ENTERPRISE


def test_evidence_is_sealed_to_its_month_and_class() -> None:
    keys = MonthKeys("csj", NOW)
    for code, subjects in ((COMPANY, "enterprise"), (HOUSEHOLD, "individual")):
        chosen = keys.sealing.of(code, NOW)
        assert (chosen.month, chosen.subjects) == (calendar_month(NOW), subjects)
    assert keys.sealing.of(COMPANY, month_start(202702)).month == 202702


def test_the_newest_key_of_a_month_serves() -> None:
    older, newer = made(), made(issued=NOW + 1)
    assert SealingKeys([newer, older]).of(COMPANY, NOW) == newer


def test_without_a_key_there_is_no_permit(chain: Chain, network: Network) -> None:
    """What no audit could open must not be permitted: the hub refuses, whatever was asked."""
    refused(Reason.NO_AUDIT_KEY, lambda: SealingKeys([made()]).of(HOUSEHOLD, NOW))
    query = network.begin(chain.alpha, chain.consent(chain.firms[0]))
    desk = network.permit_desk
    desk._sealing = SealingKeys([])
    refused(
        Reason.NO_AUDIT_KEY,
        lambda: desk.examine(
            query.request,
            chain.alpha.certificate.bank,
            chain.alpha.certificate,
            chain.epochs[1],
            chain.roster,
            NOW,
        ),
    )


def test_evidence_under_the_key_of_another_month_or_class(chain: Chain, network: Network) -> None:
    """A hub that wants evidence to perish early seals it to a key that is erased, or will be soon;
    the audit must not take that for an erasure in due course.
    """
    network.permits(network.begin(chain.alpha, chain.consent(chain.firms[0])).request)
    _, envelope, document = network.hub_log[0]
    keys, permit_hash = chain.audit, document.payload_hash
    evidence = open_for_audit(envelope, permit_hash, NOW, keys)
    old = keys.make(chain.root.chain, 202001, SubjectClass.ENTERPRISE, NOW)
    wrong = next(k for k in keys.statements.values() if k.subjects is SubjectClass.INDIVIDUAL)
    same_month = keys.sealing.of(HOUSEHOLD, NOW)
    for other in (old, wrong, same_month):
        with pytest.raises(EnvelopeError, match="of another"):
            open_for_audit(seal_to_regulator(evidence, other), permit_hash, NOW, keys)
    del keys.secrets[old.id]
    with pytest.raises(EnvelopeError, match="another month") as caught:
        open_for_audit(seal_to_regulator(evidence, old), permit_hash, NOW, keys)
    assert not isinstance(caught.value, KeyErased)
    with pytest.raises(KeyErased):
        choose_key(seal_to_regulator(evidence, old), month_start(202001), keys)


def test_envelopes_that_name_no_key() -> None:
    keys = MonthKeys("csj", NOW)
    for envelope in (b"", bytes(32)):
        with pytest.raises(EnvelopeError):
            key_id_of(envelope)
    with pytest.raises(EnvelopeError, match="no such"):
        choose_key(bytes(33), NOW, keys)


def test_statements_of_consent_are_sealed_alike() -> None:
    keys = MonthKeys("csj", NOW)
    key = keys.sealing.of(HOUSEHOLD, NOW)
    sealed, tag = seal_statement("a.b.c", bytes(32), key), bytes(32)
    assert open_statement(sealed, tag, NOW, keys) == "a.b.c"
    for bad, at in ((sealed, month_start(202702)), (sealed[:-1] + b"x", NOW)):
        with pytest.raises(EnvelopeError):
            open_statement(bad, tag, at, keys)
    del keys.secrets[key.id]
    with pytest.raises(KeyErased):
        open_statement(sealed, tag, NOW, keys)
