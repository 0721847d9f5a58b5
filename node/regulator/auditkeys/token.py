"""Sealing the audit master key by a PKCS#11 token, such as a hardware security module.

The token holds an AES key that never leaves it (CKA_SENSITIVE, not CKA_EXTRACTABLE); the master
key lies in the database, sealed under it with AES-GCM (PKCS #11 v3.0, section 2.12). Sealed form:
`0x01 ‖ nonce (12) ‖ ciphertext and tag`.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from node.config import TokenConfig
from node.keys import read_secret
from node.regulator.auditkeys.errors import TokenError

_VERSION = b"\x01"
_NONCE = 12
_TAG_BITS = 128
_AAD = b"yinxin/audit-master/v1"


def seal_by_token(config: TokenConfig, secret: bytes) -> bytes:
    """The secret, sealed by the token's key. Raises TokenError, SecretFileError."""
    nonce = secrets.token_bytes(_NONCE)
    with _key(config) as (key, parameters):
        return _VERSION + nonce + bytes(key.encrypt(secret, **parameters(nonce)))


def open_by_token(config: TokenConfig, sealed: bytes) -> bytes:
    """What `seal_by_token` sealed. Raises TokenError, SecretFileError."""
    nonce, ciphertext = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
    if sealed[:1] != _VERSION:
        raise TokenError("the wrapped audit master key is damaged; restore the database")
    with _key(config) as (key, parameters):
        return bytes(key.decrypt(ciphertext, **parameters(nonce)))


@contextmanager
def _key(config: TokenConfig) -> Iterator[tuple[Any, Any]]:
    try:
        import pkcs11
        from pkcs11 import GCMParams, KeyType, Mechanism, ObjectClass
        from pkcs11.exceptions import PKCS11Error
    except ImportError as error:
        raise TokenError("install yinxin with its extra `pkcs11` to use a token") from error

    def parameters(nonce: bytes) -> dict[str, Any]:
        return {
            "mechanism": Mechanism.AES_GCM,
            "mechanism_param": GCMParams(nonce, _AAD, _TAG_BITS),
        }

    if config.pin_file is None:
        raise TokenError("audit_token: is not configured")
    pin = read_secret(config.pin_file).decode().strip()
    try:
        library = pkcs11.lib(str(config.module))
        token = library.get_token(token_label=config.token)
        with token.open(user_pin=pin) as session:
            key = session.get_key(
                object_class=ObjectClass.SECRET_KEY, key_type=KeyType.AES, label=config.key
            )
            yield key, parameters
    except (PKCS11Error, RuntimeError, OSError) as error:
        problem = str(error) or type(error).__name__
        raise TokenError(
            f"audit_token: token {config.token!r}, key {config.key!r}: {problem}; check module, "
            "labels and PIN, and that the token has that AES key (pkcs11-tool --keygen "
            f"--key-type AES:32 --label {config.key})"
        ) from error
