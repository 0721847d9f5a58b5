"""The ID token: who signed in, once all of it is checked (OpenID Connect Core, 3.1.3.7)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet, RSAKey, import_key

from node.pages.accounts.oidc.errors import ProviderError

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "Ed25519")
"""Signatures by a private key only: the client's secret signs nothing here."""
LEEWAY: Final = 60
"""Seconds that clocks may differ."""
MOST_AGE: Final = 600
"""A token was made within this many seconds: it comes straight from the provider."""
LEAST_RSA_BITS: Final = 2048
MOST_SUBJECT: Final = 255
MOST_TIME: Final = 100_000_000_000


class UnknownKey(ProviderError):
    """The token names a key that the provider's set, as it is known, has not."""


def keys_of(document: Mapping[str, Any]) -> KeySet:
    """The provider's public keys for signatures. Raises ProviderError."""
    given = document.get("keys")
    if not isinstance(given, list):
        raise ProviderError("the key set has no keys")
    keys: list[Key] = []
    for one in given:
        if not isinstance(one, dict) or one.get("use", "sig") != "sig":
            continue
        public = {name: value for name, value in one.items() if name != "d"}
        if public.get("kty") not in ("RSA", "EC", "OKP"):
            continue
        try:
            key = import_key(public)
        except (JoseError, ValueError, TypeError, KeyError):
            continue  # of a kind or curve that this program does not know
        if isinstance(key, RSAKey) and key.public_key.key_size < LEAST_RSA_BITS:
            continue
        keys.append(key)
    if not keys:
        raise ProviderError("the key set has no usable key for signatures")
    return KeySet(list(keys))


def verify(
    token: str, keys: KeySet, *, issuer: str, client: str, nonce: str, now: int
) -> dict[str, Any]:
    """The claims of a token that is whole, the provider's, for this client, fresh, and the answer
    to this sign-in. Raises ProviderError, UnknownKey.
    """
    if token.count(".") != 2:
        raise ProviderError("the ID token is no signed token")
    try:
        decoded = jwt.decode(token, keys, algorithms=list(ALGORITHMS))
    except JoseError as error:
        raise _unverified(error) from error
    except (ValueError, TypeError, RecursionError) as error:
        raise ProviderError("the ID token is no token") from error
    claims = decoded.claims
    if claims.get("iss") != issuer:
        raise ProviderError("the ID token is another issuer's")
    audience = claims.get("aud")
    parties = audience if isinstance(audience, list) else [audience]
    if client not in parties:
        raise ProviderError("the ID token is for another client")
    if claims.get("azp", client) != client or (len(parties) > 1 and "azp" not in claims):
        raise ProviderError("the ID token was made for another party")
    expires, made = _time(claims, "exp"), _time(claims, "iat")
    if now >= expires + LEEWAY:
        raise ProviderError("the ID token is expired; do the clocks agree?")
    if not now - MOST_AGE <= made <= now + LEEWAY:
        raise ProviderError("the ID token was not made just now; do the clocks agree?")
    if _time(claims, "nbf", made) > now + LEEWAY:
        raise ProviderError("the ID token is not valid yet; do the clocks agree?")
    given = claims.get("nonce")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), nonce.encode()):
        raise ProviderError("the ID token answers another sign-in")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= MOST_SUBJECT:
        raise ProviderError("the ID token names nobody")
    return dict(claims)


def _time(claims: Mapping[str, Any], name: str, default: int | None = None) -> int:
    value = claims.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ProviderError(f"the ID token has no {name}")
    if not 0 <= value < MOST_TIME:  # infinity and NaN, which JSON libraries read, are neither
        raise ProviderError(f"the ID token's {name} is no time")
    return int(value)


def _unverified(error: JoseError) -> ProviderError:
    if type(error).__name__ in {"InvalidKeyIdError", "MissingKeyError"}:
        return UnknownKey("the ID token is signed by an unknown key")
    return ProviderError(f"the ID token does not verify: {type(error).__name__}")
