"""The processes of one node: which one leads, what all share, and how their log stays one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from federation.tlog.checkpoint import witnesses_of
from node.config import HolderConfig, HubConfig, load
from node.errors import NodeError
from node.identity import load_identity
from node.log.asking import Asking
from node.log.rounds import Round
from node.log.tree import LogTree
from node.replicas import NotShared, Replicas, SoleProcess, processes_of
from node.replicas.sharing import shared_by_replicas
from node.storage import Store, open_engine, session
from node.storage.session import LockSession
from support.enrolled import HOLDERS, HUB, REGULATOR
from tests.node.log_http.world import QUICK, LogWorld, enrolled, until
from tests.support.postgresql import Cluster

ADDRESS = {"tlog.advertise": b"hub.example:7445"}


@pytest.fixture
def url(postgresql: Cluster) -> Iterator[str]:
    made = postgresql.create_database()
    yield made
    postgresql.drop_database(made)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[LogWorld]:
    with enrolled(tmp_path) as found:
        yield found


Make = Callable[..., Replicas]


@pytest.fixture
async def make(url: str) -> AsyncIterator[Make]:
    made = []

    def one(shared: dict[str, bytes] = ADDRESS, *, sole: bool = False) -> Replicas:
        made.append(Replicas(LockSession(open_engine(url)), shared, sole=sole))
        return made[-1]

    yield one
    for replicas in made:
        with contextlib.suppress(RuntimeError):  # a test has closed it
            await replicas.close()


@contextlib.asynccontextmanager
async def kept(*processes: Replicas) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(one.keep()) for one in processes]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def end_sessions(url: str) -> None:
    """As the server ends those of a process that is gone."""
    engine = open_engine(url)
    with engine.connect() as connection:
        query = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
        connection.execute(text(query))
    engine.dispose()


# --- which one leads -----------------------------------------------------------------------------


async def test_one_leads_and_the_next_one_when_it_leaves(make: Make) -> None:
    first, second = make(), make()
    await first.join()
    await second.join()
    assert (first.leads, second.leads) == (True, False)
    assert not await first.alone()
    async with kept(first, second):
        await first.close()
        await until(lambda: second.leads)
    assert not first.leads


async def test_sessions_that_end_are_joined_anew_and_one_leads(make: Make, url: str) -> None:
    first, second = make(), make()
    await first.join()
    await second.join()
    async with kept(first, second):
        end_sessions(url)
        await until(lambda: not first.leads or second.leads)
        await until(lambda: first.leads != second.leads)


async def test_one_that_hangs_leads_no_more(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(session._SETTINGS, "idle_session_timeout", "500ms")
    hanging, other = make(), make()
    await hanging.join()
    await other.join()
    async with kept(other):
        await until(lambda: other.leads)
    async with kept(hanging):  # it goes on, and learns of it
        await until(lambda: not hanging.leads)


async def test_a_call_reaches_the_one_that_leads(make: Make) -> None:
    first, second = make(), make()
    await first.join()
    await second.join()
    called = asyncio.Event()
    first.on_call = called.set
    async with kept(first, second), asyncio.timeout(10):
        second.call()
        await called.wait()


# --- what they share -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["name", "data_dir", "key_encryption_key", "signing_key", "tlog.advertise"]
)
async def test_a_process_that_has_something_else_does_not_serve(make: Make, name: str) -> None:
    shared = {name: b"its own"} | {"sealing_key": b"the same"}
    await make(shared).join()
    other = make(shared | {name: b"another"})
    with pytest.raises(NotShared, match=f"^{name}: "):
        await other.join(0.0)
    if not name.startswith("tlog."):
        with pytest.raises(NotShared, match=f"^{name}: "):
            await other.check()
    same = make(shared)
    await same.join()
    await same.check()


async def test_a_command_may_have_another_address_of_the_log(make: Make) -> None:
    """It publishes nothing."""
    await make({"tlog.advertise": b"hub.example:7445"}).join()
    await make({"tlog.advertise": b"of nobody"}).check()


async def test_a_bank_or_regulator_is_one_process(make: Make) -> None:
    first, second = make({}, sole=True), make({}, sole=True)
    await first.join()
    with pytest.raises(NotShared, match="another process of this node serves"):
        await second.join(0.0)
    await first.close()
    await second.join(5.0)
    assert second.leads


async def test_a_node_on_sqlite_is_one_process(tmp_path: Path) -> None:
    first, second = (SoleProcess(tmp_path / "hub.sqlite") for _ in range(2))
    await first.join()
    with pytest.raises(NodeError, match="PostgreSQL"):
        await second.join()
    await second.check()
    await first.close()
    await second.join()
    await second.close()


def test_a_holder_that_has_another_folder_is_told_from_its_replica(world: LogWorld) -> None:
    path, now = world.homes.folder(HOLDERS[0]) / "node.toml", world.clock.now()

    def shared(**environment: str) -> dict[str, bytes]:
        config = load(HolderConfig, path, {f"YINXIN__{k}": v for k, v in environment.items()})
        config.create_data_dir()
        return shared_by_replicas(config, load_identity(config, now))

    same = {"TLOG__ADVERTISE": "tax.example:7445"}
    first, again = shared(**same), shared(**same, LISTEN="127.0.0.1:9")
    assert first == again
    elsewhere = shared(**same, DATA_DIR=str(path.parent / "elsewhere"))
    assert {name for name in first if first[name] != elsewhere[name]} == {"data_dir"}
    # Without an address that both announce, the others would be told of one and then the other.
    assert shared()["tlog.advertise"] != shared()["tlog.advertise"]


def test_who_may_be_several(world: LogWorld, url: str, tmp_path: Path) -> None:
    config = load(HubConfig, world.homes.folder(HUB) / "node.toml", {})
    identity = load_identity(config, world.clock.now())
    for address, kind in ((url, Replicas), (f"sqlite:///{tmp_path / 'hub.sqlite'}", SoleProcess)):
        store = Store.open(address)
        assert isinstance(processes_of(config, identity, store), kind)
        store.close()


# --- one log -------------------------------------------------------------------------------------


async def test_proofs_come_from_either_process(world: LogWorld, url: str) -> None:
    """The one that does not publish wakes the one that does, whose next round is far off."""
    slow = QUICK | {
        "YINXIN__TLOG__PERIOD": "30",
        "YINXIN__DATABASE__URL": url,
        "YINXIN__TLOG__ADVERTISE": "127.0.0.1:9",
    }
    async with (
        world.running(REGULATOR, *HOLDERS),
        world.member(HUB, slow, serving=True) as first,
        world.member(HUB, slow, serving=True) as second,
    ):
        assert first.runtime.processes.leads and not second.runtime.processes.leads
        for member in (second, first, second):
            index = await member.append()
            assert await member.publisher.prove(index, 15.0)
        await until(lambda: first.publisher.cosigned_size == second.publisher.cosigned_size)
        assert second.publisher.checkpoint is not None
        assert second.publisher.answers
        assert first.publisher.disagreeing == second.publisher.disagreeing == 0


@pytest.mark.parametrize("looks", [True, False])
async def test_two_that_both_publish_make_one_tree_and_witnesses_seem_to_disagree(
    world: LogWorld, monkeypatch: pytest.MonkeyPatch, looks: bool
) -> None:
    """Without the leader's lock (on SQLite there is none, and nobody joins here).

    A witness that was shown the other's newer checkpoint refuses the older one; a process that does
    not look whether its node has made that takes it for a fork.
    """
    if not looks:

        async def has_checkpoint(self: LogTree, size: int) -> bool:
            return False

        monkeypatch.setattr(LogTree, "has_checkpoint", has_checkpoint)
    async with (
        world.running(REGULATOR, *HOLDERS),
        world.member(HUB) as first,
        world.member(HUB) as second,
    ):
        await asyncio.gather(*(member.append(3) for member in (first, second) for _ in range(5)))
        size = await first.runtime.log.size()
        await until(lambda: min(m.publisher.cosigned_size for m in (first, second)) == size)
        assert first.checkpoint()[0] == second.checkpoint()[0]
        witnesses = witnesses_of(await first.runtime.members(), HUB)
        tree = first.runtime.transparency.tree
        older = Round.of(size, first.publisher._latest.note.encode(), witnesses)
        await second.append()
        await until(lambda: second.publisher.cosigned_size > size)
        # As a process that has not asked for a while.
        transparency = first.runtime.transparency

        async def settle(current: Round) -> None:
            """One witness is no quorum."""

        asking = Asking(first.runtime.store, tree, transparency._connect, settle)
        (task,) = await asking.ask(older, {HOLDERS[0]: world.addresses[HOLDERS[0]]})
        await task
        await asking.close()
        assert asking.disagreeing == (set() if looks else {HOLDERS[0]})
        await tree.patrol(HUB, first.runtime.identity.signing.public)
