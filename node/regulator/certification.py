"""Certifying scorecards: one decision at a time, kept and logged before the bank hears of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError
from sqlalchemy import Connection

from federation.certificate import ModelCertificate
from federation.entries import Kind, entry
from federation.errors import DocumentError, Reason, Refusal
from federation.exchange.regulator import (
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
from federation.interchain.voucher import Vouched
from federation.membership import Members
from node.chain import ChainSync
from node.enrolment.folder import write_public
from node.regulator.catalogues import find_catalogue
from node.regulator.decisions import PUBLIC_KEY, Decision, DecisionStore, bundle_path
from node.regulator.judging import Ahead, PolicyWorker, Queue
from node.regulator.membership import Regulator
from node.regulator.peers.guests import admit, guest_of
from node.regulator.peers.history import PeerHistory, Reach, nobody
from node.regulator.verdicts import Verdicts
from node.workers import jobs
from scoring import lattice, published
from scoring.catalogue import Catalogue
from scoring.errors import ScoringError
from scoring.scorecard import Scorecard

_JOBS = {"sealed": jobs.generate_model, "open": jobs.publish_model}
_SETS = {"sealed": lattice.PARAMETER_SET, "open": published.PARAMETER_SET}


@dataclass
class CertificationDesk:
    """Decides about submissions. `sync` brings the regulator's copy of the chain up to date;
    `reach` gives the channels to the regulators of peer chains.
    """

    regulator: Regulator
    sync: ChainSync | None
    reach: Reach = nobody
    decisions: DecisionStore = field(init=False)
    history: PeerHistory = field(init=False)
    verdicts: Verdicts = field(init=False)
    worker: PolicyWorker = field(init=False)
    _queue: Queue = field(init=False)

    def __post_init__(self) -> None:
        config = self.regulator.config
        self.decisions = DecisionStore(config.data_dir / "models", self.regulator.identity.storage)
        self.worker = PolicyWorker(config)
        self._queue = Queue(config.certification.waiting)
        self.verdicts = Verdicts(self.regulator.identity.storage)
        self.history = PeerHistory(self.regulator, self.decisions, self.reach)

    async def certify(
        self, bank: SpiffeId, sealed: bytes, ahead: Ahead = lambda _: None
    ) -> Decision:
        """The decision about a sealed submission of `bank`; the same bytes get the same again.

        `ahead` is told how many are judged first. Raises DeskBusy; EnvelopeError, DocumentError,
        PolicyError or Refusal for a submission that is not decided at all; PartyUnavailable when
        not all of the history could be learnt. One that policy refuses is a decision, without a
        certificate. Cancelled while policy is applied, it decides nothing.
        """
        digest = hashlib.sha256(sealed).digest()

        def read() -> Submission:
            return open_submission(sealed, bank, self.regulator.identity.require_sealing())

        return await self._certify(digest, bank, read, None, ahead)

    async def certify_vouched(
        self, vouched: Vouched, content: bytes, ahead: Ahead = lambda _: None
    ) -> Decision:
        """The decision about a submission (its payload) that the regulator of the bank's own chain
        vouches for; the same submission gets the same again, by whatever voucher. Raises as
        `certify`.
        """
        bank = vouched.voucher.bank

        def read() -> Submission:
            submission = Submission.parse(content)
            if submission.bank != bank:
                raise Refusal(Reason.WRONG_BANK, "submission names another bank than the voucher")
            return submission

        return await self._certify(vouched.voucher.content, bank, read, vouched, ahead)

    async def _certify(
        self,
        digest: bytes,
        bank: SpiffeId,
        read: Callable[[], Submission],
        vouched: Vouched | None,
        ahead: Ahead,
    ) -> Decision:
        async with self._queue.turn(bank, ahead):
            kept = await self._kept(digest, bank)
            if kept is not None:
                return kept
            submission = read()
            try:
                with self.history.judging(bank) as banks:
                    await self.history.gather(banks)
                    return await self._decide(digest, submission, banks, vouched)
            except ScoringError as error:
                # Its text quotes the scorecard; a DocumentError's stays out of every log.
                raise DocumentError("submission.scorecard", str(error)) from error

    def busy(self) -> int:
        """How many submissions are judged or wait."""
        return self._queue.length

    def waiting(self) -> tuple[SpiffeId, ...]:
        """The banks whose submissions are at this process's desk: the first is judged, the others
        wait in this order.
        """
        return self._queue.banks

    async def tidy(self) -> None:
        """Removes what is left of expired and of interrupted certifications."""
        now = self.regulator.clock.now()
        await self.regulator.store.read(lambda connection: self.decisions.tidy(connection, now))

    async def _kept(self, digest: bytes, bank: SpiffeId) -> Decision | None:
        return await self.regulator.store.read(
            lambda connection: self.decisions.get(connection, digest, bank)
        )

    async def _decide(
        self,
        digest: bytes,
        submission: Submission,
        banks: Collection[str],
        vouched: Vouched | None,
    ) -> Decision:
        """`banks` are the bank and its affiliates; a bank that is vouched for becomes a guest once
        it has a model, and not before.
        """
        regulator = self.regulator
        version = Scorecard.from_json(submission.scorecard).catalogue_version
        catalogue = await find_catalogue(regulator, self.sync, version)
        members = await regulator.members()
        if vouched is not None:
            guest = await regulator.store.read(lambda c: guest_of(regulator, c, vouched))
            members = members.with_guest(guest.as_member())
        scorecard = read_scorecard(submission, members)
        past = await regulator.store.read(lambda c: self.history.past(c, banks))
        judged = await self.worker.judge(scorecard, catalogue, past)
        considered = conclude(submission, scorecard, judged)
        bank = members.require(submission.bank, Role.BANK)
        report = seal_to_bank(
            REPORT_PURPOSE, submission.id, considered.verdict.payload(), bank.sealing
        )
        if not considered.verdict.passed:
            refused = Decision(report)
            await self._keep(digest, considered, catalogue, refused, vouched)
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
            await self._keep(digest, considered, catalogue, decision, vouched)
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
        self,
        digest: bytes,
        considered: Considered,
        catalogue: Catalogue,
        decision: Decision,
        vouched: Vouched | None,
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
            if vouched is not None:
                admit(regulator, connection, vouched)
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
