"""What a bank asks, and the checks it makes itself before anybody else hears of it.

The hub checks all of this again; here the bank learns which claim of its consent does not fit and
what to do about it, where the hub would say no more than that it refuses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from federation.canonical import canonical_json, parse_canonical
from federation.certificate import ModelCertificate
from federation.consent import Consent, verify_consent
from federation.errors import DocumentError, Reason, Refusal
from federation.identity import SpiffeId
from federation.membership import TrustRoot
from federation.purpose import Purpose
from node.bank.errors import BankError
from node.bank.texts import Code

MAX_PSEUDONYM = 64
MAX_ASK_BYTES = 64 * 1024
_TEXTS: Final = ("consent", "purpose", "officer", "reference", "model")
_JOINT: Final = ("joint", "chains", "partial")


@dataclass(frozen=True)
class Ask:
    """One question: under which consent (compact JWS), for which purpose (two digits).

    `officer` and `reference` are the bank's pseudonyms for its officer and its application or
    loan; `model` is a reference as `Agent.model` takes it, empty for the only one.

    With `joint` it goes to several chains at once (`node.bank.joint`): those in `chains`, or, where
    that is empty, all that the firm, the consent and the model allow. `partial` takes what some of
    them answer.
    """

    consent: str = field(repr=False)
    purpose: str
    officer: str = ""
    reference: str = ""
    model: str = ""
    joint: bool = False
    chains: tuple[str, ...] = ()
    partial: bool = False

    def to_json(self) -> bytes:
        """Canonical JSON: what two equal questions have in common."""
        value: dict[str, Any] = {name: getattr(self, name) for name in _TEXTS}
        if self.joint:
            value |= {"joint": True, "chains": sorted(self.chains), "partial": self.partial}
        return canonical_json(value)

    @classmethod
    def from_json(cls, raw: bytes) -> Ask:
        """What `to_json` gave. Raises DocumentError."""
        value = parse_canonical(raw, MAX_ASK_BYTES)
        names = _TEXTS + (_JOINT if isinstance(value, dict) and "joint" in value else ())
        if not isinstance(value, dict) or set(value) != set(names):
            raise DocumentError("ask", f"must have {', '.join(names)}")
        chains = value.pop("chains", [])
        if (
            not all(isinstance(value[name], str) for name in _TEXTS)
            or not isinstance(chains, list)
            or not all(isinstance(chain, str) for chain in chains)
            or not all(isinstance(value.get(name, False), bool) for name in ("joint", "partial"))
        ):
            raise DocumentError("ask", "has members of another type")
        return cls(chains=tuple(chains), **value)


def purpose_of(text: str) -> str:
    """The code of a purpose given as code (`02`) or name (`loan_approval`). Raises BankError."""
    wanted = text.strip()
    for purpose in Purpose:
        if wanted == purpose.value or wanted.lower().replace("-", "_") == purpose.name.lower():
            return purpose.value
    raise BankError(Code.PURPOSE_UNKNOWN, "purpose", purpose=repr(text), known=", ".join(Purpose))


def check_pseudonym(text: str, name: str) -> None:
    """Raises BankError unless the hub will take `text` as officer or reference."""
    if len(text) > MAX_PSEUDONYM or not (text.isprintable() or not text):
        raise BankError(Code.PSEUDONYM_INVALID, name, most=MAX_PSEUDONYM)


def read_consent(compact: str, root: TrustRoot, now: int) -> Consent:
    """The consent, if an enterprise signed it and it holds now. Raises BankError."""
    try:
        return verify_consent(compact.strip(), root.licence_authority.encode(), now)
    except Refusal as error:
        raise _unusable(error, compact.strip(), root) from error


def check_consent(
    consent: Consent, purpose: str, certificate: ModelCertificate, bank: SpiffeId, chain: str
) -> None:
    """Raises BankError with the claim that does not cover a query under the model."""
    if consent.bank != bank:
        raise BankError(Code.CONSENT_WRONG_BANK, "consent.aud", bank=str(consent.bank))
    if chain not in consent.chains:
        raise BankError(Code.CONSENT_WRONG_CHAIN, "consent.chains", chain=chain)
    if consent.purpose != purpose:
        given = consent.purpose.value
        raise BankError(Code.CONSENT_WRONG_PURPOSE, "consent.purpose", given=given, asked=purpose)
    needed = {
        Code.CONSENT_FIELDS: ("consent.fields", {f.name for f in certificate.fields}),
        Code.CONSENT_DISCLOSED: ("consent.disclosed", set(certificate.disclosed)),
        Code.CONSENT_NAMED: ("consent.named", {str(h) for h in certificate.named_holders}),
    }
    given_names = {
        Code.CONSENT_FIELDS: set(consent.fields),
        Code.CONSENT_DISCLOSED: set(consent.disclosed),
        Code.CONSENT_NAMED: {str(h) for h in consent.named},
    }
    for code, (name, names) in needed.items():
        missing = names - given_names[code]
        if missing:
            raise BankError(code, name, names=", ".join(sorted(missing)))


def _unusable(error: Refusal, compact: str, root: TrustRoot) -> BankError:
    match error.reason:
        case Reason.EXPIRED:
            return BankError(Code.CONSENT_EXPIRED, "consent.exp", at=_limit(compact, root, "exp"))
        case Reason.NOT_YET_VALID:
            at = max(_limit(compact, root, claim) for claim in ("iat", "nbf"))
            return BankError(Code.CONSENT_NOT_YET_VALID, "consent.nbf", at=at)
        case Reason.MALFORMED:
            return BankError(Code.CONSENT_MALFORMED, "consent")
    return BankError(Code.CONSENT_UNSIGNED, "consent")


def _limit(compact: str, root: TrustRoot, claim: str) -> str:
    """The time in a claim of a consent whose signature has been verified already."""
    from federation.canonical import unb64

    try:
        claims = parse_canonical(unb64(compact.split(".")[1]), MAX_ASK_BYTES)
        return datetime.fromtimestamp(int(claims[claim]), UTC).isoformat(timespec="minutes")
    except (DocumentError, LookupError, ValueError, TypeError, OverflowError):
        return "–"
