"""Who works at the demo's parties: accounts for their pages, with passwords made for this run."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from federation.identity import Role
from node.config import load
from node.demo.layout import Layout, Party
from node.enrolment.home import CONFIGS
from node.pages.accounts.build import accounts_of
from node.pages.duties import Duty
from node.runtime import running

MAKER: Final = "demo"
"""Who made the accounts, as the parties' logs say."""
WATCHERS: Final = ("officer-31", "officer-32", "officer-33")
"""Officers who ask about borrowers; so many that none has an unusual number of queries in a week of
one office day."""
ACCOUNTS: Final[Mapping[Role, tuple[tuple[str, Duty], ...]]] = {
    Role.REGULATOR: (("inspector", Duty.INSPECTOR), ("keeper", Duty.ADMINISTRATOR)),
    Role.HUB: (("operator", Duty.OPERATOR), ("keeper", Duty.ADMINISTRATOR)),
    Role.BANK: (
        # One of those who ask in the history: an officer sees what it asked itself.
        (WATCHERS[0], Duty.OFFICER),
        ("modeller", Duty.DEVELOPER),
        ("keeper", Duty.ADMINISTRATOR),
    ),
    Role.HOLDER: (("engineer", Duty.ENGINEER),),
}
_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS: Final = 4


@dataclass(frozen=True)
class Login:
    """An account of a party; `address` is where its pages are."""

    party: str
    title: Mapping[str, str]
    address: str
    account: str
    duty: Duty
    password: str = field(repr=False)


def new_password() -> str:
    """Sixteen letters and figures in four groups, 79 bits, none of which looks like another."""
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(_GROUPS))
    return "-".join(groups)


async def make_accounts(layout: Layout) -> list[Login]:
    """The accounts of every party that has pages, in order of the parties."""
    # One after the other: their databases are made here, and a process makes one at a time.
    made = [await _accounts(layout, party) for party in layout.servers if party.pages]
    return [login for logins in made for login in logins]


async def _accounts(layout: Layout, party: Party) -> list[Login]:
    config = load(CONFIGS[party.id.role], party.config)
    logins = []
    async with running(config, clock=layout.clock) as runtime:
        accounts = accounts_of(runtime)
        for name, duty in ACCOUNTS[party.id.role]:
            password = new_password()
            await accounts.add(name, [duty], MAKER, password=password)
            address = party.pages_url or ""
            logins.append(Login(party.name, party.title, address, name, duty, password))
    return logins
