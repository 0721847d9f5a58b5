"""Errors of the regulator's own commands."""

from __future__ import annotations

from node.errors import Busy, NodeError


class RegulatorError(NodeError):
    """The regulator cannot or must not do what it was asked to by its own operator."""


class DeskBusy(RegulatorError, Busy):
    """As many submissions wait for the certification desk as it takes; nothing was done."""


class PolicyTimeout(RegulatorError, Busy):
    """Policy was not applied within the time that the configuration gives it; nothing was done."""
