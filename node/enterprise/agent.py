"""An enterprise's own agent: its folder with the keys, and a database of what it gave and asked.

Both stay with the firm. The database is closed to others, and what it says of the firm is sealed
under a key beside it, so that a copy of the database alone tells little.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from node.clock import Clock, SystemClock
from node.enterprise.chains import ChainLink, known_links, link_of
from node.enterprise.enterprise import Enterprise
from node.enterprise.home import EnterpriseHome
from node.errors import SecretFileError
from node.keys import KeyEncryptionKey
from node.storage import Store

DATABASE: Final = "agent.sqlite"
STORAGE_KEY: Final = "keys/storage.key"


@dataclass(frozen=True)
class Agent:
    """What the agent's commands and pages work with."""

    home: EnterpriseHome
    store: Store
    key: KeyEncryptionKey
    clock: Clock

    def enterprise(self) -> Enterprise:
        """The firm with its keys, its certificates checked now. Raises EnterpriseError."""
        return self.home.load(self.clock.now())

    def links(self) -> dict[str, ChainLink]:
        """The chains that the firm deals with, by name."""
        return known_links(self.home.folder)

    def link(self, chain: str = "") -> ChainLink:
        """The chain of that name, or the only one. Raises EnterpriseError."""
        return link_of(self.home.folder, chain)


@asynccontextmanager
async def open_agent(folder: Path, clock: Clock | None = None) -> AsyncIterator[Agent]:
    """The agent in a firm's folder; its database is made at the first time.

    Raises EnterpriseError for a folder without valid certificates, else NodeError.
    """
    clock = clock or SystemClock()
    home = EnterpriseHome(folder)
    home.load(clock.now())
    key = _storage_key(folder / STORAGE_KEY)
    store = await asyncio.to_thread(_open_store, folder)
    try:
        yield Agent(home, store, key, clock)
    finally:
        await asyncio.to_thread(store.close)


def _open_store(folder: Path) -> Store:
    return Store.open(f"sqlite:///{folder.absolute() / DATABASE}")


def _storage_key(path: Path) -> KeyEncryptionKey:
    if path.exists():
        return KeyEncryptionKey.load(path)
    try:
        return KeyEncryptionKey.create(path)
    except SecretFileError:
        # Another command of the firm made it in the same moment.
        return KeyEncryptionKey.load(path)
