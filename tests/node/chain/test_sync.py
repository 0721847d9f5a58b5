"""Following the chain from a hub that may lie: served in-test, over mutual TLS."""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from federation.entries import read_entry
from federation.epoch import make_opening
from federation.errors import DocumentError, Refusal, SignatureInvalid
from federation.identity import Role
from federation.membership import Member
from federation.roster import Roster, RosterBatch
from federation.signed import Signed, SigningKey
from federation.uscc import Uscc
from node.chain import ChainStore, ChainSync
from node.chain import sync as module
from node.chain.store import PROPOSAL, sign_batch
from node.chain.tables import chain_documents
from node.clock import FixedClock
from node.log import QueryLog
from node.rpc.client import Channel, ChannelLimits
from node.rpc.convert import signed_to_wire
from node.rpc.errors import PartyUnavailable
from node.rpc.server import build_server
from node.storage import Store
from support.chain import (
    CHAIN,
    DAY,
    DOMAIN,
    HARBOUR,
    HUB,
    NOW,
    REGULATOR,
    TAX,
    Chain,
    standard_chain,
)
from tests.node.rpc.parties import Chain as TlsChain
from yinxin.v1 import common_pb2, hub_pb2
from yinxin.v1.hub_pb2_grpc import HubServicer, add_HubServicer_to_server

_ROLES = {f"/yinxin.v1.Hub/{m}": frozenset({Role.HOLDER}) for m in ("GetChain", "GetRoster")}


def unchanged(state: hub_pb2.ChainState) -> None:
    """An honest hub."""


@dataclass
class LyingHub(HubServicer):
    """Publishes the chain in memory, after `change` had its hands on it."""

    chain: Chain
    batches: list[Signed] = field(default_factory=list)
    change: Callable[[hub_pb2.ChainState], None] = unchanged
    epochs: dict[int, common_pb2.Epoch] = field(default_factory=dict)
    credentials: list[Signed] = field(default_factory=list)
    pulls: int = 0
    asked_from: list[int] = field(default_factory=list)
    gate: asyncio.Event | None = None

    async def GetChain(self, request: Any, context: Any) -> hub_pb2.ChainState:
        self.pulls += 1
        if self.gate is not None:
            await self.gate.wait()
        state = hub_pb2.ChainState(
            members=[signed_to_wire(c) for c in self.credentials],
            catalogues=[self.chain.catalogue.to_json().encode()],
            epochs=list(self.epochs.values()),
            roster_rows=self.chain.roster.size,
            roster_batches=len(self.batches),
        )
        self.change(state)
        return state

    async def GetRoster(self, request: Any, context: Any) -> AsyncIterator[common_pb2.Signed]:
        self.asked_from.append(request.from_batch)
        for batch in self.batches[request.from_batch :]:
            yield signed_to_wire(batch)


class Follower:
    """A holder that follows the hub."""

    def __init__(self, store: Store, chain: Chain, hub: LyingHub, channel: Channel) -> None:
        self.store, self.memory, self.hub = store, chain, hub
        self.chain = ChainStore(store, chain.root)
        self.log = QueryLog(store)
        self.clock = FixedClock(NOW)
        self.channel = channel
        self.sync = self.again()

    def again(self) -> ChainSync:
        """As after a restart."""
        return ChainSync(self.channel, self.chain, self.store, self.log, self.clock)

    async def read(self, query: Callable[[Any], Any]) -> Any:
        return await self.store.read(query)

    async def kinds(self) -> list[str]:
        return [read_entry(one.entry).kind.value async for one in self.log.iterate()]

    async def documents(self) -> int:
        query = select(func.count()).select_from(chain_documents)
        return int(await self.read(lambda c: c.execute(query).scalar_one()))

    async def refuses(self, error: type[Exception], told: str = "") -> None:
        """One pull by a fresh follower fails, and keeps no document."""
        before = await self.kinds()
        with pytest.raises(error) as caught:
            await self.again().sync()
        assert told in getattr(caught.value, "detail", str(caught.value))
        assert await self.kinds() == before


@pytest.fixture
async def follower(tmp_path: Path) -> AsyncIterator[Follower]:
    async with following(tmp_path) as made:
        yield made


