"""The policy report of a decision, from the regulator's own copy of the verdict.

The bank's copy is sealed to the bank; this one is under the regulator's storage key, with the
scorecard that it quotes.
"""

from __future__ import annotations

from sqlalchemy import Connection

from federation.certificate import ModelCertificate
from federation.policy import PolicyReport
from node.models.report.compose import Subject
from node.regulator.membership import Regulator
from node.regulator.verdicts import Verdicts
from scoring.scorecard import Scorecard


def subject_of(regulator: Regulator, connection: Connection, reference: str) -> Subject:
    """What the report on the decision that `reference` means is about (`Verdicts.find`).

    Raises RegulatorError where there is none, SealError.
    """
    found = Verdicts(regulator.identity.storage).find(connection, reference)
    signed = found.certificate
    return Subject(
        scorecard=Scorecard.from_json(found.submission.scorecard),
        catalogue=regulator.chain.catalogue(connection, found.catalogue),
        report=PolicyReport.from_json(found.verdict.report),
        bank=str(found.submission.bank),
        decided=found.decided,
        certificate=ModelCertificate.parse(signed.payload).hash if signed else b"",
        salted=found.verdict.hash,
    )
