"""Errors of enrolment."""

from __future__ import annotations

from node.errors import NodeError


class EnrolmentError(NodeError):
    """A folder, request or grant is not what enrolment needs; the message says what to do."""
