"""Labels to the regulator, a development certificate with its keys back.

What comes back is believed only where it says exactly what was sent. The head of the submission is
kept before anything is sent, and certificate and keys in one unit of work with the log entry, so
that an interrupted command is simply repeated and gets the same result.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from sqlalchemy import Connection

from federation.development.certificate import DevelopmentCertificate, read_certificate
from federation.development.submission import (
    KEY_PURPOSE,
    VERDICT_PURPOSE,
    LabelSubmission,
    open_at_bank,
    part_count,
    seal_parts,
    sha256_lines,
)
from federation.development.verdict import LabelVerdict
from federation.entries import Kind, entry
from federation.epoch import OpenEpoch
from federation.errors import FederationError
from federation.identity import Role, SpiffeId
from federation.signed import Signed
from node.bank.administration import record_action
from node.bank.agent import Agent, reason_of
from node.bank.certification import Progress
from node.bank.certified import DAY, wrong
from node.bank.development.errors import LabelsInvalid, LabelsRefused
from node.bank.development.lines import Labels
from node.bank.development.records import Development, DevelopmentRecords
from node.bank.errors import BankError
from node.bank.files import write_file
from node.bank.texts import Code, Said
from node.chain.development import put_development
from node.rpc.chunks import Assembler
from node.rpc.convert import signed_from_wire
from scoring.lattice import PARAMETER_SET, labels_bytes
from yinxin.v1 import regulator_pb2

CERTIFY_LABELS = "/yinxin.v1.Regulator/CertifyLabels"
BUNDLE_LIMIT = labels_bytes(500)


@dataclass(frozen=True)
class Terms:
    """What is asked for: `epsilon_micro` at δ = 10⁻⁶ over all participants, `days` of validity."""

    participants: tuple[SpiffeId, ...]
    epsilon_micro: int = 3_000_000
    delta_exponent: int = 6
    days: int = 14


@dataclass(frozen=True)
class _Result:
    verdict: LabelVerdict
    certificate: Signed | None
    secret_key: bytes
    public_key: bytes
    bundle: bytes


def labels_path(data_dir: Path, certificate: DevelopmentCertificate) -> Path:
    """Where the encrypted labels of a certificate are."""
    return data_dir / "labels" / f"{certificate.bundle.hex()}.bundle"


async def open_epochs(agent: Agent) -> list[OpenEpoch]:
    """The epochs that are open now, the newest first. Raises BankError when there is none."""
    now = agent.now()

    def look(connection: Connection) -> list[OpenEpoch]:
        numbers = reversed(agent.chain.epoch_numbers(connection))
        found = [agent.chain.epoch(connection, number, now) for number in numbers]
        return [e for e in found if e and e.descriptor.opens <= now < e.descriptor.closes]

    epochs = await agent.read(look)
    if not epochs:
        raise BankError(Code.NO_OPEN_EPOCH, "epoch", chain=agent.root.chain)
    return epochs


class Submitting:
    """Has labels certified."""

    def __init__(self, agent: Agent, records: DevelopmentRecords) -> None:
        self._agent = agent
        self._records = records
        self._sealing = agent.runtime.identity.require_sealing()

    async def certify(
        self, name: str, labels: Labels, terms: Terms, by: str, progress: Progress | None = None
    ) -> Development:
        """The development of that name, certified; the same labels and terms again are harmless.

        `by` is the account that asks, for the log; `progress` is told of parts that are sent.
        Raises LabelsRefused with the verdict, BankError for another development of that name, for
        terms that cannot be and for a result that is not for them, RemoteError.
        """
        agent = self._agent
        await agent.sync.sync()
        asked = await self._begin(name, labels, terms)
        if asked.certificate:
            return asked
        result = await self._send(asked.submission, labels.lines, progress)
        if result.certificate is None:
            await agent.write(lambda c: self._records.drop(c, name))
            raise LabelsRefused(result.verdict)
        certificate = await self._checked(asked.submission, result)
        secret = self._secret_key(asked.submission, result)
        path = labels_path(agent.config.data_dir, certificate)
        await asyncio.to_thread(write_file, path, result.bundle)
        await self._keep(name, result, certificate, secret, by)
        kept = await agent.read(lambda c: self._records.get(c, name))
        if kept is None:
            raise BankError(Code.DEVELOPMENT_UNKNOWN, "name", name=name)
        return kept

    async def _begin(self, name: str, labels: Labels, terms: Terms) -> Development:
        """The development as it is kept: what was asked before under this name, or what is now."""
        agent, records = self._agent, self._records
        epoch = (await open_epochs(agent))[0]
        try:
            fresh = LabelSubmission(
                id=secrets.token_bytes(16),
                name=name,
                bank=agent.id,
                chain=agent.root.chain,
                catalogue=epoch.descriptor.catalogue,
                participants=tuple(sorted(set(terms.participants), key=str)),
                epsilon_micro=terms.epsilon_micro,
                delta_exponent=terms.delta_exponent,
                days=terms.days,
                labels=sha256_lines(labels.lines),
            )
        except ValidationError as error:
            first = error.errors()[0]
            what = f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
            raise LabelsInvalid("terms", Said(what, what)) from error
        part_count(fresh, labels.lines)

        def unit(connection: Connection) -> Development:
            kept = records.get(connection, name)
            if kept is None:
                kept = Development(fresh, labels.good, labels.bad)
                records.begin(connection, kept, agent.now())
            return kept

        kept = await agent.write(unit)
        same = {"id": fresh.id, "catalogue": fresh.catalogue}
        if kept.submission.model_copy(update=same) != fresh:
            raise BankError(Code.DEVELOPMENT_EXISTS, "name", name=name)
        return kept

    async def _send(
        self, submission: LabelSubmission, lines: Sequence[bytes], progress: Progress | None
    ) -> _Result:
        members = await self._agent.members()
        regulator = members.require(self._agent.root.regulator, Role.REGULATOR)
        count = part_count(submission, lines)

        async def requests() -> AsyncIterator[regulator_pb2.CertifyLabelsRequest]:
            parts = seal_parts(submission, lines, regulator.sealing)
            for index in range(count):
                part = await asyncio.to_thread(next, parts)
                if progress is not None:
                    progress(index, count)
                yield regulator_pb2.CertifyLabelsRequest(
                    id=submission.id, index=index, count=count, part=part
                )
            if progress is not None:
                progress(count, count)

        stream = self._agent.regulator.exchange(
            CERTIFY_LABELS, requests(), regulator_pb2.CertifyLabelsReply
        )
        result: regulator_pb2.CertifyLabelsResult | None = None
        bundle = Assembler(BUNDLE_LIMIT)
        async with aclosing(stream):
            async for reply in stream:
                if reply.HasField("result"):
                    result = reply.result
                elif result is None:
                    raise wrong("the labels came before the result")
                else:
                    bundle.add(reply.bundle)
        if result is None:
            raise wrong("no result came")
        signed = signed_from_wire(result.certificate) if result.HasField("certificate") else None
        return _Result(
            verdict=self._verdict(submission, result.report, signed is not None),
            certificate=signed,
            secret_key=result.secret_key,
            public_key=result.public_key,
            bundle=b"" if signed is None else bundle.finish(),
        )

    def _verdict(self, submission: LabelSubmission, sealed: bytes, passed: bool) -> LabelVerdict:
        try:
            raw = open_at_bank(VERDICT_PURPOSE, submission.hash, sealed, self._sealing)
            verdict = LabelVerdict.parse(raw)
        except FederationError as error:
            raise wrong(f"the verdict does not open ({error})") from error
        if verdict.submission != submission.hash or verdict.passed is not passed:
            raise wrong("certificate and verdict contradict each other")
        return verdict

    async def _checked(
        self, submission: LabelSubmission, result: _Result
    ) -> DevelopmentCertificate:
        """The certificate, once it says what was submitted and the bundle is the one it names."""
        agent = self._agent
        if result.certificate is None:
            raise wrong("no certificate came")
        members = await agent.members()
        try:
            certificate = read_certificate(result.certificate, members)
            rows = await agent.read(
                lambda c: agent.chain.roster(c, agent.now()).size_at(certificate.roster_root)
            )
        except FederationError as error:
            raise wrong(reason_of(error)) from error
        names = ("id", "name", "bank", "chain", "catalogue", "delta_exponent")
        checks = {n: getattr(certificate, n) == getattr(submission, n) for n in names} | {
            "participants": tuple(p.holder for p in certificate.participants)
            == submission.participants,
            "roster_rows": rows == certificate.roster_rows,
            "epsilon_micro": certificate.epsilon_micro <= submission.epsilon_micro,
            "parameter_set": certificate.parameter_set == PARAMETER_SET,
            "public_key": certificate.public_key == hashlib.sha256(result.public_key).digest(),
            "bundle": certificate.bundle == hashlib.sha256(result.bundle).digest(),
            "validity": certificate.not_after - certificate.not_before == submission.days * DAY,
        }
        differing = [name for name, fits in checks.items() if not fits]
        if differing:
            raise wrong(", ".join(differing))
        return certificate

    def _secret_key(self, submission: LabelSubmission, result: _Result) -> bytes:
        try:
            return open_at_bank(KEY_PURPOSE, submission.hash, result.secret_key, self._sealing)
        except FederationError as error:
            raise wrong("secret_key") from error

    async def _keep(
        self,
        name: str,
        result: _Result,
        certificate: DevelopmentCertificate,
        secret: bytes,
        by: str,
    ) -> None:
        agent = self._agent
        signed = result.certificate
        raw = entry(Kind.LABELS, agent.now(), document=certificate.hash)

        def unit(connection: Connection) -> None:
            if signed is not None and put_development(agent.chain, connection, signed):
                self._records.certified(
                    connection, name, certificate.hash, result.public_key, secret
                )
                agent.runtime.append(connection, Kind.LABELS, raw)
                record_action(agent.runtime, connection, "labels", by, document=certificate.hash)

        await agent.write(unit)
