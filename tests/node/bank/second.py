"""A second chain, zsj, behind the bank's own hub and regulator in csj.

The chain in memory is one of fixed names, so zsj is made of the same modules read with other names.
csj's hub hands on what zsj's hub publishes and passes queries on to it, as hubs of peer chains do;
a test makes it dishonest through `Crossing`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from federation.certificate import ModelCertificate
from federation.envelope import EnvelopeKey
from federation.errors import Reason, Refusal
from federation.identity import Role, SpiffeId
from federation.interchain.bundle import TrustBundle, authority_keys
from federation.interchain.directory import Directory
from federation.interchain.guest import Guest
from federation.interchain.pin import Pin
from federation.interchain.routed import open_routed
from federation.membership import Members
from federation.roster import Roster
from federation.signed import Signed
from node.chain.store import sign_batch
from node.rpc.convert import signed_from_wire, signed_to_wire
from node.rpc.errors import PartyUnavailable
from node.rpc.identity import peer
from support.chain import CHAIN, DAY, HARBOUR, NOW, REGULATOR, Chain
from tests.node.bank import world as first_world
from tests.node.bank.world import TestHub, TestRegulator, World, honest, world
from yinxin.v1 import common_pb2, hub_pb2

ZSJ = "zsj"
ZSJ_DOMAIN = "zsj.yinxin.example"
ZSJ_HUB = SpiffeId(ZSJ_DOMAIN, Role.HUB, "hub")
ZSJ_REGULATOR = SpiffeId(ZSJ_DOMAIN, Role.REGULATOR, "pboc")


def _renamed(name: str, file: str) -> ModuleType:
    """A module of the chain in memory, read with zsj's names."""
    source = Path(file).read_text().replace("csj", "zsj")
    for part in ("small", "chain", "network"):
        source = source.replace(f"from support.{part} import", f"from zsj_{part} import")
    spec = importlib.util.spec_from_loader(name, loader=None)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    exec(compile(source, file, "exec"), module.__dict__)  # noqa: S102  # our own tests' source
    return module


def _modules() -> tuple[ModuleType, ModuleType, ModuleType]:
    import support.chain
    import support.network
    import support.small

    _renamed("zsj_small", support.small.__file__)
    chain = _renamed("zsj_chain", support.chain.__file__)
    network = _renamed("zsj_network", str(support.network.__file__))
    return chain, network, _renamed("zsj_world", str(first_world.__file__))


CHAIN_MODULE, NETWORK_MODULE, WORLD_MODULE = _modules()


def second_chain(own: Chain, firms: int = 12) -> Any:
    """zsj: the same licence authority, its own keys, holders and data; HARBOUR is its guest."""

    class Licence:
        @staticmethod
        def create(*_: object) -> Any:
            return own.licence

    CHAIN_MODULE.SubjectAuthority = Licence  # type: ignore[attr-defined]
    chain = CHAIN_MODULE.Chain(firms=firms, seed=11)
    chain.sealing[ZSJ_HUB] = EnvelopeKey.generate()
    chain.sealing[HARBOUR] = own.sealing[HARBOUR]
    # In a test one regulator's desk opens what was sealed to the other's.
    chain.sealing[ZSJ_REGULATOR] = own.sealing[REGULATOR]
    guest = guest_of(own).as_member()
    chain.members = Members(chain.root, chain._credentials(), NOW, [guest])
    return chain


def guest_of(own: Chain, **changes: Any) -> Guest:
    """HARBOUR as zsj knows it."""
    fields: dict[str, Any] = {
        "chain": ZSJ,
        "home": CHAIN,
        "id": HARBOUR,
        "title": {"zh": "海港", "en": "harbour"},
        "signing": own.signing[HARBOUR].public,
        "sealing": own.sealing[HARBOUR].public,
        "credential": bytes(32),
        "not_before": NOW - DAY,
        "not_after": NOW + 90 * DAY,
    }
    return Guest.model_validate(fields | changes)


def pin_of(chain: Any, peer_chain: Any, **changes: Any) -> Pin:
    """The pin by which `chain` trusts `peer_chain`."""
    root = peer_chain.root
    bundle = TrustBundle(
        keys=authority_keys([peer_chain.authority.certificate_pem]),
        spiffe_sequence=1,
        spiffe_refresh_hint=300,
        yinxin_chain=root.chain,
        yinxin_trust_domain=root.trust_domain,
        yinxin_regulator=root.regulator,
        yinxin_hub=SpiffeId(root.trust_domain, Role.HUB, "hub"),
        yinxin_signing=root.regulator_signing,
        yinxin_sealing=EnvelopeKey.generate().public,
        yinxin_licence_domain=root.licence_domain,
        yinxin_licence_authority=root.licence_authority,
        yinxin_hub_address="127.0.0.1:9",
        yinxin_regulator_address="127.0.0.1:9",
        yinxin_not_before=NOW - DAY,
        yinxin_not_after=NOW + 90 * DAY,
    ).sign(peer_chain.signing[root.regulator])
    fields: dict[str, Any] = {
        "chain": chain.root.chain,
        "peer": root.chain,
        "number": 1,
        "state": "pinned",
        "bundle": bundle.to_json(),
        "issued": NOW - DAY,
        "not_after": NOW + 90 * DAY,
    }
    return Pin.model_validate(fields | changes)


@dataclass
class Crossing:
    """What lies between the chains, and what a test does to it."""

    chain: Any
    hub: Any
    pins: list[Signed]
    back: Signed
    """zsj's pin of csj."""
    welcome: Signed
    """The bank's guest credential in zsj."""
    away: bool = False
    issued: int | None = None
    """When the directory says that it was made, if not now."""
    state: Callable[[bytes], bytes] = honest
    directory: Callable[[Directory], Directory] = honest
    guest: bool = True
    reply: Callable[[Any], Any] = honest
    routed: list[Signed] = field(default_factory=list)


