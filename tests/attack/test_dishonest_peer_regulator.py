"""A peer's regulator against this chain: pins, affiliates and histories that harm others.

It is trusted with the truth about its own banks. What it says must not reach further: not to chains
beside it, not to banks that nobody asked it about, and not beyond the time that it is trusted.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from federation.errors import FederationError, IdentityError, Reason
from federation.identity import Role, SpiffeId
from federation.interchain.bundle import TrustBundle, authority_keys
from federation.interchain.pin import Pin
from node.chain import ChainStore
from node.chain import store as keeping
from node.clock import FixedClock
from node.peers import PeerTrust
from node.regulator.errors import RegulatorError
from node.regulator.peers import history as asking
from node.regulator.peers.history import PeerHistory
from node.regulator.peers.told import ToldStore
from node.rpc.errors import PartyUnavailable
from node.storage import Store
from support.checks import refused
from tests.federation.interchain.trusting import NOW, Peer
from tests.node.regulator.peers.test_shared_history import network

CSJ, ZSJ, JJJ = Peer("csj"), Peer("zsj"), Peer("jjj")
ROOT = CSJ.root


def pinned(bundle: TrustBundle, signer: Peer, number: int = 1) -> Pin:
    """What csj's regulator signs where its own looks at the bundle are missing."""
    return Pin(
        chain="csj",
        peer=bundle.yinxin_chain,
        number=number,
        state="pinned",
        bundle=bundle.sign(signer.signing).to_json(),
        issued=NOW,
        not_after=bundle.yinxin_not_after,
    )


# Authorities of another domain; a trust domain that another chain has; another regulator's key.
FOREIGN = ZSJ.bundle(keys=authority_keys([JJJ.authority.certificate_pem]))
TWIN = replace(JJJ, chain="zsj").bundle(yinxin_chain="jjj")
OTHER = ZSJ.bundle(2, yinxin_signing=JJJ.signing.public)


@pytest.fixture
def chain(tmp_path: Path) -> Any:
    store = Store.open(f"sqlite:///{tmp_path}/node.sqlite")
    yield ChainStore(store, ROOT), store
    store.close()


def put(chain: ChainStore, store: Store, pin: Pin) -> None:
    store.run_blocking(lambda c: chain.put_pin(c, pin.sign(CSJ.signing)))


def test_a_pin_that_cannot_be_used_or_stands_in_anothers_place_is_not_kept(chain: Any) -> None:
    kept, store = chain
    with pytest.raises(IdentityError):
        put(kept, store, pinned(FOREIGN, ZSJ))
    put(kept, store, pinned(ZSJ.bundle(), ZSJ))
    refused(Reason.CONFLICT, lambda: put(kept, store, pinned(TWIN, JJJ)))
    refused(Reason.CONFLICT, lambda: put(kept, store, pinned(OTHER, JJJ, 2)))
    assert set(store.read_blocking(kept.pins)) == {"zsj"}


async def test_one_such_pin_would_shut_all_chains_out(
    chain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, store = chain
    monkeypatch.setattr(keeping, "check_pin", lambda *_: None)
    put(kept, store, pinned(JJJ.bundle(), JJJ))
    trust = PeerTrust(store, kept, FixedClock(NOW))
    assert set(await trust.trusted()) == {"jjj"}
    put(kept, store, pinned(FOREIGN, ZSJ))
    with pytest.raises(FederationError):
        await trust.trusted()


# --- affiliates -----------------------------------------------------------------------------------


def crowd(bank: SpiffeId) -> list[tuple[SpiffeId, ...]]:
    """As many groups of affiliates as a document may have, all with the bank."""
    return [(bank, SpiffeId("zsj.yinxin.example", Role.BANK, f"b{i}")) for i in range(256)]


def telling(monkeypatch: pytest.MonkeyPatch, groups: list[tuple[SpiffeId, ...]]) -> None:
    """From now on zsj tells csj these groups."""
    make = asking.make_history

    def lying(request: Any, **told: Any) -> Any:
        return make(request, **told | {"groups": groups if request.chain == "zsj" else ()})

    monkeypatch.setattr(asking, "make_history", lying)


async def test_a_peer_cannot_give_a_bank_so_many_affiliates_that_it_gets_no_model_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with network(tmp_path, "csj", "zsj") as found:
        bank, home = found.chains["csj"].bank, found.regulators["csj"]
        with monkeypatch.context() as patched:
            telling(patched, crowd(bank))
            with pytest.raises(PartyUnavailable) as caught:  # whose fault it is is said
                await found.certify("csj", found.card("csj"))
            assert caught.value.party == found.chains["zsj"].regulator
        history = found.desks["csj"].history
        assert await home.store.read(lambda c: history._family(c, {str(bank)})) == {str(bank)}
        assert (await found.certify("csj", found.card("csj"))).certificate


async def test_without_that_bound_the_bank_is_shut_out_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unbounded(self: PeerHistory, *arguments: Any) -> None:
        ToldStore.put_groups(self.told, *arguments)

    monkeypatch.setattr(PeerHistory, "put_groups", unbounded)
    async with network(tmp_path, "csj", "zsj") as found:
        with monkeypatch.context() as patched:
            telling(patched, crowd(found.chains["csj"].bank))
            with pytest.raises(RegulatorError):
                await found.certify("csj", found.card("csj"))
        with pytest.raises(RegulatorError):  # although zsj tells the truth by now
            await found.certify("csj", found.card("csj"))


async def test_a_peer_makes_no_affiliates_of_banks_that_nobody_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = tuple(SpiffeId("csj.yinxin.example", Role.BANK, name) for name in ("delta", "river"))
    async with network(tmp_path, "csj", "zsj") as found:
        telling(monkeypatch, [pair])
        with pytest.raises(PartyUnavailable):
            await found.certify("csj", found.card("csj"))
        told = found.desks["csj"].history.told
        home = found.regulators["csj"]
        assert not await home.store.read(lambda c: told.affiliates(c, {str(pair[0])}))


# --- histories without end ------------------------------------------------------------------------


def endless(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Zsj says at each page that there are more. Which pages were asked for."""
    asked: list[int] = []

    async def keep(self: Any, pin: Any, request: Any, sealed: bytes) -> Any:
        asked.append(request.first)
        await asyncio.sleep(0.01)

        class Page:
            scorecards = (None,)
            judging, total = False, request.first + 2

        return Page

    monkeypatch.setattr(PeerHistory, "_keep", keep)
    return asked


async def test_a_history_without_end_holds_the_desk_up_no_longer_than_a_judgement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with network(tmp_path, "csj", "zsj") as found:
        asked = endless(monkeypatch)
        config = found.regulators["csj"].config
        hurried = config.certification.model_copy(update={"seconds": 0.1})
        # A configuration is frozen; its default section is that of every other one, too.
        object.__setattr__(config, "certification", hurried)
        with pytest.raises(PartyUnavailable) as caught:
            await found.certify("csj", found.card("csj"))
        assert caught.value.party == found.chains["zsj"].regulator
        assert asked
