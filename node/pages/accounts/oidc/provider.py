"""The provider on the network: its metadata, its keys, its token endpoint."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx
from joserfc.jwk import KeySet

from node.clock import Clock
from node.config import OidcConfig
from node.keys import read_secret
from node.pages.accounts.oidc.errors import ProviderError
from node.pages.accounts.oidc.tokens import keys_of

SECONDS: Final = 10.0
MOST_BYTES: Final = 512 << 10
METADATA_SECONDS: Final = 3600
KEYS_SECONDS: Final = 60
"""An unknown key has the set fetched again, at most this often."""
_WELL_KNOWN: Final = "/.well-known/openid-configuration"


@dataclass(frozen=True)
class Metadata:
    """What the provider says about itself."""

    authorization: str
    token: str
    keys: str
    names_issuer: bool
    """Whether its answers name it (RFC 9207)."""
    basic: bool
    """Whether the token endpoint takes the secret as HTTP Basic."""


class Provider:
    """The configured provider. Metadata and keys are kept for an hour."""

    def __init__(self, config: OidcConfig, clock: Clock) -> None:
        self.config = config
        self._clock = clock
        self._metadata: tuple[int, Metadata] | None = None
        self._keys: tuple[int, KeySet] | None = None

    async def metadata(self) -> Metadata:
        """What it says about itself (OpenID Connect Discovery). Raises ProviderError."""
        now = self._clock.now()
        if self._metadata is not None and now - self._metadata[0] < METADATA_SECONDS:
            return self._metadata[1]
        issuer = self.config.issuer
        document = await self._fetch("GET", issuer.rstrip("/") + _WELL_KNOWN)
        if document.get("issuer") != issuer:
            raise ProviderError(f"the metadata at {issuer} is another issuer's; correct issuer")
        methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        found = Metadata(
            authorization=self._endpoint(document, "authorization_endpoint"),
            token=self._endpoint(document, "token_endpoint"),
            keys=self._endpoint(document, "jwks_uri"),
            names_issuer=document.get("authorization_response_iss_parameter_supported") is True,
            basic=isinstance(methods, list) and "client_secret_basic" in methods,
        )
        self._metadata = (now, found)
        return found

    async def keys(self, *, fresh: bool = False) -> KeySet:
        """Its keys; with `fresh` fetched anew, unless that was just done. Raises ProviderError."""
        now = self._clock.now()
        age = KEYS_SECONDS if fresh else METADATA_SECONDS
        if self._keys is not None and now - self._keys[0] < age:
            return self._keys[1]
        found = keys_of(await self._fetch("GET", (await self.metadata()).keys))
        self._keys = (now, found)
        return found

    async def redeem(self, code: str, verifier: str, back: str) -> str:
        """The ID token for a code. Raises ProviderError."""
        metadata = await self.metadata()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "code_verifier": verifier,
        }
        headers = {"accept": "application/json"}
        secret = self._secret()
        if secret is not None and metadata.basic:
            # RFC 6749, 2.3.1: both are form-encoded before they are joined.
            pair = f"{quote(self.config.client_id, safe='')}:{quote(secret, safe='')}"
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form["client_id"] = self.config.client_id
            if secret is not None:
                form["client_secret"] = secret
        document = await self._fetch("POST", metadata.token, form, headers)
        token = document.get("id_token")
        if not isinstance(token, str):
            raise ProviderError("the token endpoint gave no ID token")
        return token

    def _secret(self) -> str | None:
        path = self.config.client_secret
        return None if path is None else read_secret(path).decode("utf-8").strip()

    def _endpoint(self, document: Mapping[str, Any], name: str) -> str:
        """An address of the metadata: https, unless the issuer is on this machine itself."""
        value = document.get(name)
        plain = urlsplit(self.config.issuer).scheme == "http"
        schemes = {"https", "http"} if plain else {"https"}
        if not isinstance(value, str) or urlsplit(value).scheme not in schemes:
            raise ProviderError(f"the provider's {name} is no https address")
        return value

    async def _fetch(
        self,
        method: str,
        address: str,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        ca = self.config.ca
        verify: ssl.SSLContext | bool = (
            True if ca is None else ssl.create_default_context(cafile=str(ca))
        )
        try:
            async with (
                httpx.AsyncClient(timeout=SECONDS, verify=verify, follow_redirects=False) as client,
                client.stream(method, address, data=form, headers=headers) as response,
            ):
                raw = b""
                async for piece in response.aiter_bytes():
                    raw += piece
                    if len(raw) > MOST_BYTES:
                        raise ProviderError(f"{address} answers with too much")
                status = response.status_code
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            name = type(error).__name__
            raise ProviderError(f"{address} cannot be reached ({name}); is it up?") from error
        if status != 200:
            raise ProviderError(f"{address} answers {status}; check client_id and client_secret")
        try:
            document = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise ProviderError(f"{address} answers with no JSON") from error
        if not isinstance(document, dict):
            raise ProviderError(f"{address} answers with no JSON object")
        return document
