"""The accounts of an enterprise's agent: in a database in its folder, under a key of its own there.

The database is also the agent's; its key never leaves the folder.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from federation.identity import Role
from node.clock import Clock
from node.enterprise.agent import DATABASE, STORAGE_KEY
from node.keys import KeyEncryptionKey
from node.pages.accounts.administration import Accounts
from node.pages.accounts.build import accounts_over
from node.pages.accounts.journal import application_log
from node.pages.duties import DUTIES
from node.storage import Store


@asynccontextmanager
async def agent_accounts(folder: Path, name: str, clock: Clock) -> AsyncIterator[Accounts]:
    """The accounts in an enterprise's folder; `accounts.store` and `accounts.key` are the agent's.

    `name` is the firm's, of which no password may be made. Raises SecretFileError, StorageError.
    """
    path = folder / STORAGE_KEY
    key = KeyEncryptionKey.load(path) if path.exists() else KeyEncryptionKey.create(path)
    store = await asyncio.to_thread(Store.open, f"sqlite:///{folder / DATABASE}", pool=4)
    try:
        duties = frozenset(DUTIES[Role.ENTERPRISE])
        yield accounts_over(store, clock, key, duties, (name,), application_log)
    finally:
        await asyncio.to_thread(store.close)
