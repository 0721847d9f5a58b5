"""The wrapper refuses what libsodium itself lets through."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import rbcl

from scoring.errors import OprfError
from scoring.oprf import group

FIELD = 2**255 - 19
ONE = (1).to_bytes(32, "little")


def scalar(value: int) -> bytes:
    return value.to_bytes(32, "little")


# Encodings that a decoder must reject, several of them from RFC 9496, appendix A.3.
INVALID_ENCODINGS = {
    "every bit set": "ff" * 32,
    "p": "ed" + "ff" * 30 + "7f",
    "p + 1": "ee" + "ff" * 30 + "7f",
    "p + 6": "f3" + "ff" * 30 + "7f",
    "negative field element 1": "01" + "00" * 31,
    "negative field element -2": "ebffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "non-square x^2": "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",
    "negative xy": "3eb858e78f5a7254d8c9731174a94f76755fd3941c0ac93735c07ba14579630e",
    "s = -1, y = 0": "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}


def test_generator_and_multiples_are_those_of_rfc_9496() -> None:
    # Appendix A.1, multiples 1 to 3 of the generator.
    multiples = [
        "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76",
        "6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919",
        "94741f5d5d52755ece4f23f044ee27d5d1ea1e2bd196b462166b16152a9d0259",
    ]
    assert [group.multiply_generator(scalar(n)).hex() for n in (1, 2, 3)] == multiples
    assert group.GENERATOR.hex() == multiples[0]
    assert group.add(group.GENERATOR, group.multiply_generator(scalar(2))).hex() == multiples[2]


@pytest.mark.parametrize("encoding", INVALID_ENCODINGS.values(), ids=INVALID_ENCODINGS.keys())
def test_non_canonical_elements_are_refused(encoding: str) -> None:
    with pytest.raises(OprfError, match="canonical"):
        group.check_element(bytes.fromhex(encoding))
    with pytest.raises(OprfError):
        group.multiply(ONE, bytes.fromhex(encoding))


def test_identity_is_refused_though_the_library_calls_it_valid() -> None:
    assert rbcl.crypto_core_ristretto255_is_valid_point(group.IDENTITY)
    with pytest.raises(OprfError, match="identity"):
        group.check_element(group.IDENTITY)
    with pytest.raises(OprfError):
        group.multiply(ONE, group.IDENTITY)


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_lengths_other_than_32_are_refused(length: int) -> None:
    with pytest.raises(OprfError, match=f"{length} bytes"):
        group.check_element(bytes(length))
    with pytest.raises(OprfError, match=f"{length} bytes"):
        group.check_scalar(bytes(length))


def test_scalars_that_the_library_would_reduce_or_clamp_are_refused() -> None:
    # libsodium takes all of these for 1: the same element, so a second encoding of one request.
    for alias in (group.ORDER + 1, 2**255 + 1):
        assert group.multiply(scalar(alias), group.GENERATOR) == group.GENERATOR
        with pytest.raises(OprfError, match="reduced"):
            group.check_scalar(scalar(alias))
    with pytest.raises(OprfError, match="reduced"):
        group.check_scalar(scalar(group.ORDER))
    group.check_scalar(scalar(group.ORDER - 1))


def test_zero_scalar_only_where_it_is_asked_for() -> None:
    with pytest.raises(OprfError, match="zero"):
        group.check_scalar(bytes(32))
    group.check_scalar(bytes(32), zero=True)


def test_the_message_does_not_show_a_scalar() -> None:
    bad = scalar(group.ORDER + 12345)
    with pytest.raises(OprfError) as caught:
        group.check_scalar(bad, "secret key")
    assert "secret key" in str(caught.value)
    assert bad.hex() not in str(caught.value)
    assert str(group.ORDER + 12345) not in str(caught.value)


def test_combine_equals_the_sum_also_for_zero_and_for_a_sum_that_is_the_identity() -> None:
    p = group.multiply_generator(group.random_scalar())
    q = group.multiply_generator(group.random_scalar())
    a, b = group.random_scalar(), group.random_scalar()
    assert group.combine(a, p, b, q) == group.add(group.multiply(a, p), group.multiply(b, q))
    assert group.combine(bytes(32), p, b, q) == group.multiply(b, q)
    assert group.combine(a, group.GENERATOR, bytes(32), q) == group.multiply_generator(a)
    minus_a = group.scalar_subtract(bytes(32), a)
    assert group.combine(a, p, minus_a, p) == group.IDENTITY


def test_scalar_arithmetic_is_modulo_the_order() -> None:
    for _ in range(20):
        a, b = group.random_scalar(), group.random_scalar()
        x, y = int.from_bytes(a, "little"), int.from_bytes(b, "little")
        assert 0 < x < group.ORDER
        assert group.scalar_multiply(a, b) == scalar(x * y % group.ORDER)
        assert group.scalar_subtract(a, b) == scalar((x - y) % group.ORDER)
        assert group.scalar_invert(a) == scalar(pow(x, -1, group.ORDER))
    wide = hashlib.sha512(b"wide").digest()
    assert group.reduce_scalar(wide) == scalar(int.from_bytes(wide, "little") % group.ORDER)


def test_expand_message_equals_the_general_algorithm() -> None:
    """RFC 9380 §5.3.1 as the RFC writes it, for any length, against the one-block version."""

    def general(message: bytes, tag: bytes, length: int) -> bytes:
        count = -(-length // 64)
        tag_prime = tag + bytes([len(tag)])
        padded = bytes(128) + message + length.to_bytes(2, "big") + bytes(1) + tag_prime
        b0 = hashlib.sha512(padded).digest()
        blocks = [hashlib.sha512(b0 + b"\x01" + tag_prime).digest()]
        for index in range(2, count + 1):
            mixed = bytes(x ^ y for x, y in zip(b0, blocks[-1], strict=True))
            blocks.append(hashlib.sha512(mixed + bytes([index]) + tag_prime).digest())
        return b"".join(blocks)[:length]

    for message in (b"", b"abc", b"q" * 300):
        for tag in (b"t", b"QUUX-V01-CS02-with-expander-SHA512-256", b"x" * 255):
            assert group.expand_message(message, tag) == general(message, tag, 64)
    for tag in (b"", b"x" * 256):
        with pytest.raises(OprfError, match="tag"):
            group.expand_message(b"abc", tag)


def test_a_process_leaves_no_library_behind_in_the_temporary_folder(tmp_path: Path) -> None:
    code = "from scoring import oprf; print(oprf.hash_to_group(b'x').hex())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (
        done.stdout.strip()
        == group.element_from(b"x", b"HashToGroup-OPRFV1-\x01-ristretto255-SHA512").hex()
    )
    assert list(tmp_path.iterdir()) == []
