"""Errors of a holder's node that are no refusals: its operator has to act on them."""

from __future__ import annotations

from node.errors import NodeError


class HolderError(NodeError):
    """A command or a file of the holder that cannot be used as it is."""


class RootMissing(HolderError):
    """The secret root of an epoch is not on disk: not made yet, or erased."""
