"""Consents and cancellations on their way into the hub's log: sealed to the regulator.

The log entry carries a tag that only the hub can compute, and the envelope's hash. The consent
itself names the firm, and its bare hash could be guessed by whoever holds the consent, so neither
stands in the log.
"""

from __future__ import annotations

from federation.auditkeys import KEY_ID_BYTES, AuditKey, AuditKeys, choose_key
from federation.compact import MAX_COMPACT_BYTES
from federation.envelope import EnvelopePublicKey, open_, seal
from federation.errors import EnvelopeError

CONSENT_PURPOSE = "yinxin/envelope/consent/v1"


def seal_statement(compact: str, tag: bytes, key: AuditKey) -> bytes:
    """A consent or cancellation (compact JWS) for the regulator, bound to its tag.

    The key is that of the month of the entry, and of the subject's class.
    """
    content = compact.encode("ascii")
    public = EnvelopePublicKey(key.public)
    return key.id + seal(public, CONSENT_PURPOSE, tag, content, MAX_COMPACT_BYTES)


def open_statement(sealed: bytes, tag: bytes, recorded: int, keys: AuditKeys) -> str:
    """What `seal_statement` sealed for an entry of that time.

    Raises KeyErased where the legal term is over; EnvelopeError.
    """
    _, key = choose_key(sealed, recorded, keys)
    try:
        raw = open_(key, CONSENT_PURPOSE, tag, sealed[KEY_ID_BYTES:], MAX_COMPACT_BYTES)
        return raw.decode("ascii")
    except UnicodeDecodeError as error:
        raise EnvelopeError(f"{CONSENT_PURPOSE} envelope does not open") from error
