"""Catalogues that the hub proposes: members see them and check what of theirs would break.

A proposal has no effect on epochs. Proposals are numbered; a member that was shown two different
ones of a number refuses the hub's state. One without a catalogue ends the one before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

from federation.entries import Kind, entry
from node.config import HubConfig
from node.errors import NodeError
from node.runtime import Runtime
from scoring.catalogue import Catalogue
from yinxin.v1 import hub_pb2

Hub = Runtime[HubConfig]

PROGRAM: Final = "node"
"""Who does what no account asked for: what sets a chain up by itself."""


class ProposalError(NodeError):
    """A catalogue that cannot be proposed or published."""


def propose_catalogue(
    hub: Hub, connection: Connection, catalogue: Catalogue, by: str = PROGRAM
) -> int:
    """Shows a catalogue to all members as the one that may come next, in place of an earlier
    proposal, at the word of the account `by`; returns its number.

    Raises ProposalError for one that is published or proposed.
    """
    check_unpublished(catalogue, hub.chain.catalogues(connection))
    number, standing = hub.chain.proposal(connection)
    raw = catalogue.to_json().encode()
    if raw == standing:
        raise ProposalError(f"catalogue {catalogue.version} is proposed already")
    hub.chain.put_proposal(connection, number + 1, raw)
    recorded = entry(
        Kind.ADMIN,
        hub.clock.now(),
        action="catalogue-proposed",
        by=by,
        document=catalogue.digest(),
    )
    hub.append(connection, Kind.ADMIN, recorded)
    return number + 1


def withdraw_proposal(hub: Hub, connection: Connection, by: str = PROGRAM) -> None:
    """Takes the proposal back, at the word of the account `by`.

    Raises ProposalError when none stands.
    """
    if not end_proposal(hub, connection):
        raise ProposalError("no catalogue is proposed")
    recorded = entry(Kind.ADMIN, hub.clock.now(), action="catalogue-proposal-withdrawn", by=by)
    hub.append(connection, Kind.ADMIN, recorded)


def end_proposal(hub: Hub, connection: Connection) -> bool:
    """No catalogue is proposed any more; says whether one was."""
    number, standing = hub.chain.proposal(connection)
    if standing:
        hub.chain.put_proposal(connection, number + 1, b"")
    return bool(standing)


def check_unpublished(catalogue: Catalogue, published: Sequence[Catalogue]) -> None:
    """Raises ProposalError for a catalogue that is published, or whose version another one has:
    scorecards name the version alone.
    """
    for other in published:
        if other.digest() == catalogue.digest():
            raise ProposalError(f"catalogue {catalogue.version} is published already")
        if other.version == catalogue.version:
            raise ProposalError(
                f"version: another catalogue {catalogue.version} is published; give the next one"
            )


def proposal_to_wire(hub: Hub, connection: Connection) -> hub_pb2.CatalogueProposal | None:
    """The newest proposal, or that none stands any more; None when there never was one."""
    number, raw = hub.chain.proposal(connection)
    return hub_pb2.CatalogueProposal(number=number, catalogue=raw) if number else None
