"""Batches under way in this process, and what can be said of those that are not."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import structlog

from node.bank.bank import Bank
from node.bank.batches import Batch
from node.bank.items import CANCELLED, DONE, RUNNING

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class BatchView:
    """A batch as callers see it."""

    batch: Batch

    def to_dict(self, language: str) -> dict[str, Any]:
        """State, counts, and the items that are settled, in order."""
        batch = self.batch
        return {
            "id": batch.id.hex(),
            "state": _state(batch),
            "done": len(batch.items),
            "total": len(batch.asks),
            "waiting": [batch.waiting[chain].to_dict(language) for chain in sorted(batch.waiting)],
            "items": [batch.items[index].to_dict(language) for index in sorted(batch.items)],
        }


def _state(batch: Batch) -> str:
    if batch.done:
        return CANCELLED if batch.cancelled else DONE
    return RUNNING


class BatchRuns:
    """Runs batches; what a stopped process left is continued when it is back."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._running: dict[bytes, Batch] = {}
        self._tasks: dict[bytes, asyncio.Task[None]] = {}

    async def start(self, batch: Batch) -> BatchView:
        """Starts a batch unless it runs, or ran, already."""
        running = self._running.get(batch.id)
        if running is not None:
            return BatchView(running)
        kept = await self._bank.batches.load(batch.id)
        if not kept.done and batch.id not in self._running:
            self._running[batch.id] = kept
            self._tasks[batch.id] = asyncio.create_task(self._run(kept))
        return BatchView(kept)

    async def get(self, identifier: bytes) -> BatchView:
        """A batch that was begun. Raises BankError(batch_unknown)."""
        running = self._running.get(identifier)
        return BatchView(running or await self._bank.batches.load(identifier))

    def running(self, identifier: bytes) -> Batch | None:
        """A batch that runs in this process."""
        return self._running.get(identifier)

    async def resume(self) -> None:
        """Continues what an earlier process left."""
        for identifier in await self._bank.batches.unfinished():
            await self.start(await self._bank.batches.load(identifier))

    async def stop(self) -> None:
        """Ends what runs; it is continued by the next process."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, batch: Batch) -> None:
        try:
            await self._bank.batches.run(batch)
        except Exception:  # the task's own edge: nobody else would see it
            _log.exception("batch failed", batch=batch.id.hex())
        finally:
            self._running.pop(batch.id, None)
            self._tasks.pop(batch.id, None)
