"""Regulators of two chains exchange what their mirrors have of queries between them, over mutual
TLS, and each finds what was planted.
"""

from __future__ import annotations

import asyncio
import io
import json
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import delete
from typer.testing import CliRunner

from federation.audit.findings import FindingKind
from federation.entries import Kind, read_entry
from federation.errors import Reason, Refusal
from federation.identity import Role, SpiffeId
from federation.interchain.share import (
    NONE,
    SHARE_BYTES,
    Share,
    ShareContent,
    ShareRequest,
    seal_share,
)
from federation.signed import SigningKey
from node.cli.regulator import app
from node.cli.regulator_audit_chains import chains_table
from node.regulator.audit.shares import reconciled_chains
from node.regulator.peers import sharing_page
from node.regulator.peers.pinning import withdraw_chain
from node.regulator.peers.sharing_books import GIVEN, RECEIVED, ShareBooks
from node.regulator.peers.sharing_fetch import ShareFetch
from node.regulator.tables import regulator_shares
from node.regulator.usage import usage
from node.rpc.convert import signed_to_wire
from node.rpc.errors import PartyUnavailable, RemoteError, RemoteRefusal
from support.two_chains import ask
from tests.node.regulator.peers.sharing import Office, World, world
from yinxin.v1 import peers_pb2

pytestmark = pytest.mark.asyncio
METHOD = "/yinxin.v1.RegulatorPeers/Share"
HOUR = 3_600


async def entries(office: Office, kind: Kind) -> list[dict[str, Any]]:
    log = office.regulator.log
    found = [read_entry(one.entry) async for one in log.iterate()]
    return [dict(one.body) for one in found if one.kind is kind]


async def test_honest_queries_reconcile_and_every_share_is_in_both_logs(tmp_path: Path) -> None:
    async with world(tmp_path) as chains:
        await chains.mirror()
        await chains.exchange()
        for office, peer in ((chains.csj, "zsj"), (chains.zsj, "csj")):
            assert await office.audit() == set()
            numbers = (await office.regulator.store.read(reconciled_chains))[peer]
            assert (numbers["reconciled"], numbers["open"]) == (3, 0)
            assert numbers["covered"] >= office.now - 2 * office.regulator.config.peers.share_settle
        outward = (await chains.zsj.regulator.store.read(reconciled_chains))["csj"]
        assert (outward["outward"], outward["inward"]) == (3, 0)
        given = await chains.kept(chains.csj, GIVEN, "zsj")
        assert given == await chains.kept(chains.zsj, RECEIVED, "csj")
        told, heard = [await entries(one, Kind.SHARE) for one in (chains.csj, chains.zsj)]
        assert len(told) == len(heard) == 2  # one given and one received, at each
        assert {one["document"] for one in told} == {one["document"] for one in heard}


async def test_what_a_share_says_and_what_it_does_not(tmp_path: Path) -> None:
    """A bank's other queries, and its log's size before there is anything to tell, are not told."""
    async with world(tmp_path, 0) as chains:
        begin = chains.home.begin
        own, third = secrets.token_bytes(32), secrets.token_bytes(32)
        home, bank = chains.home, chains.home.bank
        home.log(home.hub, Kind.PERMIT, begin, document=own, bank=bank, ctx=bytes(32))
        home.log(home.hub, Kind.ROUTED, begin, document=third, bank=bank, chain="jjj")
        for permit in (own, third):
            home.log(bank, Kind.QUERY, begin + 1, document=permit, ctx=bytes(32))
        await chains.mirror()
        await chains.exchange()
        ((share,), (content,)) = (
            await chains.kept(chains.csj, RECEIVED, "zsj"),
            await chains.content(chains.csj, "zsj"),
        )
        assert (content.permits, content.entries, content.findings) == ((), (), ())
        assert Role.BANK not in {span.log.role for span in share.logs}
        ask(chains.home, chains.at, begin + 60)
        chains.csj.place.clock.advance(60)
        chains.zsj.place.clock.advance(60)
        await chains.mirror()
        await chains.exchange()
        *_, last = await chains.kept(chains.csj, RECEIVED, "zsj")
        spans = {span.log: (span.start, span.stop) for span in last.logs}
        assert spans[bank] == (2, 3)  # from where the first share ended, told or not
        *_, content = await chains.content(chains.csj, "zsj")
        assert [one.kind for one in content.entries] == ["query-routed", "query"]


