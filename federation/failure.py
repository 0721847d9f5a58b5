"""A bank's report that a record failed its checks: for the regulator, and for nobody else.

Told to a holder or the hub it would be a decryption oracle, so it goes to the regulator alone.
It names the permit, from which the audit finds the query, and no enterprise.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field

from federation.documents import Array, Bytes32, Document, Id, Name, Time
from federation.errors import DocumentError, Reason, Refusal
from federation.identity import Role, SpiffeId
from federation.membership import Members
from federation.signed import Signed

MAX_PARTIES = 256


class Failed(StrEnum):
    """Which check failed."""

    SIGNATURE = "signature"
    """An answer or table is not signed by the participant, or is of another context."""
    PROOF = "proof"
    """A participant's evaluation is not by the key that it logged."""
    RECORD = "record"
    """The opened row is no record: check bits, a maximum or the coverage are wrong."""


def _failed(value: object) -> object:
    # Strict mode would refuse the text that JSON has.
    return Failed(value) if isinstance(value, str) else value


class FailureReport(Document):
    """What a bank saw fail. `parties` are the participants whose answers may be at fault: one
    where the check names it, all of them where only their sum is wrong.
    """

    TYPE: ClassVar[str] = "failure-report"

    chain: Name
    bank: Id
    ctx: Bytes32
    permit: Bytes32
    parties: Annotated[tuple[Id, ...], Array, Field(min_length=1, max_length=MAX_PARTIES)]
    failed: Annotated[Failed, BeforeValidator(_failed)]
    time: Time


def read_failure(
    signed: Signed, bank: SpiffeId, members: Members, peers: Mapping[str, str] | None = None
) -> FailureReport:
    """The report, once it is the member `bank`'s own and about this chain, or about one of `peers`:
    the trust domains of chains that are or were pinned, by name. Who is a holder there, this chain
    does not know.

    Raises SignatureInvalid, DocumentError, Refusal(foreign_certificate), Refusal(wrong_bank) or
    Refusal(wrong_chain).
    """
    report = FailureReport.open_(signed, members.require(bank, Role.BANK).signing)
    if report.bank != bank:
        raise Refusal(Reason.WRONG_BANK, "report names another bank")
    domain = (peers or {}).get(report.chain)
    if report.chain != members.root.chain and domain is None:
        raise Refusal(Reason.WRONG_CHAIN, f"report is about chain {report.chain}")
    if list(report.parties) != sorted(set(report.parties), key=str):
        raise DocumentError("failure-report.parties", "must be in order of their ids, each once")
    for party in report.parties:
        if domain is None:
            members.require(party, Role.HOLDER)
        elif (party.trust_domain, party.role) != (domain, Role.HOLDER):
            raise Refusal(Reason.FOREIGN_CERTIFICATE, f"{party} is no holder of {report.chain}")
    return report
