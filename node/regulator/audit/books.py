"""What the checks over many records look up: permits that holders keep, models' points, and what
counts cost by their certificates.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, select

from federation.audit.interchain.judgement import permit_signed
from federation.development.certificate import DevelopmentCertificate
from federation.errors import DocumentError, SignatureInvalid
from federation.identity import Role, SpiffeId
from federation.membership import Member
from federation.signed import Signed
from node.config import RegulatorConfig
from node.log.attachments import attachment
from node.regulator.audit.documents import DocumentSet
from node.regulator.audit.verification import attached
from node.regulator.decisions import DecisionStore
from node.regulator.tables import regulator_decisions
from node.storage.store import Store
from scoring.scorecard import Scorecard


class RegulatorBooks:
    """Implements `federation.audit.sources.Books` over the regulator's database. Blocking."""

    def __init__(
        self,
        store: Store,
        documents: DocumentSet,
        decisions: DecisionStore,
        config: RegulatorConfig,
        signing: bytes,
    ) -> None:
        """`signing` is the regulator's own public key."""
        self._store = store
        self._groups = config.affiliates.groups
        self._signing = signing
        self._decisions = decisions
        credentials = [Signed.from_json(raw) for _, _, raw in documents.credentials]
        members = [Member.parse(signed.payload) for signed in credentials]
        self._hubs = {member.signing for member in members if member.id.role is Role.HUB}
        self._points: dict[bytes, Mapping[str, int] | None] = {}

    def hub_signed(self, permit: bytes) -> bool:
        """Whether any copy of the permit in the mirror has the signature of a key of the hub's."""
        copies = self.permits(permit)
        return any(permit_signed(raw, hub, permit) for raw in copies for hub in self._hubs)

    def hub_keys(self) -> Collection[bytes]:
        """The signing keys of every credential that the hub ever had."""
        return self._hubs

    def permits(self, permit: bytes) -> Sequence[bytes]:
        """Every copy of the permit in the mirror, whoever signed it."""
        return self._store.read_blocking(lambda c: attached(c, {permit})).get(permit, [])

    def points(self, certificate: bytes) -> Mapping[str, int] | None:
        """The points of a model that this regulator certified, by column."""
        if certificate not in self._points:
            self._points[certificate] = self._store.read_blocking(
                lambda c: self._read_points(c, certificate)
            )
        return self._points[certificate]

    def counting_cost(self, certificate: bytes, holder: str) -> int | None:
        """ρ of the holder's counts under a development certificate that this regulator signed."""
        raw = self._store.read_blocking(lambda c: attachment(c, certificate))
        if raw is None:
            return None
        try:
            found = DevelopmentCertificate.open_(Signed.from_json(bytes(raw)), self._signing)
        except (DocumentError, SignatureInvalid):
            return None
        named = (p.holder for p in found.participants if str(p.holder) == holder)
        return sum(map(found.rho_nano, named))

    def group(self, bank: str) -> str:
        """The first of the bank's group of affiliates."""
        return next((group[0] for group in self._groups if bank in group), bank)

    def _read_points(self, connection: Connection, certificate: bytes) -> Mapping[str, int] | None:
        table = regulator_decisions.c
        rows = connection.execute(
            select(table.submission, table.certificate).where(table.certificate.is_not(None))
        ).all()
        for row in rows:
            if Signed.from_json(bytes(row.certificate)).payload_hash == certificate:
                submission = self._decisions.submission(connection, bytes(row.submission))
                return points_of(submission.scorecard)
        return None


def points_of(scorecard: str) -> Mapping[str, int]:
    """The points of a scorecard by column, columns without points left out."""
    return {
        f"{SpiffeId.parse(feature.holder)} {feature.feature} {number}": points
        for feature in Scorecard.from_json(scorecard).points
        for number, points in enumerate(feature.points)
        if points
    }
