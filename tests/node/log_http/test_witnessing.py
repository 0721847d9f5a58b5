"""Witnesses over the network: what an owner of a log, or who edits its database, tries."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import node.log.publishing
from federation.merkle import EMPTY_ROOT
from federation.signed import SigningKey
from federation.tlog.checkpoint import Checkpoint, origin_of, sign_checkpoint
from federation.tlog.witness import AddCheckpoint
from node.log.witnessing import last_seen
from support.enrolled import HARBOUR, HOLDERS, HUB, REGULATOR
from tests.node.log_http.world import GRACE, LogWorld, enrolled, until

WITNESSES = (REGULATOR, *HOLDERS)
TAX = HOLDERS[-1]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LogWorld]:
    with enrolled(tmp_path) as found:
        yield found


def request(
    world: LogWorld,
    size: int,
    root: bytes,
    old: int,
    proof: tuple[bytes, ...] = (),
    key: SigningKey | None = None,
) -> bytes:
    """What the hub, or who has its key, may send about its log."""
    signing = key or world.homes.identity(HUB).signing
    note = sign_checkpoint(Checkpoint(origin_of(HUB), size, root), signing)
    return AddCheckpoint(old, proof, note.encode()).encode()


async def test_witness_cosigns_no_rollback_and_no_fork(world: LogWorld) -> None:
    async with world.running(TAX), world.client(HUB, TAX) as client:
        tax, first, second = world.members[TAX], bytes([1]) * 32, bytes([2]) * 32
        assert (await client.add_checkpoint(request(world, 3, first, 0)))[0] == 200
        again = await client.add_checkpoint(request(world, 3, first, 3))
        assert again[0] == 200  # a repetition, as after a lost answer
        attempts = {
            "fork of the same size": (request(world, 3, second, 3), 422),
            "growth without proof": (request(world, 4, second, 3), 422),
            "growth with a wrong proof": (request(world, 4, second, 3, (first,)), 422),
            "rollback": (request(world, 2, second, 3), 400),
            "from the beginning again": (request(world, 5, second, 0), 409),
            "another's signature": (request(world, 4, second, 3, (), SigningKey.generate()), 403),
        }
        for what, (raw, expected) in attempts.items():
            assert (await client.add_checkpoint(raw))[0] == expected, what
            assert (await client.add_checkpoint(raw))[0] == expected, what  # kept once
        seen = await tax.runtime.store.read(lambda c: last_seen(c, origin_of(HUB)))
        assert seen is not None and (seen.size, seen.root) == (3, first)
        evidence = [one.body for one in await tax.entries("refusal")]
        assert {one["log"] for one in evidence} == {origin_of(HUB)}
        assert all(str(one["checkpoint"]).startswith(origin_of(HUB)) for one in evidence)
        # All checkpoints but the honest question from the beginning: two proofs were of one.
        assert len(evidence) == 4


async def test_two_forks_at_once_get_one_cosignature(world: LogWorld) -> None:
    async with world.running(TAX), world.client(HUB, TAX) as client:
        forks = [request(world, 1, bytes([number]) * 32, 0) for number in range(8)]
        answers = await asyncio.gather(*map(client.add_checkpoint, forks))
        assert sorted(status for status, _ in answers) == [200] + [409] * 7
        assert {body for status, body in answers if status == 409} == {b"1\n"}


async def test_witness_remembers_over_a_restart(world: LogWorld) -> None:
    root = bytes([1]) * 32
    async with world.running(TAX), world.client(HUB, TAX) as client:
        assert (await client.add_checkpoint(request(world, 3, root, 0)))[0] == 200
    async with world.running(TAX), world.client(HUB, TAX) as client:
        assert await client.add_checkpoint(request(world, 3, bytes(32), 0)) == (409, b"3\n")


async def test_own_log_and_logs_of_no_member_are_not_witnessed(world: LogWorld) -> None:
    async with world.running(TAX), world.client(HUB, TAX) as client:
        for origin, key in (
            (origin_of(TAX), world.homes.identity(TAX).signing),
            ("csj.yinxin.example/holder/stranger", SigningKey.generate()),
            ("example.org/log", SigningKey.generate()),
        ):
            note = sign_checkpoint(Checkpoint(origin, 0, EMPTY_ROOT), key)
            raw = AddCheckpoint(0, (), note.encode()).encode()
            assert (await client.add_checkpoint(raw))[0] == 404


async def test_bank_is_no_witness(world: LogWorld) -> None:
    async with world.running(HARBOUR), world.client(HUB, HARBOUR) as client:
        assert (await client.add_checkpoint(request(world, 0, EMPTY_ROOT, 0)))[0] == 403


async def test_log_that_was_rolled_back_and_went_on_is_noticed_by_every_witness(
    world: LogWorld, tmp_path: Path
) -> None:
    """The hub's database of yesterday in place of today's: its own checks find nothing wrong."""
    data, copy = world.homes.folder(HUB) / "data", tmp_path / "yesterday"
    async with world.running(*WITNESSES):
        async with world.member(HUB) as hub:
            await hub.cosigned(await hub.append() + 1)
        shutil.copytree(data, copy)
        async with world.member(HUB) as hub:
            await hub.cosigned(await hub.append(3) + 1)
        shutil.rmtree(data)
        shutil.copytree(copy, data)
        async with world.member(HUB) as hub:
            await hub.append()  # smaller than what the witnesses saw
            await until(lambda: hub.publisher.disagreeing == len(WITNESSES))
            world.clock.advance(1)
            await hub.append(5)  # larger, and another
            await until(lambda: hub.publisher.size >= 7)
            size = hub.publisher.size
            tax = world.members[TAX]

            async def told() -> list[str]:
                found = [one.body for one in await tax.entries("refusal")]
                return [str(b["checkpoint"]) for b in found if b.get("log") == origin_of(HUB)]

            async with asyncio.timeout(20):
                while not any(f"\n{size}\n" in note for note in await told()):
                    await asyncio.sleep(0.05)
            assert hub.publisher.cosigned_size < 3
            world.clock.advance(GRACE + 1)
            await until(lambda: not hub.publisher.answers)


async def test_node_whose_stored_log_was_edited_answers_nothing(
    world: LogWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node.log.publishing, "PATROL_SECONDS", 0.2)
    async with world.running(*WITNESSES, HUB):
        hub = world.members[HUB]
        index = await hub.append(3)
        await hub.cosigned(index + 1)

        def edit(connection) -> None:  # type: ignore[no-untyped-def]
            names = connection.exec_driver_sql(
                "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'log_entries'"
            ).scalars()
            for name in list(names):
                connection.exec_driver_sql(f'DROP TRIGGER "{name}"')
            connection.exec_driver_sql(
                "UPDATE log_entries SET entry = CAST(replace(CAST(entry AS TEXT), '\"v\":4', "
                '\'"v":5\') AS BLOB) WHERE "index" = 1'
            )

        await hub.runtime.store.run(edit)
        await until(lambda: not hub.publisher.answers)
        assert "1" in hub.publisher.fault
