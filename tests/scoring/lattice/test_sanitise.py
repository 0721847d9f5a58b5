from __future__ import annotations

import numpy as np
import pytest

from scoring.lattice import ModelKeys, sanitise, serial
from scoring.lattice.params import YINXIN_BFV_1, context
from scoring.lattice.seal import Ciphertext, PublicEncryptor

N, BITS, LIMBS = YINXIN_BFV_1.degree, YINXIN_BFV_1.flood_bits, 8


def residues(ciphertext: Ciphertext, primes: int) -> np.ndarray:
    raw = serial.write(ciphertext)
    return np.frombuffer(raw[-2 * primes * N * 8 :], dtype="<u8").reshape(2, primes, N)


def integers(random: bytes) -> list[int]:
    limbs = np.frombuffer(random, dtype="<u2").reshape(LIMBS, N)
    out = []
    for column in limbs.T:
        value = int.from_bytes(column.astype(">u2").tobytes(), "big")
        out.append(value % (1 << BITS) - (1 << (BITS - 1)))
    return out


@pytest.mark.parametrize("fill", [b"\x00", b"\xff", None])
def test_flooding_residues_are_one_integer_modulo_each_prime(fill: bytes | None) -> None:
    size = 2 * LIMBS * N
    random = np.random.default_rng(5).bytes(size) if fill is None else fill * size
    primes = context().primes
    got = sanitise.flooding_residues(primes, N, random=random)
    wanted = integers(random)
    assert min(wanted) >= -(1 << (BITS - 1)) and max(wanted) < 1 << (BITS - 1)
    for row, prime in zip(got, primes, strict=True):
        assert row.tolist() == [value % prime for value in wanted]


def test_flooding_is_fresh_and_uses_its_whole_range() -> None:
    primes = context().primes
    first, second = (sanitise.flooding_residues(primes, N) for _ in range(2))
    assert not np.array_equal(first, second)
    # 116 bits exceed the 114 of two primes, so residues modulo the first spread over it evenly.
    assert abs(float(first[0].astype(float).mean()) / primes[0] - 0.5) < 0.03


@pytest.fixture(scope="module")
def encryptor(keys: ModelKeys) -> PublicEncryptor:
    return context().encryptor(serial.read_public_key(keys.public_key))


def test_each_step_changes_what_it_should(encryptor: PublicEncryptor) -> None:
    start = encryptor.zero()
    before = residues(start, 3)
    rerandomised = residues(sanitise.rerandomise(start, encryptor), 3)
    assert (rerandomised != before).mean() > 0.999  # c0 and c1
    flooded = residues(sanitise.flood(start), 3)
    assert (flooded[0] != before[0]).mean() > 0.999
    assert np.array_equal(flooded[1], before[1])  # c0 alone
    assert np.array_equal(residues(start, 3), before)


def test_sanitise_runs_all_steps_in_order(
    encryptor: PublicEncryptor, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def spy(name: str) -> None:
        real = getattr(sanitise, name)

        def wrapped(*args: object) -> object:
            seen.append(name)
            return real(*args)

        monkeypatch.setattr(sanitise, name, wrapped)

    for name in ("add_clear", "rerandomise", "flood", "switch"):
        spy(name)
    answer = sanitise.sanitise(encryptor.zero(), np.zeros(N, dtype=np.uint64), encryptor)
    assert seen == ["add_clear", "rerandomise", "flood", "switch"]
    assert len(serial.write(answer)) == serial.ANSWER_BYTES
