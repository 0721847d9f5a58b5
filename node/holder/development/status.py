"""What an administrator wants to know of labels at this holder: who, what, and how much is left."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from federation.development import privacy
from federation.development.certificate import DevelopmentCertificate
from federation.identity import SpiffeId
from federation.signed import Signed
from node.config import HolderConfig
from node.holder.banks import is_stopped
from node.holder.development.budget import DELTA, Spent, spent
from node.holder.development.tables import holder_counts, holder_labels
from node.holder.status import when
from node.runtime import Runtime

_PLACES = 4


def labels(runtime: Runtime[HolderConfig], connection: Connection) -> list[dict[str, Any]]:
    """Installed labels in order of time, with their release where there is one.

    `epsilon` is what this holder's counts cost a firm at δ = 10⁻⁶, or would cost. `state` is
    `released`, `installed` (nobody asked yet) or `expired` (and nobody can any more).
    """
    joined = select(holder_labels, holder_counts.c.epoch, holder_counts.c.released_at).outerjoin(
        holder_counts, holder_counts.c.certificate == holder_labels.c.certificate
    )
    found = []
    for row in connection.execute(joined.order_by(holder_labels.c.installed_at)):
        # Verified when it was installed; this shows it, and acts on nothing.
        certificate = DevelopmentCertificate.parse(Signed.from_json(bytes(row.signed)).payload)
        rho = certificate.rho_nano(runtime.identity.id)
        over = runtime.clock.now() >= certificate.not_after
        waiting = "expired" if over else "installed"
        found.append(
            {
                "certificate": certificate.hash.hex(),
                "name": certificate.name,
                "bank": str(certificate.bank),
                "installed_at": when(row.installed_at),
                "state": waiting if row.released_at is None else "released",
                "released_at": when(row.released_at),
                "epoch": row.epoch or 0,
                "epsilon": round(privacy.epsilon(rho / privacy.NANO, DELTA), _PLACES),
            }
        )
    return found


def budgets(runtime: Runtime[HolderConfig], connection: Connection) -> list[dict[str, Any]]:
    """The budgets of 365 days: each bank's with labels or counts here, and last that of all.

    `left` is the ε of one more release that fits: ε of two releases are less than their sum.
    """
    limits, now = runtime.config.development, runtime.clock.now()
    own, every = limits.epsilon_bank_year, limits.epsilon_year
    banks = sorted({item["bank"] for item in labels(runtime, connection)})
    rows: list[dict[str, Any]] = []
    for name in banks:
        bank = SpiffeId.parse(name)
        used = spent(connection, own, now, bank)
        rows.append(_budget(name, used, is_stopped(connection, bank)))
    rows.append(_budget("", spent(connection, every, now), False))
    return rows


def _budget(bank: str, used: Spent, stopped: bool) -> dict[str, Any]:
    return {
        "bank": bank,
        "stopped": stopped,
        "epsilon_spent": round(used.epsilon, _PLACES),
        "epsilon_limit": used.limit,
        "epsilon_left": round(used.left, _PLACES),
    }
