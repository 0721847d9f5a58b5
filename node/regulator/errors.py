"""Errors of the regulator's own commands."""

from __future__ import annotations

from node.errors import NodeError


class RegulatorError(NodeError):
    """The regulator cannot or must not do what it was asked to by its own operator."""
