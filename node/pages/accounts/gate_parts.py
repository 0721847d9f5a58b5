"""What the pages on accounts share."""

from __future__ import annotations

from dataclasses import dataclass

from node.pages.accounts.administration import Accounts
from node.pages.accounts.sessions import Lifetime


@dataclass
class Parts:
    """The accounts, how long sessions last, and where browsers find the site once it listens."""

    accounts: Accounts
    lifetime: Lifetime
    address: str = ""
