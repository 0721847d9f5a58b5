"""Errors of an enterprise's commands."""

from __future__ import annotations

from node.errors import NodeError


class EnterpriseError(NodeError):
    """A folder, request, grant or consent is not what the command needs; the message says why."""
