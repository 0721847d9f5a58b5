"""Who asked about a firm: told to the firm that the certificate names, and to nobody else."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import func, select, update

from federation.identity import Role, SpiffeId
from federation.permit import Permit
from node.errors import SealError
from node.hub import consents
from node.hub.tables import hub_uses
from node.hub.uses import PADDED, Uses
from node.keys import KeyEncryptionKey
from node.rpc.client import Channel
from node.rpc.errors import RemoteError, RemoteRefusal
from node.storage import Store
from support.chain import COURT, DELTA, HARBOUR, LICENCE_DOMAIN, NOW, UNNAMED
from support.people import Firm
from tests.node.hub.world import CONSENT_METHODS, World
from yinxin.v1 import hub_pb2

KEY = secrets.token_bytes(32)
FIRM = SpiffeId(LICENCE_DOMAIN, Role.ENTERPRISE, "911000001000013428")
OTHER = replace(FIRM, name="91512081MA62K0260E")


async def listed(channel: Channel, start: int = 0) -> hub_pb2.ListUsesReply:
    request = hub_pb2.ListUsesRequest(start=start)
    return await channel.unary(f"{CONSENT_METHODS}ListUses", request, hub_pb2.ListUsesReply)


async def test_a_firm_is_told_who_asked_and_another_is_not(world: World) -> None:
    chain, firm, other = world.chain, world.chain.firms[0], world.chain.firms[1]
    model, court = chain.alpha, chain.with_court
    consent = chain.consent(firm, uses=2)
    named = chain.consent(firm, disclosed=("court.f0",), named=(COURT,))
    async with world.serving() as node, node.calling(HARBOUR) as bank:
        await node.install(model)
        await node.install(court)
        first = await node.query(bank, world.network.begin(model, consent))
        repeated = world.network.begin(model, consent)
        second = await node.query(bank, repeated)
        assert (await node.query(bank, repeated)).permits == second.permits  # costs no use
        third = await node.query(bank, world.network.begin(court, named))
        async with node.enterprise(firm) as own:
            cancellation = hub_pb2.CancellationRequest(
                cancellation=world.cancellation(consent, firm)
            )
            await own.unary(f"{CONSENT_METHODS}CancelConsent", cancellation, hub_pb2.ConsentRequest)
            reply = await listed(own)
        async with node.enterprise(other) as stranger:
            nothing = await listed(stranger)
        assert (list(nothing.uses), nothing.total, nothing.next) == ([], 0, 0)
    assert (reply.total, reply.next, [use.number for use in reply.uses]) == (3, 3, [0, 1, 2])
    for use, answer in zip(reply.uses, (first, second, third), strict=True):
        assert list(use.permits) == [p.document.payload_hash for p in answer.permits]
        assert (use.bank, use.purpose, use.time) == (str(HARBOUR), "02", NOW)
    assert len(reply.uses[2].permits) == 2  # the court is told the subject under one of its own
    assert [use.consent for use in reply.uses] == [consent.id, consent.id, named.id]
    assert [use.cancelled for use in reply.uses] == [NOW, NOW, 0]
    certificates = (model, model, court)
    for use, known in zip(reply.uses, certificates, strict=True):
        assert use.certificate == known.certificate.hash
        assert list(use.fields) == [field.name for field in known.certificate.fields]


async def test_a_long_list_comes_in_parts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consents, "USES_AT_ONCE", 2)
    firm, model = world.chain.firms[2], world.chain.alpha
    async with world.serving(*UNNAMED) as node, node.calling(HARBOUR) as bank:
        await node.install(model)
        for _ in range(3):
            await node.query(bank, world.network.begin(model, world.chain.consent(firm)))
        async with node.enterprise(firm) as own:
            parts = [await listed(own, start) for start in (0, 2, 3, 9, 2**64 - 1)]
    assert [[use.number for use in part.uses] for part in parts] == [[0, 1], [2], [], [], []]
    assert [(part.next, part.total) for part in parts] == [(2, 3), (3, 3), (3, 3), (3, 3), (3, 3)]


async def test_no_member_and_no_firm_of_another_authority_is_told(world: World) -> None:
    firm = world.chain.firms[3]
    async with world.serving(UNNAMED[0]) as node:
        async with node.calling(DELTA) as member:
            with pytest.raises(RemoteError):
                await listed(member)
        # Certified by the licence authority, but as something else than an enterprise.
        files = world.licence.issue("bank", [str(SpiffeId(LICENCE_DOMAIN, Role.BANK, "b"))])
        files = replace(files, authorities=world.tls.authorities)
        port = node.hub.servers[1].port
        from support.chain import HUB
        from tests.node.hub.world import LIMITS

        async with Channel(HUB, f"127.0.0.1:{port}", files, LIMITS) as channel:
            with pytest.raises(RemoteRefusal):
                await listed(channel)
        async with node.enterprise(firm) as own:
            assert (await listed(own)).total == 0


async def test_a_query_that_is_refused_is_no_use(world: World) -> None:
    firm, model = world.chain.firms[4], world.chain.alpha
    consent = world.chain.consent(firm, uses=1)
    async with world.serving(*UNNAMED) as node, node.calling(HARBOUR) as bank:
        await node.install(model)
        await node.query(bank, world.network.begin(model, consent))
        with pytest.raises(RemoteRefusal):
            await node.query(bank, world.network.begin(model, consent))
        async with node.enterprise(firm) as own:
            assert (await listed(own)).total == 1


# --- how it is kept ----------------------------------------------------------------------------


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    opened = Store.open(database_url)
    yield opened
    opened.close()


def permit(number: int) -> Permit:
    return Permit(
        id=number.to_bytes(16, "big"),
        chain="csj",
        bank=HARBOUR,
        certificate=b"\1" * 32,
        ctx=b"\2" * 32,
        epoch=1,
        purpose="02",
        audience=UNNAMED,
        blinded=b"\3" * 32,
        consent_tag=b"\4" * 32,
        issued=NOW,
        expires=NOW + 60,
    )


def record(store: Store, firm: SpiffeId, number: int) -> None:
    key = KeyEncryptionKey(KEY)
    store.run_blocking(lambda c: Uses(c, key).record(firm, b"c" * 16, b"t" * 32, [permit(number)]))


def test_uses_are_counted_for_each_firm(store: Store) -> None:
    key = KeyEncryptionKey(KEY)
    for number in range(35):
        for firm in (FIRM, OTHER)[: 1 + (number < 3)]:
            record(store, firm, number)
        found = store.read_blocking(lambda c: Uses(c, key).total(FIRM))
        assert found == number + 1
    assert store.read_blocking(lambda c: Uses(c, key).total(OTHER)) == 3
    uses = store.read_blocking(lambda c: Uses(c, key).listed(FIRM, 30, 35))
    assert [use.permits for use in uses] == [(permit(n).hash,) for n in range(30, 35)]


def test_rows_say_nothing_of_firm_bank_or_order(store: Store) -> None:
    for firm in (FIRM, FIRM, OTHER):
        record(store, firm, 1)
    rows = store.read_blocking(lambda c: list(c.execute(select(hub_uses)).all()))
    assert len({row.tag for row in rows}) == 3
    assert len({len(row.sealed) for row in rows}) == 1 and len(rows[0].sealed) > PADDED
    content = b"".join(row.tag + row.sealed for row in rows)
    for secret in (FIRM.name, OTHER.name, str(HARBOUR)):
        assert secret.encode() not in content


def test_a_row_does_not_open_in_anothers_place(store: Store) -> None:
    """Whoever edits the database cannot show one firm's use to another."""
    key = KeyEncryptionKey(KEY)
    record(store, FIRM, 1)
    record(store, OTHER, 2)

    def swap(connection: object) -> None:
        rows = connection.execute(select(hub_uses)).all()  # type: ignore[attr-defined]
        for row, sealed in zip(rows, [rows[1].sealed, rows[0].sealed], strict=True):
            connection.execute(  # type: ignore[attr-defined]
                update(hub_uses).where(hub_uses.c.tag == row.tag).values(sealed=sealed)
            )

    store.run_blocking(swap)
    with pytest.raises(SealError):
        store.read_blocking(lambda c: Uses(c, key).listed(FIRM, 0, 1))


