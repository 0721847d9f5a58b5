"""The agent's pages over a real hub and holder: the firm's main tasks, and what goes wrong."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import insert

from federation.consent import read_unverified, verify_consent
from federation.disputes.reply import Outcome
from federation.entries import Kind
from node.clock import FixedClock
from node.enterprise.agent import Agent, open_agent
from node.enterprise.asking import fetch_uses
from node.enterprise.chains import keep_link
from node.enterprise.pages import add_pages
from node.enterprise.pages.members import MemberBook
from node.enterprise.tables import agent_consents, agent_uses
from node.holder.disputes.register import answer_dispute
from node.hub.uses import Uses
from node.pages.duties import Duty
from node.pages.site import Site
from support.disputing import FIRM, HOLDER, World, disputing
from support.enrolled import HARBOUR
from support.pages import assert_matrix, browsing, open_site
from tests.node.enterprise.test_asked import permit

DAY = 86_400
STATEMENT = "The tax of September was paid late and then in full: receipt A-17."


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with disputing(tmp_path) as made:
        yield made


def site_of(agent: Agent) -> Site:
    site = open_site({Duty.OWNER}, clock=agent.clock)
    add_pages(site, agent, MemberBook(agent))
    return site


@asynccontextmanager
async def pages(world: World) -> AsyncIterator[tuple[Agent, httpx.AsyncClient]]:
    async with world.agent() as agent, browsing(site_of(agent), Duty.OWNER) as client:
        yield agent, client


def consent_form(**changes: Any) -> dict[str, Any]:
    form = {
        "bank": str(HARBOUR), "purpose": "02", "fields": "compliance，trade", "chains": ["csj"],
        "days": "30", "uses": "2", "disclosed": "", "named": [],
    }  # fmt: skip
    return form | changes


async def test_a_consent_is_given_registered_used_and_cancelled(world: World) -> None:
    async with pages(world) as (agent, client):
        empty = await client.get("/consents")
        assert empty.status_code == 200 and "No consent yet" in empty.text
        form = await client.get("/consents/new")
        assert str(HARBOUR) in form.text and "Loan approval" in form.text

        sent = await client.post("/consents/new", data=consent_form())
        assert sent.status_code == 303
        address = sent.headers["location"]
        one = await client.get(address)
        assert "In force" in one.text and "csj" in one.text and "Not registered" not in one.text
        # The hub has it, and the file is what a bank can use.
        (entry,) = [e for e in await _hub_kinds(world) if e == Kind.CONSENT]
        assert entry == Kind.CONSENT
        file = await client.get(address.replace("/one?", "/one/file?").split("&")[0])
        assert file.headers["content-disposition"].startswith("attachment")
        consent = verify_consent(file.text, world.homes.licence.certificate_pem, world.homes.now)
        assert (consent.fields, consent.uses) == (("compliance", "trade"), 2)

        # A query under it, as the hub lists it: in the list, and counted.
        key, firm = world.hub.identity.storage, world.firms[FIRM]
        await world.hub.store.run(
            lambda c: Uses(c, key).record(firm.id, consent.id, b"t" * 32, [permit(world.homes, 1)])
        )
        fetched = await client.post("/asked/fetch")
        assert fetched.status_code == 303
        assert await fetch_uses(agent) == []
        asked = await client.get("/asked")
        assert "Loan approval" in asked.text and consent.id.hex()[:8] in asked.text
        export = await client.get("/asked.csv")
        assert export.text.count("\n") == 2 and permit(world.homes, 1).hash.hex() in export.text
        assert "1 / 2" in (await client.get("/consents")).text

        # Cancelling needs the tick; then the hub permits nothing more.
        data = {"id": consent.id.hex()}
        refused = await client.post("/consents/one/cancel", data=data)
        assert refused.status_code == 422 and "Tick the box first" in refused.text
        done = await client.post("/consents/one/cancel", data=data | {"sure": "yes"})
        assert done.status_code == 303
        one = await client.get(address)
        assert "Cancelled" in one.text and "/consents/one/file" not in one.text
        assert Kind.CANCELLED in await _hub_kinds(world)


async def _hub_kinds(world: World) -> list[str]:
    counts = await world.hub.log.count_by_kind()
    return [kind for kind in counts if counts[kind]]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("bank", ""), ("bank", "harbour"), ("bank", str(HOLDER)), ("purpose", "99"),
        ("fields", " , "), ("fields", "a b"), ("chains", []), ("chains", ["zsj"]), ("days", "0"),
        ("days", "3661"), ("days", "x"), ("uses", "0"), ("uses", "10001"),
        ("disclosed", "a b"),
    ],
    ids=lambda value: str(value) or "empty",
)  # fmt: skip
async def test_a_consent_that_cannot_be_is_told_by_its_field(
    field: str, value: Any, offline: tuple[Agent, httpx.AsyncClient]
) -> None:
    agent, client = offline
    answer = await client.post("/consents/new", data=consent_form(**{field: value}))
    assert answer.status_code == 422
    assert re.search(rf'id="{field}-error"', answer.text), answer.text
    assert f'aria-describedby="{field}-error"' in answer.text
    kept = await agent.store.read(lambda c: c.execute(agent_consents.select()).all())
    assert kept == []


@pytest.fixture(scope="module")
def firm_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """A firm whose hub nobody runs."""
    import time

    from federation.pki import SubjectAuthority
    from node.enterprise import enrol_enterprises
    from node.enterprise.chains import ChainLink
    from node.enterprise.home import EnterpriseHome
    from support.enrolled import HUB, Homes

    base, now = tmp_path_factory.mktemp("firm"), int(time.time())
    homes = Homes(base / "chain", now)
    licence: SubjectAuthority = homes.licence
    (firm,) = enrol_enterprises(licence, [FIRM], now, 365)
    EnterpriseHome.store(base / FIRM, firm, licence.certificate_pem)
    keep_link(base / FIRM, ChainLink(homes.root, HUB, "127.0.0.1:1"))
    yield base / FIRM, now


@pytest.fixture
async def offline(
    firm_folder: tuple[Path, int],
) -> AsyncIterator[tuple[Agent, httpx.AsyncClient]]:
    folder, now = firm_folder
    async with (
        open_agent(folder, FixedClock(now)) as agent,
        browsing(site_of(agent), Duty.OWNER) as client,
    ):
        yield agent, client


async def test_a_dispute_is_opened_answered_and_shown(world: World) -> None:
    asked = permit(world.homes, 1).hash.hex()
    async with pages(world) as (_, client):
        assert "No dispute" in (await client.get("/disputes")).text
        which = await client.get(f"/disputes/new?chain=csj&query={asked}")
        assert "First choose the holder" in which.text and str(HOLDER.name) in which.text
        form = await client.get(
            "/disputes/new", params={"chain": "csj", "holder": str(HOLDER), "query": asked}
        )
        assert asked[:12] in form.text and 'name="statement"' in form.text

        data = {
            "chain": "csj", "holder": str(HOLDER), "asked": asked, "about": "query",
            "statement": STATEMENT,
        }  # fmt: skip
        for name, wrong in (("statement", {"statement": "x" * 2401}), ("features", {"about": ""})):
            answer = await client.post("/disputes/new", data=data | wrong)
            assert answer.status_code == 422 and f'id="{name}-error"' in answer.text
        assert (await client.post("/disputes/new", data=data | {"holder": "x"})).status_code == 400

        sent = await client.post("/disputes/new", data=data)
        assert sent.status_code == 303
        address = sent.headers["location"].split("&")[0]
        one = await client.get(address)
        assert "Waiting for the answer" in one.text and "20 days left" in one.text
        assert "Download the proof" in one.text and STATEMENT in one.text

        digest = bytes.fromhex(address.partition("id=")[2])
        world.wall.advance(21 * DAY)
        one = await client.get(address)
        assert "did not answer in time" in one.text and "overdue" in one.text
        holder, reason = world.holder, "Corrected at the source <b>today</b>."
        await holder.store.run(
            lambda c: answer_dispute(holder, c, "engineer", digest, Outcome.CORRECTED, reason)
        )
        looked = await client.post("/disputes/one/look", data={"id": digest.hex()})
        assert looked.status_code == 303
        one = await client.get(address)
        assert "Corrected at the source &lt;b&gt;today" in one.text
        assert "/disputes/one/look" not in one.text
        proof = await client.get(address.replace("/one?", "/one/proof?"))
        assert proof.status_code == 200 and b"dispute-reply" in proof.content
        listed = await client.get("/disputes")
        assert "Answered" in listed.text and "Corrected" in listed.text


async def test_without_a_hub_nothing_is_lost(offline: tuple[Agent, httpx.AsyncClient]) -> None:
    _, client = offline
    assert "does not answer" in (await client.get("/consents/new")).text
    assert "does not answer" in (await client.get("/disputes/new")).text
    sent = await client.post("/consents/new", data=consent_form())
    address = sent.headers["location"]
    one = await client.get(address)
    assert "Not registered yet" in one.text
    consent = read_unverified(
        (await client.get(address.replace("/one?", "/one/file?").split("&")[0])).text
    )
    data = {"id": consent.id.hex()}
    again = await client.post("/consents/one/register", data=data)
    assert again.status_code == 200 and "No receipt of csj" in again.text
    cancelled = await client.post("/consents/one/cancel", data=data | {"sure": "yes"})
    assert "No receipt of csj" in cancelled.text and "Being cancelled" in cancelled.text
    assert "csj does not answer" in (await client.post("/asked/fetch")).text

    dispute = {
        "chain": "csj", "holder": str(HOLDER), "features": ["tax.paid"], "statement": STATEMENT,
    }  # fmt: skip
    opened = await client.post("/disputes/new", data=dispute)
    assert opened.status_code == 200 and "Not delivered yet" in opened.text
    assert "Not reached" in opened.text and "Send again" in opened.text
    assert "Not delivered yet" in (await client.get("/disputes")).text


async def test_pages_of_nothing_and_of_others(offline: tuple[Agent, httpx.AsyncClient]) -> None:
    agent, client = offline
    for address in (
        "/consents/one?id=00", "/consents/one?id=zz", "/consents/one/file?id=", "/disputes/one?id=",
        f"/disputes/one?id={'00' * 32}", f"/disputes/one/proof?id={'00' * 32}",
    ):  # fmt: skip
        assert (await client.get(address)).status_code == 404
    keys = await client.get("/keys")
    assert FIRM in keys.text and "days left" in keys.text and "127.0.0.1:1" in keys.text
    assert "PRIVATE" not in keys.text
    await assert_matrix(site_of(agent))


async def test_many_queries_are_paged_and_filtered(
    offline: tuple[Agent, httpx.AsyncClient], firm_folder: tuple[Path, int]
) -> None:
    agent, client = offline
    now = firm_folder[1]
    rows = [
        {
            "chain": "csj", "number": n, "time": now - n * 3600,
            "bank": f"spiffe://csj.yinxin.example/bank/b{n % 7}", "purpose": ("01", "02")[n % 2],
            "epoch": 1, "consent": bytes(16), "fields": "a,b", "permits": "ab" * 32,
            "certificate": bytes(32),
        }
        for n in range(300)
    ]  # fmt: skip
    await agent.store.run(lambda c: c.execute(insert(agent_uses), rows))
    page = await client.get("/asked?size=25&sort=time")
    assert page.text.count('<td class="k-time">') == 25 and "300 in all" in page.text
    filtered = await client.get("/asked?purpose=02&bank=spiffe://csj.yinxin.example/bank/b1")
    assert "<svg" in filtered.text and "22 in all" in filtered.text
    export = await client.get("/asked.csv?purpose=02")
    assert export.text.count("\n") == 151
