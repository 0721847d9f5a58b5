"""The error of `node.sample`."""

from __future__ import annotations

from node.errors import NodeError


class SampleError(NodeError):
    """A sample that cannot be generated or read."""
