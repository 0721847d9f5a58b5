"""Reports of failed records: to the regulator alone, once each, about members only."""

from __future__ import annotations

import dataclasses
import secrets
from pathlib import Path
from typing import Any

import pytest

from federation.entries import InclusionPromise, Kind, read_entry
from federation.failure import Failed, FailureReport
from federation.identity import Role, SpiffeId
from federation.merkle import leaf_hash
from federation.signed import Signed, SigningKey
from node.rpc.convert import signed_from_wire, signed_to_wire
from node.rpc.errors import RemoteError, RemoteInvalid, RemoteRefusal
from support.enrolled import DELTA, DOMAIN, HARBOUR, HOLDERS, REGULATOR, Homes, certifying
from yinxin.v1 import common_pb2


@pytest.fixture
def homes(tmp_path: Path) -> Homes:
    return Homes(tmp_path)


def report(homes: Homes, **changes: Any) -> FailureReport:
    fields: dict[str, Any] = {
        "chain": "csj", "bank": HARBOUR, "ctx": secrets.token_bytes(32),
        "permit": secrets.token_bytes(32), "parties": (HOLDERS[0],), "failed": Failed.PROOF,
        "time": homes.now,
    }  # fmt: skip
    return FailureReport(**(fields | changes))


async def send(
    homes: Homes, port: int, signed: Signed, bank: SpiffeId = HARBOUR
) -> common_pb2.Receipt:
    async with homes.channel(bank, REGULATOR, port) as channel:
        return await channel.unary(
            "/yinxin.v1.Regulator/ReportFailure", signed_to_wire(signed), common_pb2.Receipt
        )


async def test_a_report_is_logged_once_with_a_promise(homes: Homes) -> None:
    async with certifying(homes) as (regulator, port):
        made = report(homes, parties=HOLDERS, failed=Failed.RECORD)
        signed = made.sign(homes.identity(HARBOUR).signing)
        first, again = [await send(homes, port, signed) for _ in range(2)]
        assert first == again
        promise = InclusionPromise.open_(
            signed_from_wire(first.promise), homes.root.regulator_signing
        )
        assert promise.leaf == leaf_hash(first.entry) and promise.log == REGULATOR
        found = [one.entry async for one in regulator.log.iterate()]
        assert found.count(first.entry) == 1
        body = read_entry(first.entry).body
        assert (body["failed"], body["bank"]) == ("record", str(HARBOUR))
        assert body["parties"] == " ".join(map(str, HOLDERS))
        assert "91" + "999999" not in first.entry.decode(), "no enterprise is named"


async def test_a_report_is_the_banks_own_and_about_members(homes: Homes) -> None:
    async with certifying(homes) as (regulator, port):
        own = homes.identity(HARBOUR).signing
        good = report(homes).sign(own)
        stranger = SpiffeId(DOMAIN, Role.HOLDER, "stranger")
        altered = dataclasses.replace(good, payload=good.payload.replace(b"proof", b"recor"))
        bad: list[tuple[Signed, SpiffeId, type[RemoteError]]] = [
            (good, DELTA, RemoteRefusal),
            (report(homes, bank=DELTA).sign(own), HARBOUR, RemoteRefusal),
            (report(homes).sign(SigningKey.generate()), HARBOUR, RemoteRefusal),
            (altered, HARBOUR, RemoteRefusal),
            (report(homes, chain="zsj").sign(own), HARBOUR, RemoteRefusal),
            (report(homes, parties=(stranger,)).sign(own), HARBOUR, RemoteRefusal),
            (report(homes, parties=HOLDERS[::-1]).sign(own), HARBOUR, RemoteInvalid),
        ]
        for signed, bank, error in bad:
            with pytest.raises(error):
                await send(homes, port, signed, bank)
        counts = await regulator.log.count_by_kind()
        assert Kind.FAILURE not in counts and counts[Kind.REFUSAL] == len(bad)
        await send(homes, port, good)
        with pytest.raises(RemoteRefusal):
            await send(homes, port, good, HOLDERS[0])
