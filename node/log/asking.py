"""Asking the witnesses of a log for their cosignatures, each by itself and one call at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import structlog

from federation.errors import FederationError
from federation.identity import SpiffeId
from node.errors import NodeError
from node.log.cosigning import WitnessDisagrees, WitnessLink
from node.log.rounds import Round, keep_cosignature
from node.log.tree import LogTree
from node.storage.store import Store

Settle = Callable[[Round], Awaitable[None]]

_log = structlog.get_logger(__name__)


class Asking:
    """Links to the witnesses, and who of them is away or disagrees."""

    def __init__(
        self,
        store: Store,
        tree: LogTree,
        connect: Callable[[SpiffeId, str], WitnessLink],
        settle: Settle,
    ) -> None:
        """`settle` is called when a quorum has cosigned a checkpoint."""
        self._store = store
        self._tree = tree
        self._connect = connect
        self._settle = settle
        self._links: dict[SpiffeId, tuple[str, WitnessLink]] = {}
        self._asking: dict[SpiffeId, asyncio.Task[None]] = {}
        self._away: set[SpiffeId] = set()
        self.sizes: Mapping[SpiffeId, int] = {}
        """What each witness cosigned last, as the node kept it."""
        self.disagreeing: set[SpiffeId] = set()
        """Witnesses that say that they have seen another log of this node."""

    async def ask(
        self, current: Round, addresses: Mapping[SpiffeId, str]
    ) -> list[asyncio.Task[None]]:
        """Begins to ask whoever has not cosigned and is not being asked; returns what runs."""
        tasks = []
        for witness in current.missing:
            if witness in addresses and witness not in self._asking:
                link = await self._link(witness, addresses[witness])
                task = asyncio.create_task(self._one(link, current))
                self._asking[witness] = task
                task.add_done_callback(partial(self._answered, witness))
                tasks.append(task)
        return tasks

    async def close(self) -> None:
        """Ends what runs, and the links."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        for _, link in self._links.values():
            await link.close()

    def _answered(self, witness: SpiffeId, task: asyncio.Task[None]) -> None:
        del self._asking[witness]
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("asking a witness failed", witness=str(witness), exc_info=error)

    async def _one(self, link: WitnessLink, current: Round) -> None:
        witness = link.party
        try:
            public = current.witnesses[witness]
            found, time = await link.cosign(current.note, current.size, public)
            keep = partial(
                keep_cosignature, size=current.size, witness=witness, line=found.line(), time=time
            )
            await self._store.run(keep)
        except WitnessDisagrees as error:
            await self._disagrees(witness, error)
        except (NodeError, FederationError) as error:
            if witness not in self._away:
                _log.warning("witness is away", witness=str(witness), error=str(error))
            self._away.add(witness)
        else:
            self.disagreeing.discard(witness)
            self._away.discard(witness)
            current.cosignatures[witness] = found
            if current.settled:
                await self._settle(current)

    async def _disagrees(self, witness: SpiffeId, error: WitnessDisagrees) -> None:
        if error.seen and await self._tree.has_checkpoint(error.seen):
            # Another process of this node published in between. If what the witness saw is another
            # tree all the same, it will not accept the next checkpoint's proof.
            _log.info("witness has seen more", witness=str(witness), size=error.seen)
            return
        if witness not in self.disagreeing:
            _log.error("witness disagrees", error=str(error))
        self.disagreeing.add(witness)

    async def _link(self, witness: SpiffeId, address: str) -> WitnessLink:
        known, link = self._links.get(witness, ("", None))
        if link is None or known != address:
            size = self.sizes.get(witness, 0) if link is None else link.size
            if link is not None:
                await link.close()
            link = self._connect(witness, address)
            link.size = size
            self._links[witness] = (address, link)
        return link
