"""Members: who belongs to the chain, by the regulator's word alone."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from federation.errors import DocumentError, Reason, SignatureInvalid
from federation.identity import Role, SpiffeId
from federation.membership import Member, MemberRequest, Members, TrustRoot
from federation.signed import SigningKey
from support.chain import (
    CHAIN,
    COURT,
    DAY,
    DELTA,
    DOMAIN,
    HARBOUR,
    HUB,
    NOW,
    POWER,
    REGULATOR,
    TAX,
    Chain,
)
from support.checks import refused


def members(chain: Chain, *credentials: Member, now: int = NOW) -> Members:
    key = chain.signing[REGULATOR]
    return Members(chain.root, [member.sign(key) for member in credentials], now)


def hub(chain: Chain, name: str = "hub") -> Member:
    return chain.member(SpiffeId(DOMAIN, Role.HUB, name), chain.signing[HUB].public)


def test_members_are_known_by_id_and_role(chain: Chain) -> None:
    known = chain.members
    assert known.hub.id == HUB and known.hub.signing == chain.signing[HUB].public
    assert [m.id for m in known.of(Role.BANK)] == [DELTA, HARBOUR]
    assert [m.kind for m in known.of(Role.HOLDER)] == ["court", "insurance", "power", "tax"]
    assert known.require(COURT, Role.HOLDER).named and not known.require(TAX, Role.HOLDER).named


def test_member_of_another_role_or_nobody(chain: Chain) -> None:
    stranger = SpiffeId(DOMAIN, Role.BANK, "nobody")
    for party, role in ((TAX, Role.BANK), (HARBOUR, Role.HOLDER), (stranger, Role.BANK)):
        refused(Reason.FOREIGN_CERTIFICATE, lambda p=party, r=role: chain.members.require(p, r))


def test_credential_is_not_signed_by_the_regulator(chain: Chain) -> None:
    """Not even by the hub, and not by the member itself."""
    member = hub(chain)
    for key in (chain.signing[HUB], chain.signing[HARBOUR], SigningKey.generate()):
        with pytest.raises(SignatureInvalid):
            Members(chain.root, [member.sign(key)], NOW)
    assert members(chain, member).hub == member


def test_other_document_of_the_regulator_is_no_credential(chain: Chain) -> None:
    for signed in (chain.alpha.signed, chain.root.sign(chain.signing[REGULATOR])):
        with pytest.raises(SignatureInvalid):
            Members(chain.root, [signed], NOW)


def test_credential_is_altered(chain: Chain) -> None:
    signed = hub(chain).sign(chain.signing[REGULATOR])
    payload = signed.payload.replace(b'"named":false', b'"named":true')
    altered = type(signed)(signed.payload_type, payload, signed.key_id, signed.signature)
    with pytest.raises(SignatureInvalid):
        Members(chain.root, [altered], NOW)


def test_two_credentials_of_one_id(chain: Chain) -> None:
    other = hub(chain).model_copy(update={"signing": chain.signing[DELTA].public})
    refused(Reason.CONFLICT, lambda: members(chain, hub(chain), other))


@pytest.mark.parametrize(
    "changes", [{"chain": "zsj"}, {"id": SpiffeId("zsj.yinxin.example", Role.HUB, "hub")}]
)
def test_credential_of_another_chain(chain: Chain, changes: dict[str, Any]) -> None:
    """The regulator of two chains signs both; neither's members are the other's."""
    foreign = hub(chain).model_copy(update=changes)
    refused(Reason.WRONG_CHAIN, lambda: members(chain, foreign))


def test_expired_and_future_credentials_are_left_out(chain: Chain) -> None:
    member = hub(chain)
    for now in (member.not_before - 1, member.not_after):
        known = members(chain, member, now=now)
        refused(Reason.FOREIGN_CERTIFICATE, lambda k=known: k.hub)
        assert known.credentials() == ()
    for now in (member.not_before, member.not_after - 1):
        assert members(chain, member, now=now).hub == member


def test_chain_has_exactly_one_hub(chain: Chain) -> None:
    second = hub(chain, "hub-2")
    for credentials in ((), (hub(chain), second)):
        known = members(chain, *credentials)
        refused(Reason.FOREIGN_CERTIFICATE, lambda k=known: k.hub)
    assert members(chain, second).hub == second


def test_credentials_come_back_in_order(chain: Chain) -> None:
    signed = chain.members.credentials()
    ids = [Member.parse(credential.payload).id for credential in signed]
    assert ids == sorted(ids, key=str) and len(ids) == 8
    again = Members(chain.root, reversed(signed), NOW)
    assert again.credentials() == signed


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": ""},
        {"agreement": b""},
        {"agreement": bytes(31)},
        {"id": HARBOUR},
    ],
)
def test_holder_and_nobody_else_has_kind_and_agreement_key(
    chain: Chain, changes: dict[str, Any]
) -> None:
    good = chain.holder_member(chain.holders[POWER])
    fields = {name: getattr(good, name) for name in Member.model_fields}
    with pytest.raises(ValidationError, match="agreement key"):
        Member(**(fields | changes))
    payload = good.payload().replace(b'"kind":"power"', b'"kind":""')
    with pytest.raises(DocumentError, match="agreement key"):
        Member.parse(payload)


def test_root_and_request_round_trip(chain: Chain) -> None:
    assert TrustRoot.parse(chain.root.payload()) == chain.root
    key = SigningKey.generate()
    request = MemberRequest(
        id=TAX,
        kind="tax",
        title={"zh": "税务", "en": "tax"},
        signing=key.public,
        agreement=bytes(32),
        sealing=b"",
        named=False,
        tls_request="-----BEGIN CERTIFICATE REQUEST-----",
        addresses=("127.0.0.1", "tax.example"),
    )
    assert MemberRequest.open_(request.sign(key), key.public) == request
    with pytest.raises(SignatureInvalid):
        Member.open_(request.sign(key), key.public)
    assert chain.root.chain == CHAIN and DAY == 86_400
