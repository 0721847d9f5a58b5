"""What counts may cost a firm in a year, for one bank and for all, and what they have cost.

ρ is summed over the releases of 365 days and converted to ε once: the sum of each one's ε would be
more than they cost together.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from federation.development import privacy
from federation.errors import Reason, Refusal
from federation.identity import SpiffeId
from node.config.sections import CountsConfig
from node.holder.development.tables import holder_counts

DELTA = 10.0**-privacy.DELTA_EXPONENT


@dataclass(frozen=True)
class Spent:
    """A budget of 365 days: ε spent, its limit, and the ε of one more release that would fit."""

    epsilon: float
    limit: float
    left: float


def require_budget(
    connection: Connection, config: CountsConfig, bank: SpiffeId, rho: int, now: int
) -> None:
    """Raises Refusal(budget_exhausted) unless a release of that ρ fits into both budgets.

    Within the transaction that records the release, so that two at once do not both fit.
    """
    for whose, limit, name in (
        (bank, config.epsilon_bank_year, f"of {bank}"),
        (None, config.epsilon_year, "of all banks"),
    ):
        total = spent_rho(connection, now, whose) + rho
        if privacy.epsilon(total / privacy.NANO, DELTA) > limit:
            raise Refusal(Reason.BUDGET_EXHAUSTED, f"the year's ε {name} is used up")


def spent(connection: Connection, limit: float, now: int, bank: SpiffeId | None = None) -> Spent:
    """The budget of a bank, or of all, at δ = 10⁻⁶."""
    rho = spent_rho(connection, now, bank) / privacy.NANO
    left = max(0.0, privacy.rho(limit, DELTA) - rho)
    return Spent(privacy.epsilon(rho, DELTA), limit, privacy.epsilon(left, DELTA))


def spent_rho(connection: Connection, now: int, bank: SpiffeId | None = None) -> int:
    """ρ of the releases of the last 365 days in 10⁻⁹, to one bank or to all."""
    table = holder_counts.c
    query = select(func.coalesce(func.sum(table.rho), 0)).where(
        table.released_at > now - privacy.YEAR_SECONDS
    )
    if bank is not None:
        query = query.where(table.bank == str(bank))
    return int(connection.execute(query).scalar_one())
