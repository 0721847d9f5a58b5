"""Hub and regulator of a bank that develops without data; behind the hub are the chain's holders.

Everything is computed by the real parts, but that holders add no noise: so a test can compare
exactly. `change` of either alters what it sends.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from federation.development import judging
from federation.development import submission as labels
from federation.development.certificate import DevelopmentCertificate, read_certificate
from federation.development.statement import make_statement, sign_statement
from federation.development.verdict import LabelVerdict
from federation.entries import Logged, promise
from federation.identity import SpiffeId
from federation.signed import Signed
from node.rpc.chunks import Assembler, pieces
from node.rpc.convert import logged_to_wire, signed_from_wire, signed_to_wire
from node.rpc.errors import PartyUnavailable
from node.rpc.identity import peer
from scoring.lattice import BAD, GOOD, LabelCounter, count_columns, encrypt_labels, generate_keys
from scoring.words import ROWS
from support.chain import CHAIN, DAY, NOW, REGULATOR, Chain
from support.labels import labelled
from tests.node.bank.world import TestHub, TestRegulator
from yinxin.v1 import common_pb2, regulator_pb2

LEAST_GOOD, LEAST_BAD = 10, 5
"""The chain in memory has few firms."""
Outcomes = dict[int, int]


@dataclass
class LabelRegulator(TestRegulator):
    """Certifies labels; `asked` has every submission, `hang_up` ends calls after the result."""

    __test__ = False
    asked: list[labels.LabelSubmission] = field(default_factory=list)
    outcomes: Outcomes = field(default_factory=dict)
    hang_up: bool = False

    async def CertifyLabels(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        reader: labels.SubmissionReader | None = None
        async for request in requests:
            if reader is None:
                key = self.chain.sealing[REGULATOR]
                reader = labels.SubmissionReader(key, peer(), request.id, request.count)
            reader.add(request.part)
        assert reader is not None
        submission, lines = reader.finish()
        self.asked.append(submission)
        if submission.hash not in self.results:
            self.results[submission.hash] = list(self._certify(submission, lines))
        for reply in self.results[submission.hash]:
            yield reply
            if self.hang_up:
                raise PartyUnavailable(REGULATOR)

    def _certify(self, submission: labels.LabelSubmission, lines: list[bytes]) -> Any:
        chain = self.chain
        authority = chain.root.licence_authority.encode()
        judged = judging.judge_lines(lines, 1, authority, submission.bank, CHAIN, NOW)
        self.outcomes, refused = judging.settle([judged], _rows(chain).get)
        bad = sum(self.outcomes.values())
        verdict = LabelVerdict(
            submission=submission.hash,
            refused=tuple(refused),
            refused_total=len(refused),
            good=len(self.outcomes) - bad,
            bad=bad,
            least_good=LEAST_GOOD,
            least_bad=LEAST_BAD,
            epsilon_asked=submission.epsilon_micro,
            epsilon_left=3_000_000,
        )
        sealing = chain.sealing[submission.bank].public
        about = (submission.hash, verdict.payload(), sealing)
        result = regulator_pb2.CertifyLabelsResult(
            report=labels.seal_to_bank(labels.VERDICT_PURPOSE, *about)
        )
        if not verdict.passed:
            yield regulator_pb2.CertifyLabelsReply(result=result)
            return
        keys = generate_keys()
        words = np.zeros((chain.roster.buckets(), ROWS), dtype=np.uint64)
        for row, outcome in self.outcomes.items():
            words[row // ROWS, row % ROWS] = BAD if outcome else GOOD
        bundle = encrypt_labels(keys, words)
        certificate = labelled(
            chain,
            bank=submission.bank,
            epsilon=submission.epsilon_micro,
            participants=submission.participants,
            id=submission.id,
            name=submission.name,
            public_key=hashlib.sha256(keys.public_key).digest(),
            bundle=hashlib.sha256(bundle).digest(),
            not_before=NOW - 300,
            not_after=NOW - 300 + submission.days * DAY,
        ).certificate
        signed = self.change(certificate).sign(chain.signing[REGULATOR])
        result.certificate.CopyFrom(signed_to_wire(signed))
        result.public_key = keys.public_key
        about = (submission.hash, keys.secret_key, sealing)
        result.secret_key = labels.seal_to_bank(labels.KEY_PURPOSE, *about)
        yield regulator_pb2.CertifyLabelsReply(result=result)
        for piece in pieces(bundle):
            chunk = common_pb2.Chunk(total=piece.total, sha256=piece.sha256, data=piece.data)
            yield regulator_pb2.CertifyLabelsReply(bundle=chunk)


@dataclass
class LabelHub(TestHub):
    """Relays labels and counts; `counted` has the holder and epoch of each call."""

    __test__ = False
    counted: list[tuple[str, int]] = field(default_factory=list)
    change: Callable[[SpiffeId, Logged, bytes], tuple[Logged, bytes]] = (
        lambda holder, logged, answers: (logged, answers)
    )
    _labels: dict[tuple[str, bytes], tuple[Signed, bytes, bytes]] = field(default_factory=dict)
    _made: dict[tuple[str, bytes], tuple[Logged, bytes]] = field(default_factory=dict)

    async def InstallLabels(self, requests: Any, context: Any) -> common_pb2.InstallLabelsReply:
        header = (await anext(requests)).header
        holder = SpiffeId.parse(header.holder)
        if holder in self.down:
            raise PartyUnavailable(holder)
        assembler = Assembler(1 << 26)
        async for part in requests:
            assembler.add(part.bundle)
        signed, bundle = signed_from_wire(header.certificate), assembler.finish()
        certificate = read_certificate(signed, self.chain.members)
        assert certificate.bundle == hashlib.sha256(bundle).digest()
        assert certificate.public_key == hashlib.sha256(header.public_key).digest()
        self._labels[header.holder, certificate.hash] = signed, header.public_key, bundle
        self.installed.append(header.holder)
        return common_pb2.InstallLabelsReply(certificate_hash=certificate.hash)

    async def Counts(self, request: Any, context: Any) -> AsyncIterator[common_pb2.CountsPart]:
        holder, asked = SpiffeId.parse(request.holder), request.request
        if holder in self.down:
            raise PartyUnavailable(holder)
        self.counted.append((request.holder, asked.epoch))
        key = (request.holder, asked.certificate_hash)
        if key not in self._made:
            self._made[key] = self._count(holder, asked.certificate_hash, asked.epoch)
        logged, answers = self.change(holder, *self._made[key])
        yield common_pb2.CountsPart(statement=logged_to_wire(logged))
        for piece in pieces(answers):
            chunk = common_pb2.Chunk(total=piece.total, sha256=piece.sha256, data=piece.data)
            yield common_pb2.CountsPart(counts=chunk)

    def _count(self, holder: SpiffeId, digest: bytes, number: int) -> tuple[Logged, bytes]:
        chain, side = self.chain, self.chain.holders[holder]
        signed, public_key, bundle = self._labels[str(holder), digest]
        certificate = DevelopmentCertificate.parse(signed.payload)
        layout = chain.catalogue.bins_per_feature(side.kind)
        bins = side.bucket(number)[0][np.newaxis]
        none = np.zeros((len(count_columns(layout)), 2), dtype=np.int64)
        counter = LabelCounter(public_key, bundle, certificate.buckets)
        answers = counter.count(layout, bins, none)
        sha256 = hashlib.sha256(answers).digest()
        statement = make_statement(certificate, holder, chain.epochs[number], sha256)
        document, raw = sign_statement(statement, certificate.bank, side.signing, NOW)
        return Logged(document, raw, promise(holder, raw, side.signing, NOW)), answers


def true_columns(
    chain: Chain, holder: SpiffeId, epoch: int, outcomes: Outcomes
) -> NDArray[np.int64]:
    """The good and bad firms of each column, from the data in the clear."""
    side = chain.holders[holder]
    bins = side.data[epoch].bins
    rows = np.array(list(outcomes))
    found = np.array(list(outcomes.values()))
    return np.array(
        [
            [int(((bins[feature, rows] == index) & (found == label)).sum()) for label in (0, 1)]
            for feature, index in count_columns(chain.catalogue.bins_per_feature(side.kind))
        ]
    )


def _rows(chain: Chain) -> dict[Any, int]:
    return {firm.uscc: chain.roster.row(firm.uscc) for firm in chain.firms}
