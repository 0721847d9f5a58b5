"""Enterprises register and cancel consents, each for itself; no log names them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from federation.canonical import b64, unb64
from federation.entries import Entry, InclusionPromise, Kind, read_entry
from federation.merkle import leaf_hash
from federation.registration import open_statement
from node.hub.registry import HubRegistry
from node.hub.tables import hub_consents
from node.log.tables import log_attachments
from node.rpc.client import Channel
from node.rpc.convert import signed_from_wire
from node.rpc.errors import PartyUnavailable, RemoteError, RemoteRefusal
from node.rpc.tls import TlsFiles
from support.chain import CHAIN, DAY, HARBOUR, HUB, NOW, UNNAMED
from support.people import Firm
from tests.node.hub.world import CONSENT_METHODS, LIMITS, Node, World
from yinxin.v1 import common_pb2, hub_pb2


async def register(channel: Channel, consent: str) -> common_pb2.Receipt:
    request = hub_pb2.ConsentRequest(consent=consent)
    return await channel.unary(f"{CONSENT_METHODS}RegisterConsent", request, common_pb2.Receipt)


async def cancel(channel: Channel, cancellation: str) -> common_pb2.Receipt:
    request = hub_pb2.CancellationRequest(cancellation=cancellation)
    return await channel.unary(f"{CONSENT_METHODS}CancelConsent", request, common_pb2.Receipt)


def receipted(world: World, receipt: common_pb2.Receipt, kind: Kind) -> Entry:
    """The entry that a receipt promises."""
    public = world.chain.signing[HUB].public
    promised = InclusionPromise.open_(signed_from_wire(receipt.promise), public)
    assert (promised.log, promised.leaf) == (HUB, leaf_hash(receipt.entry))
    entry = read_entry(receipt.entry)
    assert (entry.kind, entry.time) == (kind, NOW)
    return entry


async def rows(node: Node) -> list[Any]:
    def look(connection: Connection) -> list[Any]:
        return list(connection.execute(select(hub_consents)).all())

    return await node.hub.store.read(look)


async def opened(world: World, node: Node, entry: Entry) -> str:
    """What the regulator finds in the envelope that an entry names."""
    digest = unb64(str(entry.body["envelope"]), "envelope")
    query = select(log_attachments.c.body).where(log_attachments.c.hash == digest)
    body = await node.hub.store.read(lambda c: c.execute(query).scalar_one())
    return open_statement(
        body, unb64(str(entry.body["consent"]), "consent"), NOW, world.chain.audit
    )


async def test_a_consent_is_registered_and_cancelled_with_receipts(world: World) -> None:
    firm = world.chain.firms[0]
    consent = world.chain.consent(firm)
    cancellation = world.cancellation(consent, firm)
    async with world.serving(UNNAMED[0]) as node, node.enterprise(firm) as channel:
        first = receipted(world, await register(channel, consent.compact), Kind.CONSENT)
        second = receipted(world, await cancel(channel, cancellation), Kind.CANCELLED)
        logged = [*await node.entries(Kind.CONSENT), *await node.entries(Kind.CANCELLED)]
        assert logged == [first, second]
        # Both are about the same consent, by a name that only the hub can compute.
        assert first.body["consent"] == second.body["consent"]
        key = node.hub.identity.storage
        assert first.body["consent"] == b64(HubRegistry(None, key).tag(consent))  # type: ignore[arg-type]
        assert await opened(world, node, first) == consent.compact
        assert await opened(world, node, second) == cancellation
        ((tag, sealed, uses, cancelled_at, *entries),) = (r[:6] for r in await rows(node))
        assert entries == [first.encode(), second.encode()]
        assert (uses, cancelled_at) == (0, NOW)
        assert key.open(sealed, tag).decode().strip() == consent.compact


async def test_a_repetition_has_the_same_receipt_and_adds_nothing(world: World) -> None:
    """Else a firm could fill the hub's log and its store of envelopes by itself."""
    firm = world.chain.firms[4]
    consent = world.chain.consent(firm)
    cancellation = world.cancellation(consent, firm)
    async with world.serving(UNNAMED[0]) as node, node.enterprise(firm) as channel:
        first = receipted(world, await register(channel, consent.compact), Kind.CONSENT)
        again = receipted(world, await register(channel, consent.compact), Kind.CONSENT)
        ended = receipted(world, await cancel(channel, cancellation), Kind.CANCELLED)
        twice = receipted(world, await cancel(channel, cancellation), Kind.CANCELLED)
        assert (again, twice) == (first, ended)
        assert len(await node.entries(Kind.CONSENT)) == len(await node.entries(Kind.CANCELLED)) == 1
        envelopes = select(func.count()).select_from(log_attachments)
        assert await node.hub.store.read(lambda c: c.execute(envelopes).scalar_one()) == 2


