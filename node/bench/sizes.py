"""Bytes on the wire, counted from what is made here and now."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np

from federation.entries import Logged, promise
from federation.exchange.holder import UnlockDesk
from federation.exchange.messages import UnlockRequest
from federation.signed import SigningKey
from node.bench.chain import HOLDER_IDS, HUB, NOW, Chain
from node.bench.ckks import InnerProduct
from node.bench.measure import Pair, Row, Unit
from node.bench.setting import BINS, COLUMNS, FEATURES, Group, Pairs, Setting
from node.rpc.convert import signed_to_wire, unlock_to_wire
from scoring import oprf
from scoring.lattice import BlindEvaluator, encrypt_weights, generate_keys
from scoring.words import ROWS, WORD_BYTES

from yinxin.v1.common_pb2 import UnlockAnswer  # isort: skip

ROWS_OF_GROUP = (
    Row("size.column", Unit.BYTES, "encrypted weights, a column", "a packed word in the clear"),
    Row(
        "size.table",
        Unit.BYTES,
        f"a holder's answer for a bucket of {ROWS} firms",
        "the plain table of an open scorecard",
    ),
    Row("size.table_ckks", Unit.BYTES, "the same", "the CKKS answer for one firm"),
    Row(
        "size.permit",
        Unit.BYTES,
        "a permit with its log entry and promise, as a holder gets it",
        "the blinded element alone",
    ),
    Row(
        "size.unlock",
        Unit.BYTES,
        "a holder's signed unlock answer",
        "the evaluated element and its proof alone",
    ),
)


@asynccontextmanager
async def prepare(setting: Setting) -> AsyncIterator[Pairs]:
    """One of each."""
    keys = generate_keys()
    bundle = encrypt_weights(keys, [1] * COLUMNS)
    evaluator = BlindEvaluator(keys.public_key, bundle, (BINS,) * FEATURES)
    table = evaluator.evaluate(
        np.zeros((FEATURES, ROWS), np.uint16), np.zeros(ROWS, dtype=np.uint64)
    )
    product = InnerProduct([1.0] * COLUMNS)

    chain = Chain()
    (draft,) = chain.issue(chain.query())
    logged = Logged(draft.signed, draft.entry, promise(HUB, draft.entry, chain.hub, NOW))
    permit = unlock_to_wire(UnlockRequest(logged, b"")).SerializeToString()

    own = oprf.derive_key_pair(secrets.token_bytes(32), b"")
    evaluation = oprf.blind_evaluate(own, [draft.permit.blinded])
    desk = UnlockDesk(HOLDER_IDS[0], chain.members, SigningKey.generate(), None)
    answer = desk.answer(draft.permit, evaluation.elements[0], evaluation.proof)
    unlock = UnlockAnswer(answer=signed_to_wire(answer)).SerializeToString()
    yield {
        "size.column": Pair(len(bundle) // COLUMNS, WORD_BYTES),
        "size.table": Pair(len(table), WORD_BYTES * ROWS),
        "size.table_ckks": Pair(len(table), product.answer_bytes([1.0] * COLUMNS)),
        "size.permit": Pair(len(permit), len(draft.permit.blinded)),
        "size.unlock": Pair(len(unlock), len(evaluation.elements[0]) + len(evaluation.proof)),
    }


GROUP = Group("size", ROWS_OF_GROUP, prepare)
