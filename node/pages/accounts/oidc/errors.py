"""Why a sign-in at the provider failed: for the application's log, never for the browser."""

from __future__ import annotations

from node.errors import NodeError


class ProviderError(NodeError):
    """What the provider, or who speaks for it, says is not to be relied on."""
