"""What policy found: one item a figure, in both languages, and a hash for the certificate.

The report quotes the scorecard, so it goes to the bank sealed; the certificate carries only
`commitment`, which tells nothing without the salt.
"""

from __future__ import annotations

import hashlib
from typing import Final

from federation.errors import FederationError
from scoring.documents import Document, Text

SALT_BYTES: Final = 32
_LABEL: Final = b"yinxin/policy-report/v1"


class PolicyError(FederationError):
    """A submission that policy cannot judge."""


class PolicyItem(Document):
    """One figure of one rule: passed or not, and in words."""

    rule: str
    """The letter of the rule, a–d."""
    field: str
    feature: str | None = None
    """`holder feature` where the figure is about one feature."""
    figure: float
    limit: float
    passed: bool
    text: Text


class PolicyReport(Document):
    """Every figure of every rule."""

    items: tuple[PolicyItem, ...]

    @property
    def passed(self) -> bool:
        """Whether every rule is met."""
        return bool(self.items) and all(item.passed for item in self.items)

    @property
    def failures(self) -> tuple[PolicyItem, ...]:
        """The items that have to be mended before the scorecard can be certified."""
        return tuple(item for item in self.items if not item.passed)

    def commitment(self, salt: bytes) -> bytes:
        """SHA-256 of label, salt and canonical report, 32 bytes.

        `salt` is 32 fresh random bytes that travel with the sealed report: without them a
        report could be guessed. Raises PolicyError for another length.
        """
        if len(salt) != SALT_BYTES:
            raise PolicyError(f"salt: {len(salt)} bytes; give {SALT_BYTES} fresh random ones")
        return hashlib.sha256(_LABEL + salt + self.to_json().encode()).digest()