async def test_a_cancelled_consent_gets_no_permit(world: World) -> None:
    chain, firm, model = world.chain, world.chain.firms[1], world.chain.alpha
    kept, gone = chain.consent(firm), chain.consent(firm)
    async with world.serving(*UNNAMED) as node, node.enterprise(firm) as own:
        await node.install(model)
        await register(own, gone.compact)
        await cancel(own, world.cancellation(gone, firm))
        async with node.calling(HARBOUR) as bank:
            with pytest.raises(RemoteRefusal):
                await node.query(bank, world.network.begin(model, gone))
            assert await node.reasons() == ["cancelled"]
            await node.query(bank, world.network.begin(model, kept))
    assert len(world.holders[UNNAMED[0]].requests) == 1


async def test_cancelling_stops_a_consent_that_the_hub_never_saw(world: World) -> None:
    chain, firm, model = world.chain, world.chain.firms[2], world.chain.alpha
    consent = chain.consent(firm)
    async with world.serving(*UNNAMED) as node, node.enterprise(firm) as own:
        await node.install(model)
        receipted(world, await cancel(own, world.cancellation(consent, firm)), Kind.CANCELLED)
        assert [row.sealed for row in await rows(node)] == [None]
        await register(own, consent.compact)
        async with node.calling(HARBOUR) as bank:
            with pytest.raises(RemoteRefusal):
                await node.query(bank, world.network.begin(model, consent))
        assert await node.reasons() == ["cancelled"]


async def test_saying_it_twice_changes_nothing_and_gets_a_receipt(world: World) -> None:
    firm = world.chain.firms[3]
    consent = world.chain.consent(firm)
    cancellation = world.cancellation(consent, firm)
    async with world.serving(UNNAMED[0]) as node, node.enterprise(firm) as channel:
        for _ in range(2):
            receipted(world, await register(channel, consent.compact), Kind.CONSENT)
        before = await rows(node)
        for _ in range(2):
            receipted(world, await cancel(channel, cancellation), Kind.CANCELLED)
        (after,) = await rows(node)
        assert [row.sealed for row in before] == [after.sealed]


async def test_nobody_registers_or_cancels_for_another_firm(world: World) -> None:
    mine, other = world.chain.firms[4], world.chain.firms[5]
    consent = world.chain.consent(mine)
    async with world.serving(UNNAMED[0]) as node:
        async with node.enterprise(other) as channel:
            with pytest.raises(RemoteRefusal):
                await register(channel, consent.compact)
            with pytest.raises(RemoteRefusal):
                await cancel(channel, world.cancellation(consent, mine))
        assert await rows(node) == []
        assert await node.reasons() == ["no_consent"] * 2


async def test_what_a_firm_signs_about_anothers_consent_cancels_nothing(world: World) -> None:
    """Signed by the caller in its own name: it is let in, and the consent stays valid."""
    from federation.canonical import canonical_json
    from federation.compact import sign_compact
    from federation.consent import CANCELLATION_TYPE

    mine, other, model = world.chain.firms[6], world.chain.firms[7], world.chain.alpha
    consent = world.chain.consent(mine)
    claims = {
        "iss": consent.issuer,
        "sub": other.uscc,
        "jti": b64(consent.id),
        "consent": b64(consent.hash),
        "iat": NOW,
    }
    forged = sign_compact(CANCELLATION_TYPE, canonical_json(claims), other.key, other.certificate)
    async with world.serving(*UNNAMED) as node, node.enterprise(other) as channel:
        await node.install(model)
        await cancel(channel, forged)
        async with node.calling(HARBOUR) as bank:
            await node.query(bank, world.network.begin(model, consent))


