"""What a holder signs about the one release of counts that it makes under a certificate."""

from __future__ import annotations

import hashlib
from typing import Annotated, ClassVar

from pydantic import Field

from federation.development import privacy
from federation.development.certificate import DevelopmentCertificate
from federation.documents import Bytes32, Document, Id, Name
from federation.entries import Kind, Logged, check_logged, entry
from federation.epoch import OpenEpoch
from federation.errors import Reason, Refusal
from federation.identity import SpiffeId
from federation.signed import Signed, SigningKey


class CountsStatement(Document):
    """A holder's encrypted noisy counts by hash, logged before they leave.

    `certificate` and `opening` are payload hashes, `manifest` that of the holder's data in the
    epoch, `counts` the SHA-256 of the ciphertexts one after the other in the order of the columns.
    `rho_nano` and `epsilon_micro` are what this holder's release costs a firm, at the δ of the
    certificate; all of the participants' together is what the certificate says.
    """

    TYPE: ClassVar[str] = "counts-statement"

    chain: Name
    holder: Id
    certificate: Bytes32
    epoch: Annotated[int, Field(ge=1)]
    opening: Bytes32
    manifest: Bytes32
    counts: Bytes32
    sigma_milli: Annotated[int, Field(ge=1)]
    rho_nano: Annotated[int, Field(ge=1)]
    epsilon_micro: Annotated[int, Field(ge=1)]


def make_statement(
    certificate: DevelopmentCertificate, holder: SpiffeId, epoch: OpenEpoch, counts: bytes
) -> CountsStatement:
    """The statement of `holder` about `counts`, SHA-256 of its ciphertexts."""
    rho = certificate.rho_nano(holder)
    return CountsStatement(
        chain=certificate.chain,
        holder=holder,
        certificate=certificate.hash,
        epoch=epoch.number,
        opening=epoch.opening.hash,
        manifest=epoch.manifests[holder].hash,
        counts=counts,
        sigma_milli=certificate.sigma_milli,
        rho_nano=rho,
        epsilon_micro=privacy.epsilon_micro(rho, certificate.delta_exponent),
    )


def sign_statement(
    statement: CountsStatement, bank: SpiffeId, key: SigningKey, now: int
) -> tuple[Signed, bytes]:
    """The signed statement and its log entry, which is to be durable before the counts leave."""
    return statement.sign(key), entry(
        Kind.COUNTS,
        now,
        document=statement.hash,
        certificate=statement.certificate,
        bank=bank,
        epoch=statement.epoch,
        rho=statement.rho_nano,
        epsilon=statement.epsilon_micro,
    )


def read_statement(
    logged: Logged,
    holder: SpiffeId,
    certificate: DevelopmentCertificate,
    epoch: OpenEpoch,
    now: int,
) -> CountsStatement:
    """A holder's statement, once it is the holder's, logged, and of this certificate and epoch.

    Raises SignatureInvalid, DocumentError, Refusal(bad_promise), Refusal(wrong_context).
    """
    signing = certificate.participant(holder).signing
    statement = CountsStatement.open_(logged.document, signing)
    if statement != make_statement(certificate, holder, epoch, statement.counts):
        raise Refusal(Reason.WRONG_CONTEXT, f"counts of {holder} are of another release")
    check_logged(logged, Kind.COUNTS, holder, signing, now)
    return statement


def check_counts(statement: CountsStatement, counts: bytes) -> None:
    """Raises Refusal(wrong_context) unless these are the ciphertexts that the statement names.

    Call it before they are parsed.
    """
    if hashlib.sha256(counts).digest() != statement.counts:
        raise Refusal(Reason.WRONG_CONTEXT, f"counts of {statement.holder} are not those signed")
