"""Errors of the demo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.errors import NodeError


class DemoError(NodeError):
    """The demo cannot go on; the message says which party failed and shows its last words."""


class AgentError(DemoError):
    """The bank's agent answered with a problem; `problem` is the document, `status` of HTTP."""

    def __init__(self, call: str, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.problem = problem
        super().__init__(f"bank agent: {call}: {status} {dict(problem)}")
