"""Decisions about submissions, as they are kept: rows in the database, bundles in a folder.

A folder is written before its row; one without a row was left by a crash, and is removed. The
public key and the bundles are no secret of anybody's but long: they stay as long as the
certificate is valid, and the rest of the decision stays.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, insert, select

from federation.certificate import ModelCertificate
from federation.errors import Reason, Refusal
from federation.exchange.regulator import Submission
from federation.identity import SpiffeId
from federation.signed import Signed
from node.keys import KeyEncryptionKey
from node.regulator.errors import RegulatorError
from node.regulator.tables import regulator_decisions

PUBLIC_KEY = "public.key"
CONTENT_AAD = b"regulator/submission/"
"""Before the submission's SHA-256: what its sealed content is bound to."""


@dataclass(frozen=True)
class Decision:
    """What a bank is told. `report` and `secret_key` are sealed to it.

    A refusal has no certificate, keys or bundles; a published scorecard has no keys.
    """

    report: bytes
    certificate: Signed | None = None
    secret_key: bytes = b""
    public_key: bytes = b""
    bundles: tuple[tuple[SpiffeId, Path], ...] = ()


@dataclass(frozen=True)
class Certified:
    """A certified model; `submission` is what `DecisionStore.get` knows it by."""

    submission: bytes
    decided: int
    certificate: ModelCertificate
    signed: Signed


class DecisionStore:
    """The regulator's decisions, in its database and under `folder`."""

    def __init__(self, folder: Path, storage: KeyEncryptionKey) -> None:
        self._folder = folder
        self._storage = storage

    def folder_of(self, submission: bytes) -> Path:
        """Where the public key and bundles of a submission are; `submission` is its SHA-256."""
        return self._folder / submission.hex()

    def begin(self, submission: bytes) -> Path:
        """An empty folder for a model's public key and bundles. Raises RegulatorError."""
        folder = self.folder_of(submission)
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700, parents=True)
        except OSError as error:
            raise RegulatorError(f"{folder} cannot be made ({error.strerror})") from error
        return folder

    def forget(self, submission: bytes) -> None:
        """Removes the folder of a submission that was not decided after all."""
        shutil.rmtree(self.folder_of(submission), ignore_errors=True)

    def put(
        self,
        connection: Connection,
        digest: bytes,
        submission: Submission,
        catalogue: bytes,
        decision: Decision,
        now: int,
    ) -> None:
        """Keeps a decision. Raises Refusal(conflict) for a model id that was certified before."""
        table = regulator_decisions.c
        taken = connection.execute(
            select(table.submission).where(
                table.model == submission.id, table.certificate.is_not(None)
            )
        ).first()
        if taken is not None:
            raise Refusal(Reason.CONFLICT, "a model of that id is certified already")
        certificate = decision.certificate
        connection.execute(
            insert(regulator_decisions).values(
                submission=digest,
                bank=str(submission.bank),
                model=submission.id,
                catalogue=catalogue,
                decided=now,
                expires=certificate and ModelCertificate.parse(certificate.payload).not_after,
                content=self._storage.seal(submission.payload(), CONTENT_AAD + digest),
                report=decision.report,
                certificate=certificate and certificate.to_json(),
                secret_key=certificate and decision.secret_key,
            )
        )

    def get(self, connection: Connection, digest: bytes, bank: SpiffeId) -> Decision | None:
        """The decision about a submission, None when there is none yet. `digest` is SHA-256 of its
        envelope, or of the submission itself when another regulator vouched for it.

        Raises Refusal(wrong_bank) for another bank's, Refusal(uncertified_model) when the
        bundles of an expired model are gone, RegulatorError when they are missing otherwise.
        """
        row = connection.execute(
            select(regulator_decisions).where(regulator_decisions.c.submission == digest)
        ).first()
        if row is None:
            return None
        if row.bank != str(bank):
            raise Refusal(Reason.WRONG_BANK, "submission is another bank's")
        if row.certificate is None:
            return Decision(report=bytes(row.report))
        certificate = Signed.from_json(bytes(row.certificate))
        holders = ModelCertificate.parse(certificate.payload).holders
        folder = self.folder_of(digest)
        return Decision(
            report=bytes(row.report),
            certificate=certificate,
            secret_key=bytes(row.secret_key),
            public_key=_read(folder / PUBLIC_KEY),
            bundles=tuple((h, bundle_path(folder, i)) for i, h in enumerate(holders)),
        )

    def certified(
        self, connection: Connection, banks: Collection[str] | None = None, since: int = 0
    ) -> list[Certified]:
        """What was certified from `since` on, for these banks or for all, the oldest first."""
        table = regulator_decisions.c
        query = select(table.submission, table.decided, table.certificate).where(
            table.certificate.is_not(None), table.decided >= since
        )
        if banks is not None:
            query = query.where(table.bank.in_(banks))
        # Parsed, not verified: the regulator's own record of what it signed.
        rows = connection.execute(query.order_by(table.decided, table.submission)).all()
        signed = [Signed.from_json(bytes(row.certificate)) for row in rows]
        return [
            Certified(bytes(row.submission), row.decided, ModelCertificate.parse(one.payload), one)
            for row, one in zip(rows, signed, strict=True)
        ]

    def submission(self, connection: Connection, digest: bytes) -> Submission:
        """The submission itself, for judging later ones beside it.

        Raises SealError, and RegulatorError for one that was not decided.
        """
        content = connection.execute(
            select(regulator_decisions.c.content).where(regulator_decisions.c.submission == digest)
        ).scalar_one_or_none()
        if content is None:
            raise RegulatorError(f"{digest.hex()[:16]}: no such submission was decided")
        return Submission.parse(self._storage.open(bytes(content), CONTENT_AAD + digest))

    def tidy(self, connection: Connection, now: int) -> None:
        """Removes folders of models that have expired or were never decided."""
        table = regulator_decisions.c
        valid = connection.execute(select(table.submission).where(table.expires > now)).scalars()
        wanted = {bytes(digest).hex() for digest in valid}
        if not self._folder.is_dir():
            return
        for folder in self._folder.iterdir():
            if folder.name not in wanted:
                shutil.rmtree(folder, ignore_errors=True)


def bundle_path(folder: Path, number: int) -> Path:
    """The bundle of the participant of that number, in order of their ids."""
    return folder / f"{number}.bundle"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise Refusal(Reason.UNCERTIFIED_MODEL, "the model has expired") from error
    except OSError as error:
        raise RegulatorError(f"{path} cannot be read ({error.strerror})") from error
