"""Vouchers: the word of a bank's regulator at home, to the regulator of another chain.

A bank speaks with its own regulator only. That one opens what the bank submitted, signs a voucher
that names it by its hash, and hands both on, the content sealed to the other regulator and bound to
the voucher. The other regulator judges by its own policy and issues its own documents: a voucher
lets nobody certify for another chain. It is for one bank of the signer's own chain, one purpose,
one content and one use, and lasts minutes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from federation.documents import Array, Bytes, Bytes16, Bytes32, Document, Id, Name, Time
from federation.entries import CLOCK_SKEW, Kind, entry
from federation.envelope import EnvelopeKey, EnvelopePublicKey, open_, seal
from federation.errors import Reason, Refusal
from federation.exchange.regulator import SUBMISSION_BYTES
from federation.identity import Role, SpiffeId
from federation.interchain.pin import Pin
from federation.membership import Member, TrustRoot
from federation.signed import Signed

VOUCHER_SECONDS: Final = 300
"""How long a voucher may be on its way."""
MAX_AFFILIATES: Final = 256
HASH_BYTES: Final = 32

Purpose = Literal["certify", "withdraw"]

_SIZES: Final = {"certify": SUBMISSION_BYTES, "withdraw": HASH_BYTES}


class Voucher(Document):
    """What the regulator of chain `home` signs for the regulator `audience` of `chain`.

    `credential` is the bank's member credential at home (DSSE JSON), `affiliates` the banks that
    are judged as one with it there, `content` SHA-256 of what the voucher is about: the payload of
    a submission, or the payload hash of a certificate to withdraw.
    """

    TYPE: ClassVar[str] = "voucher"

    id: Bytes16
    home: Name
    regulator: Id
    chain: Name
    audience: Id
    bank: Id
    credential: Bytes
    purpose: Purpose
    content: Bytes32
    affiliates: Annotated[tuple[Id, ...], Array, Field(max_length=MAX_AFFILIATES)]
    issued: Time
    expires: Time


@dataclass(frozen=True)
class Vouched:
    """A voucher that holds, and the bank by its verified credential at home."""

    voucher: Voucher
    member: Member


def vouch(
    *,
    voucher_id: bytes,
    root: TrustRoot,
    pin: Pin,
    credential: Signed,
    purpose: Purpose,
    content: bytes,
    affiliates: Collection[SpiffeId],
    now: int,
) -> Voucher:
    """A voucher for the pinned chain's regulator, to be signed by the regulator of `root`.

    `credential` is the bank's in force; `voucher_id` is 16 fresh random bytes. Raises as
    `Pin.require_holds`, SignatureInvalid, and Refusal(foreign_certificate) for a credential that is
    no bank's of this chain now.
    """
    pin.require_holds(now)
    member = _bank(credential, root, now)
    return Voucher(
        id=voucher_id,
        home=root.chain,
        regulator=root.regulator,
        chain=pin.peer,
        audience=pin.trust().yinxin_regulator,
        bank=member.id,
        credential=credential.to_json(),
        purpose=purpose,
        content=hashlib.sha256(content).digest(),
        affiliates=tuple(sorted(affiliates, key=str)),
        issued=now,
        expires=now + VOUCHER_SECONDS,
    )


def seal_content(voucher: Voucher, content: bytes, pin: Pin) -> bytes:
    """The content for the eyes of the pinned chain's regulator; constant size for a purpose."""
    key = EnvelopePublicKey(pin.trust().yinxin_sealing)
    return seal(key, _label(voucher), voucher.hash, content, _SIZES[voucher.purpose])


def read_voucher(
    signed: Signed, pin: Pin, root: TrustRoot, caller: SpiffeId, purpose: Purpose, now: int
) -> Vouched:
    """A voucher of the pinned chain's regulator for the regulator of `root`, handed in by `caller`.

    That it was not used before is for whoever keeps their ids until they expire. Raises
    Refusal(unknown_chain) without a pin that holds, SignatureInvalid, DocumentError;
    Refusal(foreign_certificate) for another caller than the signer, for a bank of any other chain
    and for one that is no member at home now; Refusal(wrong_chain) for another home,
    Refusal(wrong_audience) for another regulator or purpose, Refusal(not_yet_valid),
    Refusal(expired).
    """
    pin.require_holds(now)
    home = pin.trust()
    voucher = Voucher.open_(signed, home.yinxin_signing)
    if (voucher.home, voucher.regulator) != (pin.peer, home.yinxin_regulator):
        raise Refusal(Reason.WRONG_CHAIN, f"voucher is of chain {voucher.home}")
    if caller != home.yinxin_regulator:
        raise Refusal(Reason.FOREIGN_CERTIFICATE, f"{caller} hands in another regulator's voucher")
    if (voucher.chain, voucher.audience) != (root.chain, root.regulator):
        raise Refusal(Reason.WRONG_AUDIENCE, f"voucher is for chain {voucher.chain}")
    if voucher.purpose != purpose:
        raise Refusal(Reason.WRONG_AUDIENCE, f"voucher is to {voucher.purpose}")
    if voucher.issued > now + CLOCK_SKEW:
        raise Refusal(Reason.NOT_YET_VALID, "voucher is dated in the future")
    if voucher.expires > voucher.issued + VOUCHER_SECONDS or now >= forgotten_at(voucher):
        raise Refusal(Reason.EXPIRED, "voucher is outside its time")
    member = _bank(Signed.from_json(voucher.credential), home.root(), now)
    if member.id != voucher.bank:
        raise Refusal(Reason.FOREIGN_CERTIFICATE, "voucher is for another bank than its credential")
    return Vouched(voucher, member)


def forgotten_at(voucher: Voucher) -> int:
    """From when on a voucher is refused as expired, so that its id need not be remembered."""
    return voucher.expires + CLOCK_SKEW


def open_content(voucher: Voucher, sealed: bytes, key: EnvelopeKey) -> bytes:
    """The content that a voucher is about.

    Raises EnvelopeError for one that is bound to another voucher, and Refusal(conflict) for
    another content than the voucher names.
    """
    content = open_(key, _label(voucher), voucher.hash, sealed, _SIZES[voucher.purpose])
    if hashlib.sha256(content).digest() != voucher.content:
        raise Refusal(Reason.CONFLICT, "content is not what the voucher names")
    return content


def voucher_entry(voucher: Voucher, now: int) -> bytes:
    """The entry of either regulator: of the one that vouches, and of the one that relies on it."""
    return entry(
        Kind.VOUCHED,
        now,
        document=voucher.hash,
        home=voucher.home,
        chain=voucher.chain,
        bank=voucher.bank,
        purpose=voucher.purpose,
        content=voucher.content,
    )


def _bank(credential: Signed, root: TrustRoot, now: int) -> Member:
    member = Member.open_(credential, root.regulator_signing)
    own = (member.chain, member.id.trust_domain) == (root.chain, root.trust_domain)
    if not own or member.id.role is not Role.BANK:
        raise Refusal(Reason.FOREIGN_CERTIFICATE, f"{member.id} is no bank of chain {root.chain}")
    if not member.not_before <= now < member.not_after:
        raise Refusal(Reason.FOREIGN_CERTIFICATE, f"the credential of {member.id} is over")
    return member


def _label(voucher: Voucher) -> str:
    return f"yinxin/envelope/vouched-{voucher.purpose}/v1"
