"""What another regulator tells of certified scorecards, verified as far as anybody but it can."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final, TypeVar

from federation.certificate import ModelCertificate, open_certificate
from federation.errors import DocumentError, Reason, Refusal
from federation.exchange.regulator import SUBMISSION_BYTES
from federation.interchain.history import History, HistoryRequest
from federation.membership import TrustRoot
from federation.signed import Signed
from scoring.catalogue import Catalogue
from scoring.errors import ScoringError
from scoring.scorecard import Scorecard

CATALOGUE_BYTES: Final = 4 << 20

D = TypeVar("D", Scorecard, Catalogue)


@dataclass(frozen=True)
class Told:
    """What another regulator told of one certified scorecard, verified."""

    certificate: ModelCertificate
    scorecard: Scorecard
    catalogue: Catalogue
    decided: int
    valid: bool


def read_scorecards(history: History, request: HistoryRequest, root: TrustRoot) -> list[Told]:
    """What a page tells, once each certificate is of the regulator of `root`, about one of the
    banks, and of the scorecard beside it.

    Raises SignatureInvalid, DocumentError, Refusal(wrong_chain); Refusal(wrong_bank) for a bank
    that was not asked about.
    """
    banks = history.banks(request)
    catalogues = {}
    for packed in history.catalogues:
        catalogue = _read(Catalogue, packed, CATALOGUE_BYTES, "history.catalogues")
        catalogues[catalogue.digest()] = catalogue
    found = []
    for one in history.scorecards:
        certificate = open_certificate(Signed.from_json(one.certificate), root)
        if certificate.bank not in banks:
            raise Refusal(Reason.WRONG_BANK, f"nobody asked about {certificate.bank}")
        if certificate.catalogue not in catalogues:
            raise DocumentError("history.catalogues", "lack that of a certificate")
        scorecard = _read(Scorecard, one.scorecard, SUBMISSION_BYTES, "history.scorecards")
        told = Told(
            certificate, scorecard, catalogues[certificate.catalogue], one.decided, one.valid
        )
        _check(told)
        found.append(told)
    return found


def _check(told: Told) -> None:
    """Raises DocumentError unless the scorecard is one that the certificate can be of. The points
    themselves are in it encrypted: that they are these is the other regulator's word.
    """
    certificate, card = told.certificate, told.scorecard
    try:
        card.check(told.catalogue)
        layout = card.layout()
    except ScoringError as error:
        # The text of it quotes the scorecard, and this one gets into logs.
        raise DocumentError("history.scorecards", "do not fit the catalogue") from error
    fields = [(f.name, f.offset, f.width, f.maximum) for f in layout.fields]
    certified = [(f.name, f.offset, f.width, f.maximum) for f in certificate.fields]
    holders = sorted((p.holder, p.kind) for p in card.participants)
    parties = sorted((str(p.holder), p.kind) for p in certificate.participants)
    same = (card.name, card.disclosed, fields, holders) == (
        certificate.name,
        certificate.disclosed,
        certified,
        parties,
    )
    if not same:
        raise DocumentError("history.scorecards", "are not those of the certificates")


def _read(kind: type[D], packed: bytes, most: int, field: str) -> D:
    """A compressed document. Raises DocumentError for one that is too long or none."""
    reader = zlib.decompressobj()
    try:
        raw = reader.decompress(packed, most + 1)
        if len(raw) > most or not reader.eof:
            raise DocumentError(field, f"hold more than {most} bytes, or less than a document")
        return kind.from_json(raw)
    except (zlib.error, ScoringError) as error:
        raise DocumentError(field, f"cannot be read ({type(error).__name__})") from error
