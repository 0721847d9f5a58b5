"""A bank, or whoever stores its model, hands a holder a crafted key or crafted ciphertexts.

A holder parses neither unless the certificate has its hash: SEAL was not built to read untrusted
bytes, and what is well formed can still be malicious.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from federation.certificate import ModelCertificate
from federation.errors import Reason
from scoring.lattice import (
    PUBLIC_KEY_BYTES,
    WEIGHT_BYTES,
    BlindEvaluator,
    ModelKeys,
    encrypt_weights,
    generate_keys,
    serial,
)
from scoring.lattice.params import YINXIN_BFV_1, context
from scoring.words import ROWS
from support.chain import POWER, TAX, Chain
from support.checks import refused
from support.people import Model
from support.ring import answer_c1, answer_noise

PRIMES = context().primes


def with_material(
    model: Model, *, public_key: bytes | None = None, bundle: bytes | None = None
) -> Model:
    """What reached the tax bureau under the model's true certificate."""
    changes: dict[str, Any] = {}
    if public_key is not None:
        changes["public_key"] = public_key
    if bundle is not None:
        changes["bundles"] = {**model.bundles, TAX: bundle}
    return dataclasses.replace(model, **changes)


def table(chain: Chain, model: Model) -> bytes:
    side = chain.holders[TAX]
    return side.table(model, chain.epochs[1], chain.catalogue, chain.roster.codes(0))


def noisy(bundle: bytes, column: int, noise_bits: int) -> bytes:
    """The bundle with a noise of 2^bits in one column's c0: no check of form can see it."""
    raw = bytearray(bundle)
    at = 8 + column * WEIGHT_BYTES
    start = at + serial._BEFORE_CIPHERTEXT
    for index, prime in enumerate(PRIMES):
        place = start + 8 * ROWS * index
        value = int.from_bytes(raw[place : place + 8], "little")
        raw[place : place + 8] = ((value + (1 << noise_bits)) % prime).to_bytes(8, "little")
    return bytes(raw)


def zeroed_p1(public_key: bytes) -> bytes:
    """A public key whose second polynomial is 0: encryptions of zero under it renew no c1."""
    half = (len(PRIMES) + 1) * ROWS * 8
    return public_key[: PUBLIC_KEY_BYTES - half] + bytes(half)


def crafted(chain: Chain) -> dict[str, Model]:
    model, stranger = chain.alpha, generate_keys()
    weights = model.scorecard.weights(chain.catalogue, str(TAX))
    own = ModelKeys(public_key=stranger.public_key, secret_key=stranger.secret_key)
    return {
        "another key": with_material(model, public_key=stranger.public_key),
        "a structured key": with_material(model, public_key=zeroed_p1(model.public_key)),
        "garbage for a key": with_material(model, public_key=b"\xff" * PUBLIC_KEY_BYTES),
        "no key": with_material(model, public_key=b""),
        "another bundle": with_material(model, bundle=encrypt_weights(own, weights)),
        "noisy ciphertexts": with_material(model, bundle=noisy(model.bundles[TAX], 1, 117)),
        "another holder's bundle": with_material(model, bundle=model.bundles[POWER]),
        "another model's bundle": with_material(model, bundle=chain.beta.bundles[TAX]),
        "garbage for a bundle": with_material(model, bundle=b"YXW1" + bytes(1000)),
        "no bundle": with_material(model, bundle=b""),
    }


@pytest.fixture
def touched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the calls by which anything of the bank's reaches SEAL, or even its parser."""
    calls: list[str] = []
    for name in ("read_public_key", "read_bundle", "read_weight"):
        real = getattr(serial, name)

        def spy(*args: Any, _name: str = name, _real: Any = real) -> Any:
            calls.append(_name)
            return _real(*args)

        monkeypatch.setattr(serial, name, spy)
    ring = type(context())
    for name in ("load_public_key", "load_ciphertext"):
        real = getattr(ring, name)

        def seal_spy(self: Any, raw: bytes, _name: str = name, _real: Any = real) -> Any:
            calls.append(_name)
            return _real(self, raw)

        monkeypatch.setattr(ring, name, seal_spy)
    return calls


