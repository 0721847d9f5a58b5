"""Policy's verdicts, as the regulator keeps them: sealed, a row a decision.

They are kept and not computed again: a verdict depends on what was certified before and on the
thresholds that were in force, and its salt has to give the hash that the certificate carries.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection, insert, select

from federation.certificate import ModelCertificate
from federation.exchange.regulator import PolicyVerdict, Submission
from federation.signed import Signed
from node.keys import KeyEncryptionKey
from node.regulator.decisions import CONTENT_AAD
from node.regulator.errors import RegulatorError
from node.regulator.tables import regulator_decisions, regulator_verdicts

_AAD = b"regulator/verdict/"
_LEAST_DIGITS = 8
_DIGEST_BYTES = 32


@dataclass(frozen=True)
class Judged:
    """A decided submission with the verdict on it; `digest` is SHA-256 of its envelope.

    `certificate` is None for a refused one, `catalogue` the digest of the catalogue.
    """

    digest: bytes
    decided: int
    catalogue: bytes
    certificate: Signed | None
    submission: Submission = field(repr=False)
    verdict: PolicyVerdict = field(repr=False)


class Verdicts:
    """Reads and writes verdicts; `storage` seals them."""

    def __init__(self, storage: KeyEncryptionKey) -> None:
        self._storage = storage

    def put(self, connection: Connection, digest: bytes, verdict: PolicyVerdict) -> None:
        """Keeps the verdict on a submission, in the unit of work that keeps the decision."""
        sealed = self._storage.seal(verdict.payload(), _AAD + digest)
        connection.execute(insert(regulator_verdicts).values(submission=digest, verdict=sealed))

    def find(self, connection: Connection, reference: str) -> Judged:
        """The decision that `reference` means: hex digits of the certificate's hash, of the
        model's id, or of SHA-256 of the sealed submission; of several the newest.

        Raises RegulatorError where none is meant, or where the verdict was not kept.
        """
        wanted = reference.lower()
        table = regulator_decisions.c
        whole = _digest(wanted)
        if (
            whole is not None
            and connection.execute(
                select(table.submission).where(table.submission == whole)
            ).first()
        ):
            return self._read(connection, whole)
        rows = connection.execute(
            select(table.submission, table.model, table.certificate).order_by(
                table.decided.desc(), table.submission
            )
        )
        if len(wanted) >= _LEAST_DIGITS:
            for row in rows:
                names = [bytes(row.submission).hex(), bytes(row.model).hex()]
                if row.certificate is not None:
                    names.append(_certificate_hash(bytes(row.certificate)))
                if any(name.startswith(wanted) for name in names):
                    return self._read(connection, bytes(row.submission))
        raise RegulatorError(
            f"{reference!r} is no decision; give {_LEAST_DIGITS} or more digits of a certificate's "
            "hash, of a model's id or of a submission's hash"
        )

    def _read(self, connection: Connection, digest: bytes) -> Judged:
        row = connection.execute(
            select(regulator_decisions, regulator_verdicts.c.verdict)
            .outerjoin(
                regulator_verdicts,
                regulator_verdicts.c.submission == regulator_decisions.c.submission,
            )
            .where(regulator_decisions.c.submission == digest)
        ).one()
        if row.verdict is None:
            raise RegulatorError(
                f"{digest.hex()[:16]}: decided before verdicts were kept; the bank has its copy"
            )
        content = self._storage.open(bytes(row.content), CONTENT_AAD + digest)
        sealed = self._storage.open(bytes(row.verdict), _AAD + digest)
        return Judged(
            digest=digest,
            decided=row.decided,
            catalogue=bytes(row.catalogue),
            certificate=row.certificate and Signed.from_json(bytes(row.certificate)),
            submission=Submission.parse(content),
            verdict=PolicyVerdict.parse(sealed),
        )


def _certificate_hash(raw: bytes) -> str:
    return ModelCertificate.parse(Signed.from_json(raw).payload).hash.hex()


def _digest(text: str) -> bytes | None:
    """A whole SHA-256 in hex."""
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        return None
    return raw if len(raw) == _DIGEST_BYTES else None
