"""Certification: a scorecard to the regulator, a certificate with the model's keys back.

What comes back is believed only where it says exactly what was sent: the bank, the fields with
their maxima, the participants, the columns, the hashes of key and bundles. Everything is kept in
one unit of work, with the log entry; until then the same submission can be sent again and gets
the same result.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection

from federation.entries import Kind, entry
from federation.errors import FederationError
from federation.exchange.regulator import (
    REPORT_PURPOSE,
    PolicyVerdict,
    Submission,
    open_at_bank,
    seal_submission,
)
from federation.identity import Role, SpiffeId
from federation.policy import PolicyReport
from federation.signed import Signed
from node.bank.administration import AGENT, record_action
from node.bank.agent import Agent
from node.bank.certified import (
    check_bundles,
    check_certificate,
    open_secret_key,
    read_certified,
    wrong,
)
from node.bank.chains import ChainView
from node.bank.errors import ScorecardRefused
from node.bank.files import bundle_path, write_file
from node.bank.records import Model
from node.bank.scorecards import check_scorecard, invalid
from node.rpc.chunks import Assembler
from node.rpc.convert import identifier, signed_from_wire
from node.workers import jobs
from scoring import lattice
from scoring.errors import ScoringError
from scoring.scorecard import Scorecard
from yinxin.v1 import regulator_pb2

CERTIFY = "/yinxin.v1.Regulator/Certify"
BUNDLE_LIMIT = lattice.MAX_COLUMNS * lattice.WEIGHT_BYTES + 64

CERTIFY_SECONDS = 3600.0
"""For a certification: policy takes up to minutes, and others may be judged first. A regulator that
is gone shows sooner: the connection is kept alive.
"""

Form = Literal["sealed", "open"]
Progress = Callable[[int, int], None]
"""Told how much is done, and of how much."""
Judging = Callable[[int, int], None]
"""Told how many submissions the regulator judges first, and how many seconds it has taken."""


@dataclass(frozen=True)
class _Result:
    """The regulator's first reply."""

    certificate: Signed | None
    secret_key: bytes
    public_key: bytes
    report: bytes