async def test_a_consent_for_other_chains_is_refused(world: World) -> None:
    firm = world.chain.firms[8]
    async with world.serving(UNNAMED[0]) as node, node.enterprise(firm) as channel:
        with pytest.raises(RemoteRefusal):
            await register(channel, world.chain.consent(firm, chains=("zsj",)).compact)
        assert await node.reasons() == ["wrong_chain"]
        await register(channel, world.chain.consent(firm, chains=("zsj", CHAIN)).compact)


@pytest.mark.parametrize("fault", ["expired", "not yet", "altered", "another key", "empty"])
async def test_what_is_no_consent_now_is_refused(world: World, fault: str) -> None:
    chain, firm = world.chain, world.chain.firms[9]
    stranger = Firm(firm.uscc, type(chain.licence).create(chain.licence.trust_domain, NOW), NOW)
    compact = {
        "expired": lambda: chain.consent(firm, at=NOW - 10, expires=NOW).compact,
        "not yet": lambda: (
            chain.consent(firm, at=NOW + 10, not_before=NOW + 10, expires=NOW + DAY).compact
        ),
        "altered": lambda: flipped(chain.consent(firm).compact),
        "another key": lambda: unverified(world, stranger),
        "empty": str,
    }[fault]()
    reason = {"expired": "expired", "not yet": "not_yet_valid", "empty": "malformed"}
    async with world.serving(UNNAMED[0]) as node, node.enterprise(firm) as channel:
        with pytest.raises(RemoteError):
            await register(channel, compact)
        assert await node.reasons() == [reason.get(fault, "no_consent")]
        assert await rows(node) == []


def flipped(compact: str) -> str:
    """Another signature."""
    head, payload, signature = compact.split(".")
    changed = bytearray(unb64(signature, "signature"))
    changed[0] ^= 1
    return ".".join((head, payload, b64(bytes(changed))))


def unverified(world: World, firm: Firm) -> str:
    from federation.consent import sign_consent

    return sign_consent(world.chain.claims(firm), firm.key, firm.certificate)


async def test_a_refusal_names_no_firm(world: World) -> None:
    firm, other = world.chain.firms[10], world.chain.firms[11]
    async with world.serving(UNNAMED[0]) as node, node.enterprise(firm) as channel:
        with pytest.raises(RemoteRefusal):
            await register(channel, world.chain.consent(other).compact)
        entries = [one.entry async for one in node.hub.log.iterate()]
        (refusal,) = await node.entries("refusal")
        assert (refusal.body["caller"], refusal.body["method"]) == ("", "RegisterConsent")
        for one in (firm, other):
            assert not any(one.uscc.encode() in raw for raw in entries)


async def test_the_two_doors_are_apart(world: World) -> None:
    """A member's certificate does not open the enterprises' address, nor the other way round."""
    firm = world.chain.firms[12]
    consent = world.chain.consent(firm)
    own, bank = world.enterprise(firm), world.tls.files(HARBOUR)
    trusted = world.tls.authorities
    async with world.serving(UNNAMED[0]) as node:
        ports = [server.port for server in node.hub.servers]
        for files, port, call in (
            (TlsFiles(own.certificates, own.private_key, trusted), ports[0], "Hub/GetChain"),
            (bank, ports[1], "Consents/RegisterConsent"),
        ):
            async with Channel(HUB, f"127.0.0.1:{port}", files, LIMITS) as channel:
                with pytest.raises(PartyUnavailable):  # TLS itself does not let it in
                    request = hub_pb2.ConsentRequest(consent=consent.compact)
                    await channel.unary(f"/yinxin.v1.{call}", request, common_pb2.Receipt, 3.0)
        assert await rows(node) == []
        # Services are not reachable through the other's door either.
        async with node.enterprise(firm) as channel:
            with pytest.raises(RemoteError):
                request = hub_pb2.ConsentRequest(consent=consent.compact)
                await channel.unary("/yinxin.v1.Hub/GetChain", request, common_pb2.Receipt)


async def test_no_receipt_without_a_log(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from node.errors import StorageUnavailable

    firm = world.chain.firms[13]
    async with world.serving(UNNAMED[0]) as node, node.enterprise(firm) as channel:

        def full(*_: object) -> None:
            raise StorageUnavailable("no space is left on the disk")

        with monkeypatch.context() as patch:
            patch.setattr(node.hub.log, "append", full)
            with pytest.raises(PartyUnavailable):
                await register(channel, world.chain.consent(firm).compact)
        assert await rows(node) == []