def test_nothing_uncertified_is_parsed(chain: Chain, touched: list[str]) -> None:
    models = crafted(chain)
    touched.clear()
    for name, model in models.items():
        refused(Reason.UNCERTIFIED_MODEL, lambda m=model: table(chain, m))
        assert touched == [], name
    table(chain, chain.alpha)
    assert {"read_public_key", "load_public_key", "read_bundle", "load_ciphertext"} <= set(touched)


def test_holder_outside_p_takes_no_bundle(chain: Chain) -> None:
    certificate = chain.with_court.certificate
    outsider = next(h for h in chain.holders if h not in certificate.holders)
    model = chain.with_court
    refused(
        Reason.WRONG_AUDIENCE,
        lambda: certificate.require_material(outsider, model.public_key, model.bundles[TAX]),
    )


# --- what the hash keeps out -------------------------------------------------------------------


def test_noise_that_survives_flooding_reads_the_bucket(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The defence removed: every row's bin, of all 8192 rows, through pad, mask and flood.

    Column 1 is bin 1 of the first feature. Its noise d comes out as d·X_1, and 2^117 stands
    out of a flood of ±2^115 while the record still decrypts.
    """
    monkeypatch.setattr(ModelCertificate, "require_material", lambda *_: None)
    side, model = chain.holders[TAX], chain.alpha
    secret = (side.bucket(1)[0][0] == 1).astype(int)
    secret_rows = np.random.default_rng(5).integers(0, 3, ROWS).astype(np.uint16)
    whole = dataclasses.replace(side, data=dict(side.data))
    assert secret.sum()

    def bucket(epoch: int) -> Any:
        bins, known = side.bucket(epoch)
        bins[0] = secret_rows
        return bins, known

    whole.bucket = bucket  # type: ignore[method-assign]
    codes, epoch = chain.roster.codes(0), chain.epochs[1]
    for bundle, reads in (
        (noisy(model.bundles[TAX], 1, YINXIN_BFV_1.flood_bits + 1), True),
        (model.bundles[TAX], False),
    ):
        answer = whole.table(with_material(model, bundle=bundle), epoch, chain.catalogue, codes)
        noise = answer_noise(answer, model.secret_key)
        # After the switch by p1·p2 ≈ 2^108: 2^9 for X = 1 (not in the bin), 2^10 for X = 2.
        guess = noise > 1.5 * 2.0 ** (YINXIN_BFV_1.flood_bits + 1 - 108)
        assert np.array_equal(guess, secret_rows == 1) is reads


def test_structured_key_lets_a_bank_confirm_a_guess_of_the_bucket(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The defence removed: with p1 = 0 the answer's c1 is that of the bank's own sum for the
    right guess, and for no other. With the certified key it is like no guess at all.
    """
    monkeypatch.setattr(ModelCertificate, "require_material", lambda *_: None)
    model, side = chain.alpha, chain.holders[TAX]
    layout = chain.catalogue.bins_per_feature(side.kind)
    true, _ = side.bucket(1)
    wrong = true.copy()
    wrong[0, 3] = (wrong[0, 3] + 1) % 3
    zeros = np.zeros(ROWS, dtype=np.uint64)

    def distance(key: bytes, guess: Any) -> int:
        answer = table(chain, with_material(model, public_key=key))
        own = BlindEvaluator(key, model.bundles[TAX], layout).evaluate(guess, zeros)
        difference = answer_c1(answer).astype(np.int64) - answer_c1(own).astype(np.int64)
        return int(np.abs(difference).max())

    bent = zeroed_p1(model.public_key)
    assert distance(bent, true) <= 1
    assert distance(bent, wrong) > 2**40
    assert distance(model.public_key, true) > 2**40


def test_bundles_of_unlike_scorecards_look_alike(chain: Chain) -> None:
    """A holder sees no weights: size and first bytes say only how many columns there are."""
    zero = encrypt_weights(generate_keys(), [0] * 12)
    for bundle in (chain.alpha.bundles[TAX], chain.beta.bundles[TAX], zero):
        assert len(bundle) == 8 + 12 * WEIGHT_BYTES
        assert bundle[:8] == zero[:8]
