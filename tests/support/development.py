"""Labels of firms in memory: development consents, lines and submissions."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterable
from typing import Any

from federation.development.consent import DevelopmentConsent, sign_development_consent
from federation.development.submission import LabelSubmission, label_line, sha256_lines
from federation.identity import SpiffeId
from support.people import Firm

DAY = 86_400


def development_consent(
    signer: Firm, licence: str, to: SpiffeId, chain: str, now: int, **changes: Any
) -> str:
    """What the signer says, unless changed."""
    consent = DevelopmentConsent(
        issuer=licence,
        uscc=signer.uscc,
        bank=to,
        chains=(chain,),
        issued_at=now - 60,
        not_before=now - 60,
        expires=now + 30 * DAY,
    )
    changed = dataclasses.replace(consent, **changes)
    return sign_development_consent(changed, signer.key, signer.certificate)


def label_lines(labels: Iterable[tuple[int, str]]) -> list[bytes]:
    """Lines of (outcome, consent)."""
    return [label_line(outcome, consent) for outcome, consent in labels]


def label_submission(
    bank: SpiffeId,
    chain: str,
    catalogue: bytes,
    participants: Iterable[SpiffeId],
    lines: Iterable[bytes],
    **changes: Any,
) -> LabelSubmission:
    """The head of a submission of these lines."""
    fields: dict[str, Any] = {
        "id": secrets.token_bytes(16),
        "name": "spring",
        "bank": bank,
        "chain": chain,
        "catalogue": catalogue,
        "participants": tuple(sorted(participants, key=str)),
        "epsilon_micro": 3_000_000,
        "delta_exponent": 6,
        "days": 14,
        "labels": sha256_lines(lines),
    }
    return LabelSubmission(**(fields | changes))