@asynccontextmanager
async def following(folder: Path) -> AsyncIterator[Follower]:
    chain = standard_chain()
    hub = LyingHub(chain, credentials=list(chain.members.credentials()))
    batch = Roster(CHAIN).append(firm.uscc for firm in chain.firms)
    hub.batches.append(sign_batch(batch, chain.signing[HUB]))
    for number, (descriptor, manifests, opening) in chain.epoch_documents.items():
        hub.epochs[number] = published(descriptor, manifests, opening)
    tls = TlsChain(folder / "tls")
    server = build_server(
        address="127.0.0.1:0",
        tls=tls.files(HUB),
        own=HUB,
        trust_domains=[DOMAIN],
        roles=_ROLES,
        register=[lambda raw: add_HubServicer_to_server(hub, raw)],
        services=["yinxin.v1.Hub"],
    )
    await server.start()
    store = Store.open(f"sqlite:///{folder}/node.sqlite")
    limits = ChannelLimits(deadline=10.0, stream_deadline=10.0)
    try:
        address = f"127.0.0.1:{server.port}"
        async with Channel(HUB, address, tls.files(TAX), limits) as channel:
            made = Follower(store, chain, hub, channel)
            yield made
            await made.sync.close()
    finally:
        store.close()
        await server.stop(0)


def published(descriptor: Signed, manifests: Any = (), opening: Signed | None = None) -> Any:
    return common_pb2.Epoch(
        descriptor=signed_to_wire(descriptor),
        manifests=[signed_to_wire(manifest) for manifest in manifests],
        opening=None if opening is None else signed_to_wire(opening),
    )


async def test_everything_published_is_verified_kept_and_logged(follower: Follower) -> None:
    await follower.sync.sync()
    chain, memory = follower.chain, follower.memory
    members = await follower.read(lambda c: chain.members(c, NOW))
    assert members.credentials() == memory.members.credentials()
    roster = await follower.read(lambda c: chain.roster(c, NOW))
    assert (roster.size, roster.root) == (memory.roster.size, memory.roster.root)
    for number in (1, 2):
        opened = await follower.read(lambda c, n=number: chain.epoch(c, n, NOW))
        assert opened == memory.epochs[number]
    digest = memory.catalogue.digest()
    assert await follower.read(lambda c: chain.catalogue(c, digest)) == memory.catalogue
    holders = len(memory.holders)
    epoch = ["epoch-descriptor", *["manifest"] * holders, "epoch-opening"]
    assert await follower.kinds() == [*epoch, *epoch]


