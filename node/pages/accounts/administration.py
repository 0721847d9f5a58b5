"""What an administrator does to accounts; the pages and the command line use it alike."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection

from node.clock import Clock
from node.keys import KeyEncryptionKey
from node.pages.accounts import attempts, passwords, pending, records
from node.pages.accounts.journal import Journal, record_action
from node.pages.accounts.passwords import Passwords
from node.pages.accounts.pending import Purpose
from node.pages.accounts.records import Account, State, problem
from node.pages.duties import Duty
from node.storage import Store


@dataclass(frozen=True)
class Invited:
    """An account and the token of the link by which its owner chooses a password, shown once."""

    account: Account
    token: str

    @property
    def path(self) -> str:
        """Where on the site the password is chosen."""
        return f"{INVITATION}?token={self.token}"


INVITATION = "/login/invitation"


@dataclass(frozen=True)
class Accounts:
    """The accounts of a node or agent. `by` is always the account that acts.

    `duties` are those there are; `names` are words that no password may be made of.
    """

    store: Store
    clock: Clock
    key: KeyEncryptionKey
    duties: frozenset[Duty]
    names: tuple[str, ...]
    passwords: Passwords
    journal: Journal

    async def add(
        self,
        name: str,
        duties: Collection[Duty],
        by: str,
        *,
        totp: bool = False,
        password: str | None = None,
    ) -> Invited:
        """A new account: with a password, or invited to choose one. Raises AccountError."""
        chosen = self.checked(duties)
        encoded = None
        if password is not None:
            passwords.check(password, (*self.names, name))
            encoded = await self.passwords.hash(password)

        def unit(connection: Connection) -> Invited:
            now = self.clock.now()
            account = records.add(
                connection, name, chosen, now, password=encoded, totp_demanded=totp
            )
            said = records.joined(chosen)
            record_action(self.journal, connection, "account-add", by, name=name, duties=said)
            return Invited(account, "" if encoded else self._invite(connection, account, now))

        return await self.store.run(unit)

    async def reset(self, name: str, by: str) -> Invited:
        """Takes password and second factor away, ends the sessions, and invites anew.

        Also of the last administrator: at the command line it is the way back in.
        """

        def unit(connection: Connection) -> Invited:
            account = self._own(connection, name)
            if account.state is State.DISABLED:
                raise problem("name", "disabled")
            records.end_all(connection, account.id)
            records.forget_second_factor(connection, account.id)
            records.change(connection, account.id, password=None, state=State.INVITED)
            # What somebody tried on the old password delays nobody with the new one.
            for kind, value in (("name", name), ("second", account.id.hex())):
                attempts.clear(connection, attempts.bucket(self.key, kind, value))
            record_action(self.journal, connection, "account-reset", by, name=name)
            return Invited(account, self._invite(connection, account, self.clock.now()))

        return await self.store.run(unit)

    async def disable(self, name: str, by: str) -> None:
        """Nobody signs in with it any more; its sessions end."""

        def unit(connection: Connection) -> None:
            account = records.named(connection, name)
            records.require_other_administrator(connection, account)
            records.end_all(connection, account.id)
            records.change(connection, account.id, state=State.DISABLED)
            record_action(self.journal, connection, "account-disable", by, name=name)

        await self.store.run(unit)

    async def enable(self, name: str, by: str) -> None:
        """Takes `disable` back. Without a password it needs a reset to be used."""

        def unit(connection: Connection) -> None:
            account = records.named(connection, name)
            usable = account.password is not None or account.external
            state = State.ACTIVE if usable else State.INVITED
            records.change(connection, account.id, state=state)
            record_action(self.journal, connection, "account-enable", by, name=name)

        await self.store.run(unit)

    async def set_duties(self, name: str, duties: Collection[Duty], by: str) -> None:
        """Other duties; the sessions end. Raises AccountError."""
        chosen = self.checked(duties)

        def unit(connection: Connection) -> None:
            account = self._own(connection, name)
            if Duty.ADMINISTRATOR not in chosen:
                records.require_other_administrator(connection, account)
            records.end_all(connection, account.id, invitations=False)
            records.change(connection, account.id, duties=records.joined(chosen))
            said = records.joined(chosen)
            record_action(self.journal, connection, "account-duties", by, name=name, duties=said)

        await self.store.run(unit)

    async def demand_totp(self, name: str, by: str, *, demanded: bool) -> None:
        """Whether the account has to have TOTP: its next sign-in asks for it."""

        def unit(connection: Connection) -> None:
            account = self._own(connection, name)
            records.change(connection, account.id, totp_demanded=demanded)
            if demanded and account.totp is None:
                records.end_all(connection, account.id, invitations=False)
            record_action(
                self.journal,
                connection,
                "account-totp-demanded" if demanded else "account-totp-optional",
                by,
                name=name,
            )

        await self.store.run(unit)

    async def every(self) -> list[Account]:
        """All accounts by name."""
        return await self.store.read(records.every)

    def checked(self, duties: Collection[Duty]) -> frozenset[Duty]:
        """Duties that accounts here may have. Raises AccountError."""
        if not duties or not self.duties.issuperset(duties):
            raise problem("duties", "duties", known=", ".join(sorted(self.duties)))
        return frozenset(duties)

    def _own(self, connection: Connection, name: str) -> Account:
        """An account that is kept here. Raises AccountError for a provider's."""
        account = records.named(connection, name)
        if account.external:
            raise problem("name", "external")
        return account

    def _invite(self, connection: Connection, account: Account, now: int) -> str:
        return pending.begin(connection, Purpose.INVITATION, now, account=account.id)
