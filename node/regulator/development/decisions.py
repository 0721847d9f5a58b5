"""Decisions about labels, as they are kept: rows in the database, bundle and labels in a folder.

A folder is written before its row; one without a row was left by a crash, and is removed. The
bundle is kept while the certificate is valid. The labels with their consents stay for
`retention_years`, sealed under the regulator's storage key: they are its evidence that every firm
had agreed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, func, insert, select

from federation.development import privacy
from federation.development.certificate import DevelopmentCertificate
from federation.development.submission import LabelSubmission
from federation.errors import Reason, Refusal
from federation.identity import SpiffeId
from federation.signed import Signed
from node.files import replacing
from node.keys import KeyEncryptionKey
from node.regulator.development.tables import regulator_labels
from node.regulator.errors import RegulatorError

_AAD = b"regulator/labels/"
_BUNDLE = "labels.bundle"
_SUBMISSION = "submission.sealed"
_YEAR = 366 * 86_400
"""Of retention: rather a few days more."""


@dataclass(frozen=True)
class LabelDecision:
    """What a bank is told. `report` and `secret_key` are sealed to it; a refusal has no more than
    the report.
    """

    report: bytes
    certificate: Signed | None = None
    secret_key: bytes = b""
    public_key: bytes = b""
    bundle: Path | None = None


class LabelStore:
    """The regulator's decisions about labels, in its database and under `folder`."""

    def __init__(self, folder: Path, storage: KeyEncryptionKey) -> None:
        self._folder = folder
        self._storage = storage

    def begin(self, digest: bytes, submission: LabelSubmission, lines: Sequence[bytes]) -> Path:
        """A new folder with the sealed labels; returns where the bundle goes.

        Raises RegulatorError when it cannot be written.
        """
        folder = self._folder / digest.hex()
        sealed = self._storage.seal(submission.payload() + b"\n" + b"\n".join(lines), _AAD + digest)
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700, parents=True)
            with replacing(folder / _SUBMISSION) as temporary:
                temporary.touch(mode=0o600)
                temporary.write_bytes(sealed)
        except OSError as error:
            raise RegulatorError(f"{folder} cannot be written ({error.strerror})") from error
        return folder / _BUNDLE

    def forget(self, digest: bytes) -> None:
        """Removes the folder of a submission that was not decided after all."""
        shutil.rmtree(self._folder / digest.hex(), ignore_errors=True)

    def labels(self, digest: bytes) -> bytes:
        """The head and the lines that a certificate stands on, for whoever has to prove it.

        Raises RegulatorError when they are missing, SealError.
        """
        path = self._folder / digest.hex() / _SUBMISSION
        try:
            return self._storage.open(path.read_bytes(), _AAD + digest)
        except OSError as error:
            raise RegulatorError(f"{path} cannot be read ({error.strerror})") from error

    def put(
        self,
        connection: Connection,
        digest: bytes,
        bank: SpiffeId,
        decision: LabelDecision,
        rho: int,
        now: int,
    ) -> None:
        """Keeps a decision; `rho` is what it costs of the bank's budget, in 10⁻⁹."""
        signed = decision.certificate
        kept = signed is not None
        connection.execute(
            insert(regulator_labels).values(
                submission=digest,
                bank=str(bank),
                decided=now,
                expires=signed and DevelopmentCertificate.parse(signed.payload).not_after,
                rho=rho,
                report=decision.report,
                certificate=signed and signed.to_json(),
                secret_key=decision.secret_key if kept else None,
                public_key=decision.public_key if kept else None,
            )
        )

    def get(self, connection: Connection, digest: bytes, bank: SpiffeId) -> LabelDecision | None:
        """The decision about the submission of that hash, None when there is none yet.

        Raises Refusal(wrong_bank) for another bank's, Refusal(uncertified_model) once the
        certificate has expired and its bundle is gone.
        """
        row = connection.execute(
            select(regulator_labels).where(regulator_labels.c.submission == digest)
        ).one_or_none()
        if row is None:
            return None
        if row.bank != str(bank):
            raise Refusal(Reason.WRONG_BANK, "submission is another bank's")
        if row.certificate is None:
            return LabelDecision(bytes(row.report))
        bundle = self._folder / digest.hex() / _BUNDLE
        if not bundle.is_file():
            raise Refusal(Reason.UNCERTIFIED_MODEL, "the development certificate has expired")
        return LabelDecision(
            report=bytes(row.report),
            certificate=Signed.from_json(bytes(row.certificate)),
            secret_key=bytes(row.secret_key),
            public_key=bytes(row.public_key),
            bundle=bundle,
        )

    def spent(self, connection: Connection, banks: Iterable[str], now: int) -> int:
        """ρ of the certificates of these banks (SPIFFE ids) of the last 365 days, in 10⁻⁹."""
        table = regulator_labels.c
        since = now - privacy.YEAR_SECONDS
        total = connection.execute(
            select(func.sum(table.rho)).where(table.bank.in_(list(banks)), table.decided > since)
        ).scalar_one()
        return int(total or 0)

    def tidy(self, connection: Connection, now: int, years: int, *, started: bool) -> None:
        """Removes bundles of expired certificates, and labels that were certified `years` ago.

        When the node has just `started`, also folders that no decision came of; later on one may
        come of them yet.
        """
        table = regulator_labels.c
        rows = connection.execute(select(table.submission, table.decided, table.expires)).all()
        kept = {bytes(row.submission).hex(): row for row in rows if row.expires is not None}
        if not self._folder.is_dir():
            return
        for folder in self._folder.iterdir():
            row = kept.get(folder.name)
            if row is None:
                if started:
                    shutil.rmtree(folder, ignore_errors=True)
            elif row.decided + years * _YEAR <= now:
                shutil.rmtree(folder, ignore_errors=True)
            elif row.expires <= now:
                (folder / _BUNDLE).unlink(missing_ok=True)
