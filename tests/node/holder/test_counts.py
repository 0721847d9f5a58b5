"""A holder's node on real sockets counts certified labels: once, within budgets, and blurred."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Connection

from federation.development import privacy
from federation.development.statement import CountsStatement, check_counts, read_statement
from federation.entries import read_entry
from federation.errors import Reason
from federation.identity import Role
from node.errors import StorageUnavailable
from node.holder.banks import set_stopped
from node.holder.development.budget import spent
from node.holder.development.counts import Counts
from node.holder.main import Parts, assemble
from node.rpc.client import Channel
from node.rpc.errors import RemoteError, RemoteRefusal
from node.runtime import Runtime
from node.workers import jobs
from scoring.lattice import ANSWER_BYTES, encrypt_labels, generate_keys
from scoring.words import ROWS
from support.chain import DAY, DELTA, HARBOUR, HUB, INSURANCE, NOW, POWER, REGULATOR, TAX, Chain
from support.labels import Labelled, labelled, opened, true_counts
from tests.node.holder.labelled import counts, install
from tests.node.holder.test_cli import terminal
from tests.node.holder.world import LIMITS, Node, World

DYING = Path(__file__).with_name("dying_process.py")
ROOT = Path(__file__).parents[3]


async def reasons(node: Node) -> list[str]:
    return [str(e.body["reason"]) for e in await node.entries() if e.kind == "refusal"]


async def refused(node: Node, reason: Reason, labels: Labelled, epoch: int = 10) -> None:
    with pytest.raises(RemoteError):
        await counts(node, labels, epoch)
    assert (await reasons(node))[-1] == reason


async def test_counts_are_the_true_ones_and_noise_of_the_certified_scale(tmp_path: Path) -> None:
    world = World(tmp_path, more=ROWS)  # one full bucket, and 24 rows of a second one
    labels, data = labelled(world.chain), world.data()
    async with world.running() as node:
        epoch = await node.open_epoch(data=data)
        assert await install(node, labels) == labels.certificate.hash
        logged, ciphertexts = await counts(node, labels)
        kinds = await node.kinds()
        entries = await node.entries()
    certificate = labels.certificate
    statement = read_statement(logged, TAX, certificate, epoch, NOW)
    check_counts(statement, ciphertexts)
    assert len(ciphertexts) == certificate.participant(TAX).columns * ANSWER_BYTES
    noise = opened(labels, ciphertexts) - true_counts(world.chain, labels, data)
    sigma = certificate.sigma_milli / 1000
    assert noise.any()
    assert np.abs(noise).max() < 8 * sigma
    assert 0.25 * sigma < noise.std() < 2.5 * sigma  # sixteen of them
    assert (kinds["labels-installed"], kinds["counts-released"]) == (1, 1)
    (released,) = [e.body for e in entries if e.kind == "counts-released"]
    assert (released["rho"], released["epsilon"]) == (statement.rho_nano, statement.epsilon_micro)
    assert read_entry(logged.entry).body == released


async def test_the_same_bytes_are_returned_also_after_a_restart_and_the_epochs_end(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    labels = labelled(world.chain)
    async with world.running() as node:
        await node.open_epoch()
        await install(node, labels)
        first = await counts(node, labels)
        raced = await asyncio.gather(*(counts(node, labels) for _ in range(3)))
        assert all(again[1] == first[1] for again in raced)
    world.clock.advance(2 * DAY)
    async with world.running() as node:
        again = await counts(node, labels)
        assert again[1] == first[1]
        assert again[0].document == first[0].document
        assert again[0].entry == first[0].entry
        assert (await node.kinds())["counts-released"] == 1


async def test_labels_leave_the_disk_once_counted_and_counts_with_their_certificate(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    labels, other = (labelled(world.chain) for _ in range(2))
    folder, second = (
        world.home / "data" / "labels" / one.certificate.hash.hex() for one in (labels, other)
    )
    async with world.running() as node:
        await node.open_epoch()
        await install(node, labels)
        await install(node, other)
        _, ciphertexts = await counts(node, labels)
        kept = f"counts-{hashlib.sha256(ciphertexts).hexdigest()}"
        assert [path.name for path in folder.iterdir()] == [kept]
        await install(node, labels)  # an interrupted bank begins anew
        assert [path.name for path in folder.iterdir()] == [kept]
        assert (await counts(node, labels))[1] == ciphertexts
        assert {path.name for path in second.iterdir()} == {"public.key", "bundle"}
    (folder.parent / ("ab" * 32)).mkdir()
    world.clock.advance(labels.certificate.not_after - NOW)
    async with world.running():
        assert list(folder.parent.iterdir()) == []


async def test_requests_that_race_get_one_release(tmp_path: Path) -> None:
    world = World(tmp_path)
    labels = labelled(world.chain)
    async with world.running() as node:
        await node.open_epoch()
        await install(node, labels)
        raced = await asyncio.gather(*(counts(node, labels) for _ in range(4)))
        assert len({ciphertexts for _, ciphertexts in raced}) == 1
        assert (await node.kinds())["counts-released"] == 1


def parts(node: Node) -> Parts:
    """A second set of parts over the same folder and database, as another process has them."""
    hub = node.runtime.channel(node.channel.party, node.address)
    return assemble(node.runtime, node.sync(hub), hub)


async def test_processes_that_race_release_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path)
    labels = labelled(world.chain)
    async with world.running() as node:
        await node.open_epoch()
        await install(node, labels)
        await node.sync(node.runtime.peer_channel(Role.HUB, node.runtime.config.hub)).sync()
        sides, barrier, computed = [parts(node), parts(node)], asyncio.Barrier(2), []
        record = Counts._record

        async def together(self: Counts, *arguments: object) -> object:
            computed.append(arguments[-1])
            await barrier.wait()
            return await record(self, *arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(Counts, "_record", together)
        digest = labels.certificate.hash
        one, two = await asyncio.gather(*(side.counts.release(digest, 10) for side in sides))
        assert len(set(computed)) == 2
        assert one.counts == two.counts
        assert one.statement.document == two.statement.document
        folder = world.home / "data" / "labels" / digest.hex()
        assert list(folder.glob("counts-*")) == [one.counts]


async def test_a_second_epoch_gets_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    labels = labelled(world.chain)
    async with world.running() as node:
        await node.open_epoch(10)
        await node.open_epoch(11)
        await install(node, labels)
        await counts(node, labels, 10)
        await refused(node, Reason.CONFLICT, labels, 11)
        await counts(node, labels, 10)


@pytest.mark.parametrize("part", ["public_key", "bundle"])
async def test_labels_that_are_not_certified_are_not_kept_and_not_parsed(
    tmp_path: Path, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path)
    labels, stranger = labelled(world.chain), generate_keys()
    everybody = np.ones_like(labels.words)
    wrong = {
        "public_key": stranger.public_key,
        "bundle": encrypt_labels(labels.keys, everybody),
    }[part]
    async with world.running() as node:
        await node.open_epoch()
        with pytest.raises(RemoteRefusal):
            await install(node, labels, **{part: wrong})
        assert await reasons(node) == ["uncertified_model"]
        digest = hashlib.sha256(wrong).digest()
        for path in (world.home / "data" / "labels").rglob("*"):
            assert not path.is_file() or hashlib.sha256(path.read_bytes()).digest() != digest
        await refused(node, Reason.UNCERTIFIED_MODEL, labels)


async def test_files_that_changed_on_disk_are_not_parsed(tmp_path: Path) -> None:
    world = World(tmp_path)
    labels = labelled(world.chain)
    async with world.running() as node:
        await node.open_epoch()
        await install(node, labels)
        bundle = world.home / "data" / "labels" / labels.certificate.hash.hex() / "bundle"
        bundle.write_bytes(encrypt_labels(labels.keys, np.ones_like(labels.words)))
        with pytest.raises(RemoteError):
            await counts(node, labels)
        assert "counts-released" not in await node.kinds()


def with_other_columns(chain: Chain, labels: Labelled) -> Labelled:
    """Fewer features than the kind has: its counts would cost more than the certificate says."""
    others = tuple(
        p.model_copy(update={"features": 3}) if p.holder == TAX else p
        for p in labels.certificate.participants
    )
    certificate = labels.certificate.model_copy(update={"participants": others})
    signed = certificate.sign(chain.signing[REGULATOR])
    return labels.with_(certificate=certificate, signed=signed)


async def test_certificates_of_others_and_for_other_data_are_refused(tmp_path: Path) -> None:
    world = World(tmp_path)
    regulator = world.chain.signing[REGULATOR]
    good = labelled(world.chain)
    foreign = good.with_(signed=good.certificate.sign(world.chain.signing[HARBOUR]))
    cases = (
        (labelled(world.chain, participants=(POWER, INSURANCE)), "wrong_audience"),
        (labelled(world.chain, roster_root=b"r" * 32), "wrong_context"),
        (labelled(world.chain, catalogue=b"c" * 32), "wrong_context"),
        (labelled(world.chain, parameter_set="yinxin-bfv-2"), "uncertified_model"),
        (labelled(world.chain, chain="other"), "wrong_chain"),
        (labelled(world.chain, not_after=NOW - 1), "uncertified_model"),
        (labelled(world.chain, bank=POWER), "foreign_certificate"),
        (with_other_columns(world.chain, good), "uncertified_model"),
    )
    async with world.running() as node:
        await node.open_epoch()
        for labels, reason in cases:
            assert labels.signed == labels.certificate.sign(regulator)
            with pytest.raises(RemoteError):
                await install(node, labels)
            assert (await reasons(node))[-1] == reason
        with pytest.raises(RemoteError):
            await install(node, foreign)
        assert "labels-installed" not in await node.kinds()


async def test_only_the_hub_may_ask(tmp_path: Path) -> None:
    world = World(tmp_path)
    labels = labelled(world.chain)
    async with world.running() as node:
        await node.open_epoch()
        await install(node, labels)
        async with Channel(TAX, node.address, world.tls(HARBOUR), LIMITS) as bank:
            direct = Node(world, node.runtime, bank, node.address)
            with pytest.raises(RemoteRefusal):
                await counts(direct, labels)


async def test_a_stopped_bank_gets_no_counts_and_no_stored_ones(tmp_path: Path) -> None:
    world = World(tmp_path)
    labels, later = labelled(world.chain), labelled(world.chain, bank=DELTA)
    async with world.running() as node:
        await node.open_epoch()
        for one in (labels, later):
            await install(node, one)
        await counts(node, labels)
        for bank in (HARBOUR, DELTA):
            await node.runtime.store.run(
                lambda c, b=bank: set_stopped(node.runtime, c, b, "admin", stopped=True)
            )
        await refused(node, Reason.BANK_STOPPED, labels)
        await refused(node, Reason.BANK_STOPPED, later)


# --- budgets -----------------------------------------------------------------------------------


async def test_budgets_of_a_bank_and_of_all_end(tmp_path: Path) -> None:
    world = World(tmp_path)
    # One holder alone takes the whole ε, so that one certificate is all that a bank may have.
    first, second = (labelled(world.chain, participants=[TAX]) for _ in range(2))
    other, little = (
        labelled(world.chain, bank=DELTA, participants=[TAX], epsilon=e)
        for e in (2_900_000, 200_000)
    )
    async with world.running(development="{epsilon_bank_year = 3.0, epsilon_year = 4.0}") as node:
        await node.open_epoch()
        for labels in (first, second, other, little):
            await install(node, labels)
        await counts(node, first)
        await refused(node, Reason.BUDGET_EXHAUSTED, second)
        await refused(node, Reason.BUDGET_EXHAUSTED, other)  # of all banks, not of its own
        await counts(node, little)
        await counts(node, first)  # again costs nothing
        limits = node.runtime.config.development

        def look(connection: Connection) -> tuple[float, float, float]:
            own = spent(connection, limits.epsilon_bank_year, NOW, HARBOUR)
            every = spent(connection, limits.epsilon_year, NOW)
            after = spent(connection, limits.epsilon_year, NOW + privacy.YEAR_SECONDS)
            return own.epsilon, every.epsilon, after.epsilon

        own, every, after = await node.runtime.store.read(look)
        assert 2.99 < own <= 3.0
        assert own < every < own + 0.2  # ρ adds up, and ε to less than its sum
        assert after == 0
        assert (await node.kinds())["counts-released"] == 2


async def test_a_release_that_is_not_recorded_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log cannot be written: nothing leaves, and the file that was ready goes at the next."""
    world = World(tmp_path)
    labels = labelled(world.chain)
    async with world.running() as node:
        await node.open_epoch()
        await install(node, labels)

        def fails(*_: object) -> None:
            raise StorageUnavailable("no space")

        monkeypatch.setattr(Runtime, "append", fails)
        with pytest.raises(RemoteError):
            await counts(node, labels)
        monkeypatch.undo()
        folder = world.home / "data" / "labels" / labels.certificate.hash.hex()
        (unseen,) = folder.glob("counts-*")
        _, ciphertexts = await counts(node, labels)
        assert unseen.name != f"counts-{hashlib.sha256(ciphertexts).hexdigest()}"
        assert not unseen.exists()


