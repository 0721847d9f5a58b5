"""The query log of a node: append-only, dense, durable before an answer leaves."""

from __future__ import annotations

from node.log.query_log import LogEntry, LogPosition, QueryLog

__all__ = ["LogEntry", "LogPosition", "QueryLog"]
