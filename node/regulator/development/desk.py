"""Certifying labels: consents and counts checked, labels encrypted, all kept before the bank hears.

One submission at a time is decided, as each has to fit into what the bank's budget has left; the
unit of work that records a certificate looks again, for another process decides by itself. The
budget sums ρ over 365 days (`federation.development.privacy`); refusals cost nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy import Connection

from federation.development import privacy
from federation.development.certificate import CountingHolder, DevelopmentCertificate
from federation.development.judging import judge_lines, settle
from federation.development.submission import (
    KEY_PURPOSE,
    VERDICT_PURPOSE,
    LabelSubmission,
    seal_to_bank,
)
from federation.development.verdict import MAX_REFUSED, LabelVerdict
from federation.entries import Kind, entry
from federation.errors import Reason, Refusal
from federation.exchange.regulator import CLOCK_SKEW, sha256
from federation.identity import Role, SpiffeId
from node.chain import ChainSync
from node.errors import Busy
from node.log.attachments import attach_document
from node.regulator.development import jobs
from node.regulator.development.decisions import LabelDecision, LabelStore
from node.regulator.development.ground import Ground, find_ground, participants_of
from node.regulator.membership import Regulator
from scoring import lattice
from scoring.words import ROWS

LINES_A_JOB = 500
DAY = 86_400


@dataclass
class LabelDesk:
    """Decides about labels. `sync` brings the regulator's copy of the chain up to date."""

    regulator: Regulator
    sync: ChainSync | None
    decisions: LabelStore = field(init=False)
    _budget: int = field(init=False)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _sending: set[SpiffeId] = field(default_factory=set)

    def __post_init__(self) -> None:
        folder = self.regulator.config.data_dir / "labels"
        self.decisions = LabelStore(folder, self.regulator.identity.storage)
        limit = self.regulator.config.development.epsilon_year
        self._budget = int(privacy.rho(limit, 10.0**-privacy.DELTA_EXPONENT) * privacy.NANO)

    @contextmanager
    def admitted(self, bank: SpiffeId) -> Iterator[None]:
        """One submission of a bank at a time is taken in: it lies in memory. Raises Busy."""
        if bank in self._sending:
            raise Busy("another submission of labels of this bank is being taken in; wait for it")
        self._sending.add(bank)
        try:
            yield
        finally:
            self._sending.discard(bank)

    async def certify(
        self, bank: SpiffeId, submission: LabelSubmission, lines: Sequence[bytes]
    ) -> LabelDecision:
        """The decision about what `bank` submitted; the same submission gets the same again.

        Raises Refusal or DocumentError for a submission that is not decided at all. One whose
        labels, counts or budget do not pass is a decision, without a certificate.
        """
        async with self._turn:
            store = self.regulator.store
            digest = submission.hash
            kept = await store.read(lambda c: self.decisions.get(c, digest, bank))
            await self.tidy(started=False)
            return kept or await self._decide(bank, submission, lines)

    async def tidy(self, *, started: bool) -> None:
        """Removes what is left of expired and, at the start, of interrupted certifications."""
        now, years = self.regulator.clock.now(), self.regulator.config.retention_years
        await self.regulator.store.read(
            lambda c: self.decisions.tidy(c, now, years, started=started)
        )

    async def _decide(
        self, bank: SpiffeId, submission: LabelSubmission, lines: Sequence[bytes]
    ) -> LabelDecision:
        ground = await find_ground(self.regulator, self.sync, self.decisions, submission)
        participants = participants_of(submission, ground)
        sigma = privacy.sigma_milli(
            sum(p.features for p in participants),
            submission.epsilon_micro,
            submission.delta_exponent,
        )
        rho = sum(privacy.rho_nano(p.features, sigma) for p in participants)
        verdict, outcomes = await self._judge(submission, lines, ground, rho)
        sealing = ground.members.require(bank, Role.BANK).sealing
        report = seal_to_bank(VERDICT_PURPOSE, submission.hash, verdict.payload(), sealing)
        if not verdict.passed:
            refused = LabelDecision(report)
            await self._keep(bank, submission, refused, 0)
            return refused
        digest = submission.hash
        bundle = await asyncio.to_thread(self.decisions.begin, digest, submission, lines)
        try:
            made = await self.regulator.pool.run(
                jobs.encrypt,
                np.fromiter(outcomes, np.int64, len(outcomes)),
                np.fromiter(outcomes.values(), np.uint8, len(outcomes)),
                -(-ground.descriptor.roster_rows // ROWS),
                str(bundle),
            )
            certificate = self._certificate(submission, ground, participants, sigma, made)
            secret = seal_to_bank(KEY_PURPOSE, digest, made.secret_key, sealing)
        except BaseException:
            self.decisions.forget(digest)
            raise
        signed = certificate.sign(self.regulator.identity.signing)
        decision = LabelDecision(report, signed, secret, made.public_key, bundle)
        # After any other failure from here on the row may be there and needs its folder; `tidy`
        # removes a folder without a row.
        try:
            await self._keep(bank, submission, decision, rho)
        except Refusal:
            self.decisions.forget(digest)
            raise
        return decision

    async def _judge(
        self, submission: LabelSubmission, lines: Sequence[bytes], ground: Ground, rho: int
    ) -> tuple[LabelVerdict, dict[int, int]]:
        """The verdict, and the outcome by row of the firms that pass."""
        regulator = self.regulator
        root, now = regulator.identity.root, regulator.clock.now()
        about = (root.licence_authority.encode(), submission.bank, root.chain, now)
        starts = range(0, len(lines), LINES_A_JOB)
        arguments = ((lines[i : i + LINES_A_JOB], i + 1, *about) for i in starts)
        judged = [part async for part in regulator.pool.stream(judge_lines, arguments)]
        outcomes, refused = await asyncio.to_thread(settle, judged, ground.row_of)
        limits = regulator.config.development
        bad = sum(outcomes.values())
        verdict = LabelVerdict(
            submission=submission.hash,
            refused=tuple(refused[:MAX_REFUSED]),
            refused_total=len(refused),
            good=len(outcomes) - bad,
            bad=bad,
            least_good=limits.least_good,
            least_bad=limits.least_bad,
            epsilon_asked=privacy.epsilon_micro(rho),
            epsilon_left=privacy.epsilon_left_micro(self._budget - ground.spent, rho),
        )
        return verdict, outcomes

    def _certificate(
        self,
        submission: LabelSubmission,
        ground: Ground,
        participants: tuple[CountingHolder, ...],
        sigma: int,
        made: jobs.EncryptedLabels,
    ) -> DevelopmentCertificate:
        rho = sum(privacy.rho_nano(p.features, sigma) for p in participants)
        begin = self.regulator.clock.now() - CLOCK_SKEW  # holders' clocks may be behind
        return DevelopmentCertificate(
            id=submission.id,
            name=submission.name,
            bank=submission.bank,
            chain=submission.chain,
            catalogue=submission.catalogue,
            roster_rows=ground.descriptor.roster_rows,
            roster_root=ground.descriptor.roster_root,
            participants=participants,
            parameter_set=lattice.PARAMETER_SET,
            public_key=sha256(made.public_key),
            bundle=made.bundle_sha256,
            sigma_milli=sigma,
            epsilon_micro=privacy.epsilon_micro(rho, submission.delta_exponent),
            delta_exponent=submission.delta_exponent,
            not_before=begin,
            not_after=begin + submission.days * DAY,
        )

    async def _keep(
        self, bank: SpiffeId, submission: LabelSubmission, decision: LabelDecision, rho: int
    ) -> None:
        regulator, now, digest = self.regulator, self.regulator.clock.now(), submission.hash
        signed = decision.certificate
        banks = regulator.config.affiliates.of(bank)

        def unit(connection: Connection) -> None:
            if rho and self.decisions.spent(connection, banks, now) + rho > self._budget:
                raise Refusal(Reason.BUDGET_EXHAUSTED, "another process spent the budget first")
            self.decisions.put(connection, digest, bank, decision, rho, now)
            if signed is None:
                raw = entry(
                    Kind.REFUSAL,
                    now,
                    reason="labels",
                    caller=bank,
                    method="CertifyLabels",
                    reference=digest.hex()[:16],
                )
                regulator.append(connection, Kind.REFUSAL, raw)
                return
            attach_document(connection, signed)
            raw = entry(
                Kind.LABELS,
                now,
                document=signed.payload_hash,
                bank=bank,
                rho=rho,
                epsilon=DevelopmentCertificate.parse(signed.payload).epsilon_micro,
            )
            regulator.append(connection, Kind.LABELS, raw)

        await regulator.store.run(unit)
