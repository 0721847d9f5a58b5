"""Bearer tokens of the REST interface: kept as SHA-256, one line `NAME HASH` for each caller.

Tokens are 32 random bytes, so that a plain hash of one cannot be inverted. The file is read at
every request: a token that is added or removed counts at once.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from pathlib import Path

from node.bank.errors import BankError
from node.bank.texts import Code
from node.config import BankConfig
from node.errors import NodeError
from node.files import replacing
from node.keys import read_secret

TOKEN_BYTES = 32
DEFAULT_FILE = "api-tokens"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HASH = re.compile(r"[0-9a-f]{64}")


class Tokens:
    """The tokens in one file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, config: BankConfig) -> Tokens:
        """Those that a configuration names; `api-tokens` in the data folder unless it does."""
        return cls(config.api.tokens or config.data_dir / DEFAULT_FILE)

    def usable(self) -> bool:
        """Whether there is any token. Raises SecretFileError for a file open to others."""
        return bool(self._read())

    def caller(self, token: str) -> str:
        """The name of a token's owner. Raises BankError for an unknown one, or when there are
        none at all. Takes as long for a wrong token as for a right one.
        """
        known = self._read()
        if not known:
            raise BankError(Code.TOKENS_MISSING, "api.tokens")
        digest = hashlib.sha256(token.encode()).hexdigest()
        found = ""
        for name, kept in known.items():
            if hmac.compare_digest(digest, kept):
                found = name
        if not found:
            raise BankError(Code.TOKEN_INVALID, "Authorization")
        return found

    def require_new(self, name: str) -> None:
        """Raises NodeError for what is no name, BankError for one that has a token."""
        if not _NAME.fullmatch(name):
            raise NodeError("name: use up to 64 letters, digits, '.', '_' and '-'")
        if name in self._read():
            raise BankError(Code.TOKEN_EXISTS, "name", name=name)

    def add(self, name: str) -> str:
        """Makes a token for a new caller; it is shown this once and kept nowhere."""
        self.require_new(name)
        known = self._read()
        token = secrets.token_urlsafe(TOKEN_BYTES)
        known[name] = hashlib.sha256(token.encode()).hexdigest()
        self._write(known)
        return token

    def _read(self) -> dict[str, str]:
        if not self.path.exists():
            return {}
        known: dict[str, str] = {}
        for number, line in enumerate(read_secret(self.path).decode("utf-8").splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            name, _, digest = line.strip().partition(" ")
            if not _NAME.fullmatch(name) or not _HASH.fullmatch(digest.strip()):
                raise NodeError(
                    f"{self.path}, line {number}: is not NAME SHA256-IN-HEX; correct or remove it"
                )
            known[name] = digest.strip()
        return known

    def _write(self, known: dict[str, str]) -> None:
        text = "".join(f"{name} {digest}\n" for name, digest in known.items())
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with replacing(self.path) as temporary:
                temporary.touch(mode=0o600)
                temporary.write_text(text, encoding="utf-8")
        except OSError as error:
            raise NodeError(f"{self.path}: cannot be written ({error.strerror})") from error
