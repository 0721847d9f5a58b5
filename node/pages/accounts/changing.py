"""What somebody changes about their own account: the password, the second factor, the sessions."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from node.pages.accounts import attempts, passwords, pending, records, second, sessions
from node.pages.accounts.administration import Accounts
from node.pages.accounts.errors import SignInRefused
from node.pages.accounts.pending import Purpose
from node.pages.accounts.records import Account, State, problem
from node.pages.accounts.sessions import Lifetime, Origin

_BUCKET: Final = b"account-own"


class Changing:
    """Changes of one's own account. All of it asks for the password again: a browser that was left
    alone gives nobody an account for good.
    """

    def __init__(self, accounts: Accounts, lifetime: Lifetime) -> None:
        self._accounts = accounts
        self._store, self._clock, self._key = accounts.store, accounts.clock, accounts.key
        self._lifetime = lifetime

    async def invited(self, token: str) -> Account | None:
        """Whom an invitation is for, while it is good."""

        def look(connection: Connection) -> Account | None:
            found = pending.find(connection, Purpose.INVITATION, token, self._clock.now())
            if found is None or found.account is None:
                return None
            account = records.by_id(connection, found.account)
            return account if account is not None and account.state is State.INVITED else None

        return await self._store.read(look)

    async def accept(self, token: str, password: str) -> None:
        """Sets the first password by an invitation, once. Raises AccountError, Busy."""
        account = await self.invited(token)
        if account is None:
            raise problem("token", "expired")
        passwords.check(password, (*self._accounts.names, account.name))
        encoded = await self._accounts.passwords.hash(password)

        def unit(connection: Connection) -> bool:
            now = self._clock.now()
            taken = pending.take(connection, Purpose.INVITATION, token, now)
            kept = records.by_id(connection, account.id)
            if taken is None or kept is None or kept.state is not State.INVITED:
                return False
            records.end_all(connection, account.id)
            records.change(connection, account.id, password=encoded, state=State.ACTIVE)
            return True

        if not await self._store.run(unit):
            raise problem("token", "expired")

    async def set_password(
        self, account: bytes, current: str, password: str, origin: Origin
    ) -> str:
        """Another password: all sessions end, and the token of a new one is returned. Raises
        AccountError, SignInRefused for too many wrong ones, Busy.
        """
        owner = await self.require(account, current)
        passwords.check(password, (*self._accounts.names, owner.name))
        encoded = await self._accounts.passwords.hash(password)

        def unit(connection: Connection) -> str:
            records.end_all(connection, account)
            records.change(connection, account, password=encoded)
            now = self._clock.now()
            return sessions.start(connection, account, self._lifetime, origin, now)

        return await self._store.run(unit)

    async def begin_totp(self, account: bytes, current: str) -> str:
        """The token under which a fresh secret waits for its first code. Errors as above."""
        await self.require(account, current)

        def unit(connection: Connection) -> str:
            sealed = second.seal(self._key, account, second.new_secret())
            now = self._clock.now()
            return pending.begin(connection, Purpose.TOTP, now, account=account, sealed=sealed)

        return await self._store.run(unit)

    async def totp_secret(self, account: bytes, token: str) -> bytes:
        """The secret that waits under a token. Raises AccountError when there is none."""
        now = self._clock.now()
        found = await self._store.read(lambda c: pending.find(c, Purpose.TOTP, token, now))
        if found is None or found.account != account or found.sealed is None:
            raise problem("token", "started_over")
        return second.unseal(self._key, account, found.sealed)

    async def finish_totp(self, account: bytes, token: str, code: str) -> list[str]:
        """Puts the secret in force by its first code; returns recovery codes. Other sessions stay.
        Raises AccountError.
        """
        secret = await self.totp_secret(account, token)

        def unit(connection: Connection) -> list[str] | None:
            now = self._clock.now()
            step = second.step_of(secret, code, now, 0)
            if step is None or pending.take(connection, Purpose.TOTP, token, now) is None:
                return None
            return second.install(connection, self._key, account, secret, step)

        codes = await self._store.run(unit)
        if codes is None:
            raise problem("code", "wrong_code")
        return codes

    async def remove_totp(self, account: bytes, current: str) -> None:
        """Gives codes up, unless they are demanded. Errors as above."""
        owner = await self.require(account, current)
        if owner.totp_demanded:
            raise problem("current", "demanded")
        await self._store.run(lambda c: records.forget_second_factor(c, account))

    async def new_recovery(self, account: bytes, current: str) -> list[str]:
        """New recovery codes in place of the old. Errors as above."""
        owner = await self.require(account, current)
        if owner.totp is None:
            raise problem("current", "no_totp")
        return await self._store.run(lambda c: second.renew_recovery(c, self._key, account))

    async def end_others(self, account: bytes, token: str) -> None:
        """Ends all sessions but that of a token."""
        keep = sessions.tag_of(token)
        await self._store.run(lambda c: records.end_all(c, account, keep, invitations=False))

    async def require(self, account: bytes, password: str) -> Account:
        """The account, if that is its password. Raises AccountError; SignInRefused when it has to
        wait; Busy.
        """
        bucket = self._key.tag(_BUCKET, account)

        def unit(connection: Connection) -> tuple[int, Account | None]:
            now = self._clock.now()
            wait = attempts.begin(connection, {bucket: attempts.SECOND}, now)
            return wait, records.by_id(connection, account)

        wait, found = await self._store.run(unit)
        if wait:
            raise SignInRefused(wait)
        encoded = None if found is None else found.password
        verified = await self._accounts.passwords.verify(encoded, password)
        if found is None or not verified.right:
            raise problem("current", "wrong_password")
        await self._store.run(lambda c: attempts.clear(c, bucket))
        return found
