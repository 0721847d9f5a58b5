"""The inspector's pages over an audited regulator."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from pathlib import Path

import httpx
import pytest
from click.testing import Result
from sqlalchemy import select
from typer.testing import CliRunner

import node.runtime
from federation.audit.findings import FindingKind
from federation.entries import read_entry
from federation.permit import Permit
from federation.signed import Signed
from node.bench.audited import BANKS, HOLDERS, HUB, NOW
from node.cli.regulator import app
from node.clock import FixedClock
from node.enrolment.folder import CONFIG
from node.pages.texts import COMMON
from node.regulator.auditkeys.errors import MasterKeyError
from node.regulator.errors import RegulatorError
from node.regulator.evidence.opening import opening
from node.regulator.findings import kept_findings
from node.regulator.membership import Regulator
from node.regulator.tables import mirror_attachments, mirror_entries
from support.pages import assert_matrix, browsing
from tests.node.regulator.pages.world import (
    MISSING,
    QUERIES,
    UNLOCK,
    Audited,
    inspecting,
    make_audited,
    opened,
    site_of,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Audited:
    return asyncio.run(make_audited(tmp_path_factory.mktemp("audited")))


async def text(client: httpx.AsyncClient, path: str) -> str:
    answer = await client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    return answer.text


def counted(rows: int) -> str:
    return COMMON["rows_of"].en.format(total=rows)


async def logged(regulator: Regulator, kind: str = "administrator") -> list[dict[str, object]]:
    found = [read_entry(one.entry) async for one in regulator.log.iterate()]
    return [dict(one.body) for one in found if one.kind == kind]


async def test_pages_are_the_inspectors_alone(made: Audited) -> None:
    async with opened(made) as regulator:
        await assert_matrix(site_of(regulator))
        async with browsing(site_of(regulator)) as nobody:
            assert (await nobody.get("/overview")).status_code == 303


async def test_the_overview_counts_a_period_by_bank_and_purpose(made: Audited) -> None:
    async with inspecting(made) as (client, _):
        page = await text(client, "/overview")
        assert f"59 of {QUERIES}; 1 without a consent in evidence" in page
        assert "98.3%" in page and "2 critical" in page
        of_bank = await text(client, f"/overview?days=365&bank={BANKS[0]}")
        assert f"59 of {QUERIES}" in of_bank and "by week" in of_bank
        week = await text(client, "/overview?days=7")
        assert f"of {QUERIES};" not in week and "by day" in week
        assert "No audited query in this selection" in await text(client, "/overview?purpose=01")
        # What an address says and nobody offers is as if it were not there.
        assert f"59 of {QUERIES}" in await text(client, "/overview?days=9&bank=x&purpose=zz")


async def test_queries_are_filtered_sorted_and_exported(made: Audited) -> None:
    async with inspecting(made) as (client, regulator):
        assert counted(QUERIES) in await text(client, "/queries")
        failed = await text(client, "/queries?verified=no")
        assert made.permits[MISSING] in failed and counted(1) in failed
        found = await text(client, "/queries?findings=yes&sort=epoch")
        assert made.permits[UNLOCK] in found and counted(2) in found
        assert counted(1) in await text(client, "/queries?consent=no")
        assert counted(QUERIES) in await text(client, "/queries?named=no")
        permit = await _permit(regulator, made.permits[0])
        of_model = f"/queries.csv?model={permit.certificate.hex()}&bank={permit.bank}"
        rows = list(csv.DictReader(io.StringIO((await text(client, of_model)).lstrip("\ufeff"))))
        assert len(rows) == QUERIES
        assert {row["Verified"] for row in rows} <= {"yes", "no"}
        assert len(rows[0]["Query"]) == 64 and rows[0]["Model"] != "–"
        other = f"/queries?model={permit.certificate.hex()[:-2]}00"
        assert counted(QUERIES) in await text(client, other)  # it is not offered
        assert counted(0) in await text(client, "/queries?named=yes")
        assert counted(0) in await text(client, "/queries?officer=no_such&sort=-officer")
        everything = await text(client, "/queries.csv")
        assert len(everything.splitlines()) == QUERIES + 1 and made.firm not in everything


async def test_a_query_shows_what_each_log_says_and_which_check_failed(made: Audited) -> None:
    async with inspecting(made) as (client, _):
        clean = await text(client, f"/queries/{made.permits[0]}")
        assert 'bad">failed' not in clean and clean.count("unlocked") >= len(HOLDERS)
        assert "Signed" in clean and made.firm not in clean
        unlock = await text(client, f"/queries/{made.permits[UNLOCK]}")
        assert "no unlock logged" in unlock and FindingKind.UNLOCK_MISSING.titles["en"] in unlock
        missing = await text(client, f"/queries/{made.permits[MISSING]}")
        assert FindingKind.EVIDENCE_MISSING.titles["en"] in missing and "not judged" in missing
        assert "The evidence did not show an enterprise" in missing
        entry = await text(client, f"/entry?log={HUB}&index=0")
        assert "&#34;document&#34;" in entry
        for wrong in (
            f"/queries/{'00' * 32}", "/queries/zz", f"/entry?log={HUB}&index=-1",
            f"/entry?log={HUB}&index=99999", "/entry",
        ):  # fmt: skip
            assert (await client.get(wrong)).status_code == 404, wrong


async def test_whom_a_query_is_about_is_told_to_an_account_and_logged(made: Audited) -> None:
    async with inspecting(made) as (client, regulator):
        shown = await client.post(f"/queries/{made.permits[0]}/firm")
        assert made.firm in shown.text
        assert (await client.post(f"/queries/{'00' * 32}/firm")).status_code == 404
        found = await client.post("/queries/firm", data={"uscc": made.firm.lower()})
        assert made.permits[0] in found.text and "2 audited queries" in found.text
        wrong = await client.post("/queries/firm", data={"uscc": made.firm[:-1]})
        assert wrong.status_code == 422 and "No valid code" in wrong.text
        actions = [one for one in await logged(regulator) if one["by"] == "tester"]
        assert [one["action"] for one in actions] == ["subject-shown", "subject-search"]
        assert made.firm not in str(actions) and set(actions[1]) == {"action", "by"}


async def test_a_finding_is_decided_once_there_is_a_reason(made: Audited) -> None:
    async with inspecting(made) as (client, regulator):
        assert counted(2) in await text(client, "/findings?severity=critical&state=open")
        every = await regulator.store.read(kept_findings)
        one = next(f for f in every if f.kind is FindingKind.UNLOCK_MISSING)
        path = f"/findings/{one.id.hex()}"
        page = await text(client, path)
        assert "Nobody has decided yet" in page and made.permits[UNLOCK] in page
        for form, said in (
            ({"state": "explained", "note": " "}, "Say why"),
            ({"state": "open", "note": "why"}, "Choose a decision"),
            ({"state": "confirmed", "note": "x" * 2_001}, "At most 2,000"),
        ):
            refused = await client.post(path, data=form)
            assert refused.status_code == 422 and said in refused.text
        assert await logged(regulator, "finding") == []
        done = await client.post(path, data={"state": "confirmed", "note": "Asked the holder."})
        assert (done.status_code, done.headers["location"]) == (303, f"{path}?done=saved")
        (entry,) = await logged(regulator, "finding")
        assert (entry["state"], entry["by"]) == ("confirmed", "tester")
        assert "Asked" not in str(entry)
        after = await text(client, path)
        assert "Asked the holder." in after and "Account: tester" in after
        assert counted(1) in await text(client, "/findings?state=confirmed")
        exported = await text(client, "/findings.csv")
        assert "Asked the holder." in exported and "<span" not in exported
        assert (await client.get(f"/findings/{'00' * 16}")).status_code == 404
        lost = await client.post(f"/findings/{'00' * 16}", data={"state": "explained", "note": "x"})
        assert lost.status_code == 404


async def test_the_audit_key_is_read_by_a_process_of_its_own_or_not_at_all(
    made: Audited, tmp_path: Path
) -> None:
    async with inspecting(made) as (client, regulator):
        permit = await _permit(regulator, made.permits[0])
        envelope = await _envelope(regulator, permit)
        async with opening(regulator.config) as opener:
            evidence = await asyncio.to_thread(opener, envelope, permit.hash, permit.issued)
        assert str(evidence.uscc) == made.firm
        key = regulator.config.audit_key
        assert key is not None
        key.rename(tmp_path / "elsewhere")
        try:
            locked = await client.post(f"/queries/{made.permits[0]}/evidence")
            with pytest.raises(MasterKeyError):
                async with opening(regulator.config):
                    pass
        finally:
            (tmp_path / "elsewhere").rename(key)
        assert locked.status_code == 409
        assert f"yinxin regulator evidence {made.permits[0]}" in locked.text


async def test_a_chain_without_peers_models_or_findings_says_what_to_do(made: Audited) -> None:
    async with inspecting(made) as (client, _):
        assert "yinxin regulator chains pin" in await text(client, "/chains")
        assert "No scorecard waits" in await text(client, "/certification")
        members = await text(client, "/members")
        assert "2027-01" in members and "in use" in members and "made ahead" in members
    async with inspecting(made, "zh") as (client, _):
        assert "本链尚未信任任何其他链" in await text(client, "/chains")


async def _permit(regulator: Regulator, digest: str) -> Permit:
    table = mirror_attachments.c
    body = await regulator.store.read(
        lambda c: c.execute(select(table.body).where(table.hash == bytes.fromhex(digest))).scalar()
    )
    return Permit.parse(Signed.from_json(bytes(body)).payload)  # type: ignore[arg-type]


async def _envelope(regulator: Regulator, permit: Permit) -> bytes:
    from node.regulator.audit.verification import attached, envelope_named

    def look(connection: object) -> bytes:
        raw = connection.execute(  # type: ignore[attr-defined]
            select(mirror_entries.c.entry).where(
                mirror_entries.c.log == str(HUB), mirror_entries.c.document == permit.hash
            )
        ).scalar_one()
        named = envelope_named(bytes(raw))
        return attached(connection, {named})[named][0]  # type: ignore[arg-type]

    return await regulator.store.read(look)


def test_the_command_tells_and_logs_the_same(
    made: Audited, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node.runtime, "SystemClock", lambda: FixedClock(NOW))
    monkeypatch.setenv("LOGNAME", "inspector-7")

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--config", str(made.home / CONFIG), "--json"])

    about = json.loads(run("query", "--uscc", made.firm).stdout)["queries"]
    assert made.permits[0] in [one["id"] for one in about]
    (one,) = json.loads(run("query", made.permits[UNLOCK]).stdout)["queries"]
    assert [found["kind"] for found in one["findings"]] == ["unlock-missing"]
    unknown = run("query", "00" * 32)
    assert unknown.exit_code != 0 and isinstance(unknown.exception, RegulatorError)
    empty = run("finding", "explain", one["findings"][0]["id"], "--note", " ")
    assert isinstance(empty.exception, RegulatorError)

    async def acted() -> list[object]:
        async with opened(made) as regulator:
            return [e["action"] for e in await logged(regulator) if e["by"] == "inspector-7"]

    assert asyncio.run(acted()) == ["subject-search", "subject-shown"]
