"""Codes: the vectors of RFC 6238, and each code once."""

from __future__ import annotations

import base64

import pyotp
import pytest

from node.errors import SealError
from node.keys import KeyEncryptionKey
from node.pages.accounts import second

SECRET = b"12345678901234567890"

# RFC 6238, appendix B, SHA-1: the last six of eight digits.
VECTORS = [
    (59, "287082"),
    (1_111_111_109, "081804"),
    (1_111_111_111, "050471"),
    (1_234_567_890, "005924"),
    (2_000_000_000, "279037"),
    (20_000_000_000, "353130"),
]


@pytest.mark.parametrize(("time", "code"), VECTORS)
def test_vectors_of_rfc_6238(time: int, code: str) -> None:
    assert second.step_of(SECRET, code, time, 0) == time // 30


def test_a_code_is_good_for_its_step_and_its_neighbours_and_once() -> None:
    time, code = VECTORS[3]
    step = time // 30
    assert second.step_of(SECRET, code, time + 30, 0) == step
    assert second.step_of(SECRET, code, time - 30, 0) == step
    assert second.step_of(SECRET, code, time + 60, 0) is None
    assert second.step_of(SECRET, code, time - 60, 0) is None
    assert second.step_of(SECRET, f" {code[:3]} {code[3:]} ", time, 0) == step
    assert second.step_of(SECRET, code, time, step) is None
    assert second.step_of(SECRET, code, time, step - 1) == step


@pytest.mark.parametrize("code", ["", "00592", "0059240", "٠٠٥٩٢٤", "abcdef", "-05924", "005925"])
def test_what_is_no_code_is_refused(code: str) -> None:
    assert second.step_of(SECRET, code, VECTORS[3][0], 0) is None


def test_the_secret_is_sealed_for_its_account() -> None:
    key = KeyEncryptionKey(bytes(32))
    sealed = second.seal(key, b"a" * 16, SECRET)
    assert SECRET not in sealed
    assert second.unseal(key, b"a" * 16, sealed) == SECRET
    with pytest.raises(SealError):
        second.unseal(key, b"b" * 16, sealed)


def test_the_address_and_its_picture() -> None:
    address = second.address(SECRET, "wang", "harbour · Yinxin")
    read = pyotp.parse_uri(address)
    assert isinstance(read, pyotp.TOTP)
    assert read.secret == base64.b32encode(SECRET).decode()
    assert (read.name, read.issuer, read.digits, read.interval) == (
        "wang",
        "harbour · Yinxin",
        6,
        30,
    )
    drawn = second.picture(address, 'a <b> & "c"')
    assert "style=" not in drawn and "<b>" not in drawn and drawn.startswith("<svg")
    assert second.spelled(SECRET).replace("-", "") == read.secret
    assert len(second.new_secret()) == 20
