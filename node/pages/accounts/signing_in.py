"""Signing in, step by step: name and password, then the second factor where there is one.

Each step takes the same way whether the account exists or not: the attempt is counted, the password
is verified (against nobody's hash, if need be), then one unit of work writes what came of it. What
is refused says only that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from node.pages.accounts import attempts, pending, records, second, sessions, sign_ins
from node.pages.accounts.administration import Accounts
from node.pages.accounts.errors import SignInRefused
from node.pages.accounts.journal import NODE, record_action
from node.pages.accounts.pending import Pending, Purpose
from node.pages.accounts.records import Account, State
from node.pages.accounts.sessions import Lifetime, Origin

_NOWHERE: Final = Origin("", "")


@dataclass(frozen=True)
class Step:
    """What comes next: a session, or a step under a token. One of both is empty."""

    session: str = ""
    purpose: Purpose | None = None
    token: str = ""


class SigningIn:
    """Signs people in."""

    def __init__(self, accounts: Accounts, lifetime: Lifetime) -> None:
        self._accounts = accounts
        self._store, self._clock, self._key = accounts.store, accounts.clock, accounts.key
        self._lifetime = lifetime

    async def password(self, name: str, password: str, origin: Origin) -> Step:
        """The first step. Raises SignInRefused, or Busy."""
        name = name.strip().lower()
        by_name = self._bucket("name", name)
        by_address = self._by_address(origin)
        buckets = {by_name: attempts.ACCOUNT, by_address: attempts.ADDRESS}
        found = await self._begin(buckets, lambda c: records.by_name(c, name))
        encoded = found.password if found and found.state is State.ACTIVE else None
        verified = await self._accounts.passwords.verify(encoded, password)
        fresh = await self._accounts.passwords.hash(password) if verified.outdated else None

        def unit(connection: Connection) -> Step | None:
            account = None if found is None else records.by_id(connection, found.id)
            # As it is now: it may have been closed or reset while the password was verified.
            same = (
                account is not None
                and account.state is State.ACTIVE
                and account.password == encoded
            )
            if account is None or not same or not verified.right:
                self._failed(connection, found, "password", origin, by_name)
                return None
            attempts.clear(connection, by_name)
            attempts.take_back(connection, by_address)
            if fresh is not None:
                records.change(connection, account.id, password=fresh)
            return self._after_password(connection, account, origin)

        return _made(await self._store.run(unit))

    async def second(self, token: str, code: str, origin: Origin) -> Step:
        """The second factor. Raises SignInRefused: also when the first step is too old."""
        waiting = await self._store.read(
            lambda c: pending.find(c, Purpose.SECOND, token, self._clock.now())
        )
        account_id = waiting.account if waiting else None
        if account_id is None:
            raise SignInRefused
        bucket = self._bucket("second", account_id.hex())
        await self._begin({bucket: attempts.SECOND}, lambda c: None)

        def unit(connection: Connection) -> Step | None:
            account = records.by_id(connection, account_id)
            if account is None or account.state is not State.ACTIVE:
                return None
            way = second.use(connection, self._key, account, code, self._clock.now())
            if not way:
                self._failed(connection, account, "second", origin, bucket)
                return None
            if pending.take(connection, Purpose.SECOND, token, self._clock.now()) is None:
                return None
            attempts.clear(connection, bucket)
            return self._session(connection, account, way, origin)

        return _made(await self._store.run(unit))

    async def waits(self, purpose: Purpose, token: str) -> bool:
        """Whether that step is still waited for under a token."""
        now = self._clock.now()
        return await self._store.read(lambda c: pending.find(c, purpose, token, now)) is not None

    async def enrolment(self, token: str) -> tuple[Account, bytes]:
        """Who is to set up TOTP before going on, and the secret. Raises SignInRefused."""

        def look(connection: Connection) -> tuple[Account, bytes] | None:
            waiting = pending.find(connection, Purpose.ENROL, token, self._clock.now())
            return None if waiting is None else self._enrolling(connection, waiting)

        found = await self._store.read(look)
        if found is None:
            raise SignInRefused
        return found

    async def enrol(self, token: str, code: str, origin: Origin) -> tuple[Step, list[str]] | None:
        """Sets up TOTP: the session and the recovery codes; None for a wrong code."""
        account, secret = await self.enrolment(token)
        bucket = self._bucket("second", account.id.hex())
        await self._begin({bucket: attempts.SECOND}, lambda c: None)

        def unit(connection: Connection) -> tuple[Step, list[str]] | None:
            now = self._clock.now()
            step = second.step_of(secret, code, now, 0)
            if step is None or pending.take(connection, Purpose.ENROL, token, now) is None:
                return None
            attempts.clear(connection, bucket)
            codes = second.install(connection, self._key, account.id, secret, step)
            return self._session(connection, account, "totp", origin), codes

        return await self._store.run(unit)

    async def begin_elsewhere(self, origin: Origin) -> None:
        """Counts a sign-in that another party is to judge. Raises SignInRefused."""
        await self._begin({self._by_address(origin): attempts.ADDRESS}, lambda c: None)

    async def failed_elsewhere(self) -> None:
        """Writes that such a one failed."""
        await self._store.run(lambda c: self._failed(c, None, "provider", _NOWHERE, b""))

    def signed_in(self, connection: Connection, account: Account, way: str, origin: Origin) -> Step:
        """A session for who was identified so, within a unit of work."""
        attempts.take_back(connection, self._by_address(origin))
        return self._session(connection, account, way, origin)

    async def _begin(
        self, buckets: attempts.Buckets, look: Callable[[Connection], Account | None]
    ) -> Account | None:
        def unit(connection: Connection) -> tuple[int, Account | None]:
            wait = attempts.begin(connection, buckets, self._clock.now())
            return wait, None if wait else look(connection)

        wait, found = await self._store.run(unit)
        if wait:
            raise SignInRefused(wait)
        return found

    def _after_password(self, connection: Connection, account: Account, origin: Origin) -> Step:
        now = self._clock.now()
        if account.totp is not None:
            token = pending.begin(connection, Purpose.SECOND, now, account=account.id)
            return Step(purpose=Purpose.SECOND, token=token)
        if account.totp_demanded:
            sealed = second.seal(self._key, account.id, second.new_secret())
            token = pending.begin(connection, Purpose.ENROL, now, account=account.id, sealed=sealed)
            return Step(purpose=Purpose.ENROL, token=token)
        return self._session(connection, account, "password", origin)

    def _enrolling(self, connection: Connection, waiting: Pending) -> tuple[Account, bytes] | None:
        if waiting.account is None or waiting.sealed is None:
            return None
        account = records.by_id(connection, waiting.account)
        if account is None or account.state is not State.ACTIVE or account.totp is not None:
            return None
        return account, second.unseal(self._key, account.id, waiting.sealed)

    def _session(self, connection: Connection, account: Account, way: str, origin: Origin) -> Step:
        now = self._clock.now()
        records.change(connection, account.id, signed_in=now)
        sign_ins.note(connection, account, way, origin, now)
        return Step(sessions.start(connection, account.id, self._lifetime, origin, now))

    def _failed(
        self,
        connection: Connection,
        account: Account | None,
        what: str,
        origin: Origin,
        bucket: bytes,
    ) -> None:
        """Writes a failure. Of a name that is no account's only each doubling is written: a log
        is for ever, and anybody can fill in the form.
        """
        if account is None:
            bucket = self._bucket("nobody", "")
            attempts.begin(connection, {bucket: attempts.Limit(1 << 60, 0)}, self._clock.now())
        count = attempts.failures(connection, bucket)
        if account is not None:
            sign_ins.note(connection, account, f"{what}-failed", origin, self._clock.now())
        elif count & (count - 1):
            return
        name = "" if account is None else account.name
        record_action(
            self._accounts.journal, connection, "sign-in-failed", NODE, name=name, failures=count
        )

    def _by_address(self, origin: Origin) -> bytes:
        return self._bucket("address", attempts.network(origin.address))

    def _bucket(self, kind: str, value: str) -> bytes:
        return attempts.bucket(self._key, kind, value)


def _made(step: Step | None) -> Step:
    if step is None:
        raise SignInRefused
    return step
