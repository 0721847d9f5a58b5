"""Certifying scorecards: one decision at a time, kept and logged before the bank hears of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError
from sqlalchemy import Connection, select

from federation.certificate import ModelCertificate
from federation.entries import Kind, entry
from federation.errors import DocumentError, Reason, Refusal
from federation.exchange.regulator import (
    HISTORY_SECONDS,
    KEY_PURPOSE,
    REPORT_PURPOSE,
    Considered,
    Submission,
    conclude,
    make_certificate,
    open_submission,
    read_scorecard,
    seal_to_bank,
)
from federation.identity import Role, SpiffeId
from federation.membership import Members
from node.chain import ChainSync
from node.chain.store import CATALOGUE
from node.chain.tables import chain_documents
from node.enrolment.folder import write_public
from node.regulator.decisions import PUBLIC_KEY, Decision, DecisionStore, bundle_path
from node.regulator.judging import Ahead, Past, PolicyWorker, Queue
from node.regulator.membership import Regulator
from node.regulator.verdicts import Verdicts
from node.regulator.withdrawals import delivered
from node.workers import jobs
from scoring import lattice, published
from scoring.catalogue import Catalogue
from scoring.errors import ScoringError
from scoring.scorecard import Scorecard

_JOBS = {"sealed": jobs.generate_model, "open": jobs.publish_model}
_SETS = {"sealed": lattice.PARAMETER_SET, "open": published.PARAMETER_SET}


@dataclass
class CertificationDesk:
    """Decides about submissions. `sync` brings the regulator's copy of the chain up to date."""

    regulator: Regulator
    sync: ChainSync | None
    decisions: DecisionStore = field(init=False)
    verdicts: Verdicts = field(init=False)
    worker: PolicyWorker = field(init=False)
    _queue: Queue = field(init=False)

    def __post_init__(self) -> None:
        config = self.regulator.config
        self.decisions = DecisionStore(config.data_dir / "models", self.regulator.identity.storage)
        self.worker = PolicyWorker(config)
        self._queue = Queue(config.certification.waiting)
        self.verdicts = Verdicts(self.regulator.identity.storage)

    async def certify(
        self, bank: SpiffeId, sealed: bytes, ahead: Ahead = lambda _: None
    ) -> Decision:
        """The decision about a sealed submission of `bank`; the same bytes get the same again.

        `ahead` is told how many are judged first. Raises DeskBusy; EnvelopeError, DocumentError,
        PolicyError or Refusal for a submission that is not decided at all. One that policy refuses
        is a decision, without a certificate. Cancelled while policy is applied, it decides nothing.
        """
        digest = hashlib.sha256(sealed).digest()
        async with self._queue.turn(bank, ahead):
            kept = await self._kept(digest, bank)
            if kept is not None:
                return kept
            submission = open_submission(sealed, bank, self.regulator.identity.require_sealing())
            try:
                return await self._decide(digest, submission)
            except ScoringError as error:
                # Its text quotes the scorecard; a DocumentError's stays out of every log.
                raise DocumentError("submission.scorecard", str(error)) from error

    def _past(self, connection: Connection, bank: SpiffeId) -> list[Past]:
        """Everything certified within 24 months for the bank and its affiliates: expired and
        withdrawn, sealed and open. Only what is valid now gives records beside the new model.
        """
        regulator, now = self.regulator, self.regulator.clock.now()
        gone = delivered(regulator.chain, connection)
        banks = regulator.config.affiliates.of(bank)
        return [
            Past(
                self.decisions.submission(connection, one.submission).scorecard,
                regulator.chain.catalogue(connection, one.certificate.catalogue),
                now < one.certificate.not_after and one.certificate.hash not in gone,
            )
            for one in self.decisions.certified(connection, banks, now - HISTORY_SECONDS)
        ]

    def busy(self) -> int:
        """How many submissions are judged or wait."""
        return self._queue.length

    async def tidy(self) -> None:
        """Removes what is left of expired and of interrupted certifications."""
        now = self.regulator.clock.now()
        await self.regulator.store.read(lambda connection: self.decisions.tidy(connection, now))

    async def _kept(self, digest: bytes, bank: SpiffeId) -> Decision | None:
        return await self.regulator.store.read(
            lambda connection: self.decisions.get(connection, digest, bank)
        )

    async def _decide(self, digest: bytes, submission: Submission) -> Decision:
        regulator = self.regulator
        version = Scorecard.from_json(submission.scorecard).catalogue_version
        catalogue = await self._catalogue(version)
        members = await regulator.members()
        scorecard = read_scorecard(submission, members)
        past = await regulator.store.read(lambda c: self._past(c, submission.bank))
        judged = await self.worker.judge(scorecard, catalogue, past)
        considered = conclude(submission, scorecard, judged)
        bank = members.require(submission.bank, Role.BANK)
        report = seal_to_bank(
            REPORT_PURPOSE, submission.id, considered.verdict.payload(), bank.sealing
        )
        if not considered.verdict.passed:
            refused = Decision(report)
            await self._keep(digest, considered, catalogue, refused)
            return refused
        now = regulator.clock.now()
        # Made once without the keys, so that one that cannot be made costs no keys.
        empty = {SpiffeId.parse(p.holder): bytes(32) for p in scorecard.participants}
        draft = _certificate(considered, catalogue, members, empty, bytes(32), now)
        try:
            decision = await self._make_model(digest, considered, catalogue, members, draft, report)
        except BaseException:
            self.decisions.forget(digest)
            raise
        try:
            await self._keep(digest, considered, catalogue, decision)
        except Refusal:
            self.decisions.forget(digest)
            raise
        # After any other failure (a bank that hung up, a commit that was not confirmed) the row may
        # be there and needs its folder; `tidy` removes a folder without a row.
        return decision

    async def _make_model(
        self,
        digest: bytes,
        considered: Considered,
        catalogue: Catalogue,
        members: Members,
        draft: ModelCertificate,
        report: bytes,
    ) -> Decision:
        """Keys and weight bundles in a worker; the secret key stays as sealed to the bank only."""
        submission = considered.submission
        folder = self.decisions.begin(digest)
        paths = {holder: bundle_path(folder, i) for i, holder in enumerate(draft.holders)}
        weights = {str(h): considered.scorecard.weights(catalogue, str(h)) for h in paths}
        made = await self.regulator.pool.run(
            _JOBS[submission.form], weights, {str(h): str(path) for h, path in paths.items()}
        )
        write_public(folder / PUBLIC_KEY, made.public_key)
        hashes = {holder: made.bundle_sha256[str(holder)] for holder in paths}
        certificate = _certificate(
            considered, catalogue, members, hashes, made.public_key_sha256, draft.not_before
        )
        secret = b""
        if made.secret_key:
            sealing = members.require(submission.bank, Role.BANK).sealing
            secret = seal_to_bank(KEY_PURPOSE, submission.id, made.secret_key, sealing)
        return Decision(
            report=report,
            certificate=certificate.sign(self.regulator.identity.signing),
            secret_key=secret,
            public_key=made.public_key,
            bundles=tuple(paths.items()),
        )

    async def _keep(
        self, digest: bytes, considered: Considered, catalogue: Catalogue, decision: Decision
    ) -> None:
        regulator = self.regulator
        submission = considered.submission
        now = regulator.clock.now()
        certificate = decision.certificate

        def unit(connection: Connection) -> None:
            self.decisions.put(connection, digest, submission, catalogue.digest(), decision, now)
            self.verdicts.put(connection, digest, considered.verdict)
            if certificate is None:
                raw = entry(
                    Kind.REFUSAL,
                    now,
                    reason="policy",
                    caller=submission.bank,
                    method="Certify",
                    reference=digest.hex()[:16],
                )
                regulator.append(connection, Kind.REFUSAL, raw)
                return
            regulator.chain.put_certificate(connection, certificate)
            raw = entry(
                Kind.CERTIFIED,
                now,
                document=certificate.payload_hash,
                model=submission.id,
                bank=submission.bank,
            )
            regulator.append(connection, Kind.CERTIFIED, raw)

        await regulator.store.run(unit)

    async def _catalogue(self, version: str) -> Catalogue:
        """The chain's catalogue of that version. Raises Refusal(wrong_context)."""
        found = await self._find(version)
        if found is None and self.sync is not None:
            await self.sync.sync()
            found = await self._find(version)
        if found is None:
            raise Refusal(Reason.WRONG_CONTEXT, f"no one catalogue of version {version} is known")
        return found

    async def _find(self, version: str) -> Catalogue | None:
        chain = self.regulator.chain

        def look(connection: Connection) -> Catalogue | None:
            table = chain_documents.c
            rows = connection.execute(
                select(table.hash).where(table.kind == CATALOGUE).order_by(table.number)
            ).scalars()
            known = {digest: chain.catalogue(connection, digest) for digest in map(bytes, rows)}
            fitting = [d for d, catalogue in known.items() if catalogue.version == version]
            if len(fitting) > 1:
                # Published again under the same version: the newest epoch says which one holds.
                numbers = chain.epoch_numbers(connection)
                newest = chain.descriptor(connection, numbers[-1]) if numbers else None
                fitting = [d for d in fitting if newest and d == newest.catalogue]
            return known[fitting[0]] if fitting else None

        return await self.regulator.store.read(look)


def _certificate(
    considered: Considered,
    catalogue: Catalogue,
    members: Members,
    bundles: Mapping[SpiffeId, bytes],
    public_key: bytes,
    now: int,
) -> ModelCertificate:
    parameters = _SETS[considered.submission.form]
    try:
        return make_certificate(
            considered, catalogue, members, bundles, public_key, parameters, now
        )
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"]) or "certificate"
        raise DocumentError(f"submission.scorecard.{path}", first["msg"]) from error
