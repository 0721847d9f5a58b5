"""The ID token: every claim that is not as it has to be has it refused."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey

from node.pages.accounts.oidc.errors import ProviderError
from node.pages.accounts.oidc.tokens import UnknownKey, keys_of, verify
from support.accounts import NOW

ISSUER, CLIENT, NONCE = "https://id.example", "yinxin", "n" * 43
KEY = RSAKey.generate_key(2048, {"kid": "one"}, private=True)
OTHER = RSAKey.generate_key(2048, {"kid": "one"}, private=True)
KEYS = keys_of(KeySet([KEY]).as_dict(private=False))
RIGHT = {
    "iss": ISSUER, "sub": "s-1", "aud": CLIENT, "iat": NOW, "exp": NOW + 300, "nonce": NONCE,
}  # fmt: skip


def checked(token: str, keys: KeySet = KEYS) -> dict[str, Any]:
    return verify(token, keys, issuer=ISSUER, client=CLIENT, nonce=NONCE, now=NOW)


def signed(key: Any = KEY, alg: str = "RS256", kid: str | None = "one", **claims: Any) -> str:
    header = {"alg": alg} | ({} if kid is None else {"kid": kid})
    body = {name: value for name, value in (RIGHT | claims).items() if value is not None}
    return jwt.encode(header, body, key, algorithms=[alg])


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"aud": [CLIENT]},
        {"aud": [CLIENT, "other"], "azp": CLIENT},
        {"exp": NOW - 59},
        {"iat": NOW + 59},
        {"iat": NOW - 599},
        {"nbf": NOW + 59},
    ],
    ids=str,
)
def test_a_right_token_is_read(claims: dict[str, Any]) -> None:
    assert checked(signed(**claims))["sub"] == "s-1"


@pytest.mark.parametrize(
    ("claims", "problem"),
    [
        ({"iss": "https://id.example/"}, "another issuer"),
        ({"iss": None}, "another issuer"),
        ({"aud": "other"}, "another client"),
        ({"aud": []}, "another client"),
        ({"aud": None}, "another client"),
        ({"aud": [CLIENT, "other"]}, "another party"),
        ({"azp": "other"}, "another party"),
        ({"exp": NOW - 60}, "expired"),
        ({"exp": None}, "no exp"),
        ({"exp": "1900000000"}, "no exp"),
        ({"exp": True}, "no exp"),
        ({"iat": NOW - 601}, "not made just now"),
        ({"iat": NOW + 61}, "not made just now"),
        ({"iat": None}, "no iat"),
        ({"nbf": NOW + 61}, "not valid yet"),
        ({"nonce": "m" * 43}, "another sign-in"),
        ({"nonce": None}, "another sign-in"),
        ({"nonce": 7}, "another sign-in"),
        ({"sub": None}, "names nobody"),
        ({"sub": ""}, "names nobody"),
        ({"sub": "s" * 256}, "names nobody"),
        ({"sub": 1}, "names nobody"),
    ],
    ids=str,
)
def test_a_wrong_claim_is_refused(claims: dict[str, Any], problem: str) -> None:
    with pytest.raises(ProviderError, match=problem):
        checked(signed(**claims))


def with_secret(secret: bytes) -> str:
    """HS256 by the public key, which everybody has."""
    text = unsigned({"alg": "HS256", "kid": "one"}).rstrip(".")
    tag = hmac.digest(secret, text.encode(), "sha256")
    return f"{text}.{base64.urlsafe_b64encode(tag).rstrip(b'=').decode()}"


def unsigned(header: dict[str, Any]) -> str:
    parts = (json.dumps(one).encode() for one in (header, RIGHT))
    return ".".join(base64.urlsafe_b64encode(one).rstrip(b"=").decode() for one in parts) + "."


def swapped(one: str, other: str) -> str:
    header, _, signature = one.split(".")
    return f"{header}.{other.split('.')[1]}.{signature}"


@pytest.mark.parametrize(
    "token",
    [
        lambda: signed(OTHER),
        lambda: unsigned({"alg": "none", "kid": "one"}),
        lambda: with_secret(KEY.as_pem(private=False)),
        lambda: signed()[:-8] + "AAAAAAAA",
        lambda: signed().replace(".", "", 1),
        lambda: signed() + "..",
        lambda: "",
        lambda: "ey.ey.ey",
        lambda: swapped(signed(), signed(sub="s-2")),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_a_token_that_nobody_signed_is_refused(token: Callable[[], str]) -> None:
    with pytest.raises(ProviderError):
        checked(token())


def test_an_unknown_key_is_told_apart() -> None:
    with pytest.raises(UnknownKey):
        checked(signed(kid="two"))


@pytest.mark.parametrize(
    ("key", "alg"),
    [
        (KEY, "PS256"),
        (ECKey.generate_key("P-256", {"kid": "one"}, private=True), "ES256"),
        (OKPKey.generate_key("Ed25519", {"kid": "one"}, private=True), "Ed25519"),
    ],
    ids=["PS256", "ES256", "Ed25519"],
)
def test_other_signatures_that_are_allowed(key: Any, alg: str) -> None:
    keys = keys_of(KeySet([key]).as_dict(private=False))
    assert checked(signed(key, alg), keys)["sub"] == "s-1"


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_keys_that_are_none_for_signatures_are_left_out() -> None:
    small = RSAKey.generate_key(1024, {"kid": "small"}, private=True).as_dict(private=False)
    shared = OctKey.generate_key(256, {"kid": "shared"}, private=True).as_dict(private=True)
    sealing = KEY.as_dict(private=False) | {"use": "enc", "kid": "sealing"}
    odd = [{"kty": "EC", "crv": "P-1", "x": "", "y": ""}, {"kty": "new"}, 7]
    for keys in ([small], [shared], [sealing], odd, [], None, "x"):
        with pytest.raises(ProviderError):
            keys_of({"keys": keys})
    right = KEY.as_dict(private=False)
    found = keys_of({"keys": [small, shared, sealing, *odd, right]})
    assert [key.kid for key in found.keys] == ["one"]
