"""The parties of the chain in memory: enterprises, holders and models."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from numpy.typing import NDArray

from federation.answers import TableAnswer
from federation.certificate import ModelCertificate
from federation.envelope import EnvelopeKey
from federation.epoch import Manifest, OpenEpoch, data_hash
from federation.identity import SpiffeId
from federation.signed import Signed, SigningKey
from federation.subjects import SubjectAuthority
from federation.tlskeys import make_csr
from federation.uscc import Uscc
from scoring import oprf, pads
from scoring.catalogue import Catalogue
from scoring.lattice import BlindEvaluator
from scoring.masks import mask
from scoring.scorecard import Scorecard
from scoring.words import MODULUS, ROWS

Words = NDArray[np.uint64]
Bins = NDArray[np.uint16]


class Firm:
    """An enterprise with its own consent key, certified by the licence authority."""

    def __init__(self, uscc: Uscc, authority: SubjectAuthority, now: int) -> None:
        self.uscc = uscc
        self.key = SigningKey.generate()
        self.certificate = authority.certify_subject(make_csr(self.key), uscc, now, 365)


@dataclass(frozen=True)
class Model:
    """A certified model: the certificate, what the bank has of it, what the holders have."""

    certificate: ModelCertificate
    signed: Signed
    scorecard: Scorecard
    secret_key: bytes
    public_key: bytes
    bundles: Mapping[SpiffeId, bytes]
    weight_sums: Mapping[SpiffeId, int]


@dataclass
class Data:
    """What a holder knows in one epoch: a bin a feature and row, and which rows it knows."""

    bins: Bins
    known: NDArray[np.bool_]

    def file(self) -> bytes:
        return self.bins.tobytes() + self.known.tobytes()


@dataclass
class HolderSide:
    """A holder's keys, data and prepared answers, apart from its ledger and its desk."""

    id: SpiffeId
    kind: str
    named: bool
    signing: SigningKey = field(default_factory=SigningKey.generate)
    agreement: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)
    sealing: EnvelopeKey = field(default_factory=EnvelopeKey.generate)
    data: dict[int, Data] = field(default_factory=dict)
    roots: dict[int, bytes] = field(default_factory=dict)
    salts: dict[int, bytes] = field(default_factory=dict)
    stored: dict[tuple[bytes, int], tuple[bytes, Signed]] = field(default_factory=dict)

    def begin(self, epoch: int, data: Data) -> None:
        """Takes the data of an epoch, with a fresh root and salt."""
        self.data[epoch] = data
        self.roots[epoch] = secrets.token_bytes(32)
        self.salts[epoch] = secrets.token_bytes(32)

    def manifest(self, chain: str, epoch: int, descriptor: bytes, as_of: str) -> Manifest:
        data = self.data[epoch]
        return Manifest(
            chain=chain,
            epoch=epoch,
            descriptor=descriptor,
            holder=self.id,
            as_of=as_of,
            rows=data.bins.shape[1],
            data_hash=data_hash(self.salts[epoch], data.file()),
        )

    def keys(self, ctx: bytes, epoch: int) -> oprf.KeyPair:
        return oprf.derive_key_pair(self.roots[epoch], ctx)

    def pads(self, ctx: bytes, epoch: OpenEpoch, codes: tuple[Uscc, ...]) -> Words:
        """One pad a row of the bucket: of the firm's OPRF value, or of the holder's secret."""
        secret = self.keys(ctx, epoch.number).secret
        ys = oprf.evaluate_many(secret, [code.encode() for code in codes])
        rows = pads.pad_words(ys, ctx, epoch.manifests[self.id].hash)
        empty = pads.empty_row_words(self.roots[epoch.number], ctx, range(len(codes), ROWS))
        return np.concatenate([rows, empty])

    def masks(self, certificate: ModelCertificate, ctx: bytes, bucket: int = 0) -> Words:
        peers = {str(p.holder): p.agreement for p in certificate.participants}
        del peers[str(self.id)]
        return mask(str(self.id), self.agreement, peers, ctx, bucket)

    def bucket(self, epoch: int) -> tuple[Bins, Words]:
        """Bins of the first bucket, shape (features, 8192), and 1 on the rows it knows."""
        data = self.data[epoch]
        rows = data.bins.shape[1]
        bins = np.zeros((data.bins.shape[0], ROWS), dtype=np.uint16)
        bins[:, :rows] = data.bins
        known = np.zeros(ROWS, dtype=np.uint64)
        known[:rows] = data.known
        return bins, known

    def table(
        self, model: Model, epoch: OpenEpoch, catalogue: Catalogue, codes: tuple[Uscc, ...]
    ) -> bytes:
        """A fresh blind evaluation of the first bucket: not to be given out twice."""
        certificate = model.certificate
        ctx = certificate.context(epoch)
        bins, known = self.bucket(epoch.number)
        cover = known << np.uint64(certificate.coverage.offset)
        clear = cover + self.pads(ctx, epoch, codes) + self.masks(certificate, ctx)
        clear &= np.uint64(MODULUS - 1)
        certificate.require_material(self.id, model.public_key, model.bundles[self.id])
        layout = catalogue.bins_per_feature(self.kind)
        evaluator = BlindEvaluator(model.public_key, model.bundles[self.id], layout)
        return evaluator.evaluate(bins, clear)

    def prepare(
        self, model: Model, epoch: OpenEpoch, catalogue: Catalogue, codes: tuple[Uscc, ...]
    ) -> tuple[bytes, Signed]:
        """The signed answer of the first bucket; a repetition returns the stored bytes."""
        ctx = model.certificate.context(epoch)
        if (ctx, 0) not in self.stored:
            table = self.table(model, epoch, catalogue, codes)
            digest = hashlib.sha256(table).digest()
            answer = TableAnswer(holder=self.id, ctx=ctx, bucket=0, table=digest)
            self.stored[ctx, 0] = table, answer.sign(self.signing)
        return self.stored[ctx, 0]
