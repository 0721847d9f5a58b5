"""What a process knows of the others of its node, however many there may be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from node.errors import NodeError


class NotShared(NodeError):
    """Another process of this node runs with something else that replicas have to share."""


class Processes(Protocol):
    """What a process knows of the others of its node."""

    on_call: Callable[[], None]
    """Called in the event loop when another process wants the leader's work done now."""

    @property
    def leads(self) -> bool:
        """Whether this process does what the node does only once."""

    def call(self) -> None:
        """Has the process that leads do its work now."""

    async def join(self) -> None:
        """Becomes one of the node's serving processes. Raises NodeError where it may not."""

    async def check(self) -> None:
        """Raises NotShared where this process may not work beside those that serve."""

    async def alone(self) -> bool:
        """Whether no other process of the node serves now."""

    async def keep(self) -> None:
        """Stays one of them until cancelled. Raises NodeError when it may not any more."""

    async def close(self) -> None:
        """Leaves them."""


def nobody_waits() -> None:
    """What a call leads to while nobody waits for one."""
