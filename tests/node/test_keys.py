"""Secret files and sealing at rest."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import SealError, SecretFileError
from node.keys import KeyEncryptionKey, read_secret, secret_problem, write_secret

KEY = KeyEncryptionKey(bytes(range(32)))


def test_a_secret_file_is_closed_whatever_the_umask(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        write_secret(tmp_path / "key", b"secret")
    finally:
        os.umask(previous)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert read_secret(tmp_path / "key") == b"secret"
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_secret_is_never_overwritten(tmp_path: Path) -> None:
    write_secret(tmp_path / "key", b"first")
    with pytest.raises(SecretFileError, match="exists and is not overwritten"):
        write_secret(tmp_path / "key", b"second")
    assert read_secret(tmp_path / "key") == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_dangling_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SecretFileError, match="exists"):
        write_secret(tmp_path / "key", b"secret")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o610, 0o620, 0o644])
def test_a_secret_open_to_others_is_not_read(tmp_path: Path, mode: int) -> None:
    write_secret(tmp_path / "key", b"secret")
    (tmp_path / "key").chmod(mode)
    with pytest.raises(SecretFileError, match="chmod 600"):
        read_secret(tmp_path / "key")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert "no regular file" in secret_problem(tmp_path / "pipe")
    assert "does not exist" in secret_problem(tmp_path / "absent")
    assert secret_problem(tmp_path) != ""
    with pytest.raises(SecretFileError, match="cannot be written"):
        write_secret(tmp_path / "absent" / "key", b"")


@given(plaintext=st.binary(max_size=200), aad=st.binary(max_size=40))
def test_what_was_sealed_opens(plaintext: bytes, aad: bytes) -> None:
    sealed = KEY.seal(plaintext, aad)
    assert len(sealed) == len(plaintext) + 29
    assert KEY.open(sealed, aad) == plaintext


@given(position=st.integers(0, 28 + 6), bit=st.integers(0, 7))
def test_any_changed_bit_is_noticed(position: int, bit: int) -> None:
    sealed = bytearray(KEY.seal(b"secret", b"purpose"))
    sealed[position] ^= 1 << bit
    with pytest.raises(SealError):
        KEY.open(bytes(sealed), b"purpose")


def test_another_purpose_or_key_or_length_does_not_open() -> None:
    sealed = KEY.seal(b"secret", b"consent 1")
    assert KEY.seal(b"secret", b"consent 1") != sealed
    with pytest.raises(SealError):
        KEY.open(sealed, b"consent 2")
    with pytest.raises(SealError):
        KeyEncryptionKey(bytes(32)).open(sealed, b"consent 1")
    for length in (0, 1, 28, len(sealed) - 1):
        with pytest.raises(SealError):
            KEY.open(sealed[:length], b"consent 1")


def test_a_key_is_made_once_and_loads_again(tmp_path: Path) -> None:
    sealed = KeyEncryptionKey.create(tmp_path / "kek").seal(b"x", b"")
    assert KeyEncryptionKey.load(tmp_path / "kek").open(sealed, b"") == b"x"
    with pytest.raises(SecretFileError, match="exists"):
        KeyEncryptionKey.create(tmp_path / "kek")
    write_secret(tmp_path / "short", b"16 bytes of key.")
    with pytest.raises(SecretFileError, match=r"short: a key-encryption key has 32 bytes, not 16"):
        KeyEncryptionKey.load(tmp_path / "short")
    assert "1" not in repr(KEY)
