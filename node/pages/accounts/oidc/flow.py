"""The sign-in at the provider, from the way there to the session."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import structlog
from sqlalchemy import Connection

from node.pages.accounts import pending, records
from node.pages.accounts.errors import SignInRefused
from node.pages.accounts.gate_parts import Parts
from node.pages.accounts.journal import NODE, record_action
from node.pages.accounts.oidc.errors import ProviderError
from node.pages.accounts.oidc.provider import Provider
from node.pages.accounts.oidc.tokens import UnknownKey, verify
from node.pages.accounts.pending import Purpose
from node.pages.accounts.records import Account, State
from node.pages.accounts.sessions import Origin
from node.pages.accounts.signing_in import SigningIn, Step
from node.pages.duties import Duty

CALLBACK: Final = "/login/provider/callback"
_SEAL: Final = b"account-provider"
_EXTERNAL: Final = b"account-external"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{1,31}")

_log = structlog.get_logger(__name__)


class Flow:
    """Leads to the provider and back."""

    def __init__(self, parts: Parts, provider: Provider, signing_in: SigningIn) -> None:
        self._parts, self._accounts = parts, parts.accounts
        self._provider = provider
        self._signing_in = signing_in

    @property
    def _back(self) -> str:
        return f"{self._parts.address}{CALLBACK}"

    async def begin(self, origin: Origin) -> tuple[str, str]:
        """The provider's address for this sign-in, and the token of what is kept for it. Raises
        SignInRefused, also when the provider cannot be reached.
        """
        await self._signing_in.begin_elsewhere(origin)
        try:
            metadata = await self._provider.metadata()
        except ProviderError as error:
            raise await self._refused(error) from error
        kept = {name: secrets.token_urlsafe(32) for name in ("state", "nonce", "verifier")}
        key, now = self._accounts.key, self._accounts.clock.now()
        sealed = key.seal(json.dumps(kept).encode(), _SEAL)
        token = await self._accounts.store.run(
            lambda c: pending.begin(c, Purpose.PROVIDER, now, sealed=sealed)
        )
        challenge = hashlib.sha256(kept["verifier"].encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self._provider.config.client_id,
            "redirect_uri": self._back,
            "scope": " ".join(self._provider.config.scopes),
            "state": kept["state"],
            "nonce": kept["nonce"],
            "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        address = metadata.authorization
        joint = "&" if urlsplit(address).query else "?"
        return f"{address}{joint}{urlencode(asked)}", token

    async def finish(self, token: str, answer: Mapping[str, str], origin: Origin) -> Step:
        """The session of whom the provider names. Raises SignInRefused."""
        try:
            claims = await self._identified(token, answer)
            duties = self._duties(claims)
            if not duties:
                raise ProviderError("the claim gives no duty here")
            return await self._admit(claims, duties, origin)
        except ProviderError as error:
            raise await self._refused(error) from error

    async def _identified(self, token: str, answer: Mapping[str, str]) -> dict[str, Any]:
        now = self._accounts.clock.now()
        waiting = await self._accounts.store.run(
            lambda c: pending.take(c, Purpose.PROVIDER, token, now)
        )
        if waiting is None or waiting.sealed is None:
            raise ProviderError("no sign-in is under way in this browser, or it took too long")
        kept = json.loads(self._accounts.key.open(waiting.sealed, _SEAL))
        if not hmac.compare_digest(answer.get("state", "").encode(), kept["state"].encode()):
            raise ProviderError("the answer is to another sign-in")
        metadata = await self._provider.metadata()
        issuer = self._provider.config.issuer
        named = answer.get("iss")
        if (named is None and metadata.names_issuer) or (named is not None and named != issuer):
            raise ProviderError("the answer is another issuer's")
        if "error" in answer:
            raise ProviderError(f"the provider refused ({answer['error'][:64]})")
        if not answer.get("code"):
            raise ProviderError("the answer has no code")
        raw = await self._provider.redeem(answer["code"], kept["verifier"], self._back)
        fresh = False
        while True:
            try:
                return verify(
                    raw,
                    await self._provider.keys(fresh=fresh),
                    issuer=issuer,
                    client=self._provider.config.client_id,
                    nonce=kept["nonce"],
                    now=self._accounts.clock.now(),
                )
            except UnknownKey:
                if fresh:
                    raise
                fresh = True

    def _duties(self, claims: Mapping[str, Any]) -> frozenset[Duty]:
        given = claims.get(self._provider.config.claim)
        values = given if isinstance(given, list) else [given]
        mapping = self._provider.config.mapping
        names = {name for one in values if isinstance(one, str) for name in mapping.get(one, ())}
        return frozenset(duty for duty in self._accounts.duties if duty.value in names)

    async def _admit(
        self, claims: Mapping[str, Any], duties: frozenset[Duty], origin: Origin
    ) -> Step:
        subject = f"{self._provider.config.issuer}\0{claims['sub']}".encode()
        tag = self._accounts.key.tag(_EXTERNAL, subject)

        def unit(connection: Connection) -> Step | None:
            account = records.by_external(connection, tag)
            if account is None:
                account = self._added(connection, claims, duties, tag)
            if account.state is not State.ACTIVE:
                return None
            if account.duties != duties:
                self._changed(connection, account, duties)
            return self._signing_in.signed_in(connection, account, "provider", origin)

        step = await self._accounts.store.run(unit)
        if step is None:
            raise ProviderError("the account is disabled here")
        return step

    def _added(
        self,
        connection: Connection,
        claims: Mapping[str, Any],
        duties: frozenset[Duty],
        tag: bytes,
    ) -> Account:
        wanted = claims.get(self._provider.config.name_claim or " ")
        usable = isinstance(wanted, str) and _NAME.fullmatch(wanted) is not None
        name = str(wanted) if usable else f"id-{tag.hex()[:12]}"
        if records.by_name(connection, name) is not None:
            name = f"id-{tag.hex()[:12]}"
        now, said = self._accounts.clock.now(), records.joined(duties)
        made = records.add(connection, name, duties, now, external=tag)
        journal = self._accounts.journal
        record_action(journal, connection, "account-add", NODE, name=name, duties=said)
        return made

    def _changed(self, connection: Connection, account: Account, duties: frozenset[Duty]) -> None:
        records.end_all(connection, account.id)
        said = records.joined(duties)
        records.change(connection, account.id, duties=said)
        journal = self._accounts.journal
        record_action(journal, connection, "account-duties", NODE, name=account.name, duties=said)

    async def _refused(self, error: ProviderError) -> SignInRefused:
        _log.warning("sign-in at the provider failed", reason=str(error))
        await self._signing_in.failed_elsewhere()
        return SignInRefused()
