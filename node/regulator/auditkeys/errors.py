"""Errors of the audit keys: what the regulator's operator did, or must do."""

from __future__ import annotations

from node.regulator.errors import RegulatorError


class MasterKeyError(RegulatorError):
    """The audit master key is missing, or is not the one that wraps this database's keys."""


class TokenError(RegulatorError):
    """The PKCS#11 token cannot be used."""


class ShareError(RegulatorError):
    """Shares of the audit master key do not give it back."""


class RetentionError(RegulatorError):
    """Keys are to be erased before the legal term of what they protect is over."""
