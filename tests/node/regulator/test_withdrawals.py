"""Withdrawals over real connections: bank, regulator and hub, and what counts meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from federation.certificate import ModelCertificate
from federation.entries import Kind
from federation.exchange.regulator import REPORT_PURPOSE, PolicyVerdict, open_at_bank
from federation.identity import SpiffeId
from federation.policy import PolicyReport
from federation.withdrawal import ModelWithdrawal
from node.hub import publication
from node.hub.publication import Hub
from node.regulator.audit.documents import load_documents
from node.regulator.certification import CertificationDesk
from node.regulator.listing import find_model, model_views
from node.regulator.membership import Regulator
from node.regulator.withdrawals import withdraw
from node.rpc.convert import signed_from_wire
from node.rpc.errors import RemoteRefusal
from support.enrolled import (
    DELTA,
    HARBOUR,
    HOLDERS,
    HUB,
    REGULATOR,
    Homes,
    certifying,
    hub_serving,
    regulating,
)
from support.small import small_catalogue, small_scorecard
from tests.attack.test_model_desk import NEAR, PARTICIPANTS, R0, R2, isolates, scorecard
from tests.node.regulator.test_certification import Answer, call, entries, sealed
from yinxin.v1 import regulator_pb2

METHOD = "/yinxin.v1.Regulator/WithdrawModel"
SUCCESSOR = tuple(entry.points for entry in small_scorecard("c", PARTICIPANTS).points)
"""Points that differ from R0's in every feature about as much."""


@dataclass
class Place:
    homes: Homes
    regulator: Regulator
    port: int

    async def certify(self, points: Any, bank: SpiffeId = HARBOUR) -> ModelCertificate:
        certificate, failures = await self.submit(points, bank)
        assert failures == () and certificate is not None
        return certificate

    async def submit(self, points: Any, bank: SpiffeId = HARBOUR) -> Any:
        model = secrets.token_bytes(16)
        raw = sealed(self.homes, id=model, bank=bank, scorecard=scorecard(points).to_json())
        answer: Answer = await call(self.homes, self.port, raw, bank)
        key = self.homes.identity(bank).require_sealing()
        report = open_at_bank(REPORT_PURPOSE, model, answer[0].report, key)
        failures = PolicyReport.from_json(PolicyVerdict.parse(report).report).failures
        if not answer[0].HasField("certificate"):
            return None, failures
        return ModelCertificate.parse(answer[0].certificate.payload), failures

    async def withdraw(
        self, certificate: ModelCertificate, bank: SpiffeId = HARBOUR
    ) -> regulator_pb2.WithdrawReply:
        request = regulator_pb2.WithdrawRequest(certificate_hash=certificate.hash)
        async with self.homes.channel(bank, REGULATOR, self.port) as channel:
            return await channel.unary(METHOD, request, regulator_pb2.WithdrawReply)

    async def valid(self) -> list[bool]:
        desk = CertificationDesk(self.regulator, None)
        past = await self.regulator.store.read(lambda c: desk.history.past(c, {str(HARBOUR)}))
        return [one.valid for one in past]


@contextlib.asynccontextmanager
async def chained(folder: Path) -> AsyncIterator[tuple[Homes, Hub, dict[str, str]]]:
    """A serving hub, and where the regulator finds it."""
    homes = Homes(folder)
    parties = (HARBOUR, DELTA, HUB, *HOLDERS)
    async with regulating(homes) as regulator:
        await homes.enrol(regulator, *parties)
    async with hub_serving(homes) as hub:

        def publish(connection: Any) -> None:
            for party in (*parties, REGULATOR):
                publication.add_member(hub, connection, homes.identity(party).credential, "h:1")
            publication.publish_catalogue(hub, connection, small_catalogue())

        await hub.store.run(publish)
        address = f"127.0.0.1:{hub.servers[0].port}"
        yield homes, hub, {"YINXIN__HUB__NAME": HUB.name, "YINXIN__HUB__ADDRESS": address}


async def until(check: Any) -> None:
    async with asyncio.timeout(10):
        while not await check():
            await asyncio.sleep(0.05)


async def test_a_bank_withdraws_a_model_and_its_successor_fits(tmp_path: Path) -> None:
    """The cap of valid models; and that what was withdrawn stays in the history."""
    async with (
        chained(tmp_path) as (homes, hub, environment),
        certifying(homes, environment=environment) as (regulator, port),
    ):
        place = Place(homes, regulator, port)
        first = await place.certify(R0)
        _, full = await place.submit(SUCCESSOR)
        assert {item.rule for item in full} == {"d"}, "the joint record of both is too telling"
        reply = await place.withdraw(first)
        assert reply.delivered
        signed = signed_from_wire(reply.withdrawal)
        withdrawal = ModelWithdrawal.open_(signed, homes.root.regulator_signing)
        assert (withdrawal.certificate, withdrawal.by) == (first.hash, HARBOUR)
        assert await place.valid() == [False]
        kept = await hub.store.read(lambda c: hub.chain.withdrawal(c, first.hash))
        assert kept == withdrawal

        again = await place.withdraw(first)
        assert signed_from_wire(again.withdrawal) == signed
        assert len(await entries(regulator, Kind.WITHDRAWN)) == 1
        second = await place.certify(SUCCESSOR)
        assert sorted(await place.valid()) == [False, True]
        # Withdrawn and certified again with one feature changed: the feature is named.
        assert isolates((await place.submit(NEAR))[1])

        with pytest.raises(RemoteRefusal):
            await place.withdraw(second, DELTA)
        states = {v["certificate"]: v["state"] for v in await model_views(regulator)}
        assert states == {first.hash.hex(): "withdrawn", second.hash.hex(): "valid"}
        documents = await regulator.store.read(lambda c: load_documents(c, homes.root))
        assert documents.withdrawn(second.hash) is None
        assert documents.withdrawn(first.hash) == homes.now


async def test_until_the_hub_has_it_a_withdrawn_model_counts_as_valid(tmp_path: Path) -> None:
    """Else a bank could be answered under it and its successor. The serving node delivers what a
    command withdrew, once the hub is there.
    """
    async with chained(tmp_path) as (homes, _, environment):
        async with certifying(homes) as (regulator, port):  # no hub
            await regulator.store.run(
                lambda c: regulator.chain.put_catalogue(c, small_catalogue().to_json().encode())
            )
            place = Place(homes, regulator, port)
            model = await place.certify(R2)
            found = await find_model(regulator, model.hash.hex()[:12])
            await withdraw(regulator, model.hash, regulator.identity.id)
            assert await place.valid() == [True]
            assert found["state"] == "valid"
            shown = await find_model(regulator, model.hash.hex())
            assert (shown["state"], shown["delivered"]) == ("withdrawn", False)
        async with certifying(homes, environment=environment) as (regulator, port):
            place = Place(homes, regulator, port)

            async def counts_no_more() -> bool:
                return await place.valid() == [False]

            await until(counts_no_more)
            shown = await find_model(regulator, model.hash.hex())
            assert (shown["delivered"], shown["by"]) == (True, str(REGULATOR))
