"""What every request passes first: token, size, language; and the one log line it leaves.

The line has method, route, status, time and the caller's name, and nothing that a request brings:
a path could name a query, a body names an enterprise.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import structlog

from node.bank.errors import BankError
from node.bank.problems import Problem, problem_of
from node.bank.texts import Code
from node.bank.tokens import Tokens
from node.errors import NodeError
from node.observability.logging import fault

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HEALTH = "/v1/health"
BATCHES = "/v1/batches"
MOST_BYTES = 2 << 20
MOST_BATCH_BYTES = 64 << 20

_log = structlog.get_logger("node.bank.api")


class Gate:
    """ASGI middleware around the whole interface."""

    def __init__(self, app: App, tokens: Tokens, require: Callable[[], None]) -> None:
        """`require` raises while the node may answer nothing; only health is answered then."""
        self._app = app
        self._require = require
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request through, or answers it with a problem."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin, status, caller = time.perf_counter(), 500, ""

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"cache-control", b"no-store")]
            await send(message)

        try:
            caller = self._admit(scope)
            scope["yinxin.caller"] = caller
            body = await _read(scope, receive)
            await self._app(scope, _replay(body, receive), watched)
        except (BankError, NodeError) as error:
            await answer(problem_of(error), scope, watched)
        except Exception as error:
            # Answered already, as an internal error; further out its text would be logged.
            _log.error("request failed", error=fault(error))
        finally:
            route = getattr(scope.get("route"), "path", "–")
            _log.info(
                "request",
                method=scope["method"],
                route=route,
                status=status,
                milliseconds=round(1000 * (time.perf_counter() - begin), 1),
                caller=caller,
            )

    def _admit(self, scope: Scope) -> str:
        """The caller's name. Raises BankError, Unwitnessed; only health needs no token."""
        if scope["path"] == HEALTH:
            return ""
        scheme, _, token = header(scope, b"authorization").partition(" ")
        caller = self._tokens.caller(token.strip() if scheme.lower() == "bearer" else "")
        self._require()
        return caller


async def answer(
    problem: Problem, scope: Scope, send: Send, more: Mapping[str, str] | None = None
) -> None:
    """Sends a problem document in the reader's language, with more headers."""
    language = language_of(header(scope, b"accept-language"))
    content = json.dumps(problem.to_dict(language), ensure_ascii=False).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-language", language.encode()),
        (b"content-length", str(len(content)).encode()),
        *((name.encode(), value.encode()) for name, value in (more or {}).items()),
    ]
    if problem.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if problem.status == 503:
        headers.append((b"retry-after", b"5"))
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def header(scope: Scope, name: bytes) -> str:
    """A request header's value, empty where it is missing or sent twice."""
    found = [value for key, value in scope["headers"] if key == name]
    return found[0].decode("latin-1") if len(found) == 1 else ""


def language_of(accepted: str) -> str:
    """`zh` or `en`, whichever an Accept-Language header prefers (RFC 9110, 12.5.4); else `en`."""
    best, language = 0.0, "en"
    for part in accepted.split(","):
        tag, _, parameters = part.strip().partition(";")
        name, _, value = parameters.strip().partition("=")
        try:
            quality = float(value) if name.strip() == "q" else 1.0
        except ValueError:
            continue
        main = tag.strip().lower().split("-")[0]
        if main in {"zh", "en"} and quality > best:
            best, language = quality, main
    return language


async def _read(scope: Scope, receive: Receive) -> bytes:
    """The whole body. Raises BankError for one that is too large, before it is all here."""
    most = MOST_BATCH_BYTES if scope["path"] == BATCHES else MOST_BYTES
    announced = header(scope, b"content-length")
    too_large = BankError(Code.BODY_TOO_LARGE, "body", most=most)
    if announced.isdigit() and int(announced) > most:
        raise too_large
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            break
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            raise too_large
        more = message.get("more_body", False)
    return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Gives the application the body that was read, then whatever comes."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replay
