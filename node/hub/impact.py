"""What of the chain a new catalogue breaks, as far as its hub can know.

The hub knows which models are certified and whose data they use, not which features have points in
them; it knows which holders give a kind, not how. So it names models whose holders' features
change, and holders whose mappings must; `yinxin model impact` and `yinxin holder mapping check`
tell each of those what of its own breaks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from federation.certificate import ModelCertificate
from federation.identity import Role
from node.chain.store import CERTIFICATE
from node.hub.publication import Hub
from scoring.catalogue import Catalogue
from scoring.impact import Difference, compare


@dataclass(frozen=True)
class ModelImpact:
    """A certified model that is bound to the present catalogue and ends with its last epoch.

    `kinds` are those of its participants in which a feature is gone or means something else: where
    there are none, the scorecard needs a new certificate and no change. `until` is when the last
    epoch announced with the present catalogue closes, None when none is announced.
    """

    certificate: str
    name: str
    bank: str
    guest: bool
    form: str
    kinds: tuple[str, ...]
    until: int | None


@dataclass(frozen=True)
class HolderImpact:
    """A holder of a kind that changes. `mapping` says whether its mapping file must be changed for
    what is gone or means something else; what is added is missing until the mapping gives it.
    """

    holder: str
    kind: str
    mapping: bool
    gone: tuple[str, ...]
    changed: tuple[str, ...]
    added: tuple[str, ...]


@dataclass(frozen=True)
class CatalogueImpact:
    """What a catalogue changes of the present one; `difference` is None where there is no other."""

    difference: Difference | None
    models: tuple[ModelImpact, ...]
    holders: tuple[HolderImpact, ...]

    @property
    def breaking(self) -> bool:
        """Whether a scorecard may, or a mapping must, be changed for it."""
        return any(model.kinds for model in self.models) or any(h.mapping for h in self.holders)


def impact_of(hub: Hub, connection: Connection, catalogue: Catalogue) -> CatalogueImpact:
    """What publishing `catalogue` would change of the newest published one."""
    published = hub.chain.catalogues(connection)
    if not published:
        return CatalogueImpact(None, (), ())
    present = published[-1]
    difference = compare(present, catalogue)
    touched = {name.partition(".")[0] for name in difference.meaning} | {*difference.kinds_gone}
    until = _until(hub, connection, present.digest())
    own = hub.identity.id.trust_domain
    models = tuple(
        ModelImpact(
            certificate=certificate.hash.hex(),
            name=certificate.name,
            bank=str(certificate.bank),
            guest=certificate.bank.trust_domain != own,
            form=certificate.form,
            kinds=tuple(sorted({p.kind for p in certificate.participants} & touched)),
            until=until,
        )
        for certificate in _valid(hub, connection, present.digest())
    )
    return CatalogueImpact(difference, models, _holders(hub, connection, difference))


def _valid(hub: Hub, connection: Connection, digest: bytes) -> Iterable[ModelCertificate]:
    """The models certified for a catalogue that have not ended and are not withdrawn."""
    now = hub.clock.now()
    for signed in hub.chain.documents(connection, CERTIFICATE):
        certificate = hub.chain.certified(connection, signed.payload_hash)
        if certificate is None or certificate.catalogue != digest or certificate.not_after <= now:
            continue
        if hub.chain.withdrawal(connection, certificate.hash) is None:
            yield certificate


def _until(hub: Hub, connection: Connection, digest: bytes) -> int | None:
    numbers = hub.chain.epoch_numbers(connection)
    descriptors = (hub.chain.descriptor(connection, number) for number in numbers)
    return max((d.closes for d in descriptors if d and d.catalogue == digest), default=None)


def _holders(hub: Hub, connection: Connection, difference: Difference) -> tuple[HolderImpact, ...]:
    # Other intervals ask for no other mapping: a holder's values are cut when they are loaded.
    changed = {
        change.feature
        for change in difference.changed
        if not {"type", "unit"}.isdisjoint(change.parts) or change.categories_gone
    }
    found = []
    for member in hub.chain.members(connection, hub.clock.now()).of(Role.HOLDER):
        gone, other, added = (
            tuple(name for name in names if name.partition(".")[0] == member.kind)
            for names in (difference.gone, sorted(changed), difference.added)
        )
        mapping = bool(gone or other) or member.kind in difference.kinds_gone
        if mapping or added:
            found.append(HolderImpact(str(member.id), member.kind, mapping, gone, other, added))
    return tuple(found)