async def test_what_is_planted_in_either_chain_is_found_and_told_at_home(tmp_path: Path) -> None:
    async with world(tmp_path, 0) as chains:
        begin = chains.home.begin
        hidden, silent, unrouted = (
            ask(chains.home, chains.at, begin + 10 * number) for number in range(3)
        )
        chains.at.without(Kind.PERMIT, hidden)
        chains.at.without(Kind.UNLOCK, hidden)
        chains.home.without(Kind.QUERY, silent)
        chains.home.without(Kind.ROUTED, unrouted)
        await chains.mirror()
        await chains.exchange()
        bank, hub = str(chains.home.bank), str(chains.home.hub)
        expected = {
            ("bank-entry-missing", bank, silent),
            ("route-unlogged", hub, unrouted),
        }
        at_csj = {*expected, ("permit-unlogged", str(chains.at.hub), hidden)}
        at_zsj = {*expected, ("permit-unshown", str(chains.csj.place.id), hidden)}
        assert await chains.csj.audit() == at_csj
        assert await chains.zsj.audit() == at_zsj
        for office in (chains.csj, chains.zsj):
            office.place.clock.advance(60)
            await office.looked()
        await chains.exchange()
        await chains.csj.audit()
        await chains.zsj.audit()
        reported = {
            (one.kind.value, one.subject, one.query)
            for one in await chains.zsj.findings()
            if one.evidence.get("reported_by") == "csj"
        }
        assert reported == expected
        (told,) = (
            one for one in await chains.csj.findings() if one.kind is FindingKind.PERMIT_UNSHOWN
        )
        assert told.evidence["reported_by"] == "zsj"
        # They are told once, and what was reported is not reported back.
        for office in (chains.csj, chains.zsj):
            office.place.clock.advance(60)
            await office.looked()
        await chains.exchange()
        *_, content = await chains.content(chains.zsj, "csj")
        assert content.findings == ()
        await shown(chains, {hidden}, expected)


async def shown(
    chains: World, hidden: set[bytes], expected: set[tuple[str, str, bytes | None]]
) -> None:
    """The inspector of csj sees of which chain each finding is, and who found it."""
    config = str(chains.csj.place.folder / "node.toml")
    command = ["findings", "--config", config]
    invoke = CliRunner().invoke
    done = await asyncio.to_thread(invoke, app, [*command, "--json", "--chain", "zsj"])
    listed = json.loads(done.stdout)["findings"]
    assert {
        (one["kind"], one["subject"], bytes.fromhex(one["query"])) for one in listed
    } == expected
    assert {(one["chain"], one["found_in"]) for one in listed} == {("zsj", "csj")}
    own = await asyncio.to_thread(invoke, app, [*command, "--json", "--chain", "csj"])
    found = json.loads(own.stdout)["findings"]
    assert {bytes.fromhex(one["query"]) for one in found} == hidden
    assert {one["found_in"] for one in found} == {"csj", "zsj"}
    text = await asyncio.to_thread(invoke, app, command)
    assert "zsj: " in text.stdout.replace("\n", "") and "zsj" in text.stdout
    numbers = await chains.csj.regulator.store.read(reconciled_chains)
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(chains_table(numbers))
    assert "zsj" in console.export_text()


async def test_a_guests_results_are_counted_as_its_regulator_shared_them(tmp_path: Path) -> None:
    async with world(tmp_path) as chains:
        victim = next(iter(chains.at.queries))
        chains.home.without(Kind.QUERY, victim)
        await chains.mirror()
        await chains.exchange()
        regulator, now = chains.csj.regulator, chains.csj.now
        members = await regulator.members()
        books = ShareBooks(RECEIVED, regulator.identity.storage)
        abroad = await regulator.store.read(books.results)
        month = time.strftime("%Y-%m", time.gmtime(chains.at.begin + 8 * HOUR))
        for shared, answered in ((abroad, 2), ((), 0)):
            report = await regulator.store.read(
                lambda c, s=shared: usage(c, members, month, now, abroad=s)
            )
            (hub,) = (row for row in report.rows if row.provider == chains.at.hub)
            assert (hub.bank, hub.permits, hub.answered) == (chains.home.bank, 3, answered)


async def test_pages_join_and_leave_nothing_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing_page, "RESERVED", SHARE_BYTES - 4_000)
    monkeypatch.setattr(sharing_page, "PORTION", 7)
    async with world(tmp_path, 40) as chains:
        await chains.mirror()
        await chains.zsj.fetch.look()
        contents = await chains.content(chains.zsj, "csj")
        assert len(contents) > 8  # more than one request gets
        permits = [one.permit for content in contents for one in content.permits]
        places = [(e.log, e.index) for content in contents for e in content.entries]
        assert sorted(permits) == sorted(chains.at.queries)
        assert len(places) == len(set(places)) == 3 * 40
        untils = [share.until for share in await chains.kept(chains.zsj, RECEIVED, "csj")]
        assert untils == sorted(untils)


