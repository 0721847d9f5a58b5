"""What firm and holder sign of a dispute, and what of it does not verify."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from federation.disputes.key import (
    KEY_SECONDS,
    SEALED_DISPUTE_BYTES,
    DisputeKey,
    open_dispute,
    read_dispute_key,
    seal_dispute,
)
from federation.disputes.reply import (
    SEALED_REPLY_BYTES,
    DisputeReply,
    DisputeState,
    Outcome,
    answered_entry,
    due_of,
    open_reply,
    received_entry,
    seal_reply,
)
from federation.disputes.statement import (
    FRESH_SECONDS,
    MAX_TEXT_BYTES,
    Dispute,
    DisputeClaims,
    read_dispute_unverified,
    require_for,
    sign_dispute,
    verify_dispute,
)
from federation.entries import Logged, promise
from federation.envelope import EnvelopeKey
from federation.errors import (
    DocumentError,
    EnvelopeError,
    FederationError,
    Reason,
    SignatureInvalid,
)
from federation.identity import Role
from federation.membership import Member
from federation.pki import SubjectAuthority, make_csr
from federation.signed import Signed, SigningKey
from federation.uscc import Uscc
from support.chain import CHAIN, HUB, NOW, POWER, TAX, Chain
from support.checks import refused

DAY = 86_400
FIRM = Uscc.generate(7)
REPLY = EnvelopeKey.generate()
HOLDER_KEY = EnvelopeKey.generate()
ANSWER = {"outcome": Outcome.CONFIRMED.value, "reason": "对" * 800, "answered": NOW + 9}


@pytest.fixture(scope="module")
def chain() -> Chain:
    return Chain()


def member_of(chain: Chain) -> Member:
    return chain.members.require(TAX, Role.HOLDER)


@pytest.fixture(scope="module")
def authority() -> SubjectAuthority:
    return SubjectAuthority.create("licence.example", NOW)


def claims(**changes: Any) -> DisputeClaims:
    fields: dict[str, Any] = {
        "issuer": "licence.example",
        "uscc": FIRM,
        "holder": TAX,
        "chain": CHAIN,
        "features": ("tax.paid",),
        "statement": "错了",
        "reply": REPLY.public,
        "issued_at": NOW,
    }
    return DisputeClaims(**fields | changes)


@pytest.fixture(scope="module")
def sign(authority: SubjectAuthority) -> Callable[..., str]:
    key = SigningKey.generate()
    certificate = authority.certify_subject(make_csr(key), FIRM, NOW, 365)
    return lambda **changes: sign_dispute(claims(**changes), key, certificate)


def test_a_dispute_is_read_as_it_was_signed(
    sign: Callable[..., str], authority: SubjectAuthority
) -> None:
    text = "汉" * (MAX_TEXT_BYTES // 3)
    features = [f"tax.{'x' * 40}{n}" for n in range(8)]
    compact = sign(statement=text, features=features, query=bytes(32))
    dispute = verify_dispute(compact, authority.certificate_pem, NOW)
    assert (dispute.uscc, dispute.statement, dispute.query) == (FIRM, text, bytes(32))
    assert dispute.features == tuple(sorted(features))
    assert dispute == read_dispute_unverified(compact)
    require_for(dispute, TAX, CHAIN, NOW)
    # Two of the same words have nothing in common that is not in the words.
    assert verify_dispute(sign(), authority.certificate_pem, NOW).hash != dispute.hash


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"holder": HUB}, "aud"),
        ({"features": ()}, "features"),
        ({"features": [f"tax.{n}" for n in range(9)]}, "features"),
        ({"features": ("tax paid",)}, "features"),
        ({"query": b"\1" * 31}, "query"),
        ({"statement": " \n"}, "statement"),
        ({"statement": "x" * (MAX_TEXT_BYTES + 1)}, "statement"),
        ({"statement": "a\x00b"}, "statement"),
        ({"statement": "right\u202eleft"}, "statement"),
        ({"statement": "\ud800"}, "statement"),
        ({"reply": bytes(100)}, "reply"),
        ({"reply": b"\xff" * 1216}, "reply"),
        ({"id": bytes(15)}, "jti"),
    ],
    ids=[
        "not a holder", "about nothing", "too many", "no feature", "short hash", "empty", "long",
        "control", "reversed", "surrogate", "short key", "bad key", "short id",
    ],
)  # fmt: skip
def test_a_dispute_that_cannot_be(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(DocumentError) as error:
        claims(**changes)
    assert error.value.field == field


def test_signed_by_nobody_entitled(sign: Callable[..., str], authority: SubjectAuthority) -> None:
    elsewhere = SubjectAuthority.create("licence.example", NOW)
    root = authority.certificate_pem
    compact = sign()
    refused(Reason.NO_CONSENT, lambda: verify_dispute(compact, elsewhere.certificate_pem, NOW))
    refused(Reason.NO_CONSENT, lambda: verify_dispute(sign(uscc=Uscc.generate(8)), root, NOW))
    refused(Reason.NO_CONSENT, lambda: verify_dispute(sign(issuer="other.example"), root, NOW))
    refused(Reason.NO_CONSENT, lambda: verify_dispute(compact, root, NOW + 400 * DAY))
    refused(Reason.MALFORMED, lambda: verify_dispute("a.b", root, NOW))
    head, _, signature = compact.split(".")
    _, other, _ = sign().split(".")
    forged = ".".join((head, other, signature))
    refused(Reason.NO_CONSENT, lambda: verify_dispute(forged, root, NOW))


def test_a_dispute_for_another_holder_chain_or_time(sign: Callable[..., str]) -> None:
    dispute = read_dispute_unverified(sign())
    refused(Reason.WRONG_AUDIENCE, lambda: require_for(dispute, POWER, CHAIN, NOW))
    refused(Reason.WRONG_CHAIN, lambda: require_for(dispute, TAX, "zsj", NOW))
    refused(Reason.NOT_YET_VALID, lambda: require_for(dispute, TAX, CHAIN, NOW - 301))
    refused(Reason.EXPIRED, lambda: require_for(dispute, TAX, CHAIN, NOW + FRESH_SECONDS))
    require_for(dispute, TAX, CHAIN, NOW + FRESH_SECONDS - 1)


# --- the holder's key -------------------------------------------------------------------------


def dispute_key(**changes: Any) -> DisputeKey:
    fields: dict[str, Any] = {
        "chain": CHAIN,
        "holder": TAX,
        "public": HOLDER_KEY.public,
        "issued": NOW,
        "expires": NOW + KEY_SECONDS,
    }
    return DisputeKey(**fields | changes)


def test_the_key_is_the_holders_own(chain: Chain) -> None:
    credential, signing = chain.members.credential(TAX), chain.holders[TAX].signing
    signed, root = dispute_key().sign(signing), chain.members.root
    found = read_dispute_key(credential, signed, TAX, root, NOW)
    assert (found.member.id, found.key) == (TAX, dispute_key())

    def read(credential: Signed = credential, key: Signed = signed, now: int = NOW) -> object:
        return read_dispute_key(credential, key, TAX, root, now)

    with pytest.raises(SignatureInvalid):
        read(key=dispute_key().sign(chain.signing[HUB]))
    with pytest.raises(SignatureInvalid):
        read(key=dispute_key().sign(chain.holders[POWER].signing))
    # Another holder's credential and key, both genuine.
    power = chain.members.credential(POWER)
    other = dispute_key(holder=POWER).sign(chain.holders[POWER].signing)
    refused(Reason.FOREIGN_CERTIFICATE, lambda: read(power, other))
    refused(Reason.WRONG_AUDIENCE, lambda: read(key=dispute_key(holder=POWER).sign(signing)))
    refused(Reason.WRONG_CHAIN, lambda: read(key=dispute_key(chain="zsj").sign(signing)))
    refused(Reason.EXPIRED, lambda: read(key=signed, now=NOW + KEY_SECONDS))
    late = dispute_key(issued=NOW + 301, expires=NOW + 400).sign(signing)
    refused(Reason.NOT_YET_VALID, lambda: read(key=late))
    for expires in (NOW, NOW + KEY_SECONDS + 1):
        with pytest.raises(ValueError, match="expires"):
            dispute_key(expires=expires)
    with pytest.raises(ValueError, match="envelope key"):
        dispute_key(public=b"\xff" * 1216)


def test_messages_are_of_one_size_and_of_one_key(sign: Callable[..., str]) -> None:
    key = dispute_key()
    short, long = sign(), sign(statement="x" * MAX_TEXT_BYTES)
    for compact in (short, long):
        sealed = seal_dispute(compact, key)
        assert len(sealed) == SEALED_DISPUTE_BYTES
        assert open_dispute(sealed, key, HOLDER_KEY) == compact
    with pytest.raises(EnvelopeError):
        open_dispute(sealed, dispute_key(expires=NOW + 60), HOLDER_KEY)
    with pytest.raises(EnvelopeError):
        open_dispute(sealed, key, EnvelopeKey.generate())


# --- the reply --------------------------------------------------------------------------------


def test_twenty_days_of_china() -> None:
    # 2026-11-24 23:59:59 and 2026-11-25 00:00:00 in China.
    late, midnight = 1_795_535_999, 1_795_536_000
    assert (midnight + 8 * 3600) % DAY == 0
    assert due_of(late) == midnight + 20 * DAY
    assert due_of(midnight) == midnight + 21 * DAY


def reply(dispute: Dispute, state: DisputeState, **changes: Any) -> DisputeReply:
    fields: dict[str, Any] = {
        "chain": CHAIN,
        "holder": TAX,
        "dispute": dispute.hash,
        "state": state,
        "received": NOW,
        "due": due_of(NOW),
        "stated": NOW,
    }
    if state is DisputeState.ANSWERED:
        fields |= ANSWER
    return DisputeReply(**fields | changes)


def logged(said: DisputeReply, key: SigningKey, raw: bytes | None = None) -> Logged:
    if raw is None:
        received = said.state is DisputeState.RECEIVED
        raw = received_entry(said) if received else answered_entry(said, "engineer")
    return Logged(said.sign(key), raw, promise(TAX, raw, key, NOW))


def test_replies_are_of_one_size_and_prove_what_they_say(
    chain: Chain, sign: Callable[..., str]
) -> None:
    dispute, member, key = (
        read_dispute_unverified(sign()),
        member_of(chain),
        chain.holders[TAX].signing,
    )

    def open_(said: Signed | Logged, secret: EnvelopeKey = REPLY) -> DisputeReply:
        sealed = seal_reply(said, dispute.hash, dispute.reply)
        assert len(sealed) == SEALED_REPLY_BYTES
        return open_reply(sealed, secret, dispute, member, NOW)[0]

    received = reply(dispute, DisputeState.RECEIVED)
    answered = reply(dispute, DisputeState.ANSWERED)
    longest = reply(dispute, DisputeState.ANSWERED, reason='"' * MAX_TEXT_BYTES)
    for said in (received, answered, longest):
        assert open_(logged(said, key)) == said
    assert not answered.late
    assert reply(dispute, DisputeState.ANSWERED, answered=due_of(NOW)).late
    refusal = reply(dispute, DisputeState.REFUSED, received=0, due=0, reason="expired")
    assert open_(refusal.sign(key)) == refusal

    with pytest.raises(EnvelopeError):
        open_(logged(received, key), EnvelopeKey.generate())
    with pytest.raises(SignatureInvalid):  # the hub, or another holder, answers in its place
        open_(logged(answered, chain.signing[HUB]))
    other = dataclasses.replace(dispute, compact=sign())
    with pytest.raises(DocumentError, match="another dispute"):
        open_(logged(reply(other, DisputeState.ANSWERED), key))
    with pytest.raises(DocumentError, match="another"):
        open_(logged(reply(dispute, DisputeState.ANSWERED, holder=POWER), key))
    # Signed, and not in the log.
    refused(Reason.BAD_PROMISE, lambda: open_(answered.sign(key)))
    refused(Reason.BAD_PROMISE, lambda: open_(logged(answered, key, received_entry(received))))
    elsewhere = Logged(
        answered.sign(key), answered_entry(answered, "e"), promise(HUB, b"{}", key, NOW)
    )
    refused(Reason.BAD_PROMISE, lambda: open_(elsewhere))
    tax_power = answered_entry(answered.model_copy(update={"dispute": bytes(32)}), "e")
    refused(Reason.BAD_PROMISE, lambda: open_(logged(answered, key, tax_power)))


@pytest.mark.parametrize(
    "changes",
    [
        {"due": due_of(NOW) + DAY},
        {"outcome": ""},
        {"outcome": "ignored"},
        {"answered": 0},
        {"reason": ""},
        {"reason": "\x07"},
        {"state": DisputeState.RECEIVED},
    ],
    ids=str,
)
def test_an_answer_of_another_form(changes: dict[str, Any], sign: Callable[..., str]) -> None:
    dispute = read_dispute_unverified(sign())
    with pytest.raises(ValueError):
        reply(dispute, **({"state": DisputeState.ANSWERED} | ANSWER | changes))


def test_an_unreadable_message(chain: Chain, sign: Callable[..., str]) -> None:
    from federation.disputes.reply import read_reply

    dispute, member = read_dispute_unverified(sign()), member_of(chain)
    for raw in (b"", b"[]", b'{"document":1,"entry":"","promise":null}'):
        with pytest.raises(FederationError):
            read_reply(raw, dispute, member, NOW)
