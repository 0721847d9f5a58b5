"""Whom a firm can choose from: the chain's banks and holders, verified by its trust root."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from federation.errors import DocumentError
from federation.identity import Role, SpiffeId
from federation.membership import Member, Members, TrustRoot
from federation.signed import Signed
from node.pages.parties import own_title
from scoring.catalogue import Catalogue, Feature
from scoring.errors import ScoringError


@dataclass(frozen=True)
class ChainMembers:
    """Banks and holders in order of their ids, and the catalogue where one is published.

    The credentials are the regulator's word; the catalogue is the hub's, and serves as labels.
    """

    banks: tuple[Member, ...]
    holders: tuple[Member, ...]
    catalogue: Catalogue | None

    @classmethod
    def read(
        cls, root: TrustRoot, credentials: Iterable[Signed], catalogue: bytes, now: int
    ) -> ChainMembers:
        """Raises SignatureInvalid, DocumentError, or Refusal(wrong_chain, conflict)."""
        members = Members(root, credentials, now)
        try:
            known = Catalogue.from_json(catalogue) if catalogue else None
        except ScoringError as error:
            raise DocumentError("catalogue", str(error), "tell the hub's operator") from error
        return cls(tuple(members.of(Role.BANK)), tuple(members.of(Role.HOLDER)), known)

    def holder(self, party: SpiffeId) -> Member | None:
        """The holder of that id."""
        return next((one for one in self.holders if one.id == party), None)

    def features_of(self, kind: str) -> tuple[Feature, ...]:
        """The features of a kind of holder; none where the catalogue has none."""
        if self.catalogue is None or kind not in self.catalogue.kinds:
            return ()
        return self.catalogue.features_of(kind)

    def title(self, party: SpiffeId, language: str) -> str:
        """What a member calls itself; the name in its id where that is unknown."""
        for one in (*self.banks, *self.holders):
            if one.id == party:
                return own_title(one.title, language, party.name)
        return party.name
