"""Labels that the regulator of a test's chain certified, and a holder's node that counts them."""

from __future__ import annotations

import dataclasses
import hashlib
import secrets
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

import numpy as np

from federation.development import privacy
from federation.development.certificate import CountingHolder, DevelopmentCertificate
from federation.entries import Logged
from federation.identity import SpiffeId
from federation.signed import Signed
from node.rpc.chunks import Assembler, pieces
from node.rpc.convert import logged_from_wire, signed_to_wire
from scoring.lattice import (
    BAD,
    GOOD,
    PARAMETER_SET,
    ModelKeys,
    count_columns,
    encrypt_labels,
    generate_keys,
    label_totals,
    read_counts,
)
from scoring.words import ROWS
from support.chain import CHAIN, DAY, HARBOUR, NOW, REGULATOR, TAX, UNNAMED
from support.people import Data
from tests.node.holder.world import Node, World
from yinxin.v1 import common_pb2

EPSILON = 3 * privacy.MICRO


@dataclass(frozen=True)
class Labelled:
    """Certified labels, with what only the regulator and the bank have of them."""

    certificate: DevelopmentCertificate
    signed: Signed
    keys: ModelKeys
    bundle: bytes
    words: np.ndarray

    def with_(self, **changes: object) -> Labelled:
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]


def labelled(
    world: World,
    *,
    bank: SpiffeId = HARBOUR,
    epsilon: int = EPSILON,
    participants: Iterable[SpiffeId] = UNNAMED,
    **changes: object,
) -> Labelled:
    """Labels on random firms of the world's roster, certified as a regulator does."""
    chain = world.chain
    roster = chain.roster
    words = np.zeros((roster.buckets(), ROWS), dtype=np.uint64)
    flat = words.reshape(-1)[: roster.size]
    chosen = np.random.default_rng().random(roster.size)
    flat[chosen < 0.8] = GOOD
    flat[chosen < 0.3] = BAD
    keys = generate_keys()
    bundle = encrypt_labels(keys, words)
    counting = tuple(_counting(world, holder) for holder in sorted(participants, key=str))
    sigma = privacy.sigma_milli(sum(p.features for p in counting), epsilon)
    fields: dict[str, object] = {
        "id": secrets.token_bytes(16),
        "name": "loans-2026",
        "bank": bank,
        "chain": CHAIN,
        "catalogue": chain.catalogue.digest(),
        "roster_rows": roster.size,
        "roster_root": roster.root,
        "participants": counting,
        "parameter_set": PARAMETER_SET,
        "public_key": hashlib.sha256(keys.public_key).digest(),
        "bundle": hashlib.sha256(bundle).digest(),
        "sigma_milli": sigma,
        "epsilon_micro": epsilon,
        "delta_exponent": privacy.DELTA_EXPONENT,
        "not_before": NOW - DAY,
        "not_after": NOW + 30 * DAY,
    }
    certificate = DevelopmentCertificate.model_validate(fields | changes)
    return Labelled(certificate, certificate.sign(chain.signing[REGULATOR]), keys, bundle, words)


def _counting(world: World, holder: SpiffeId) -> CountingHolder:
    side = world.chain.holders[holder]
    bins = world.chain.catalogue.bins_per_feature(side.kind)
    return CountingHolder(
        holder=holder,
        kind=side.kind,
        signing=side.signing.public,
        features=len(bins),
        columns=len(count_columns(bins)),
    )


async def install(node: Node, labels: Labelled, **wrong: bytes) -> bytes:
    """Relays labels as a hub does; `wrong` takes the place of key or bundle."""

    async def requests() -> AsyncIterator[common_pb2.InstallLabelsRequest]:
        yield common_pb2.InstallLabelsRequest(
            header=common_pb2.InstallLabelsHeader(
                holder=str(TAX),
                certificate=signed_to_wire(labels.signed),
                public_key=wrong.get("public_key", labels.keys.public_key),
            )
        )
        for piece in pieces(wrong.get("bundle", labels.bundle)):
            chunk = common_pb2.Chunk(total=piece.total, sha256=piece.sha256, data=piece.data)
            yield common_pb2.InstallLabelsRequest(bundle=chunk)

    method = "/yinxin.v1.Holder/InstallLabels"
    reply = await node.channel.upload(method, requests(), common_pb2.InstallLabelsReply)
    return reply.certificate_hash


async def counts(node: Node, labels: Labelled, epoch: int = 10) -> tuple[Logged, bytes]:
    """The statement and the ciphertexts, as they arrive at the hub."""
    request = common_pb2.CountsRequest(certificate_hash=labels.certificate.hash, epoch=epoch)
    assembler = Assembler(64 << 20)
    statement: list[Logged] = []
    stream = node.channel.download("/yinxin.v1.Holder/Counts", request, common_pb2.CountsPart)
    async for part in stream:
        if part.HasField("statement"):
            statement.append(logged_from_wire(part.statement))
        else:
            assembler.add(part.counts)
    (logged,) = statement
    return logged, assembler.finish()


def opened(labels: Labelled, ciphertexts: bytes) -> np.ndarray:
    """What the bank reads: the noisy good and bad count of each column."""
    columns = labels.certificate.participant(TAX).columns
    totals = label_totals(labels.words)
    return read_counts(labels.keys.secret_key, ciphertexts, columns, totals)


def true_counts(world: World, labels: Labelled, data: Data) -> np.ndarray:
    """The same without noise, from the data and the labels in the clear."""
    words = labels.words.reshape(-1)[: world.chain.roster.size]
    layout = world.chain.catalogue.bins_per_feature("tax")
    return np.array(
        [
            [int(((data.bins[feature] == index) & (words == label)).sum()) for label in (GOOD, BAD)]
            for feature, index in count_columns(layout)
        ]
    )
