"""What every answer says to the browser: nothing runs, loads or frames but what the site serves."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""Content Security Policy, level 3. No `unsafe-inline`, no `unsafe-eval`, no outside address."""

STATIC: Final = "/static/"
_PORT: Final = re.compile(r":\d*$")

_ALWAYS: Final = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
)


class SecurityHeaders:
    """ASGI middleware around the whole site."""

    def __init__(self, app: App, *, tls: bool) -> None:
        """`tls` is whether browsers reach the site over TLS: they are told to keep to it then."""
        self._app = app
        self._more = [(b"strict-transport-security", b"max-age=31536000")] if tls else []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on and adds the headers to its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        static = scope["path"].startswith(STATIC)

        async def added(message: Message) -> None:
            if message["type"] == "http.response.start":
                # That a file is missing holds until the next release at most.
                lasting = static and message["status"] in (200, 304)
                kept = b"public, max-age=31536000, immutable" if lasting else b"no-store"
                message["headers"] = [
                    *(one for one in message["headers"] if one[0].lower() != b"cache-control"),
                    *_ALWAYS,
                    *self._more,
                    (b"cache-control", kept),
                ]
            await send(message)

        await self._app(scope, receive, added)


class HostGuard:
    """ASGI middleware that refuses requests for another name than the site's.

    A page elsewhere whose name is made to lead to this machine (DNS rebinding) gets no answer, and
    no address that the site writes can be made of what a request says.
    """

    def __init__(self, app: App, hosts: frozenset[str]) -> None:
        """`hosts` are names without port, in lower case."""
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or answers 421 (RFC 9110, 15.5.20)."""
        if scope["type"] == "http":
            given = [value for name, value in scope["headers"] if name == b"host"]
            name = _PORT.sub("", given[0].decode("latin-1")).lower() if len(given) == 1 else ""
            if name not in self._hosts:
                start = {"type": "http.response.start", "status": 421, "headers": []}
                await send(start)
                await send({"type": "http.response.body", "body": b"Misdirected request\n"})
                return
        await self._app(scope, receive, send)
