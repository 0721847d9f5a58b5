"""Durable state: one writer that commits in groups, many readers, SQLite or PostgreSQL."""

from __future__ import annotations

from node.storage.committer import GroupCommitter, Unit
from node.storage.engine import open_engine
from node.storage.migrate import upgrade
from node.storage.schema import metadata
from node.storage.store import Store

__all__ = ["GroupCommitter", "Store", "Unit", "metadata", "open_engine", "upgrade"]
