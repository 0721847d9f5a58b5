"""The audit keys as the audit uses them: all statements, and the secret halves not yet erased."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, select

from federation.auditkeys import AuditKey, KeyErased
from federation.envelope import EnvelopeKey
from federation.errors import EnvelopeError
from federation.permit import Evidence, open_for_audit
from federation.signed import Signed
from node.config import RegulatorConfig
from node.keys import KeyEncryptionKey
from node.regulator.auditkeys.master import load_master
from node.regulator.auditkeys.tables import regulator_audit_keys
from node.storage import Store


class _Kept(NamedTuple):
    statement: AuditKey
    sealed: bytes | None


class AuditKeyRing:
    """Implements `federation.auditkeys.AuditKeys`.

    It holds the master key, so only commands and the audit's own process make one. It can be
    pickled for their workers, and is no place for a secret to be printed from.
    """

    def __init__(self, master: bytes, kept: dict[bytes, _Kept]) -> None:
        self._master = master
        self._kept = kept
        self._keys: dict[bytes, EnvelopeKey] = {}

    @classmethod
    async def open(cls, config: RegulatorConfig, store: Store) -> AuditKeyRing:
        """The ring as the database has it now; open it again to see keys issued later.

        Raises MasterKeyError, TokenError, SecretFileError, StorageUnavailable.
        """
        return await store.read(lambda connection: cls.read(config, connection))

    @classmethod
    def read(cls, config: RegulatorConfig, connection: Connection) -> AuditKeyRing:
        """`open` within a transaction."""
        table = regulator_audit_keys.c
        rows = connection.execute(select(table.id, table.statement, table.sealed)).all()
        kept = {bytes(row.id): _Kept(_statement(row.statement), row.sealed) for row in rows}
        return cls(load_master(config, connection), kept)

    def statement(self, key_id: bytes) -> AuditKey:
        """The statement of a key. Raises EnvelopeError for one that was never issued."""
        if key_id not in self._kept:
            raise EnvelopeError("envelope is sealed to a key that the regulator never issued")
        return self._kept[key_id].statement

    def key(self, key_id: bytes) -> EnvelopeKey:
        """The secret half. Raises KeyErased, EnvelopeError, SealError."""
        statement, sealed = self.statement(key_id), self._kept[key_id].sealed
        if sealed is None:
            raise KeyErased(f"the audit key of {statement.month} was erased")
        if key_id not in self._keys:
            self._keys[key_id] = unwrap(KeyEncryptionKey(self._master), key_id, sealed)
        return self._keys[key_id]

    def evidence(self, envelope: bytes, permit_hash: bytes, issued: int) -> Evidence:
        """The evidence of a permit; an `Opener` of `federation.audit.sources`."""
        return open_for_audit(envelope, permit_hash, issued, self)

    def __getstate__(self) -> tuple[bytes, dict[bytes, _Kept]]:
        return self._master, self._kept

    def __setstate__(self, state: tuple[bytes, dict[bytes, _Kept]]) -> None:
        self._master, self._kept = state
        self._keys = {}

    def __repr__(self) -> str:
        return f"AuditKeyRing({len(self._kept)} keys)"


def wrap(master: KeyEncryptionKey, key_id: bytes, key: EnvelopeKey) -> bytes:
    """The secret half as the database keeps it."""
    return master.seal(key.to_bytes(), _aad(key_id))


def unwrap(master: KeyEncryptionKey, key_id: bytes, sealed: bytes) -> EnvelopeKey:
    """What `wrap` wrapped. Raises SealError."""
    return EnvelopeKey.from_bytes(master.open(bytes(sealed), _aad(key_id)))


def _aad(key_id: bytes) -> bytes:
    return b"regulator/audit-key" + key_id


def _statement(raw: bytes) -> AuditKey:
    # Parsed, not verified: this is the regulator's own record of what it signed.
    return AuditKey.parse(Signed.from_json(bytes(raw)).payload)
