"""Secrets on disk: files that only their owner reads, and sealing under a key-encryption key.

Sealed bytes are `0x01 ‖ nonce (12) ‖ AES-256-GCM ciphertext and tag`. The nonce is random, so one
key may seal at most 2^32 values (NIST SP 800-38D, 8.3); a node that seals a million a day reaches
that in eleven years.
"""

from __future__ import annotations

import errno
import hmac
import os
import secrets
import stat
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from node.errors import SealError, SecretFileError

KEY_BYTES = 32
_VERSION = b"\x01"
_NONCE_BYTES = 12
_OVERHEAD = len(_VERSION) + _NONCE_BYTES + 16
_DOMAIN = b"yinxin/seal/v1\x00"
_TAG_DOMAIN = b"yinxin/tag/v1\x00"


def write_secret(path: Path, content: bytes) -> None:
    """Writes a new file of mode 0600, whole and synced or not at all.

    Raises SecretFileError when `path` exists (a key is never overwritten) or cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(temporary, flags, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            # A link, unlike a rename, fails when the name is taken.
            os.link(temporary, path, follow_symlinks=False)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except FileExistsError as error:
        raise SecretFileError(
            f"{path} exists and is not overwritten; move it away first if it is to be replaced"
        ) from error
    except OSError as error:
        raise SecretFileError(
            f"{path} cannot be written ({error.strerror}); check its folder"
        ) from error


def read_secret(path: Path) -> bytes:
    """The content of a regular file that nobody but its owner can read.

    Raises SecretFileError when it is missing, no regular file, or open to group or others.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            problem = _exposure(path, os.fstat(file.fileno()))
            if problem:
                raise SecretFileError(problem)
            return file.read()
    except OSError as error:
        raise SecretFileError(_unreadable(path, error)) from error


def secret_problem(path: Path) -> str:
    """Why `read_secret` would refuse `path`, or an empty string."""
    try:
        read_secret(path)
    except SecretFileError as error:
        return str(error)
    return ""


class KeyEncryptionKey:
    """The key under which a node seals what it keeps: AES-256-GCM, bound to a purpose."""

    __slots__ = ("_aead", "_key")

    def __init__(self, key: bytes) -> None:
        """Takes 32 bytes; raises SecretFileError for any other length."""
        if len(key) != KEY_BYTES:
            raise SecretFileError(
                f"a key-encryption key has {KEY_BYTES} bytes, not {len(key)}; "
                "restore the original file, data sealed under another key cannot be opened"
            )
        self._aead = AESGCM(key)
        self._key = key

    @classmethod
    def load(cls, path: Path) -> KeyEncryptionKey:
        """Reads a key file; raises SecretFileError when it is unusable."""
        try:
            return cls(read_secret(path))
        except SecretFileError as error:
            message = str(error)
            raise SecretFileError(
                message if str(path) in message else f"{path}: {message}"
            ) from error

    @classmethod
    def create(cls, path: Path) -> KeyEncryptionKey:
        """Writes a fresh key file and loads it; raises SecretFileError when `path` exists."""
        write_secret(path, secrets.token_bytes(KEY_BYTES))
        return cls.load(path)

    def seal(self, plaintext: bytes, aad: bytes) -> bytes:
        """Seals `plaintext` so that it opens only with the same `aad`: purpose and row, say."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._aead.encrypt(nonce, plaintext, _DOMAIN + aad)

    def open(self, sealed: bytes, aad: bytes) -> bytes:
        """The plaintext of `seal`; raises SealError for anything else."""
        if len(sealed) < _OVERHEAD or not sealed.startswith(_VERSION):
            raise SealError("sealed data does not open; restore it and the key it was sealed under")
        nonce = sealed[len(_VERSION) : len(_VERSION) + _NONCE_BYTES]
        ciphertext = sealed[len(_VERSION) + _NONCE_BYTES :]
        try:
            return self._aead.decrypt(nonce, ciphertext, _DOMAIN + aad)
        except InvalidTag as error:
            raise SealError(
                "sealed data does not open; restore it and the key it was sealed under"
            ) from error

    def tag(self, purpose: bytes, value: bytes) -> bytes:
        """A name for `value`, 32 bytes, that only this key's owner can compute or check.

        HMAC-SHA256 under a key of its own for each purpose (HKDF-SHA256, RFC 5869). For what has
        to be found again but could be guessed from a plain hash.
        """
        key = HKDF(SHA256(), KEY_BYTES, None, _TAG_DOMAIN + purpose).derive(self._key)
        return hmac.digest(key, value, "sha256")

    def __repr__(self) -> str:
        return "KeyEncryptionKey(…)"


def _exposure(path: Path, status: os.stat_result) -> str:
    if not stat.S_ISREG(status.st_mode):
        return f"{path} is no regular file; name the file that holds the secret"
    if status.st_mode & 0o077:
        mode = stat.S_IMODE(status.st_mode)
        return f"{path} is open to group or others (mode {mode:04o}); run: chmod 600 {path}"
    return ""


def _unreadable(path: Path, error: OSError) -> str:
    if error.errno == errno.ENOENT:
        return f"{path} does not exist; create it or correct the path"
    return f"{path} cannot be read ({error.strerror}); check its owner and its folder"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
