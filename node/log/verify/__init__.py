"""Verifying logs from outside: their files in a folder or on the network, and whom to believe."""

from __future__ import annotations

from node.log.verify.run import verify_log
from node.log.verify.source import FolderSource, LogSource, RemoteSource, VerifyError

__all__ = ["FolderSource", "LogSource", "RemoteSource", "VerifyError", "verify_log"]
