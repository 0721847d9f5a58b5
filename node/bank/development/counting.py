"""Counts: labels to the holders through the hub, encrypted noisy counts back, once and for all.

A holder answers under a certificate in one epoch only, and repeats the same bytes; so the epoch is
kept before the first is asked, and a command that was interrupted goes on where it stopped. Nothing
is decrypted before statement, promise and hash verify, and nothing decrypted is shown before it is
kept and logged.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from federation.development.certificate import CountingHolder, DevelopmentCertificate
from federation.development.statement import CountsStatement, check_counts, read_statement
from federation.entries import Kind, Logged, entry
from federation.epoch import OpenEpoch
from federation.errors import FederationError, Refusal
from federation.identity import SpiffeId
from federation.signed import Signed
from node.bank.agent import Agent, reason_of
from node.bank.development.records import Development, DevelopmentRecords
from node.bank.development.submitting import labels_path, open_epochs
from node.bank.errors import BankError
from node.bank.files import read_file
from node.bank.texts import Code
from node.chain.development import development_certificate
from node.log.attachments import attach_document
from node.rpc.chunks import Assembler, pieces
from node.rpc.convert import logged_from_wire, signed_to_wire
from node.rpc.errors import RemoteFailure
from node.workers import jobs
from scoring.catalogue import Catalogue
from scoring.development.counts import Counts
from scoring.errors import ScoringError
from scoring.lattice import ANSWER_BYTES
from yinxin.v1 import common_pb2, hub_pb2

INSTALL_LABELS = "/yinxin.v1.Hub/InstallLabels"
COUNTS = "/yinxin.v1.Hub/Counts"


@dataclass(frozen=True)
class _Work:
    """A certified development with what counting it takes."""

    development: Development
    certificate: DevelopmentCertificate
    signed: Signed
    catalogue: Catalogue


class Counting:
    """Brings labels to holders, and counts back."""

    def __init__(self, agent: Agent, records: DevelopmentRecords) -> None:
        self._agent = agent
        self._records = records

    async def fetch(self, name: str, epoch: int | None = None) -> Counts:
        """The counts of every participant, those that are missing fetched now.

        `epoch` is an open one, the newest that fits unless given. Raises BankError, and RemoteError
        naming the holder that failed, after the others have finished; what arrived stays.
        """
        agent = self._agent
        await agent.sync.sync()
        work = await self._work(name)
        state = await agent.read(lambda c: self._records.installed(c, name))
        certificate, fixed = work.certificate, work.development.epoch
        if fixed is not None and epoch not in (None, fixed):
            raise BankError(Code.DEVELOPMENT_EPOCH, "epoch", name=name, epoch=fixed)
        missing = [p for p in certificate.participants if not state.get(str(p.holder))]
        if missing:
            chosen = await self._epoch(work, epoch if fixed is None else fixed)
            new = [p for p in missing if str(p.holder) not in state]
            await _all(self._install(work, participant) for participant in new)
            # Every holder has it now, and the regulator gives it again for the same labels.
            labels_path(agent.config.data_dir, certificate).unlink(missing_ok=True)
            await _all(self._count(work, participant, chosen) for participant in missing)
        return await self.counts(name)

    async def counts(self, name: str) -> Counts:
        """The counts of a development, for an estimator. Raises BankError while any is missing."""
        agent = self._agent
        work = await self._work(name)
        kept = await agent.read(lambda c: self._records.counts(c, name))
        certificate, development = work.certificate, work.development
        for participant in certificate.participants:
            if str(participant.holder) not in kept:
                holder = str(participant.holder)
                raise BankError(Code.DEVELOPMENT_OPEN, "name", name=name, holder=holder)
        return Counts.build(
            {
                "name": name,
                "catalogue_version": work.catalogue.version,
                "catalogue_digest": certificate.catalogue.hex(),
                "participants": [
                    {"holder": str(p.holder), "kind": p.kind} for p in certificate.participants
                ],
                "good": development.good,
                "bad": development.bad,
                "sigma_milli": certificate.sigma_milli,
                "epsilon_micro": certificate.epsilon_micro,
                "delta_exponent": certificate.delta_exponent,
                "certificate": certificate.hash.hex(),
                "epoch": development.epoch,
                "features": [
                    feature
                    for participant in certificate.participants
                    for feature in json.loads(kept[str(participant.holder)])
                ],
            }
        )

    async def _work(self, name: str) -> _Work:
        agent, now = self._agent, self._agent.now()

        def look(connection: Connection) -> _Work:
            development = self._records.get(connection, name)
            if development is None or not development.certificate:
                raise BankError(Code.DEVELOPMENT_UNKNOWN, "name", name=name)
            digest = development.certificate
            certificate, signed = development_certificate(agent.chain, connection, digest, now)
            catalogue = agent.chain.catalogue(connection, certificate.catalogue)
            return _Work(development, certificate, signed, catalogue)

        return await agent.read(look)

    async def _epoch(self, work: _Work, number: int | None) -> OpenEpoch:
        """The epoch in which all is counted; kept with the development. Raises BankError."""
        agent, name = self._agent, work.development.name
        fitting = (e for e in await open_epochs(agent) if _fits(work.certificate, e))
        found = next((e for e in fitting if number in (None, e.number)), None)
        if found is None:
            raise BankError(Code.NO_OPEN_EPOCH, "epoch", chain=agent.root.chain)
        chosen = found.number
        await agent.write(lambda c: self._records.fix_epoch(c, name, chosen))
        return found

    async def _install(self, work: _Work, participant: CountingHolder) -> None:
        agent, certificate, holder = self._agent, work.certificate, participant.holder
        path = labels_path(agent.config.data_dir, certificate)
        bundle = await asyncio.to_thread(read_file, path, "the encrypted labels")
        header = common_pb2.InstallLabelsHeader(
            holder=str(holder),
            certificate=signed_to_wire(work.signed),
            public_key=work.development.public_key,
        )
        reply = await agent.hub.upload(
            INSTALL_LABELS, _requests(header, bundle), common_pb2.InstallLabelsReply
        )
        if reply.certificate_hash != certificate.hash:
            raise RemoteFailure(holder)
        now, name = agent.now(), work.development.name
        raw = entry(Kind.LABELS_INSTALLED, now, document=certificate.hash, holder=holder)

        def unit(connection: Connection) -> None:
            self._records.put_install(connection, name, str(holder), now)
            agent.runtime.append(connection, Kind.LABELS_INSTALLED, raw)

        await agent.write(unit)

    async def _count(self, work: _Work, participant: CountingHolder, epoch: OpenEpoch) -> None:
        agent, certificate, holder = self._agent, work.certificate, participant.holder
        logged, answers = await self._download(certificate, participant, epoch.number)
        try:
            statement = read_statement(logged, holder, certificate, epoch, agent.now())
            check_counts(statement, answers)
        except FederationError as error:
            raise _wrong(holder, reason_of(error)) from error
        development = work.development
        totals = development.good, development.bad
        try:
            opened = await agent.runtime.pool.run(
                jobs.open_counts, development.secret_key, answers, participant.columns, totals
            )
        except ScoringError as error:
            raise _wrong(holder, str(error)) from error
        features = _features(work.catalogue, participant, opened.tolist())
        await self._keep(work, logged.document, statement, json.dumps(features).encode())

    async def _download(
        self, certificate: DevelopmentCertificate, participant: CountingHolder, epoch: int
    ) -> tuple[Logged, bytes]:
        holder = participant.holder
        request = hub_pb2.HubCountsRequest(
            holder=str(holder),
            request=common_pb2.CountsRequest(certificate_hash=certificate.hash, epoch=epoch),
        )
        logged: Logged | None = None
        answers = Assembler(participant.columns * ANSWER_BYTES)
        stream = self._agent.hub.download(COUNTS, request, common_pb2.CountsPart)
        async with aclosing(stream):
            async for part in stream:
                if part.HasField("statement"):
                    logged = logged_from_wire(part.statement)
                else:
                    answers.add(part.counts)
        if logged is None:
            raise _wrong(holder, "there is no statement")
        return logged, answers.finish()

    async def _keep(
        self, work: _Work, signed: Signed, statement: CountsStatement, counts: bytes
    ) -> None:
        agent, name, now = self._agent, work.development.name, self._agent.now()
        raw = entry(
            Kind.COUNTS_RECEIVED,
            now,
            document=statement.hash,
            certificate=statement.certificate,
            holder=statement.holder,
            epoch=statement.epoch,
        )

        def unit(connection: Connection) -> None:
            self._records.put_counts(connection, name, str(statement.holder), counts, now)
            attach_document(connection, signed)
            agent.runtime.append(connection, Kind.COUNTS_RECEIVED, raw)

        await agent.write(unit)


def _fits(certificate: DevelopmentCertificate, epoch: OpenEpoch) -> bool:
    try:
        for participant in certificate.participants:
            certificate.require_epoch(epoch, participant.holder)
    except Refusal:
        return False
    return True


def _features(
    catalogue: Catalogue, participant: CountingHolder, columns: list[list[int]]
) -> list[dict[str, Any]]:
    """Counts by feature as the counts' document has them; `columns` are [good, bad] in order."""
    found, start = [], 0
    for feature in catalogue.features_of(participant.kind):
        end = start + feature.bin_count - 1
        good, bad = zip(*columns[start:end], strict=True)
        holder = str(participant.holder)
        found.append({"holder": holder, "feature": feature.name, "good": good, "bad": bad})
        start = end
    return found


async def _requests(
    header: common_pb2.InstallLabelsHeader, bundle: bytes
) -> AsyncIterator[common_pb2.InstallLabelsRequest]:
    yield common_pb2.InstallLabelsRequest(header=header)
    for piece in pieces(bundle):
        chunk = common_pb2.Chunk(total=piece.total, sha256=piece.sha256, data=piece.data)
        yield common_pb2.InstallLabelsRequest(bundle=chunk)


async def _all(calls: Any) -> None:
    """Runs all; the first failure is raised after the others have finished."""
    works: list[Coroutine[Any, Any, None]] = list(calls)
    for result in await asyncio.gather(*works, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


def _wrong(holder: SpiffeId, reason: str) -> BankError:
    return BankError(Code.COUNTS_WRONG, "counts", holder=str(holder), reason=reason)