class Certification:
    """Has scorecards certified."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._sealing = agent.runtime.identity.require_sealing()

    async def certify(
        self,
        raw: str,
        *,
        disclosed: Sequence[str] = (),
        days: int = 180,
        form: Form = "sealed",
        by: str = AGENT,
        chain: str = "",
        judging: Judging | None = None,
        progress: Progress | None = None,
    ) -> Model:
        """The certified model of a scorecard (its JSON document).

        `disclosed` adds to the features that the scorecard itself discloses; `by` is the account
        that asks for it, for the log; `chain` the chain to certify for, the own one if empty: its
        regulator decides, and the own one vouches for the bank. `judging` and `progress` are told
        of policy, and of holders' bundles. Raises ScorecardRefused with the policy report,
        BankError for a scorecard that does not fit the chain and for a result that is not for it,
        RemoteError.
        """
        await self._agent.sync.sync()
        view = await self._agent.chains.view(chain)
        if view.scope:
            await view.require()
            await view.sync()
        scorecard, catalogue = await check_scorecard(view, raw, disclosed)
        tag, submission, sealed = await self._submission(view, scorecard, days, form)
        result, bundles = await self._send(view, sealed, judging, progress)
        verdict = self._verdict(result, submission)
        if result.certificate is None:
            await self._refused(tag, submission, verdict, catalogue.digest())
            raise ScorecardRefused(PolicyReport.from_json(verdict.report))
        certificate = read_certified(result.certificate, await view.members())
        check_certificate(certificate, submission, scorecard, catalogue, verdict)
        check_bundles(bundles, certificate, scorecard, catalogue)
        secret_key = open_secret_key(
            certificate, result.public_key, result.secret_key, submission.id, self._sealing
        )
        await self._check_key(secret_key)
        model = Model(
            hash=certificate.hash,
            received=self._agent.now(),
            public_key=result.public_key,
            scorecard=scorecard,
            secret_key=secret_key,
            verdict=verdict,
            chain=view.scope,
        )
        for participant in certificate.participants:
            path = bundle_path(self._agent.config.data_dir, participant.bundle)
            await asyncio.to_thread(write_file, path, bundles[participant.holder])
        await self._keep(view, tag, model, result.certificate, by)
        return model

    async def _submission(
        self, view: ChainView, scorecard: Scorecard, days: int, form: Form
    ) -> tuple[bytes, Submission, bytes]:
        """A submission, its tag and its envelope; those sent before for the same scorecard, if
        unanswered: the regulator knows a repetition by the bytes of the envelope. It is sealed to
        the own regulator, whichever chain it is for.
        """
        agent = self._agent
        scope = f"{view.scope} " if view.scope else ""
        content = f"{scope}{form} {days} {scorecard.to_json()}".encode()
        tag = agent.runtime.identity.storage.tag(b"bank/submission", content)
        try:
            fresh = Submission(
                id=secrets.token_bytes(16),
                bank=agent.id,
                form=form,
                scorecard=scorecard.to_json(),
                disclosed=scorecard.disclosed,
                days=days,
            )
        except ValueError as error:
            raise invalid("days: certify for 1 to 366 days") from error
        members = await agent.members()
        regulator = members.require(agent.root.regulator, Role.REGULATOR)
        envelope = seal_submission(fresh, regulator.sealing)

        def unit(connection: Connection) -> tuple[bytes, bytes]:
            kept = agent.records.submission(connection, tag)
            if kept is None:
                kept = fresh.payload(), envelope
                agent.records.put_submission(connection, tag, *kept)
            return kept

        payload, sent = await agent.write(unit)
        return tag, Submission.parse(payload), sent

    async def _send(
        self,
        view: ChainView,
        sealed: bytes,
        judging: Judging | None,
        progress: Progress | None,
    ) -> tuple[_Result, dict[SpiffeId, bytes]]:
        """The result, and every holder's bundle, none of it checked against the certificate."""
        result: _Result | None = None
        parts: dict[SpiffeId, Assembler] = {}
        request = regulator_pb2.CertifyRequest(submission=sealed, chain=view.scope)
        stream = self._agent.regulator.download(
            CERTIFY, request, regulator_pb2.CertifyReply, CERTIFY_SECONDS
        )
        async with aclosing(stream):
            async for reply in stream:
                if reply.HasField("progress"):
                    if judging is not None:
                        judging(reply.progress.ahead, reply.progress.seconds)
                elif reply.HasField("result"):
                    result = _result(reply.result)
                elif result is None:
                    raise wrong("a bundle came before the result")
                else:
                    holder = identifier(reply.bundle.holder, "holder")
                    assembler = parts.setdefault(holder, Assembler(BUNDLE_LIMIT))
                    assembler.add(reply.bundle.chunk)
                    if progress is not None and assembler.complete:
                        complete = sum(part.complete for part in parts.values())
                        progress(complete, len(parts))
        if result is None:
            raise wrong("no result came")
        return result, {holder: part.finish() for holder, part in parts.items()}

    def _verdict(self, result: _Result, submission: Submission) -> PolicyVerdict:
        try:
            raw = open_at_bank(REPORT_PURPOSE, submission.id, result.report, self._sealing)
            verdict = PolicyVerdict.parse(raw)
        except FederationError as error:
            raise wrong(f"the policy report does not open ({error})") from error
        if verdict.passed is not (result.certificate is not None):
            raise wrong("certificate and policy report contradict each other")
        return verdict

    async def _refused(
        self, tag: bytes, submission: Submission, verdict: PolicyVerdict, catalogue: bytes
    ) -> None:
        agent = self._agent

        def unit(connection: Connection) -> None:
            agent.refusals.put(connection, submission, verdict, catalogue, agent.now())
            agent.records.drop_submission(connection, tag)

        await agent.write(unit)

    async def _check_key(self, secret_key: bytes) -> None:
        """Raises BankError unless a worker can decrypt with the key."""
        if not secret_key:
            return
        try:
            await self._agent.runtime.pool.run(jobs.decrypt_answers, secret_key, [])
        except ScoringError as error:
            raise wrong("secret_key") from error

    async def _keep(
        self, view: ChainView, tag: bytes, model: Model, certificate: Signed, by: str
    ) -> None:
        agent = self._agent
        there = {"chain": view.scope} if view.scope else {}
        raw = entry(Kind.CERTIFIED, agent.now(), document=model.hash, **there)

        def unit(connection: Connection) -> None:
            view.chain.put_certificate(connection, certificate)
            if agent.records.put_model(connection, model):
                agent.runtime.append(connection, Kind.CERTIFIED, raw)
                record_action(agent.runtime, connection, "certify", by, document=model.hash)
            agent.records.drop_submission(connection, tag)

        await agent.write(unit)


def _result(message: regulator_pb2.CertifyResult) -> _Result:
    signed = signed_from_wire(message.certificate) if message.HasField("certificate") else None
    return _Result(signed, message.secret_key, message.public_key, message.report)
