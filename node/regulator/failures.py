"""Banks' reports of records that failed their checks: verified, kept and logged."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from federation.entries import Kind, Logged, entry
from federation.failure import read_failure
from federation.identity import SpiffeId
from federation.signed import Signed
from node.regulator.membership import Regulator
from node.regulator.tables import regulator_failures


async def record_failure(regulator: Regulator, bank: SpiffeId, signed: Signed) -> Logged:
    """Keeps a report of `bank`; one that is sent again gets the entry that it has.

    Raises as `read_failure`.
    """
    pins = await regulator.store.read(regulator.chain.pins)
    peers = {chain: pin.trust().yinxin_trust_domain for chain, pin in pins.items()}
    report = read_failure(signed, bank, await regulator.members(), peers)
    now = regulator.clock.now()
    raw = entry(
        Kind.FAILURE,
        now,
        document=report.hash,
        bank=bank,
        ctx=report.ctx,
        permit=report.permit,
        parties=" ".join(map(str, report.parties)),
        failed=report.failed.value,
    )

    def unit(connection: Connection) -> bytes:
        table = regulator_failures.c
        kept = connection.execute(
            select(table.entry).where(table.document == report.hash)
        ).scalar_one_or_none()
        if kept is not None:
            return bytes(kept)
        connection.execute(
            insert(regulator_failures).values(
                document=report.hash, bank=str(bank), body=signed.to_json(), entry=raw
            )
        )
        regulator.append(connection, Kind.FAILURE, raw)
        return raw

    return regulator.logged(signed, await regulator.store.run(unit))
