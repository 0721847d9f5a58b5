"""The certified models as the regulator's operator sees them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from federation.exchange.regulator import HISTORY_SECONDS
from federation.withdrawal import ModelWithdrawal
from node.regulator.decisions import DecisionStore
from node.regulator.errors import RegulatorError
from node.regulator.membership import Regulator
from node.regulator.withdrawals import delivered

_LEAST_DIGITS = 8


async def model_views(regulator: Regulator) -> list[dict[str, Any]]:
    """Every model that was certified, the newest first. Times are unix seconds.

    `state` is valid, withdrawn or expired. One that is `counted` is judged with later ones of its
    bank and of its `affiliates`; a withdrawal that is not `delivered` leaves the model among the
    valid ones.
    """
    now, config = regulator.clock.now(), regulator.config
    store = DecisionStore(config.data_dir / "models", regulator.identity.storage)

    def look(connection: Connection) -> list[dict[str, Any]]:
        told = delivered(regulator.chain, connection)
        withdrawn = regulator.chain.withdrawals(connection)
        found = []
        for one in reversed(store.certified(connection)):
            certificate = one.certificate
            signed = withdrawn.get(certificate.hash)
            withdrawal = signed and ModelWithdrawal.parse(signed.payload)
            state = "valid" if now < certificate.not_after else "expired"
            found.append(
                {
                    "certificate": certificate.hash.hex(),
                    "model": certificate.model.hex(),
                    "name": certificate.name,
                    "bank": str(certificate.bank),
                    "affiliates": sorted(
                        config.affiliates.of(certificate.bank) - {str(certificate.bank)}
                    ),
                    "form": certificate.form,
                    "certified": one.decided,
                    "not_after": certificate.not_after,
                    "state": "withdrawn" if withdrawal else state,
                    "withdrawn": withdrawal and withdrawal.withdrawn,
                    "by": withdrawal and str(withdrawal.by),
                    "delivered": withdrawal and certificate.hash in told,
                    "counted": now < one.decided + HISTORY_SECONDS,
                    "counted_until": one.decided + HISTORY_SECONDS,
                }
            )
        return found

    return await regulator.store.read(look)


async def find_model(regulator: Regulator, reference: str) -> dict[str, Any]:
    """The certified model whose certificate's hash or id begins with `reference` (hex).

    Raises RegulatorError unless there is exactly one.
    """
    wanted = reference.lower()
    found = [
        view
        for view in await model_views(regulator)
        if view["certificate"].startswith(wanted) or view["model"].startswith(wanted)
    ]
    if len(wanted) < _LEAST_DIGITS or len(found) != 1:
        raise RegulatorError(
            f"{reference!r} names no one certified model; give {_LEAST_DIGITS} or more digits of a "
            "certificate's hash (yinxin regulator models)"
        )
    return found[0]
