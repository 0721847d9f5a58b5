"""An OpenID provider that checks what it is asked, and lies when it is told to."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from node.clock import Clock
from node.http_server import HttpServer

CLIENT, SECRET = "yinxin", "a secret: with/strange&signs"


def new_key(name: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": name, "use": "sig"}, private=True)


@dataclass
class FakeProvider:
    """`claims` changes the ID token's claims, `metadata` what it says about itself, `answer` what
    it sends the browser back with.
    """

    clock: Clock
    keys: list[ECKey] = field(default_factory=lambda: [new_key("one")])
    claims: Callable[[dict[str, Any]], dict[str, Any]] = lambda claims: claims
    metadata: dict[str, Any] = field(default_factory=dict)
    answer: dict[str, str | None] = field(default_factory=dict)
    token_status: int = 200
    issuer: str = ""
    asked: dict[str, dict[str, str]] = field(default_factory=dict)
    fetched: list[str] = field(default_factory=list)

    def authorize(self, address: str) -> dict[str, str]:
        """What the person's consent leads back with, for the address that the site leads to."""
        url = urlsplit(address)
        assert f"{url.scheme}://{url.netloc}{url.path}" == f"{self.issuer}/authorize"
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        assert asked["response_type"] == "code" and asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256" and len(asked["code_challenge"]) == 43
        assert len(asked["state"]) >= 43 and len(asked["nonce"]) >= 43
        code = f"code-{len(self.asked)}"
        self.asked[code] = asked
        answer = {"code": code, "state": asked["state"], **self.answer}
        return {name: value for name, value in answer.items() if value is not None}

    async def _metadata(self, request: Request) -> Response:
        self.fetched.append("metadata")
        found = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }
        return JSONResponse(found | self.metadata)

    async def _keys(self, request: Request) -> Response:
        self.fetched.append("keys")
        return JSONResponse(KeySet(list(self.keys)).as_dict(private=False))

    async def _token(self, request: Request) -> Response:
        form = {key: str(value) for key, value in (await request.form()).items()}
        pair = urlencode({"": CLIENT})[1:], urlencode({"": SECRET})[1:].replace("+", "%20")
        basic = base64.b64encode(":".join(pair).encode()).decode()
        assert request.headers["authorization"] == f"Basic {basic}"
        asked = self.asked.pop(form["code"])
        challenge = hashlib.sha256(form["code_verifier"].encode()).digest()
        assert base64.urlsafe_b64encode(challenge).rstrip(b"=").decode() == asked["code_challenge"]
        assert form["redirect_uri"] == asked["redirect_uri"]
        assert form["grant_type"] == "authorization_code"
        if self.token_status != 200:
            return JSONResponse({"error": "invalid_grant"}, status_code=self.token_status)
        now = self.clock.now()
        claims = self.claims(
            {
                "iss": self.issuer, "sub": "s-1", "aud": CLIENT, "iat": now, "exp": now + 300,
                "nonce": asked["nonce"], "groups": ["credit-department"],
            }
        )  # fmt: skip
        key = self.keys[-1]
        token = jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key)
        return JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": token})

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Listens on this machine."""
        routes = [
            Route("/.well-known/openid-configuration", self._metadata),
            Route("/keys", self._keys),
            Route("/token", self._token, methods=["POST"]),
        ]
        server = HttpServer(Starlette(routes=routes), "127.0.0.1:0", 1)
        self.issuer = f"http://127.0.0.1:{server.port}"
        task = asyncio.create_task(server.serve())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
