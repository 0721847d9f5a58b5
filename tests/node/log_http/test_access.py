"""Who may read what of a log, and what stands in the log of the node that refused."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import delete

from federation.errors import Refusal
from federation.identity import SpiffeId, dns_name
from node.chain.tables import chain_documents
from node.log.http.access import Resource, require_reader
from node.log.http.app import REFERENCE_HEADER
from node.log.http.tls import client_context
from node.rpc.errors import PartyUnavailable, RemoteFailure, RemoteRefusal
from support.chain import COURT, standard_chain
from support.chain import DELTA as OTHER_BANK
from support.chain import HARBOUR as BANK
from support.chain import HUB as CHAIN_HUB
from support.chain import REGULATOR as CHAIN_REGULATOR
from support.enrolled import DELTA, HARBOUR, HOLDERS, HUB, REGULATOR
from tests.node.log_http.world import LogWorld, enrolled, until


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LogWorld]:
    with enrolled(tmp_path) as found:
        yield found


@pytest.mark.parametrize(
    ("own", "resource", "readers"),
    [
        (CHAIN_HUB, Resource.HASHES, {CHAIN_HUB, CHAIN_REGULATOR, COURT, BANK, OTHER_BANK}),
        (COURT, Resource.HASHES, {CHAIN_HUB, CHAIN_REGULATOR, COURT, BANK, OTHER_BANK}),
        (BANK, Resource.HASHES, {CHAIN_HUB, CHAIN_REGULATOR, COURT, BANK}),
        (CHAIN_HUB, Resource.ENTRIES, {CHAIN_REGULATOR}),
        (BANK, Resource.ENTRIES, {CHAIN_REGULATOR}),
        (COURT, Resource.COSIGNATURE, {CHAIN_HUB, CHAIN_REGULATOR, COURT, BANK, OTHER_BANK}),
        (BANK, Resource.COSIGNATURE, set()),
    ],
)
def test_readers(own: SpiffeId, resource: Resource, readers: set[SpiffeId]) -> None:
    members = standard_chain().members
    for caller in (CHAIN_HUB, CHAIN_REGULATOR, COURT, BANK, OTHER_BANK):
        if caller in readers:
            require_reader(caller, own, members, resource)
        else:
            with pytest.raises(Refusal):
                require_reader(caller, own, members, resource)


def test_whoever_is_no_member_reads_nothing() -> None:
    members = standard_chain().members
    stranger = SpiffeId(CHAIN_HUB.trust_domain, COURT.role, "stranger")
    for resource in Resource:
        with pytest.raises(Refusal):
            require_reader(stranger, CHAIN_HUB, members, resource)


async def test_refused_readers_and_what_the_log_says_of_them(world: LogWorld) -> None:
    async with world.running(HUB, HARBOUR):
        hub, bank = world.members[HUB], world.members[HARBOUR]
        await hub.append(3)
        await bank.append(3)
        await until(lambda: hub.publisher.size >= 3 and bank.publisher.size >= 3)
        async with world.client(DELTA, HARBOUR) as client:
            for asking in (client.checkpoint, lambda: client.tile(0, 0, 3)):
                with pytest.raises(RemoteRefusal):
                    await asking()
        async with world.client(HOLDERS[0], HUB) as client:
            assert len(await client.tile(0, 0, 3)) == 96
            for asking in (
                lambda: client.bundle(0, 3),
                lambda: client.attachments(0),
                lambda: client.bundle(9_999, 1),  # whether it exists or not
            ):
                with pytest.raises(RemoteRefusal):
                    await asking()
        async with world.client(HOLDERS[0], HARBOUR) as client:  # a witness of the bank's log
            assert await client.checkpoint()
        refusals = await bank.entries("refusal")
        assert [(one.body["caller"], one.body["method"]) for one in refusals] == [
            (str(DELTA), "log-hashes")
        ] * 2
        refusals = await hub.entries("refusal")
        assert [(one.body["caller"], one.body["method"]) for one in refusals] == [
            (str(HOLDERS[0]), "log-entries")
        ] * 3


async def test_answer_to_a_refused_reader_says_nothing_but_a_reference(world: LogWorld) -> None:
    async with world.running(HUB):
        hub = world.members[HUB]
        await world.listening(HUB)
        context = client_context(world.homes.tls(DELTA))
        async with httpx.AsyncClient(verify=context, trust_env=False) as http:
            answers = [
                await http.get(
                    f"https://{world.addresses[HUB]}/{path}",
                    extensions={"sni_hostname": dns_name(HUB)},
                )
                for path in ("tile/entries/000.p/1", "tile/entries/x999/999", "attachments/0")
            ]
        references = [answer.headers[REFERENCE_HEADER] for answer in answers]
        assert {(answer.status_code, answer.text) for answer in answers} == {(403, "refused\n")}
        assert [one.body["reference"] for one in await hub.entries("refusal")] == references


async def test_a_node_without_its_chain_yet_judges_nobody(world: LogWorld) -> None:
    """A witness that is started with the others is asked before it knows them: no refusal."""
    async with world.running(HUB):
        hub = world.members[HUB]
        await hub.runtime.store.run(lambda connection: connection.execute(delete(chain_documents)))
        async with world.client(HOLDERS[0], HUB) as client:
            with pytest.raises(PartyUnavailable):
                await client.checkpoint()
        assert await hub.entries("refusal") == []


async def test_what_is_not_there_and_what_is_no_path(world: LogWorld) -> None:
    async with world.running(HUB):
        hub = world.members[HUB]
        await hub.append(3)
        await until(lambda: hub.publisher.size >= 3)
        async with world.client(REGULATOR, HUB) as client:
            for asking in (
                lambda: client.tile(0, 5),
                lambda: client.tile(3, 0),
                lambda: client.bundle(7, 1),
                lambda: client._get("tile/0/x000", 10),
                lambda: client._get("tile/0/000.p/0", 10),
                lambda: client._get("tile/entries/1", 10),
                lambda: client._get("attachments/-1", 10),
                lambda: client._get("docs", 10),
            ):
                with pytest.raises(RemoteFailure):
                    await asking()
        assert await hub.entries("refusal") == []


async def test_a_request_without_end_is_cut_off(world: LogWorld) -> None:
    async with world.running(REGULATOR), world.client(HUB, REGULATOR) as client:
        status, _ = await client.add_checkpoint(b"old 0\n\n" + b"x" * (1 << 20))
        assert status == 413
        assert (await client.add_checkpoint(b"old 0\n\nx\n"))[0] in (400, 404)
        await asyncio.sleep(0)
