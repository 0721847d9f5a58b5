"""The development certificate and the statement about counts: their rules, and whose word it is."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from pydantic import ValidationError

from federation.certificate import ModelCertificate
from federation.development import certificate as module
from federation.development.certificate import DevelopmentCertificate, read_certificate
from federation.development.statement import (
    check_counts,
    make_statement,
    read_statement,
    sign_statement,
)
from federation.entries import Kind, Logged, entry, promise
from federation.errors import Reason, SignatureInvalid
from federation.exchange.regulator import sha256
from scoring import lattice
from support.chain import COURT, DAY, HARBOUR, NOW, POWER, REGULATOR, TAX, Chain
from support.checks import refused
from support.labels import Labelled, labelled


@pytest.fixture(scope="module")
def labels(chain: Chain) -> Labelled:
    return labelled(chain)


def rebuilt(labels: Labelled, /, **changes: Any) -> DevelopmentCertificate:
    fields = {n: getattr(labels.certificate, n) for n in DevelopmentCertificate.model_fields}
    return DevelopmentCertificate(**(fields | changes))


def test_round_trip(chain: Chain, labels: Labelled) -> None:
    certificate = labels.certificate
    assert rebuilt(labels) == certificate
    assert DevelopmentCertificate.parse(certificate.payload()) == certificate
    assert read_certificate(labels.signed, chain.members) == certificate
    assert certificate.buckets == 1
    assert certificate.cost() <= certificate.epsilon_micro


def test_only_the_regulators_word_counts(chain: Chain, labels: Labelled) -> None:
    with pytest.raises(SignatureInvalid):
        read_certificate(labels.certificate.sign(chain.signing[HARBOUR]), chain.members)
    with pytest.raises(SignatureInvalid):  # one kind of certificate is not the other
        read_certificate(chain.alpha.signed, chain.members)
    with pytest.raises(SignatureInvalid):
        ModelCertificate.open_(labels.signed, chain.signing[REGULATOR].public)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"epsilon_micro": 2_900_000}, "less than the noise gives"),
        ({"delta_exponent": 7}, "less than the noise gives"),
        ({"sigma_milli": 1000}, "less than the noise gives"),
        ({"roster_rows": 500 * 8192 + 1}, "roster_rows"),
        ({"not_after": NOW - 2 * DAY}, "not_after"),
        ({"participants": ()}, "participants"),
    ],
)
def test_a_certificate_that_breaks_a_rule_is_none(
    labels: Labelled, changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(ValidationError, match=named):
        rebuilt(labels, **changes)


def test_participants_are_in_order_and_once(labels: Labelled) -> None:
    listed = labels.certificate.participants
    for wrong in (listed[::-1], (listed[0], *listed)):
        with pytest.raises(ValidationError, match="in order"):
            rebuilt(labels, participants=wrong, epsilon_micro=9_000_000)


def test_it_is_bound_to_the_members_of_now(chain: Chain, labels: Labelled) -> None:
    first, *others = labels.certificate.participants
    regulator = chain.signing[REGULATOR]
    for change in ({"signing": b"k" * 32}, {"kind": "court"}):
        wrong = rebuilt(labels, participants=(first.model_copy(update=change), *others))
        refused(
            Reason.FOREIGN_CERTIFICATE,
            lambda w=wrong: read_certificate(w.sign(regulator), chain.members),  # type: ignore[misc]
        )
    refused(Reason.WRONG_AUDIENCE, lambda: labels.certificate.participant(COURT))
    refused(
        Reason.WRONG_CHAIN,
        lambda: read_certificate(rebuilt(labels, chain="other").sign(regulator), chain.members),
    )


def test_it_fits_epochs_of_its_catalogue_that_reach_its_rows(
    chain: Chain, labels: Labelled
) -> None:
    epoch = chain.epochs[1]
    labels.certificate.require_epoch(epoch, TAX)
    for wrong in (
        rebuilt(labels, catalogue=b"c" * 32),
        rebuilt(labels, roster_rows=epoch.descriptor.roster_rows + 1),
    ):
        refused(Reason.WRONG_CONTEXT, lambda w=wrong: w.require_epoch(epoch, TAX))  # type: ignore[misc]
    late = dataclasses.replace(epoch, manifests={})
    refused(Reason.CLOSED, lambda: labels.certificate.require_epoch(late, TAX))


def logged(chain: Chain, labels: Labelled, /, **changes: Any) -> Logged:
    side = chain.holders[TAX]
    made = make_statement(labels.certificate, TAX, chain.epochs[1], sha256(b"ciphertexts"))
    statement = made.model_copy(update=changes)
    signed, raw = sign_statement(statement, HARBOUR, side.signing, NOW)
    return Logged(signed, raw, promise(TAX, raw, side.signing, NOW))


def test_a_statement_names_its_release(chain: Chain, labels: Labelled) -> None:
    certificate, epoch = labels.certificate, chain.epochs[1]
    statement = read_statement(logged(chain, labels), TAX, certificate, epoch, NOW)
    assert statement.rho_nano == certificate.rho_nano(TAX)
    assert statement.epsilon_micro < certificate.epsilon_micro
    check_counts(statement, b"ciphertexts")
    refused(Reason.WRONG_CONTEXT, lambda: check_counts(statement, b"others"))


@pytest.mark.parametrize(
    "changes",
    [
        {"certificate": b"c" * 32},
        {"epoch": 2},
        {"opening": b"o" * 32},
        {"manifest": b"m" * 32},
        {"chain": "other"},
        {"holder": POWER},
        {"sigma_milli": 1000},
        {"rho_nano": 1},
        {"epsilon_micro": 1},
    ],
)
def test_a_statement_of_another_release_is_refused(
    chain: Chain, labels: Labelled, changes: dict[str, Any]
) -> None:
    wrong = logged(chain, labels, **changes)
    refused(
        Reason.WRONG_CONTEXT,
        lambda: read_statement(wrong, TAX, labels.certificate, chain.epochs[1], NOW),
    )


def test_a_statement_is_the_holders_and_logged(chain: Chain, labels: Labelled) -> None:
    good = logged(chain, labels)
    certificate, epoch = labels.certificate, chain.epochs[1]
    with pytest.raises(SignatureInvalid):
        read_statement(good, POWER, certificate, epoch, NOW)
    raw = entry(Kind.COUNTS, NOW, document=b"d" * 32)
    key = chain.holders[TAX].signing
    other = dataclasses.replace(good, entry=raw, promise=promise(TAX, raw, key, NOW))
    refused(Reason.BAD_PROMISE, lambda: read_statement(other, TAX, certificate, epoch, NOW))


def test_its_bounds_are_those_of_the_mathematics() -> None:
    assert module.MAX_BUCKETS == lattice.MAX_BUCKETS
    assert module.MAX_COLUMNS == lattice.MAX_COLUMNS