def test_a_use_whose_term_is_over_is_left_out_and_still_counts(store: Store) -> None:
    key = KeyEncryptionKey(KEY)
    for number in range(3):
        record(store, FIRM, number)
    tag = store.read_blocking(lambda c: Uses(c, key)._tag(FIRM, 1))
    store.run_blocking(
        lambda c: c.execute(update(hub_uses).where(hub_uses.c.tag == tag).values(sealed=b""))
    )
    uses = store.read_blocking(lambda c: Uses(c, key).listed(FIRM, 0, 3))
    assert [use.number for use in uses] == [0, 2]
    record(store, FIRM, 3)
    assert store.read_blocking(lambda c: Uses(c, key).total(FIRM)) == 4


def test_a_use_is_kept_with_its_permits_or_not_at_all(store: Store) -> None:
    def failing(connection: object) -> None:
        Uses(connection, KeyEncryptionKey(KEY)).record(  # type: ignore[arg-type]
            FIRM, b"c" * 16, b"t" * 32, [permit(1)]
        )
        raise RuntimeError("what follows in the unit fails")

    with pytest.raises(RuntimeError):
        store.run_blocking(failing)
    count = select(func.count()).select_from(hub_uses)
    assert store.read_blocking(lambda c: c.execute(count).scalar_one()) == 0


def test_firms_are_told_apart_by_domain_too(store: Store) -> None:
    key = KeyEncryptionKey(KEY)
    record(store, FIRM, 1)
    elsewhere = replace(FIRM, trust_domain="licence.elsewhere.example")
    assert store.read_blocking(lambda c: Uses(c, key).total(elsewhere)) == 0


def test_a_firm_of_the_chain_is_a_firm_of_the_certificate(world: World) -> None:
    """The name under which the hub keeps a use is the one that the TLS certificate proves."""
    firm: Firm = world.chain.firms[0]
    consent = world.chain.consent(firm)
    assert SpiffeId(consent.issuer, Role.ENTERPRISE, consent.uscc) == SpiffeId(
        LICENCE_DOMAIN, Role.ENTERPRISE, firm.uscc
    )
