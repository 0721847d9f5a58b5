"""The pages on certification, members and other chains, over regulators that decide and pin."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

from sqlalchemy import delete

from federation.audit.interchain.cases import Reconciled
from federation.entries import read_entry
from node.pages.duties import Duty
from node.regulator.audit.shares import keep_reconciled
from node.regulator.peers.pinning import withdraw_chain
from node.regulator.tables import regulator_verdicts
from support.chain import standard_chain
from support.enrolled import DELTA, HARBOUR, Homes, certifying
from support.mirrored import Mirrored, asked, supervising
from support.pages import browsing
from tests.node.regulator.pages.world import site_of
from tests.node.regulator.test_certification import call, sealed
from tests.node.regulator.test_chains import offices
from tests.node.regulator.test_policy_verdicts import refused_card


async def test_decisions_with_their_reports_and_a_withdrawal(tmp_path: Path) -> None:
    homes = Homes(tmp_path)
    async with certifying(homes) as (regulator, port):
        good, bad = sealed(homes), sealed(homes, scorecard=refused_card())
        result, _ = await call(homes, port, good)
        await call(homes, port, bad)
        passed, refused = (hashlib.sha256(one).hexdigest() for one in (good, bad))
        site = site_of(regulator, waiting=lambda: (HARBOUR, DELTA))
        async with browsing(site, Duty.INSPECTOR) as client:
            table = (await client.get("/certification")).text
            assert "being judged" in table and "waits, 1 ahead" in table
            assert passed in table and refused in table and "refused" in table
            assert len((await client.get("/certification.csv?outcome=refused")).text.split()) > 1
            members = (await client.get("/members")).text
            assert "bank/harbour" in members and members.count("holder/") >= 3

            page = (await client.get(f"/certification/{passed}")).text
            assert "The scorecard meets the policy" in page and page.count("<svg") > 6
            told = (await client.get(f"/certification/{refused}")).text
            assert "does not meet the policy" in told and "What has to be mended" in told
            assert "Withdraw the model" not in told
            where = f"/certification/certificate/{_hash(result)}"
            assert (await client.get(where)).headers["location"] == f"/certification/{passed}"
            for wrong in ("00" * 32, "zz", f"certificate/{'00' * 32}"):
                assert (await client.get(f"/certification/{wrong}")).status_code == 404

            path = f"/certification/{passed}/withdraw"
            unsure = await client.post(path)
            assert unsure.status_code == 422 and "Tick the box" in unsure.text
            nothing = await client.post(f"/certification/{refused}/withdraw", data={"sure": "yes"})
            assert nothing.status_code == 404
            assert (await client.post(path, data={"sure": "yes"})).status_code == 303
            after = (await client.get(f"/certification/{passed}")).text
            assert "withdrawn, hub not told" in after and "Withdraw the model" not in after
            found = [read_entry(one.entry) async for one in regulator.log.iterate()]
            acted = [dict(e.body) for e in found if e.kind == "administrator"]
            assert [(e["action"], e["by"]) for e in acted] == [("withdraw", "tester")]

            await regulator.store.run(lambda c: c.execute(delete(regulator_verdicts)))
            lost = (await client.get(f"/certification/{passed}")).text
            assert "The report is not available" in lost


def _hash(result: object) -> str:
    return hashlib.sha256(result.certificate.payload).hexdigest()  # type: ignore[attr-defined]


async def test_chains_with_their_bundles_traffic_and_problems(tmp_path: Path) -> None:
    async with offices(tmp_path, "csj", "zsj") as (csj, zsj):
        await csj.pin(zsj)
        await csj.look()
        site = site_of(csj.regulator)
        async with browsing(site, Duty.INSPECTOR) as client:
            page = (await client.get("/chains")).text
            assert "trusted" in page and "Problem" in page and "never" in page
            await zsj.pin(csj)
            await csj.heard()
            numbers = Reconciled(1_204, 37, 1_200, 41, csj.place.now - 90_000)
            await csj.regulator.store.run(lambda c: keep_reconciled(c, "zsj", numbers))
            page = (await client.get("/chains")).text
            assert "1,204 / 37" in page and "yes (bundle 1)" in page and "Problem" not in page
            assert "share overdue" in page
            await withdraw_chain(csj.regulator, "zsj", "<b>no more</b>")
            page = (await client.get("/chains")).text
            assert "withdrawn" in page and "&lt;b&gt;no more&lt;/b&gt;" in page


async def test_evidence_leaves_as_a_zip_file_and_in_the_log(tmp_path: Path) -> None:
    chain = standard_chain()
    network = asked(chain, chain.alpha, chain.firms[0], officer="clerk-7", reference="L-1")
    permit = network.hub_log[0][2].payload_hash.hex()
    async with supervising(tmp_path, chain) as regulator:
        await Mirrored.after(chain, network).keep(regulator)
        async with browsing(site_of(regulator), Duty.INSPECTOR) as client:
            page = (await client.get(f"/queries/{permit}")).text
            assert "clerk-7" in page and "cosigned" in page
            made = await client.post(f"/queries/{permit}/evidence")
            assert made.headers["content-type"] == "application/zip", made.text
            name = f"evidence-{permit[:16]}"
            assert f'filename="{name}.zip"' in made.headers["content-disposition"]
            names = await asyncio.to_thread(_unpacked, made.content)
            assert {f"{name}/verify.py", f"{name}/case.json", f"{name}/permit.json"} <= names
            last = await regulator.log.get(await regulator.log.size() - 1)
            assert b'"evidence-exported"' in last.entry and b'"tester"' in last.entry
            missing = await client.post(f"/queries/{'00' * 32}/evidence")
            assert missing.status_code == 404


def _unpacked(body: bytes) -> set[str]:
    import io
    import zipfile

    return set(zipfile.ZipFile(io.BytesIO(body)).namelist())
