"""The regulator's audit keys: issued, wrapped, rotated, erased, split and recovered."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import pickle
import secrets
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Insert, insert, select, update

from federation.auditkeys import (
    KeyErased,
    SealingKeys,
    SubjectClass,
    calendar_month,
    month_start,
    months_later,
)
from federation.canonical import b64
from federation.entries import Kind, entry, read_entry
from federation.errors import EnvelopeError, Reason, SignatureInvalid
from federation.merkle import inclusion_proof, leaf_hash, verify_inclusion
from federation.merkle import root as root_of
from federation.permit import Evidence, open_for_audit, seal_to_regulator
from node.clock import FixedClock
from node.errors import SecretFileError
from node.hub.auditkeys import put_audit_keys, sealing_keys
from node.keys import read_secret, write_secret
from node.regulator.auditkeys.changing import erase, rotate
from node.regulator.auditkeys.errors import MasterKeyError, RetentionError, ShareError
from node.regulator.auditkeys.issuing import issue_ahead, issued
from node.regulator.auditkeys.master import next_path
from node.regulator.auditkeys.provider import AuditKeyRing
from node.regulator.auditkeys.shares import combine, recover_master, split, split_master
from node.regulator.auditkeys.tables import regulator_audit_keys
from node.regulator.membership import Regulator
from node.regulator.tables import audit_queries
from support.checks import refused
from support.enrolled import HARBOUR, REGULATOR, Homes, certifying, hub_serving, regulating

COMPANY, HOUSEHOLD = "91310000999999999X", "92310000999999999X"
YEAR = 366 * 86_400


@pytest.fixture
def homes(tmp_path: Path) -> Homes:
    return Homes(tmp_path)


def master_file(homes: Homes) -> Path:
    return homes.folder(REGULATOR) / "keys" / "audit.key"


def evidence(code: str = COMPANY) -> Evidence:
    return Evidence(
        permit=hashlib.sha256(code.encode()).digest(),
        consent="a.b.c",
        uscc=code,
        proof=bytes(64),
        tag_key=bytes(32),
        officer="officer-1",
        reference="case-1",
    )


async def ring_of(regulator: Regulator) -> AuditKeyRing:
    return await AuditKeyRing.open(regulator.config, regulator.store)


async def statements(regulator: Regulator) -> SealingKeys:
    keys = await regulator.store.read(issued)
    return SealingKeys(key.statement for key in keys)


async def envelope(regulator: Regulator, code: str = COMPANY) -> bytes:
    key = (await statements(regulator)).of(code, regulator.clock.now())
    return seal_to_regulator(evidence(code), key)


async def opens(regulator: Regulator, sealed: bytes, at: int, code: str = COMPANY) -> bool:
    found = open_for_audit(sealed, evidence(code).permit, at, await ring_of(regulator))
    return found == evidence(code)


async def logged(regulator: Regulator, kind: Kind) -> list[dict[str, Any]]:
    entries = [read_entry(one.entry) async for one in regulator.log.iterate()]
    return [one.body for one in entries if one.kind is kind]


# --- issuing -----------------------------------------------------------------------------------


async def test_keys_are_made_ahead_once_and_logged(homes: Homes) -> None:
    clock = FixedClock(homes.now)
    async with regulating(homes, clock) as regulator:
        made = await issue_ahead(regulator)
        month = calendar_month(homes.now)
        assert {(k.month, k.subjects) for k in made} == set(
            itertools.product((month, months_later(month, 1)), SubjectClass)
        )
        master_file(homes).rename(master_file(homes).with_suffix(".away"))
        assert await issue_ahead(regulator) == []  # the master key is not asked for in vain
        master_file(homes).with_suffix(".away").rename(master_file(homes))
        clock.advance(month_start(months_later(month, 1)) - homes.now)
        later = await issue_ahead(regulator)
        assert {k.month for k in later} == {months_later(month, 2)}
        entries = await logged(regulator, Kind.KEY_ROTATED)
        assert [one["document"] for one in entries] == [b64(k.id) for k in (*made, *later)]
        for code in (COMPANY, HOUSEHOLD):
            assert await opens(regulator, await envelope(regulator, code), clock.now(), code)


async def test_no_secret_half_is_kept_in_the_clear(homes: Homes) -> None:
    async with regulating(homes) as regulator:
        made = await issue_ahead(regulator)
        ring = await ring_of(regulator)
        seeds = [ring.key(key.id).to_bytes() for key in made]
        assert repr(ring) == "AuditKeyRing(4 keys)"
    master = read_secret(master_file(homes))
    for path in (homes.folder(REGULATOR) / "data").rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert not any(secret in content for secret in (master, *seeds))


async def test_the_audit_hands_its_ring_to_workers(homes: Homes) -> None:
    async with regulating(homes) as regulator:
        await issue_ahead(regulator)
        sealed = await envelope(regulator)
        copy: AuditKeyRing = pickle.loads(pickle.dumps(await ring_of(regulator)))  # noqa: S301
        assert copy.evidence(sealed, evidence().permit, homes.now) == evidence()
        with pytest.raises(EnvelopeError, match="never issued"):
            copy.key(bytes(32))


async def test_another_master_key_is_not_taken(homes: Homes) -> None:
    path = master_file(homes)
    async with regulating(homes) as regulator:
        await issue_ahead(regulator)
        path.rename(path.with_suffix(".away"))
        with pytest.raises(MasterKeyError, match="does not exist"):
            await ring_of(regulator)
        write_secret(path, secrets.token_bytes(32))
        for work in (ring_of(regulator), rotate(regulator), issue_ahead(regulator, 5)):
            with pytest.raises(MasterKeyError, match="is not the key"):
                await work
        assert len(await regulator.store.read(issued)) == 4


async def test_secret_halves_cannot_be_exchanged_in_the_database(homes: Homes) -> None:
    async with regulating(homes) as regulator:
        first, second = (await issue_ahead(regulator))[:2]
        table = regulator_audit_keys.c
        await regulator.store.run(
            lambda c: c.execute(
                update(regulator_audit_keys)
                .where(table.id == first.id)
                .values(sealed=select(table.sealed).where(table.id == second.id).scalar_subquery())
            )
        )
        with pytest.raises(Exception, match="does not open"):
            (await ring_of(regulator)).key(first.id)


# --- the hub -----------------------------------------------------------------------------------


async def test_the_serving_regulator_hands_keys_over_without_the_master_key(homes: Homes) -> None:
    async with certifying(homes):
        pass
    async with regulating(homes) as regulator:
        made = await issue_ahead(regulator)
    master_file(homes).unlink()
    async with hub_serving(homes) as hub:

        def at_hand(connection: Any) -> set[bytes]:
            keys = sealing_keys(hub, connection, homes.now)
            return {keys.of(code, homes.now).id for code in (COMPANY, HOUSEHOLD)}

        newest = {k.id for k in made if k.month == calendar_month(homes.now)}
        assert await hub.store.read(at_hand) != newest
        address = f"127.0.0.1:{hub.servers[0].port}"
        hub_peer = {"YINXIN__HUB__NAME": "hub", "YINXIN__HUB__ADDRESS": address}
        async with certifying(homes, environment=hub_peer):
            async with asyncio.timeout(60):
                while not newest <= await hub.store.read(_kept):
                    await asyncio.sleep(0.05)


def _kept(connection: Any) -> set[bytes]:
    from node.hub.tables import hub_audit_keys

    return {bytes(i) for i in connection.execute(select(hub_audit_keys.c.id)).scalars()}


async def test_a_hub_takes_keys_of_its_regulator_alone(homes: Homes) -> None:
    async with certifying(homes):
        pass
    async with regulating(homes) as regulator:
        await issue_ahead(regulator)
        keys = await regulator.store.read(issued)
    async with hub_serving(homes) as hub:
        before = await hub.store.read(_kept)
        forged = keys[0].statement.sign(homes.identity(HARBOUR).signing)
        with pytest.raises(SignatureInvalid):
            await hub.store.run(lambda c: put_audit_keys(hub, c, [keys[1].signed, forged]))
        assert await hub.store.read(_kept) == before
        future = month_start(months_later(calendar_month(homes.now), 30))
        found = await hub.store.read(lambda c: sealing_keys(hub, c, future))
        refused(Reason.NO_AUDIT_KEY, lambda: found.of(COMPANY, future))


# --- rotation ----------------------------------------------------------------------------------


async def test_a_new_master_key_wraps_every_secret_half(homes: Homes) -> None:
    old = read_secret(master_file(homes))
    async with regulating(homes) as regulator:
        await issue_ahead(regulator)
        sealed = await envelope(regulator)
        wrapped = await regulator.store.read(_wrapped)
        assert await rotate(regulator) == 4
        assert await opens(regulator, sealed, homes.now)
        bodies = await logged(regulator, Kind.KEY_ROTATED)
        assert bodies[-1] == {"key": "audit-master", "wrapped": 4}
        files = [path.read_bytes() for path in (homes.folder(REGULATOR) / "data").glob("*sqlite*")]
        assert not any(one in content for one in wrapped for content in files)
    assert read_secret(master_file(homes)) != old
    assert not next_path(master_file(homes)).exists()


def _wrapped(connection: Any) -> list[bytes]:
    rows = connection.execute(select(regulator_audit_keys.c.sealed)).scalars()
    return [bytes(row) for row in rows if row is not None]


async def test_a_rotation_that_is_cut_short_loses_nothing(
    homes: Homes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = master_file(homes)
    async with regulating(homes) as regulator:
        await issue_ahead(regulator)
        sealed = await envelope(regulator)
        # Before the database was changed: a new key waits, and is not in force.
        write_secret(next_path(path), secrets.token_bytes(32))
        assert await opens(regulator, sealed, homes.now)
        # After it was changed, before the file was.
        old = read_secret(path)
        await rotate(regulator)
        new = read_secret(path)
        path.unlink()
        write_secret(path, old)
        write_secret(next_path(path), new)
        assert await opens(regulator, sealed, homes.now)
        await rotate(regulator)
        assert await opens(regulator, sealed, homes.now)
        assert read_secret(path) not in (old, new)


# --- erasure -----------------------------------------------------------------------------------


async def test_erasing_a_key_erases_content_and_keeps_the_proof(homes: Homes) -> None:
    clock, start = FixedClock(homes.now), homes.now
    month = calendar_month(start)
    async with regulating(homes, clock) as regulator:
        await issue_ahead(regulator)
        sealed = await envelope(regulator)
        raw = entry(
            Kind.PERMIT, start, document=bytes(32), envelope=hashlib.sha256(sealed).digest()
        )
        await regulator.store.run(lambda c: regulator.append(c, Kind.PERMIT, raw))
        leaves = [one.leaf_hash async for one in regulator.log.iterate()]
        index, size = leaves.index(leaf_hash(raw)), len(leaves)
        proof, root = inclusion_proof(leaves, index), root_of(leaves)
        wrapped = await regulator.store.read(_wrapped)

        after = months_later(month, 1)
        clock.advance(month_start(after + 500) - start - 1)
        with pytest.raises(RetentionError, match="5 years"):
            await erase(regulator, after)
        assert await opens(regulator, sealed, start)
        clock.advance(1)
        gone = await erase(regulator, after)
        assert {key.statement.month for key in gone} == {month}
        assert await erase(regulator, after) == []

        with pytest.raises(KeyErased):
            await opens(regulator, sealed, start)
        ring = await ring_of(regulator)
        kept = [k.statement for k in await regulator.store.read(issued) if k.erased is None]
        assert {ring.key(one.id).public for one in kept} == {one.public for one in kept}
        assert len(await logged(regulator, Kind.KEY_ERASED)) == 2
        left = await regulator.store.read(_wrapped)
        files = [path.read_bytes() for path in (homes.folder(REGULATOR) / "data").glob("*sqlite*")]
        assert not any(one in content for one in set(wrapped) - set(left) for content in files)

        # The log has grown by the erasure, and proves what it proved.
        again = [one.leaf_hash async for one in regulator.log.iterate()]
        assert again[:size] == leaves
        verify_inclusion(leaf_hash(raw), index, size, proof, root)
        newer = inclusion_proof(again, index), root_of(again)
        verify_inclusion(leaf_hash(raw), index, len(again), *newer)
        assert read_entry(raw).body["envelope"] == b64(hashlib.sha256(sealed).digest())


async def test_what_the_audit_noted_goes_with_the_last_key_of_its_month(homes: Homes) -> None:
    clock = FixedClock(homes.now)
    async with regulating(homes, clock) as regulator:
        await issue_ahead(regulator)
        month = calendar_month(homes.now)
        times = [homes.now, month_start(months_later(month, 1))]
        await regulator.store.run(lambda c: [c.execute(_noted(time)) for time in times] and None)

        async def left() -> list[int]:
            query = select(audit_queries.c.time).order_by(audit_queries.c.time)
            return await regulator.store.read(lambda c: list(c.execute(query).scalars()))

        clock.advance(6 * YEAR)
        await erase(regulator, months_later(month, 1), [SubjectClass.INDIVIDUAL])
        assert await left() == times
        await erase(regulator, months_later(month, 1))
        assert await left() == times[1:]


def _noted(time: int) -> Insert:
    return insert(audit_queries).values(
        id=secrets.token_bytes(32),
        index=0,
        time=time,
        bank=str(HARBOUR),
        officer="o",
        reference="r",
        purpose="02",
        uscc_tag=b"t",
        uscc=b"u",
        model=bytes(32),
        epoch=1,
        named=False,
        verified=True,
        record="{}",
    )


async def test_one_class_of_subjects_is_erased_alone(homes: Homes) -> None:
    clock = FixedClock(homes.now)
    async with regulating(homes, clock) as regulator:
        await issue_ahead(regulator)
        company, household = await envelope(regulator), await envelope(regulator, HOUSEHOLD)
        clock.advance(6 * YEAR)
        before = months_later(calendar_month(homes.now), 1)
        await erase(regulator, before, [SubjectClass.INDIVIDUAL])
        assert await opens(regulator, company, homes.now)
        with pytest.raises(KeyErased):
            await opens(regulator, household, homes.now, HOUSEHOLD)


async def test_the_legal_term_is_configured(homes: Homes) -> None:
    clock, longer = FixedClock(homes.now), {"YINXIN__RETENTION_YEARS": "10"}
    async with regulating(homes, clock, longer) as regulator:
        await issue_ahead(regulator)
        clock.advance(6 * YEAR)
        with pytest.raises(RetentionError, match="10 years"):
            await erase(regulator, months_later(calendar_month(homes.now), 1))


# --- shares ------------------------------------------------------------------------------------


def test_any_k_of_n_shares_give_the_key() -> None:
    master = secrets.token_bytes(32)
    shares = split(master, 3, 5)
    assert len(set(shares)) == 5
    for chosen in itertools.combinations(shares, 3):
        assert combine(chosen) == master
    with pytest.raises(ShareError, match="do not fit"):
        combine(shares[:2])
    with pytest.raises(ShareError, match="do not fit"):
        combine([*shares[:2], shares[0]])
    with pytest.raises(ShareError, match="do not fit"):
        combine([*shares[:2], split(master, 3, 5)[2]])
    words = shares[0].split()
    words[10] = "academic" if words[10] != "academic" else "acid"
    for bad in (" ".join(words), "no share at all", ""):
        with pytest.raises(ShareError, match="share 1"):
            combine([bad, *shares[1:3]])
    with pytest.raises(ShareError, match="another secret"):
        combine(split(secrets.token_bytes(16), 2, 2))


@pytest.mark.parametrize(("needed", "shares"), [(1, 3), (4, 3), (2, 17), (0, 0)])
def test_senseless_numbers_of_shares(needed: int, shares: int) -> None:
    with pytest.raises(ShareError, match="use 2 <="):
        split(bytes(32), needed, shares)


async def test_a_lost_master_key_comes_back_from_its_shares(homes: Homes) -> None:
    path = master_file(homes)
    async with regulating(homes) as regulator:
        await issue_ahead(regulator)
        sealed = await envelope(regulator)
        shares = await split_master(regulator, 2, 3, "root")
        with pytest.raises(SecretFileError, match="not overwritten"):
            await recover_master(regulator, shares[:2], "root")
        master = read_secret(path)
        path.unlink()
        with pytest.raises(ShareError, match="another key"):
            await recover_master(regulator, split(secrets.token_bytes(32), 2, 2), "root")
        assert not path.exists()
        await recover_master(regulator, shares[1:], "root")
        assert read_secret(path) == master
        assert await opens(regulator, sealed, homes.now)
        await rotate(regulator)
        path.rename(path.with_suffix(".away"))
        with pytest.raises(ShareError, match="another key"):
            await recover_master(regulator, shares[1:], "root")
        actions = [one["action"] for one in await logged(regulator, Kind.ADMIN)]
        assert actions == ["audit-key-split", "audit-key-recovered"]


async def test_shares_alone_are_not_enough(homes: Homes) -> None:
    async with regulating(homes) as regulator:
        with pytest.raises(ShareError, match="no audit keys"):
            await recover_master(regulator, split(bytes(32), 2, 2), "root")
