"""Who asked about a firm: kept by the hub for the firm alone, sealed under the registry key.

A firm's uses are numbered from 0 and kept each under a tag of firm and number. So the hub finds a
firm's list when the firm asks for it, and nobody finds it in the database: not how long it is,
nor which rows are of one firm. How many there are is found by looking, in steps that double and
then halve, which needs that no row is ever removed: retention empties rows and leaves them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, insert, select

from federation.auditkeys import calendar_month
from federation.canonical import b64, canonical_json, parse_canonical, unb64
from federation.identity import SpiffeId
from federation.permit import Permit
from node.hub.tables import hub_consents, hub_uses
from node.keys import KeyEncryptionKey

PADDED: Final = 1024
"""Sealed uses have a multiple of so many bytes: what is in one does not show in its length."""

_TAG: Final = b"hub/use"
_MAX_BYTES: Final = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Use:
    """One query about a firm; times in unix seconds.

    `permits` are the SHA-256 of its permits' payloads, `consent` the consent's id of 16 bytes,
    `cancelled` when the consent was cancelled, 0 for never.
    """

    number: int
    bank: str
    purpose: str
    time: int
    epoch: int
    permits: tuple[bytes, ...]
    certificate: bytes
    consent: bytes
    cancelled: int = 0


class Uses:
    """The list of uses, on a connection within a unit of work or a snapshot."""

    def __init__(self, connection: Connection, key: KeyEncryptionKey) -> None:
        self._connection = connection
        self._key = key

    def record(
        self, firm: SpiffeId, consent: bytes, consent_tag: bytes, permits: Iterable[Permit]
    ) -> None:
        """Keeps one use: the permits of one query, under the consent of that id and tag."""
        kept = tuple(permits)
        first, number = kept[0], self.total(firm)
        value = {
            "bank": str(first.bank),
            "purpose": first.purpose,
            "time": first.issued,
            "epoch": first.epoch,
            "permits": [b64(permit.hash) for permit in kept],
            "certificate": b64(first.certificate),
            "consent": b64(consent),
            "tag": b64(consent_tag),
        }
        raw = canonical_json(value)
        padded = raw.ljust(-(-len(raw) // PADDED) * PADDED)
        tag = self._tag(firm, number)
        self._connection.execute(
            insert(hub_uses).values(
                tag=tag,
                month=calendar_month(first.issued),
                sealed=self._key.seal(padded, tag),
            )
        )

    def total(self, firm: SpiffeId) -> int:
        """How many uses there were of the firm's consents."""
        above = 1
        while self._sealed(firm, above - 1) is not None:
            above *= 2
        low, high = above // 2, above - 1  # there are `low` at least, and `high` at most
        while low < high:
            middle = (low + high + 1) // 2
            if self._sealed(firm, middle - 1) is not None:
                low = middle
            else:
                high = middle - 1
        return low

    def listed(self, firm: SpiffeId, start: int, stop: int) -> list[Use]:
        """The firm's uses with numbers from `start` to before `stop`, the firm's total at most.

        Uses whose content is erased, because its term is over, are left out.
        """
        found = []
        for number in range(start, stop):
            sealed = self._sealed(firm, number)
            if sealed:
                raw = self._key.open(sealed, self._tag(firm, number))
                found.append(self._use(number, parse_canonical(raw.rstrip(), _MAX_BYTES)))
        return found

    def _use(self, number: int, value: dict[str, Any]) -> Use:
        return Use(
            number=number,
            bank=value["bank"],
            purpose=value["purpose"],
            time=value["time"],
            epoch=value["epoch"],
            permits=tuple(unb64(permit) for permit in value["permits"]),
            certificate=unb64(value["certificate"]),
            consent=unb64(value["consent"]),
            cancelled=self._cancelled(unb64(value["tag"])),
        )

    def _cancelled(self, tag: bytes) -> int:
        query = select(hub_consents.c.cancelled_at).where(hub_consents.c.tag == tag)
        return self._connection.execute(query).scalar_one_or_none() or 0

    def _sealed(self, firm: SpiffeId, number: int) -> bytes | None:
        query = select(hub_uses.c.sealed).where(hub_uses.c.tag == self._tag(firm, number))
        found = self._connection.execute(query).scalar_one_or_none()
        return None if found is None else bytes(found)

    def _tag(self, firm: SpiffeId, number: int) -> bytes:
        # Of fixed length first: no firm's name and number run into another's.
        return self._key.tag(_TAG, number.to_bytes(8, "big") + str(firm).encode())
