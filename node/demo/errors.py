"""Errors of the demo."""

from __future__ import annotations

from node.errors import NodeError


class DemoError(NodeError):
    """The demo cannot go on; the message says which party failed and shows its last words."""
