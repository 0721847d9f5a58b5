"""Passwords: what is accepted (NIST SP 800-63B-4, 3.1.1), and how it is kept (argon2id, RFC 9106).

A password has 15 to 256 characters after NFKC, with TOTP or without: so nobody's is too short once
TOTP is gone. There are no rules of composition and no expiry; a shipped list refuses the commonest.
Parameters are the second recommended ones of RFC 9106 section 4 (64 MiB, 3 passes, 4 lanes). What
is hashed is an HMAC of the password under a key of the node: a stolen database alone cannot be
searched.
"""

from __future__ import annotations

import asyncio
import base64
import re
import secrets
import unicodedata
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Final, TypeVar

from argon2 import Parameters, PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from node.errors import Busy
from node.keys import KeyEncryptionKey
from node.pages.accounts.errors import AccountError
from node.pages.accounts.texts import PROBLEMS
from scoring.documents import Text

LEAST: Final = 15
MOST: Final = 256
AT_ONCE: Final = 2
"""Hashes computed at a time: each takes 64 MiB."""
MOST_WAITING: Final = 32
T = TypeVar("T")

_PURPOSE: Final = b"account-password"
_TAIL: Final = re.compile(r"[\W\d_]+$")


def normalized(password: str) -> str:
    """The password as it counts, whatever keyboard it came from."""
    return unicodedata.normalize("NFKC", password)


def check(password: str, names: Collection[str]) -> None:
    """Raises AccountError for a password that is too short, too long, or easily guessed.

    `names` are words that an attacker tries first: of the account, the member, the chain.
    """
    text = normalized(password)
    if len(text) < LEAST:
        raise _refused("short", least=LEAST)
    if len(text) > MOST:
        raise _refused("long", most=MOST)
    known = commonest() | {normalized(name).casefold() for name in names}
    folded = text.casefold()
    for form in (folded, folded[::-1]):
        if form in known or _unit(form) in known or _unit(_TAIL.sub("", form)) in known:
            raise _refused("common")
    if len(set(folded)) < 5 or _is_run(folded):
        raise _refused("common")


@cache
def commonest() -> frozenset[str]:
    """The shipped list, folded."""
    text = (files("node.pages.accounts") / "commonest.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


@dataclass(frozen=True)
class Verified:
    """Whether a password is right, and whether it is to be hashed anew."""

    right: bool
    outdated: bool = False


class Passwords:
    """Hashes and verifies, in threads and few at a time."""

    def __init__(self, key: KeyEncryptionKey, parameters: Parameters = RFC_9106_LOW_MEMORY) -> None:
        self._key = key
        self._hasher = PasswordHasher.from_parameters(parameters)
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        # Of no password: verifying against it takes what verifying any other takes.
        self._nobodys = _encoded(parameters)

    async def hash(self, password: str) -> str:
        """argon2's encoding. Raises Busy when too many wait."""
        secret = self._secret(password)
        return await self._in_turn(lambda: self._hasher.hash(secret))

    async def verify(self, encoded: str | None, password: str) -> Verified:
        """Whether it is the password; with no encoding it takes as long, and is not."""
        secret = self._secret(password)
        kept = encoded or self._nobodys

        def work() -> bool:
            try:
                return self._hasher.verify(kept, secret)
            except (VerificationError, InvalidHashError):
                return False

        right = await self._in_turn(work) and encoded is not None
        return Verified(right, right and self._hasher.check_needs_rehash(kept))

    def _secret(self, password: str) -> bytes:
        return self._key.tag(_PURPOSE, normalized(password).encode("utf-8", "surrogatepass"))

    async def _in_turn(self, work: Callable[[], T]) -> T:
        if self._waiting >= MOST_WAITING:
            raise Busy(PROBLEMS["busy"].en)
        self._waiting += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1


def _encoded(parameters: Parameters) -> str:
    salt, digest = (
        base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode()
        for size in (parameters.salt_len, parameters.hash_len)
    )
    cost = f"m={parameters.memory_cost},t={parameters.time_cost},p={parameters.parallelism}"
    return f"$argon2id$v={parameters.version}${cost}${salt}${digest}"


def _unit(text: str) -> str:
    """What the text repeats, or the text: `abcabc` is `abc` twice."""
    at = (text + text).find(text, 1) if text else 0
    return text[:at] if 0 < at < len(text) else text


def _is_run(text: str) -> bool:
    """Whether each character follows the one before it, up or down: 123…, zyx…"""
    steps = {ord(after) - ord(before) for before, after in pairwise(text)}
    return steps <= {1, -9} or steps <= {-1, 9}


def _refused(problem: str, **details: object) -> AccountError:
    text = PROBLEMS[problem]
    return AccountError(
        "password", Text(zh=text.zh.format(**details), en=text.en.format(**details))
    )