async def test_a_holder_killed_between_log_and_answer_answers_with_what_it_logged(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    labels = labelled(world.chain)
    async with world.running() as node:
        await node.open_epoch()
        await install(node, labels)
    async with world.serving_hub() as port:
        config = world.home / "node.toml"
        text = re.sub(r"127\.0\.0\.1:[1-9]\d*", f"127.0.0.1:{port}", config.read_text())
        config.write_text(text)
        await _ask_until_killed(world, config, labels)
    folder = world.home / "data" / "labels" / labels.certificate.hash.hex()
    (kept,) = folder.glob("counts-*")
    async with world.running() as node:
        assert (await node.kinds())["counts-released"] == 1
        logged, ciphertexts = await counts(node, labels)
        assert ciphertexts == kept.read_bytes()
        assert (await node.kinds())["counts-released"] == 1
        (entry,) = [e for e in await node.entries() if e.kind == "counts-released"]
        assert read_entry(logged.entry) == entry


async def _ask_until_killed(world: World, config: Path, labels: Labelled) -> None:
    told = world.folder / "port"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(DYING),
        str(config),
        str(NOW),
        str(told),
        env=os.environ | {"PYTHONPATH": os.pathsep.join([*sys.path, str(ROOT)])},
    )
    async with asyncio.timeout(60):
        while not told.exists():
            assert process.returncode is None
            await asyncio.sleep(0.05)
    address = f"127.0.0.1:{int(told.read_text())}"
    async with Channel(TAX, address, world.tls(HUB), LIMITS) as channel:
        with pytest.raises(RemoteError):
            await counts(Node(world, None, channel, address), labels)  # type: ignore[arg-type]
    async with asyncio.timeout(30):
        assert await process.wait() == -signal.SIGKILL


