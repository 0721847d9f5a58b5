"""What a submission of labels is judged against, and who is to count."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from federation.development.certificate import CountingHolder
from federation.development.submission import LabelSubmission
from federation.epoch import Descriptor
from federation.errors import Reason, Refusal
from federation.identity import Role
from federation.membership import Members
from federation.roster import Roster
from federation.uscc import Uscc
from node.chain import ChainSync
from node.regulator.development.decisions import LabelStore
from node.regulator.membership import Regulator
from scoring.catalogue import Catalogue


@dataclass(frozen=True)
class Ground:
    """What a submission is judged against."""

    catalogue: Catalogue
    members: Members
    descriptor: Descriptor
    roster: Roster
    spent: int

    def row_of(self, firm: Uscc) -> int | None:
        """The firm's row among those of the epoch."""
        try:
            return self.roster.row(firm, self.descriptor.roster_rows)
        except Refusal:
            return None


async def find_ground(
    regulator: Regulator, sync: ChainSync | None, decisions: LabelStore, submission: LabelSubmission
) -> Ground:
    """The newest open epoch with the submission's catalogue, and the chain around it.

    `sync` brings the regulator's copy of the chain up to date first. Raises Refusal for another
    chain, an unknown catalogue, or no such epoch.
    """
    if submission.chain != regulator.identity.root.chain:
        raise Refusal(Reason.WRONG_CHAIN, f"labels are for chain {submission.chain}")
    if sync is not None:
        await sync.sync()
    now, chain = regulator.clock.now(), regulator.chain
    banks = regulator.config.affiliates.of(submission.bank)

    def look(connection: Connection) -> Ground:
        catalogue = chain.catalogue(connection, submission.catalogue)
        for number in reversed(chain.epoch_numbers(connection)):
            epoch = chain.epoch(connection, number, now)
            if epoch is None or epoch.descriptor.catalogue != submission.catalogue:
                continue
            if epoch.descriptor.opens <= now < epoch.descriptor.closes:
                return Ground(
                    catalogue,
                    chain.members(connection, now),
                    epoch.descriptor,
                    chain.roster(connection, now),
                    decisions.spent(connection, banks, now),
                )
        raise Refusal(Reason.NOT_OPEN, "no epoch with the submission's catalogue is open")

    return await regulator.store.read(look)


def participants_of(submission: LabelSubmission, ground: Ground) -> tuple[CountingHolder, ...]:
    """The holders as the chain knows them. Raises Refusal(foreign_certificate) for no member."""
    found = []
    for holder in submission.participants:
        member = ground.members.require(holder, Role.HOLDER)
        bins = ground.catalogue.bins_per_feature(member.kind)
        found.append(
            CountingHolder(
                holder=member.id,
                kind=member.kind,
                signing=member.signing,
                features=len(bins),
                columns=sum(bins) - len(bins),  # `missing` follows from the totals
            )
        )
    return tuple(found)