async def test_an_answer_that_was_lost_is_given_again_and_nothing_new_is_no_share(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as chains:
        await chains.mirror()
        await chains.zsj.fetch.look()
        (first,) = await chains.kept(chains.zsj, RECEIVED, "csj")
        received = regulator_shares.c.direction == RECEIVED
        await chains.zsj.regulator.store.run(
            lambda c: c.execute(delete(regulator_shares).where(received))
        )
        await chains.zsj.fetch.look()
        assert await chains.kept(chains.zsj, RECEIVED, "csj") == [first]
        assert await chains.kept(chains.csj, GIVEN, "zsj") == [first]
        await chains.zsj.fetch.look()
        assert len(await chains.kept(chains.csj, GIVEN, "zsj")) == 1


async def test_an_audit_that_starts_again_finds_the_same(tmp_path: Path) -> None:
    async with world(tmp_path) as chains:
        victim = next(iter(chains.at.queries))
        chains.home.without(Kind.QUERY, victim)
        await chains.mirror()
        await chains.exchange()
        first = await chains.csj.audit()
        assert first == {("bank-entry-missing", str(chains.home.bank), victim)}
        chains.csj.checks = None
        assert await chains.csj.audit() == first
        assert len(await chains.csj.findings()) == 1


async def test_until_the_share_is_there_nobody_is_blamed(tmp_path: Path) -> None:
    async with world(tmp_path) as chains:
        victim = next(iter(chains.at.queries))
        chains.home.without(Kind.QUERY, victim)
        await chains.mirror()
        assert await chains.csj.audit(finish=True) == set()
        assert await chains.zsj.audit(finish=True) == set()
        numbers = (await chains.csj.regulator.store.read(reconciled_chains))["zsj"]
        assert (numbers["open"], numbers["covered"]) == (3, 0)
        await chains.exchange()
        found = {("bank-entry-missing", str(chains.home.bank), victim)}
        assert await chains.csj.audit() == found
        assert await chains.zsj.audit() == found


async def test_a_peer_that_is_away_for_a_day_is_a_finding_about_it_alone(tmp_path: Path) -> None:
    async with world(tmp_path) as chains:
        await chains.mirror()
        await chains.csj.regulator.servers[-1].stop(0)
        with pytest.raises(RemoteError):
            await chains.zsj.fetch.fetch((await chains.zsj.desk.trust.trusted())["csj"])
        await chains.zsj.fetch.look()
        assert await chains.zsj.findings() == []
        chains.zsj.place.clock.advance(23 * HOUR)
        await chains.zsj.fetch.look()
        assert await chains.zsj.findings() == []
        chains.zsj.place.clock.advance(2 * HOUR)
        # A node that was down, and looks again, is given an hour before it blames another one.
        again = ShareFetch(chains.zsj.regulator, chains.zsj.desk.trust, chains.zsj.desk.channels)
        await again.look()
        assert await chains.zsj.findings() == []
        await chains.zsj.fetch.look()
        await chains.zsj.fetch.look()
        (found,) = await chains.zsj.findings()
        assert found.kind is FindingKind.SHARE_MISSING
        assert (found.subject, found.query) == (str(chains.csj.place.id), None)


# --- refusals -------------------------------------------------------------------------------------


async def requested(chains: World, key: SigningKey | None = None, **changes: Any) -> int:
    """The regulator of zsj asks that of csj whatever it likes; how many shares it gets."""
    zsj = chains.zsj
    fields: dict[str, Any] = {
        "id": secrets.token_bytes(16),
        "chain": "zsj",
        "audience": "csj",
        "regulator": zsj.place.id,
        "number": 0,
        "last": NONE,
        "issued": zsj.now,
    }
    request = ShareRequest.model_validate(fields | changes)
    signed = request.sign(key or zsj.regulator.identity.signing)
    channel = await zsj.desk.channels.regulator("csj")
    message = peers_pb2.ShareRequest(request=signed_to_wire(signed))
    parts = channel.download(METHOD, message, peers_pb2.SharePart, 10.0)
    return len([part async for part in parts])


async def last_reason(office: Office) -> str:
    return str((await entries(office, Kind.REFUSAL))[-1]["reason"])


async def test_nothing_is_shared_with_who_asks_wrongly(tmp_path: Path) -> None:
    other = SpiffeId("zsj.yinxin.example", Role.REGULATOR, "other")
    async with world(tmp_path) as chains:
        await chains.mirror()
        cases: list[tuple[dict[str, Any], str]] = [
            ({"key": SigningKey.generate()}, "unverified"),
            ({"chain": "jjj"}, Reason.WRONG_CHAIN.value),
            ({"regulator": other}, Reason.WRONG_CHAIN.value),
            ({"audience": "jjj"}, Reason.WRONG_AUDIENCE.value),
            ({"issued": chains.zsj.now - HOUR}, Reason.EXPIRED.value),
            ({"number": 1, "last": secrets.token_bytes(32)}, Reason.CONFLICT.value),
            ({"last": secrets.token_bytes(32)}, Reason.CONFLICT.value),
        ]
        for changes, reason in cases:
            with pytest.raises(RemoteRefusal):
                await requested(chains, **changes)
            assert await last_reason(chains.csj) == reason, changes
        assert await chains.kept(chains.csj, GIVEN, "zsj") == []
        assert await requested(chains) == 1


async def test_a_chain_that_is_not_trusted_any_more_gets_and_gives_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as chains:
        await chains.mirror()
        await withdraw_chain(chains.csj.regulator, "zsj", "test")
        with pytest.raises(RemoteError):
            await requested(chains)
        assert await last_reason(chains.csj) == Reason.UNKNOWN_CHAIN.value
        await chains.csj.fetch.look()
        assert await chains.kept(chains.csj, RECEIVED, "zsj") == []
        with pytest.raises(Refusal) as refused:
            await chains.csj.desk.channels.regulator("zsj")
        assert refused.value.reason is Reason.UNKNOWN_CHAIN


async def test_a_chain_that_was_never_pinned_gets_nothing(tmp_path: Path) -> None:
    async with world(tmp_path, pinned=False) as chains:
        await chains.mirror()
        await chains.zsj.pin(chains.csj)
        with pytest.raises((PartyUnavailable, RemoteRefusal)):
            await requested(chains)
        assert await chains.kept(chains.csj, GIVEN, "zsj") == []


async def test_before_anything_is_mirrored_nothing_is_said_to_be_complete(tmp_path: Path) -> None:
    async with world(tmp_path) as chains:
        assert await requested(chains) == 0


# --- dishonest regulators -------------------------------------------------------------------------


async def given(chains: World, share: Share, content: ShareContent) -> None:
    """The regulator of csj signs any share, and that of zsj gets it as the next one."""
    csj, zsj = chains.csj.regulator, chains.zsj
    trusted = (await zsj.desk.trust.trusted())["csj"]
    part = peers_pb2.SharePart(
        share=signed_to_wire(share.sign(csj.identity.signing)),
        sealed=seal_share(share, content, zsj.regulator.identity.require_sealing().public),
    )
    shares = await chains.kept(zsj, RECEIVED, "csj")
    await zsj.fetch.take(trusted, part, shares[-1] if shares else None)


@dataclass(frozen=True)
class Lie:
    """What csj's regulator changes of its next share, and whether its signature convicts it."""

    name: str
    changes: dict[str, Any]
    convicts: bool


LIES = [
    Lie("another-first", {"number": 1, "previous": NONE, "begin": 0}, True),
    Lie("another-past", {"previous": bytes([1]) * 32}, True),
    Lie("gap", {"begin": 1_000_000_000}, True),
    Lie("logs-left-out", {"logs": ()}, True),
    Lie("before-its-turn", {"number": 3}, False),
]


async def test_shares_that_contradict_each_other_convict_and_others_are_refused(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as chains:
        await chains.mirror()
        await chains.zsj.fetch.look()
        (first,) = await chains.kept(chains.zsj, RECEIVED, "csj")
        (content,) = await chains.content(chains.zsj, "csj")
        with pytest.raises(Refusal) as refused:
            await given(chains, first, content)  # the same again: a replay convicts nobody
        assert refused.value.reason is Reason.CONFLICT
        assert await chains.zsj.findings() == []
        fresh = ShareContent(salt=secrets.token_bytes(16), permits=(), entries=(), findings=())
        spans = tuple(span.model_copy(update={"start": span.stop}) for span in first.logs)
        honest = {
            "number": 2,
            "previous": first.hash,
            "begin": first.until,
            "content": fresh.hash,
            "logs": spans,
        }
        for lie in LIES:
            before = len(await chains.zsj.findings())
            share = first.model_copy(update=honest | lie.changes)
            with pytest.raises(Refusal):
                await given(chains, share, fresh)
            found = (await chains.zsj.findings())[before:]
            assert len(found) == lie.convicts, lie.name
        kinds = {one.kind for one in await chains.zsj.findings()}
        assert kinds == {FindingKind.SHARE_CONTRADICTS}
        await given(chains, first.model_copy(update=honest), fresh)
        assert len(await chains.kept(chains.zsj, RECEIVED, "csj")) == 2
