"""Vouchers: what a regulator can vouch for, and what it cannot."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

import pytest

from federation.errors import EnvelopeError, Reason, Refusal, SignatureInvalid
from federation.identity import Role, SpiffeId
from federation.interchain.voucher import (
    VOUCHER_SECONDS,
    Vouched,
    Voucher,
    forgotten_at,
    open_content,
    read_voucher,
    seal_content,
    vouch,
)
from federation.signed import Signed
from tests.federation.interchain.regulators import DAY, NOW, Chain

CSJ, ZSJ, JJJ = Chain("csj"), Chain("zsj"), Chain("jjj")
CONTENT = b"a submission"
AFFILIATE = SpiffeId(JJJ.domain, Role.BANK, "quay")


def voucher(**changes: Any) -> Voucher:
    """The regulator of csj vouches to zsj's for its bank."""
    arguments: dict[str, Any] = {
        "voucher_id": secrets.token_bytes(16),
        "root": CSJ.root,
        "pin": CSJ.pin(ZSJ),
        "credential": CSJ.credential(),
        "purpose": "certify",
        "content": CONTENT,
        "affiliates": [AFFILIATE],
        "now": NOW,
    }
    return vouch(**(arguments | changes))


def read(signed: Signed, **changes: Any) -> Vouched:
    arguments: dict[str, Any] = {
        "pin": ZSJ.pin(CSJ),
        "root": ZSJ.root,
        "caller": CSJ.regulator,
        "purpose": "certify",
        "now": NOW,
    }
    return read_voucher(signed, **(arguments | changes))


def altered(**changes: Any) -> Signed:
    """A voucher with other parts, signed all the same by the regulator whose word it is."""
    return voucher().model_copy(update=changes).sign(CSJ.key)


def refused(signed: Signed, reason: Reason, **changes: Any) -> None:
    with pytest.raises(Refusal) as refusal:
        read(signed, **changes)
    assert refusal.value.reason is reason


def test_what_is_vouched_for_arrives_as_it_was() -> None:
    made = voucher()
    found = read(made.sign(CSJ.key))
    assert found.voucher == made
    assert (found.member.id, found.voucher.affiliates) == (CSJ.bank, (AFFILIATE,))
    sealed = seal_content(made, CONTENT, CSJ.pin(ZSJ))
    assert open_content(found.voucher, sealed, ZSJ.envelope) == CONTENT
    other = voucher(content=b"another one, longer")
    assert len(sealed) == len(seal_content(other, b"another one, longer", CSJ.pin(ZSJ)))


def test_another_submission_cannot_go_with_a_voucher() -> None:
    made, other = voucher(), voucher(content=b"another")
    for sealed in (
        seal_content(made, b"another", CSJ.pin(ZSJ)),  # under the voucher of the first
        seal_content(other, CONTENT, CSJ.pin(ZSJ)),  # bound to the other voucher
    ):
        with pytest.raises((Refusal, EnvelopeError)):
            open_content(made, sealed, ZSJ.envelope)
    with pytest.raises(EnvelopeError):
        open_content(made, seal_content(made, CONTENT, CSJ.pin(ZSJ)), JJJ.envelope)
    withdraw = voucher(purpose="withdraw", content=hashlib.sha256(CONTENT).digest())
    refused(withdraw.sign(CSJ.key), Reason.WRONG_AUDIENCE)


def test_nobody_but_the_pinned_regulator_vouches() -> None:
    with pytest.raises(SignatureInvalid):
        read(voucher().sign(JJJ.key))
    refused(voucher().sign(CSJ.key), Reason.FOREIGN_CERTIFICATE, caller=JJJ.regulator)
    refused(altered(home="jjj"), Reason.WRONG_CHAIN)
    refused(altered(regulator=JJJ.regulator), Reason.WRONG_CHAIN)


@pytest.mark.parametrize("chain", [ZSJ, JJJ], ids=["of the chain asked", "of a third chain"])
def test_a_regulator_vouches_for_no_bank_of_another_chain(chain: Chain) -> None:
    theirs = chain.credential().to_json()
    with pytest.raises(SignatureInvalid):
        read(altered(bank=chain.bank, credential=theirs))
    # Nor by making up a credential itself.
    made_up = CSJ.credential(chain.bank).to_json()
    refused(altered(bank=chain.bank, credential=made_up), Reason.FOREIGN_CERTIFICATE)
    refused(altered(bank=chain.bank), Reason.FOREIGN_CERTIFICATE)
    with pytest.raises(SignatureInvalid):
        voucher(credential=chain.credential())


def test_a_regulator_vouches_for_banks_only() -> None:
    hub = SpiffeId(CSJ.domain, Role.HUB, "hub")
    made_up = CSJ.credential(hub).to_json()
    refused(altered(bank=hub, credential=made_up), Reason.FOREIGN_CERTIFICATE)
    with pytest.raises(Refusal):
        voucher(credential=CSJ.credential(hub))


def test_a_bank_whose_credential_is_over_is_not_vouched_for() -> None:
    ended = CSJ.credential(not_after=NOW)
    with pytest.raises(Refusal) as refusal:
        voucher(credential=ended)
    assert refusal.value.reason is Reason.FOREIGN_CERTIFICATE
    refused(altered(credential=ended.to_json()), Reason.FOREIGN_CERTIFICATE)


def test_a_voucher_is_for_one_regulator() -> None:
    signed = voucher().sign(CSJ.key)
    refused(signed, Reason.WRONG_AUDIENCE, root=JJJ.root, pin=JJJ.pin(CSJ))
    refused(altered(audience=JJJ.regulator), Reason.WRONG_AUDIENCE)
    refused(altered(chain="jjj"), Reason.WRONG_AUDIENCE)


def test_a_voucher_has_its_time() -> None:
    signed = voucher().sign(CSJ.key)
    assert read(signed, now=NOW + VOUCHER_SECONDS)
    refused(signed, Reason.EXPIRED, now=forgotten_at(voucher()))
    refused(signed, Reason.NOT_YET_VALID, now=NOW - 31)
    refused(altered(expires=NOW + DAY), Reason.EXPIRED)


def test_a_withdrawn_or_expired_chain_vouches_for_nobody() -> None:
    signed = voucher().sign(CSJ.key)
    refused(signed, Reason.UNKNOWN_CHAIN, pin=ZSJ.pin(CSJ, state="withdrawn"))
    refused(signed, Reason.UNKNOWN_CHAIN, pin=ZSJ.pin(CSJ, not_after=NOW))
    with pytest.raises(Refusal) as refusal:
        voucher(pin=CSJ.pin(ZSJ, state="withdrawn"))
    assert refusal.value.reason is Reason.UNKNOWN_CHAIN
