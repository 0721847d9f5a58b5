"""Consents and cancellations on their way into the hub's log: sealed to the regulator.

The log entry carries a tag that only the hub can compute, and the envelope's hash. The consent
itself names the firm, and its bare hash could be guessed by whoever holds the consent, so neither
stands in the log.
"""

from __future__ import annotations

from federation.compact import MAX_COMPACT_BYTES
from federation.envelope import EnvelopeKey, EnvelopePublicKey, open_, seal
from federation.errors import EnvelopeError

CONSENT_PURPOSE = "yinxin/envelope/consent/v1"


def seal_statement(compact: str, tag: bytes, audit: bytes) -> bytes:
    """A consent or cancellation (compact JWS) for the regulator, bound to its tag."""
    key = EnvelopePublicKey(audit)
    return seal(key, CONSENT_PURPOSE, tag, compact.encode("ascii"), MAX_COMPACT_BYTES)


def open_statement(sealed: bytes, tag: bytes, key: EnvelopeKey) -> str:
    """What `seal_statement` sealed. Raises EnvelopeError."""
    try:
        return open_(key, CONSENT_PURPOSE, tag, sealed, MAX_COMPACT_BYTES).decode("ascii")
    except UnicodeDecodeError as error:
        raise EnvelopeError(f"{CONSENT_PURPOSE} envelope does not open") from error
