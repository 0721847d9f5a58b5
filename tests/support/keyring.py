"""The audit keys of a chain in memory: a regulator's secret halves, and what a hub has of them."""

from __future__ import annotations

from federation.auditkeys import (
    AuditKey,
    KeyErased,
    SealingKeys,
    SubjectClass,
    calendar_month,
    months_later,
)
from federation.envelope import EnvelopeKey
from federation.errors import EnvelopeError


class MonthKeys:
    """Implements `federation.auditkeys.AuditKeys` for the months from `now` - 1 to `now` + 14."""

    def __init__(self, chain: str, now: int) -> None:
        self.statements: dict[bytes, AuditKey] = {}
        self.secrets: dict[bytes, EnvelopeKey] = {}
        for count in range(-1, 15):
            for subjects in SubjectClass:
                self.make(chain, months_later(calendar_month(now), count), subjects, now)

    def make(self, chain: str, month: int, subjects: SubjectClass, now: int) -> AuditKey:
        secret = EnvelopeKey.generate()
        made = AuditKey(
            chain=chain, month=month, subjects=subjects, public=secret.public, issued=now
        )
        self.statements[made.id], self.secrets[made.id] = made, secret
        return made

    @property
    def sealing(self) -> SealingKeys:
        return SealingKeys(self.statements.values())

    def statement(self, key_id: bytes) -> AuditKey:
        if key_id not in self.statements:
            raise EnvelopeError("no such audit key")
        return self.statements[key_id]

    def key(self, key_id: bytes) -> EnvelopeKey:
        if key_id not in self.secrets:
            raise KeyErased("audit key was erased")
        return self.secrets[key_id]
