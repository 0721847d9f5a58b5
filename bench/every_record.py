"""Every enterprise of a sample: the record that the blind road gives against the reference.

    python -m bench.every_record [ENTERPRISES [SEED]]

What the holders of the sample do with real files, weights under encryption, pads and masks, and
what a bank does with the answers, for every row and not only for those with a consent: ingest,
blind evaluation, sanitising, decryption, sum, OPRF outputs, pads, checks of the record. Every
hundredth row goes through blinding, evaluation with proof, verification and unblinding as well.
The reference comes from `node.demo.independent`, which shares no code with any of it.

Prints figures as JSON; exit code 1 unless every record is exact. There is no network and no
permit here: `yinxin demo` shows those.
"""

from __future__ import annotations

import json
import secrets
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from numpy.typing import NDArray

from federation.roster import Roster
from federation.uscc import Uscc
from node.demo.independent import reference_records
from node.holder.ingest import align, ingest
from node.holder.mapping import load_mapping
from node.sample import CATALOGUE, SCORECARD, generate
from scoring import lattice, oprf
from scoring.catalogue import Catalogue
from scoring.masks import mask
from scoring.pads import empty_row_words, pad_words
from scoring.scorecard import Scorecard
from scoring.words import MODULUS, ROWS

CTX, MANIFEST = secrets.token_bytes(32), secrets.token_bytes(32)
EVERY = 100


@dataclass
class Holder:
    """One holder's data, keys and encrypted weights."""

    id: str
    bins: NDArray[np.uint16]
    known: NDArray[np.bool_]
    weights: list[int]
    evaluator: lattice.BlindEvaluator
    oprf: oprf.KeyPair
    agreement: X25519PrivateKey


def run(enterprises: int, seed: int, folder: Path) -> dict[str, object]:
    """Generates, evaluates and compares. Returns the figures."""
    begin = time.monotonic()
    generate(enterprises, seed, folder)
    catalogue = Catalogue.from_json(CATALOGUE.read_bytes())
    scorecard = Scorecard.from_json(SCORECARD.read_bytes())
    reference = reference_records(folder, CATALOGUE, SCORECARD)
    roster = Roster("csj")
    roster.append([Uscc(code) for code in reference])
    keys = lattice.generate_keys()
    holders = [
        _holder(p.holder, p.kind, folder, catalogue, scorecard, roster, keys)
        for p in scorecard.participants
    ]
    layout = scorecard.layout()
    decryptor = lattice.Decryptor(keys.secret_key)
    wrong = blinded = 0
    for bucket in range(roster.buckets()):
        codes = [code.encode() for code in roster.codes(bucket)]
        hashed = [oprf.hash_to_group(code) for code in codes]
        total = np.zeros(ROWS, dtype=np.uint64)
        pads = np.zeros(len(codes), dtype=np.uint64)
        for holder in holders:
            values = oprf.evaluate_many(holder.oprf.secret, codes, hashed)
            wrong += _wrong_when_blinded(holder, codes, values)
            blinded += len(codes[::EVERY])
            words = pad_words(values, CTX, MANIFEST)
            answer = _answer(holder, holders, bucket, words, layout.coverage.offset)
            total += decryptor.decrypt(answer) - np.uint64(sum(holder.weights) % MODULUS)
            pads += words
        records = (total[: len(codes)] - pads) & np.uint64(MODULUS - 1)
        for code, word in zip(codes, records.tolist(), strict=True):
            layout.unpack(word)
            wrong += word != reference[code.decode()]
    return {
        "enterprises": roster.size,
        "holders": len(holders),
        "mismatches": wrong,
        "blinded_rows": blinded,
        "seconds": round(time.monotonic() - begin, 1),
    }


def _holder(
    holder: str,
    kind: str,
    folder: Path,
    catalogue: Catalogue,
    scorecard: Scorecard,
    roster: Roster,
    keys: lattice.ModelKeys,
) -> Holder:
    mapping = load_mapping(folder / "mappings" / f"{kind}.toml", catalogue)
    table, _ = ingest(mapping, catalogue, folder / f"{kind}-rejected.csv")
    codes = [code for bucket in range(roster.buckets()) for code in roster.codes(bucket)]
    bins, known = align(codes, table, catalogue)
    weights = scorecard.weights(catalogue, holder)
    bundle = lattice.encrypt_weights(keys, weights)
    evaluator = lattice.BlindEvaluator(keys.public_key, bundle, catalogue.bins_per_feature(kind))
    pair = oprf.derive_key_pair(secrets.token_bytes(32), CTX)
    return Holder(holder, bins, known, weights, evaluator, pair, X25519PrivateKey.generate())


def _answer(
    holder: Holder,
    holders: Sequence[Holder],
    bucket: int,
    pads: NDArray[np.uint64],
    coverage: int,
) -> bytes:
    """The sanitised table of a bucket, as a holder's node makes it."""
    rows = slice(bucket * ROWS, bucket * ROWS + len(pads))
    bins = np.zeros((len(holder.bins), ROWS), dtype=np.uint16)
    bins[:, : len(pads)] = holder.bins[:, rows]
    clear = np.empty(ROWS, dtype=np.uint64)
    clear[: len(pads)] = pads + (holder.known[rows].astype(np.uint64) << np.uint64(coverage))
    empty = range(bucket * ROWS + len(pads), (bucket + 1) * ROWS)
    clear[len(pads) :] = empty_row_words(holder.oprf.secret, CTX, empty)
    peers = {o.id: o.agreement.public_key().public_bytes_raw() for o in holders if o is not holder}
    clear += mask(holder.id, holder.agreement, peers, CTX, bucket)
    return holder.evaluator.evaluate(bins, clear & np.uint64(MODULUS - 1))


def _wrong_when_blinded(holder: Holder, codes: Sequence[bytes], values: Sequence[bytes]) -> int:
    """Takes every hundredth row through the protocol's road; returns how many come out wrong."""
    wrong = 0
    for code, value in zip(codes[::EVERY], values[::EVERY], strict=True):
        blinded = oprf.blind(code)
        answer = oprf.blind_evaluate(holder.oprf, [blinded.element])
        oprf.verify(holder.oprf.public, [blinded.element], answer.elements, answer.proof)
        wrong += oprf.finalize(code, blinded.scalar, answer.elements[0]) != value
    return wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    enterprises, seed = (int(v) for v in (given + ["20000", "1"][len(given) :])[:2])
    with tempfile.TemporaryDirectory(prefix="yinxin-every-") as name:
        result = run(enterprises, seed, Path(name))
    sys.stdout.write(json.dumps(result, indent=2) + "\n")
    return 0 if result["mismatches"] == 0 else 1


if __name__ == "__main__":
    raise SystemExit(main())
