"""Why a benchmark cannot run."""

from __future__ import annotations

from node.errors import NodeError


class BenchError(NodeError):
    """An option names what does not exist, a row lacks what it needs, or its sides disagree."""


def agree(row: str, *results: object) -> None:
    """Raises BenchError unless all are equal: a row compares ways to one result."""
    if any(result != results[0] for result in results[1:]):
        raise BenchError(f"{row}: the two sides give different results; their times mean nothing")