async def test_an_administrator_sees_who_got_what_and_what_is_left(tmp_path: Path) -> None:
    world = World(tmp_path)
    released, waiting = labelled(world.chain), labelled(world.chain, bank=DELTA)
    async with world.running() as node, terminal(world) as yinxin:
        await node.open_epoch()
        for labels in (released, waiting):
            await install(node, labels)
        logged, _ = await counts(node, released)
        shown = (await yinxin("development", "--json")).json
        page = await yinxin("development")
    statement = CountsStatement.parse(logged.document.payload)
    epsilon = statement.epsilon_micro / privacy.MICRO
    first, second = shown["labels"]
    assert (first["state"], first["epoch"], first["bank"]) == ("released", 10, str(HARBOUR))
    assert (second["state"], second["epoch"], second["bank"]) == ("installed", 0, str(DELTA))
    assert first["epsilon"] == pytest.approx(epsilon, abs=1e-3)
    delta, harbour = shown["banks"]
    assert (delta["epsilon_spent"], delta["epsilon_left"]) == (0, 3.0)
    assert harbour["epsilon_spent"] == shown["budget"]["epsilon_spent"] == first["epsilon"]
    assert 3.0 - epsilon < harbour["epsilon_left"] < 3.0
    assert page.code == 0
    words = ("released 已发布", "installed 已安装", HARBOUR.name, DELTA.name, "loans-2026")
    assert all(word in page.out for word in words), page.out


# --- noise -------------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma_milli", [1000, 12_732, 100_000_000])
def test_noise_has_the_scale_and_is_whole(sigma_milli: int) -> None:
    noise = jobs.discrete_gaussian(4000, sigma_milli)
    sigma = sigma_milli / 1000
    assert noise.shape == (4000, 2)
    assert noise.dtype == np.int64
    # 8000 samples: the mean within 6 of its own deviations, the deviation within 6 %.
    assert abs(noise.mean()) < 6 * sigma / 8000**0.5
    assert noise.std() == pytest.approx(sigma, rel=0.06)
    assert abs(np.corrcoef(noise[:, 0], noise[:, 1])[0, 1]) < 0.1
    assert not np.array_equal(noise, jobs.discrete_gaussian(4000, sigma_milli))
