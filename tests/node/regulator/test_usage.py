"""Usage reports: counted from mirrored logs, each permit once, and signed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import Connection

from federation.entries import Kind, entry
from federation.errors import SignatureInvalid
from federation.identity import SpiffeId
from federation.signed import SigningKey
from node.regulator.errors import RegulatorError
from node.regulator.usage import (
    FORMATS,
    UsageReport,
    as_csv,
    as_json,
    usage,
    verify_usage,
)
from support.chain import COURT, DELTA, HARBOUR, HUB, NOW, POWER, REGULATOR, TAX, standard_chain
from support.mirrored import LATER, Mirrored, supervising
from support.network import Network

MONTH = "2027-01"
INSURANCE = standard_chain().alpha.certificate.holders[0]


async def counted(
    base: Path,
    month: str = MONTH,
    bank: SpiffeId | None = None,
    holder: SpiffeId | None = None,
    repeat: bool = False,
) -> UsageReport:
    """Harbour asks twice by alpha and once with the court, delta once; one unlock is missing."""
    chain = standard_chain()
    network = Network(chain)
    for firm in (0, 1):
        network.ask(network.begin(chain.alpha, chain.consent(chain.firms[firm])))
    network.ask(network.begin(chain.with_court, chain.consent(chain.firms[2])))
    consent = chain.consent(chain.firms[3], bank=DELTA)
    network.ask(network.begin(chain.rival, consent), DELTA)
    network.holder_logs[TAX].pop()  # delta's query, which the tax bureau did not answer
    mirrored = Mirrored.after(chain, network)
    refusal = {"reason": "cancelled", "reference": "x", "caller": HARBOUR}
    for method in ("Query", "GetChain"):
        mirrored.log(HUB, entry(Kind.REFUSAL, NOW, method=method, **refusal))
    if repeat:
        mirrored.log(HUB, network.hub_log[0][0])
    async with supervising(base, chain) as regulator:
        await mirrored.keep(regulator)

        def count(connection: Connection) -> UsageReport:
            return usage(connection, chain.members, month, LATER, bank, holder)

        return await regulator.store.read(count)


def rows(report: UsageReport) -> dict[tuple[SpiffeId, SpiffeId], tuple[int, int, int, int]]:
    return {
        (row.bank, row.provider): (row.permits, row.answered, row.named, row.refused)
        for row in report.rows
    }


async def test_permits_are_counted_by_bank_and_provider(tmp_path: Path) -> None:
    report = await counted(tmp_path)
    assert rows(report) == {
        (DELTA, HUB): (1, 1, 0, 0),
        (DELTA, INSURANCE): (1, 1, 0, 0),
        (DELTA, POWER): (1, 1, 0, 0),
        (DELTA, TAX): (1, 0, 0, 1),
        (HARBOUR, COURT): (1, 1, 1, 0),
        (HARBOUR, HUB): (4, 4, 1, 1),
        (HARBOUR, INSURANCE): (2, 2, 0, 0),
        (HARBOUR, POWER): (3, 3, 0, 0),
        (HARBOUR, TAX): (3, 3, 0, 0),
    }
    assert {one.log for one in report.logs} >= {HUB, HARBOUR, DELTA, TAX, REGULATOR}


async def test_a_permit_logged_twice_is_billed_once(tmp_path: Path) -> None:
    once, twice = tmp_path / "once", tmp_path / "twice"
    once.mkdir()
    twice.mkdir()
    assert rows(await counted(once)) == rows(await counted(twice, repeat=True))


async def test_one_bank_and_one_holder(tmp_path: Path) -> None:
    report = await counted(tmp_path, bank=HARBOUR, holder=COURT)
    assert rows(report) == {(HARBOUR, COURT): (1, 1, 1, 0)}


async def test_other_months_are_empty_or_refused(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("before", "later", "malformed")]
    for folder in folders:
        folder.mkdir()
    assert (await counted(folders[0], "2026-12")).rows == ()
    with pytest.raises(RegulatorError, match="has not begun"):
        await counted(folders[1], "2027-02")
    with pytest.raises(RegulatorError, match="is no month"):
        await counted(folders[2], "2027-1")


async def test_a_signed_report_is_the_file_beside_it(tmp_path: Path) -> None:
    report = await counted(tmp_path)
    chain = standard_chain()
    signed = report.sign(chain.signing[REGULATOR]).to_json()
    public = chain.root.regulator_signing
    for suffix, write in FORMATS.items():
        raw = write(report)
        assert verify_usage(raw, signed, suffix, public) == report
        with pytest.raises(RegulatorError, match="not the one that was signed"):
            verify_usage(raw.replace(b"3", b"2", 1), signed, suffix, public)
        with pytest.raises(SignatureInvalid):
            verify_usage(raw, signed, suffix, SigningKey.generate().public)
    heading, first, *_ = as_csv(report).decode().split("\r\n")
    assert heading == "month,bank,provider,permits,answered,named,refused"
    assert first == f"{MONTH},{DELTA},{INSURANCE},1,1,0,0"
    assert json.loads(as_json(report))["month"] == MONTH