async def test_an_unchanged_state_is_not_verified_again(
    follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    verify = module.verify_epoch

    def counted(*arguments: Any) -> Any:
        seen.append(arguments)
        return verify(*arguments)

    monkeypatch.setattr(module, "verify_epoch", counted)
    for _ in range(3):
        await follower.sync.sync()
    assert (follower.hub.pulls, len(seen), follower.hub.asked_from) == (3, 2, [0])
    commits = follower.store.committer.commits
    await follower.sync.sync()
    assert follower.store.committer.commits == commits
    follower.hub.epochs[3] = published(
        follower.memory.descriptor(3).sign(follower.memory.signing[HUB])
    )
    await follower.sync.sync()
    assert len(seen) == 3  # the new epoch alone
    assert (await follower.kinds()).count("epoch-descriptor") == 3


async def test_a_pull_that_failed_is_done_again_though_the_state_is_the_same(
    follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise DocumentError("catalogue", "is not here today")

    with monkeypatch.context() as patch:
        patch.setattr(follower.chain, "put_catalogue", fail)
        with pytest.raises(DocumentError):
            await follower.sync.sync()
    assert await follower.kinds() == []
    await follower.sync.sync()
    assert "epoch-opening" in await follower.kinds()


async def test_calls_at_once_share_one_pull(follower: Follower) -> None:
    follower.hub.gate = asyncio.Event()
    calls = [asyncio.create_task(follower.sync.sync()) for _ in range(5)]
    await asyncio.sleep(0.3)
    # One that gives up does not take the pull from the others.
    calls[0].cancel()
    follower.hub.gate.set()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(outcomes[0], asyncio.CancelledError)
    assert outcomes[1:] == [None] * 4
    assert follower.hub.pulls == 1
    await follower.sync.sync()
    assert follower.hub.pulls == 2


async def test_closing_ends_a_pull_that_runs(follower: Follower) -> None:
    follower.hub.gate = asyncio.Event()
    waiting = asyncio.create_task(follower.sync.sync())
    await asyncio.sleep(0.1)
    await asyncio.wait_for(follower.sync.close(), 5)
    # What the waiter hears: that it was cancelled, or that the hub is away.
    (outcome,) = await asyncio.gather(waiting, return_exceptions=True)
    assert isinstance(outcome, asyncio.CancelledError | PartyUnavailable)
    assert await follower.documents() == 0


async def test_the_chain_is_followed_through_failures(follower: Follower) -> None:
    def lie(state: hub_pb2.ChainState) -> None:
        state.catalogues.append(b"{}")

    follower.hub.change = lie
    task = asyncio.create_task(follower.sync.keep(0.01))
    async with asyncio.timeout(20):
        while follower.hub.pulls < 3:
            assert not task.done()
            await asyncio.sleep(0.01)
        assert await follower.kinds() == []
        follower.hub.change = unchanged
        while "epoch-opening" not in await follower.kinds():
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_forged_member_is_refused_with_everything_else(follower: Follower) -> None:
    memory = follower.memory
    forged = memory.member(HARBOUR, SigningKey.generate().public).sign(memory.signing[HUB])
    honest = follower.hub.credentials
    others = [c for c in honest if str(HARBOUR).encode() not in c.payload]
    follower.hub.credentials = [*others, forged]
    await follower.refuses(SignatureInvalid)
    assert await follower.documents() == 0
    follower.hub.credentials = [*honest, honest[0]]
    await follower.refuses(Refusal, "two credentials")
    follower.hub.credentials = honest
    await follower.again().sync()


async def test_a_hub_that_is_not_the_chains_is_refused(follower: Follower) -> None:
    memory = follower.memory
    hubs = dataclasses.replace(HUB, name="other")
    other = memory.member(hubs, SigningKey.generate().public).sign(memory.signing[REGULATOR])
    rest = [c for c in follower.hub.credentials if str(HUB).encode() not in c.payload]
    follower.hub.credentials = [*rest, other]
    await follower.refuses(Refusal, "another hub")
    follower.hub.credentials = rest
    await follower.refuses(Refusal, "0 hubs")
    assert await follower.documents() == 0


async def test_a_second_descriptor_for_a_number_is_refused(follower: Follower) -> None:
    await follower.sync.sync()
    second = follower.memory.descriptor(1, closes=NOW + 2 * DAY)
    follower.hub.epochs[1] = published(second.sign(follower.memory.signing[HUB]))
    await follower.refuses(Refusal, "a different epoch-descriptor 1")
    kept = await follower.read(lambda c: follower.chain.epoch(c, 1, NOW))
    assert kept == follower.memory.epochs[1]


async def test_a_second_opening_for_a_number_is_refused(follower: Follower) -> None:
    await follower.sync.sync()
    memory = follower.memory
    descriptor, manifests, _ = memory.epoch_documents[1]
    fewer = [m for h, m in memory.epochs[1].manifests.items() if h != TAX]
    second = make_opening(memory.epochs[1].descriptor, fewer).sign(memory.signing[HUB])
    hashes = {m.hash for m in fewer}
    some = [m for m in manifests if m.payload_hash in hashes]
    follower.hub.epochs[1] = published(descriptor, some, second)
    await follower.refuses(Refusal, "a different epoch-opening 1")


async def test_a_second_manifest_for_a_number_is_refused(follower: Follower) -> None:
    await follower.sync.sync()
    memory = follower.memory
    descriptor, manifests, _ = memory.epoch_documents[1]
    first = memory.epochs[1].manifests
    second = first[TAX].model_copy(update={"data_hash": secrets.token_bytes(32)})
    documents = {**first, TAX: second}
    opening = make_opening(memory.epochs[1].descriptor, documents.values())
    key = memory.holders[TAX].signing
    others = [m for m in manifests if m.payload_hash != first[TAX].hash]
    follower.hub.epochs[1] = published(
        descriptor, [*others, second.sign(key)], opening.sign(memory.signing[HUB])
    )
    await follower.refuses(Refusal, f"a different manifest 1 {TAX}")


async def test_an_epoch_signed_by_somebody_else_is_refused(follower: Follower) -> None:
    memory = follower.memory
    descriptor, manifests, opening = memory.epoch_documents[1]
    by_bank = memory.epochs[1].descriptor.sign(memory.signing[HARBOUR])
    follower.hub.epochs[1] = published(by_bank, manifests, opening)
    await follower.refuses(SignatureInvalid)
    by_bank = memory.epochs[1].opening.sign(memory.signing[HARBOUR])
    follower.hub.epochs[1] = published(descriptor, manifests, by_bank)
    await follower.refuses(SignatureInvalid)
    follower.hub.epochs[1] = published(descriptor, manifests[1:], opening)
    await follower.refuses(Refusal)


async def test_manifests_bind_nobody_before_the_opening(follower: Follower) -> None:
    descriptor, manifests, _ = follower.memory.epoch_documents[1]
    follower.hub.epochs = {1: published(descriptor, manifests)}
    await follower.sync.sync()
    assert await follower.kinds() == ["epoch-descriptor"]
    assert await follower.read(lambda c: follower.chain.documents(c, "manifest")) == ()


def altered(batch: RosterBatch, fault: str, key: SigningKey) -> Signed:
    changed = {
        "root": lambda: dataclasses.replace(batch, root=secrets.token_bytes(32)),
        "order": lambda: dataclasses.replace(batch, codes=batch.codes[::-1]),
        "row": lambda: dataclasses.replace(batch, first_row=1),
        "number": lambda: dataclasses.replace(batch, number=1),
        "chain": lambda: dataclasses.replace(batch, chain="zsj"),
        "left out": lambda: dataclasses.replace(batch, codes=batch.codes[1:]),
    }[fault]()
    return sign_batch(changed, key)


@pytest.mark.parametrize("fault", ["root", "order", "row", "number", "chain", "left out"])
async def test_a_batch_that_does_not_follow_is_never_kept(follower: Follower, fault: str) -> None:
    """Kept, it would spoil every later state of the roster, from an honest hub too."""
    memory, honest = follower.memory, follower.hub.batches
    batch = Roster(CHAIN).propose(firm.uscc for firm in memory.firms)
    follower.hub.batches = [altered(batch, fault, memory.signing[HUB])]
    await follower.refuses(DocumentError)
    follower.hub.batches = honest
    await follower.again().sync()
    roster = await follower.read(lambda c: follower.chain.roster(c, NOW))
    assert roster.root == memory.roster.root


async def test_a_batch_of_another_signer_is_never_kept(follower: Follower) -> None:
    batch = Roster(CHAIN).propose(firm.uscc for firm in follower.memory.firms)
    follower.hub.batches = [sign_batch(batch, follower.memory.signing[HARBOUR])]
    await follower.refuses(SignatureInvalid)


async def test_batches_that_are_withheld_are_noticed_and_asked_for_again(
    follower: Follower,
) -> None:
    def claim(state: hub_pb2.ChainState) -> None:
        state.roster_batches = 2

    follower.hub.change = claim
    sync = follower.sync
    for _ in range(2):
        with pytest.raises(DocumentError, match="roster batches"):
            await sync.sync()
    assert follower.hub.asked_from == [0, 0]


async def test_batches_without_end_are_read_as_far_as_they_are_published(
    follower: Follower,
) -> None:
    roster = follower.memory.roster.copy()
    for serial in range(70_001, 70_004):
        batch = roster.append([Uscc.generate(serial)])
        signed = sign_batch(batch, follower.memory.signing[HUB])
        follower.hub.batches.append(signed)

    def fewer(state: hub_pb2.ChainState) -> None:
        state.roster_batches = 2

    follower.hub.change = fewer
    await follower.sync.sync()
    kept = await follower.read(lambda c: follower.chain.roster(c, NOW))
    assert kept.next_number == 2


async def test_of_proposals_without_end_the_newest_is_kept(follower: Follower) -> None:
    raw = follower.memory.catalogue.to_json().encode()
    for number in (1, 2, 3):

        def propose(state: hub_pb2.ChainState, number: int = number) -> None:
            state.proposal.number, state.proposal.catalogue = number, raw if number % 2 else b""

        follower.hub.change = propose
        await follower.sync.sync()
        await follower.again().sync()
    assert await follower.read(follower.chain.proposal) == (3, raw)
    kept = await follower.read(
        lambda c: c.execute(
            select(func.count()).where(chain_documents.c.kind == PROPOSAL)
        ).scalar_one()
    )
    assert kept == 1


async def test_only_batches_that_are_new_are_fetched(follower: Follower) -> None:
    await follower.sync.sync()
    memory = follower.memory
    roster = Roster(CHAIN)
    roster.append(firm.uscc for firm in memory.firms)
    follower.hub.batches.append(
        sign_batch(roster.append([memory.stranger.uscc]), memory.signing[HUB])
    )
    await follower.sync.sync()
    assert follower.hub.asked_from == [0, 1]
    kept = await follower.read(lambda c: follower.chain.roster(c, NOW))
    assert (kept.root, kept.size) == (roster.root, 25)


async def test_a_catalogue_that_is_not_canonical_is_refused(follower: Follower) -> None:
    def spread(state: hub_pb2.ChainState) -> None:
        state.catalogues[0] = state.catalogues[0].replace(b",", b", ", 1)

    follower.hub.change = spread
    await follower.refuses(DocumentError, "canonical")


@pytest.mark.parametrize("what", ["members", "catalogues", "epochs"])
async def test_lists_have_their_limits(
    follower: Follower, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.chain.published.MAX_MEMBERS", 20)

    def much(state: hub_pb2.ChainState) -> None:
        part = getattr(state, what)
        part.extend(part[:1] * 65)

    follower.hub.change = much
    await follower.refuses(DocumentError, f"{what}: are more than")


async def test_the_hubs_own_credential_is_renewed_after_the_old_one_ended(
    follower: Follower,
) -> None:
    """A node that was away meanwhile: what it kept alone names no hub any more."""
    memory = follower.memory
    await follower.sync.sync()
    follower.clock.advance(365 * DAY)
    now = follower.clock.now()
    follower.hub.epochs.clear()
    key = memory.signing[REGULATOR]
    for index, (party, signing) in enumerate(memory.signing.items()):
        sealing = memory.sealing[party].public if party in memory.sealing else b""
        renewed = memory.member(
            party, signing.public, sealing=sealing, not_before=now - DAY, not_after=now + DAY
        )
        follower.hub.credentials[index] = renewed.sign(key)
    del follower.hub.credentials[len(memory.signing) :]
    follower.chain = ChainStore(follower.store, memory.root)  # restarted: nothing is cached
    await follower.again().sync()
    members = await follower.read(lambda c: follower.chain.members(c, now))
    assert members.hub.id == HUB
    roster = await follower.read(lambda c: follower.chain.roster(c, now))
    assert roster.root == memory.roster.root


async def test_a_holder_with_new_keys_holds_up_nobody_who_knows_its_epochs(
    follower: Follower,
) -> None:
    """Its manifests stay what they were; the next epoch is followed."""
    memory = follower.memory
    later = follower.hub.epochs.pop(2)
    await follower.sync.sync()
    follower.clock.advance(1)
    now = follower.clock.now()
    old = memory.holder_member(memory.holders[TAX])
    replaced = old.model_copy(update={"signing": SigningKey.generate().public, "not_before": now})
    credential = replaced.sign(memory.signing[REGULATOR])
    follower.hub.credentials = [
        credential if Member.parse(kept.payload).id == TAX else kept
        for kept in follower.hub.credentials
    ]
    await follower.again().sync()
    members = await follower.read(lambda c: follower.chain.members(c, now))
    assert members.require(TAX, Role.HOLDER) == replaced
    descriptor = memory.epoch_documents[2][0]
    follower.hub.epochs[2] = published(descriptor)
    await follower.again().sync()
    assert await follower.read(follower.chain.epoch_numbers) == (1, 2)
    follower.hub.epochs[2] = later  # with a manifest of the old key, that nobody has seen
    await follower.refuses(SignatureInvalid)


async def test_a_proposed_catalogue_is_kept_until_the_hub_ends_it(follower: Follower) -> None:
    raw = follower.memory.catalogue.model_copy(update={"version": "next"}).to_json().encode()
    proposals = [hub_pb2.CatalogueProposal(number=1, catalogue=raw)]
    follower.hub.change = lambda state: state.proposal.CopyFrom(proposals[-1])
    await follower.sync.sync()
    assert await follower.read(follower.chain.proposal) == (1, raw)
    proposals.append(hub_pb2.CatalogueProposal(number=2))
    await follower.sync.sync()
    assert await follower.read(follower.chain.proposal) == (2, b"")


async def test_a_second_proposal_of_a_number_is_refused(follower: Follower) -> None:
    raw = follower.memory.catalogue.model_copy(update={"version": "next"}).to_json().encode()
    other = follower.memory.catalogue.to_json().encode()
    proposals = [hub_pb2.CatalogueProposal(number=1, catalogue=raw)]
    follower.hub.change = lambda state: state.proposal.CopyFrom(proposals[-1])
    await follower.sync.sync()
    for second in (other, b""):
        proposals.append(hub_pb2.CatalogueProposal(number=1, catalogue=second))
        await follower.refuses(Refusal, "a different catalogue-proposal 1")
    proposals.append(hub_pb2.CatalogueProposal(number=2, catalogue=b"{}"))
    await follower.refuses(DocumentError, "Catalogue")
    assert await follower.read(follower.chain.proposal) == (1, raw)
