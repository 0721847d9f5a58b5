"""What an attacker computes beside the protocol, from what its role lets it see."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from federation.answers import UnlockAnswer
from federation.exchange.bank import OpenQuery
from federation.exchange.messages import QueryReply
from federation.identity import SpiffeId
from scoring.errors import RecordError
from scoring.lattice import Decryptor
from scoring.oprf import finalize
from scoring.pads import pad_word
from scoring.record import Record
from scoring.words import MODULUS
from support.chain import Chain
from support.people import Firm, HolderSide, Model, Words


class BareHolder(HolderSide):
    """A holder without masks."""

    def masks(self, *_: object, **__: object) -> Words:
        return np.zeros(8192, dtype=np.uint64)


class OneKeyHolder(HolderSide):
    """A holder with one OPRF key for everything: ctx and epoch left out of its derivation."""

    def keys(self, ctx: bytes, epoch: int):  # type: ignore[no-untyped-def]
        return super().keys(b"one key", 1)


def outputs(query: OpenQuery, reply: QueryReply) -> dict[SpiffeId, bytes]:
    """The OPRF outputs y that a reply gives, by holder; nothing is verified."""
    ys = {}
    for answer in reply.answers:
        opened = UnlockAnswer.parse(answer.payload)
        index = next(
            i for i, b in enumerate(query.request.blindings) if opened.holder in b.audience
        )
        ys[opened.holder] = finalize(query.code, query.scalars[index], opened.evaluated)
    return ys


def pad_of(y: bytes, chain: Chain, model: Model, epoch: int, holder: SpiffeId) -> int:
    """The pad that `y` would open in a holder's table of a model and epoch."""
    opened = chain.epochs[epoch]
    return pad_word(y, model.certificate.context(opened), opened.manifests[holder].hash)


def opened_with(
    ys: Mapping[SpiffeId, bytes], chain: Chain, model: Model, epoch: int, firm: Firm
) -> Record | None:
    """The firm's record of a model and epoch by these outputs, or None where it is none."""
    word = int(chain.table(model, epoch)[chain.row(firm)])
    word -= sum(pad_of(ys[h], chain, model, epoch, h) for h in model.certificate.holders)
    try:
        return model.scorecard.layout().unpack(word % MODULUS)
    except RecordError:
        return None


def own_words(chain: Chain, model: Model, epoch: int = 1) -> dict[SpiffeId, Words]:
    """Every holder's decrypted table less Σ w: still padded, each on its own."""
    decryptor = Decryptor(model.secret_key)
    return {
        holder: (decryptor.decrypt(table) - np.uint64(model.weight_sums[holder] % MODULUS))
        & np.uint64(MODULUS - 1)
        for holder, (table, _) in chain.answers(model, epoch).items()
    }


def part(chain: Chain, model: Model, epoch: int, holder: SpiffeId, firm: Firm) -> int:
    """The truth: what one holder adds to a firm's record, its cover included."""
    data, row = chain.holders[holder].data[epoch], chain.row(firm)
    weights = model.scorecard.weights(chain.catalogue, str(holder))
    total, first = 0, 0
    layout = chain.catalogue.bins_per_feature(chain.holders[holder].kind)
    for count, chosen in zip(layout, data.bins[:, row], strict=True):
        total += weights[first + int(chosen)]
        first += count
    return total + (int(data.known[row]) << model.certificate.coverage.offset)
