"""What routes read of a request: its key, its caller, ids in its path."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Header, Path, Request

from node.bank.errors import BankError
from node.bank.texts import Code

MAX_KEY: Final = 200
Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        description="Unique for each question; 1 to 200 printable characters.",
    ),
]
Identifier = Annotated[str, Path(max_length=64)]


def key_of(request: Request, key: str) -> str:
    """The idempotency key, which is the caller's own. Raises BankError."""
    if not 1 <= len(key) <= MAX_KEY or not key.isascii() or not key.isprintable():
        raise BankError(Code.KEY_MISSING, "Idempotency-Key")
    return f"{caller_of(request)}\n{key}"


def caller_of(request: Request) -> str:
    """The name of the token that the request came with."""
    return str(request.scope.get("yinxin.caller", ""))


def identifier_of(text: str, code: Code) -> bytes:
    """An id. Raises BankError with `code` for what is none."""
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise BankError(code, "id") from error


def example(status: int, value: object) -> dict[int | str, dict[str, Any]]:
    """An example of an answer, for the OpenAPI document."""
    return {status: {"content": {"application/json": {"example": value}}}}