class CrossingHub(TestHub):
    """csj's hub, with zsj behind it."""

    crossing: Crossing

    async def GetChain(self, request: Any, context: Any) -> hub_pb2.ChainState:
        state = await super().GetChain(request, context)
        state.pins.extend(signed_to_wire(pin) for pin in self.crossing.pins)
        return state

    async def GetPeerChain(self, request: Any, context: Any) -> hub_pb2.PeerChain:
        crossing, chain = self.reach(request.chain), self.crossing.chain
        state = await crossing.hub.GetChain(None, context)
        if crossing.guest:
            state.guests.append(signed_to_wire(crossing.welcome))
        state.pins.append(signed_to_wire(crossing.back))
        raw = state.SerializeToString(deterministic=True)
        directory = crossing.directory(
            Directory(
                chain=ZSJ,
                hub=ZSJ_HUB,
                audience=CHAIN,
                issued=CLOCK.now() if crossing.issued is None else crossing.issued,
                state=hashlib.sha256(raw).digest(),
                roster_rows=chain.roster.size,
                roster_root=chain.roster.root,
                batches=1,
            )
        )
        signed = signed_to_wire(directory.sign(chain.signing[ZSJ_HUB]))
        return hub_pb2.PeerChain(state=crossing.state(raw), directory=signed)

    async def GetPeerRoster(self, request: Any, context: Any) -> AsyncIterator[common_pb2.Signed]:
        chain = self.reach(request.chain).chain
        batch = Roster(ZSJ).propose(firm.uscc for firm in chain.firms)
        yield signed_to_wire(sign_batch(batch, chain.signing[ZSJ_HUB]))

    async def InstallModel(self, requests: Any, context: Any) -> hub_pb2.InstallModelReply:
        first = await anext(requests)
        certificate = ModelCertificate.parse(signed_from_wire(first.header.certificate).payload)

        async def again() -> AsyncIterator[Any]:
            yield first
            async for part in requests:
                yield part

        if certificate.chain == ZSJ:
            reply: hub_pb2.InstallModelReply = await self.reach(ZSJ).hub.InstallModel(
                again(), context
            )
            return reply
        return await super().InstallModel(again(), context)

    async def GetKeys(self, request: Any, context: Any) -> hub_pb2.HubKeyReply:
        if request.chain:
            reply: hub_pb2.HubKeyReply = await self.reach(request.chain).hub.GetKeys(
                request, context
            )
            return reply
        return await super().GetKeys(request, context)

    async def Prepare(self, request: Any, context: Any) -> AsyncIterator[common_pb2.Table]:
        if request.chain:
            tables = self.reach(request.chain).hub.Prepare(request, context)
        else:
            tables = super().Prepare(request, context)
        async for table in tables:
            yield table

    async def RouteQuery(self, request: Any, context: Any) -> hub_pb2.QueryReply:
        crossing, chain = self.reach(ZSJ), self.crossing.chain
        signed = signed_from_wire(request.query)
        crossing.routed.append(signed)
        raw = open_routed(
            signed,
            self.chain.signing[HARBOUR].public,
            home=CHAIN,
            chain=ZSJ,
            bank=peer(),
            hub=ZSJ_HUB,
            key=chain.sealing[ZSJ_HUB],
            now=CLOCK.now(),
        )
        reply: hub_pb2.QueryReply = crossing.reply(
            await crossing.hub.Query(hub_pb2.QueryRequest.FromString(raw), context)
        )
        return reply

    def reach(self, name: str) -> Crossing:
        if name != ZSJ:
            raise Refusal(Reason.UNKNOWN_CHAIN)
        if self.crossing.away:
            raise PartyUnavailable(ZSJ_HUB)
        return self.crossing


class CrossingRegulator(TestRegulator):
    """csj's regulator, which forwards to zsj's."""

    other: Any

    async def Certify(self, request: Any, context: Any) -> AsyncIterator[Any]:
        replies = self.other if request.chain == ZSJ else super()
        async for reply in replies.Certify(request, context):
            yield reply

    async def WithdrawModel(self, request: Any, context: Any) -> Any:
        to = self.other if request.chain == ZSJ else super()
        return await to.WithdrawModel(request, context)


class _Clock:
    """The world's clock, once there is one."""

    def __init__(self) -> None:
        self.of: Any = None

    def now(self) -> int:
        return int(self.of.now()) if self.of is not None else NOW


CLOCK = _Clock()


@asynccontextmanager
async def two_chains(folder: Path, own: Chain, other: Any) -> AsyncIterator[tuple[World, Crossing]]:
    """A bank of csj, with zsj pinned."""
    methods = ("GetPeerChain", "GetPeerRoster", "RouteQuery")
    first_world.HUB_ROLES.update({f"/yinxin.v1.Hub/{m}": frozenset({Role.BANK}) for m in methods})
    async with world(folder, own, "", CrossingHub, CrossingRegulator) as made:
        hub = WORLD_MODULE.TestHub(other, NETWORK_MODULE.Network(other))
        pins = [pin_of(own, other).sign(own.signing[REGULATOR])]
        regulator = other.signing[ZSJ_REGULATOR]
        back, welcome = pin_of(other, own).sign(regulator), guest_of(own).sign(regulator)
        crossing = Crossing(other, hub, pins, back, welcome)
        made.hub.crossing = crossing  # type: ignore[attr-defined]
        made.regulator.other = WORLD_MODULE.TestRegulator(other)  # type: ignore[attr-defined]
        CLOCK.of = made.clock
        yield made, crossing
