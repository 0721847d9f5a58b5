"""Guests are members to the audit from their credential on, while their chain is pinned."""

from __future__ import annotations

from pathlib import Path

import pytest

from federation.audit.findings import FindingKind
from federation.audit.sources import PermitRecord
from federation.audit.verify import QueryVerifier
from federation.entries import Kind
from federation.errors import Refusal
from federation.identity import Role
from federation.interchain.guest import Guest
from federation.interchain.pin import pin_entry
from federation.membership import Members
from node.regulator.audit.documents import PIN_SECONDS, DocumentSet, load_documents
from node.regulator.evidence.export import export
from node.regulator.evidence.report import Verdict
from node.regulator.mirror.books import MirroredLog, keep_batch, read_on, save_log
from node.regulator.peers.pinning import withdraw_chain
from support.audit import ChainDocuments
from support.chain import NOW, REGULATOR
from support.mirrored import Mirrored, supervising
from support.network import Network
from tests.node.hub.peers.world import PEARL, GuestChain
from tests.node.regulator.peers.sharing import World, world


def is_bank(documents: DocumentSet, chains: World, time: int) -> bool:
    try:
        documents.members(time).require(chains.home.bank, Role.BANK)
    except Refusal:
        return False
    return True


async def documents(chains: World) -> DocumentSet:
    regulator = chains.csj.regulator
    root = regulator.identity.root
    loaded = await regulator.store.read(lambda c: load_documents(c, root))
    return DocumentSet.decode(loaded.encode())  # as it goes to a worker


@pytest.mark.asyncio
async def test_a_guest_is_a_member_while_its_chain_is_pinned(tmp_path: Path) -> None:
    async with world(tmp_path, 0) as chains:
        regulator, clock = chains.csj.regulator, chains.csj.place.clock
        now = clock.now()
        guest = Guest(
            chain="csj",
            home="zsj",
            id=chains.home.bank,
            title={"zh": "银行", "en": "bank"},
            signing=chains.home.key.public,
            sealing=b"",
            credential=bytes(32),
            not_before=now + 10,
            not_after=now + 20 * 86_400,
        )
        signed = guest.sign(regulator.identity.signing)
        await regulator.store.run(lambda c: regulator.chain.put_guest(c, signed))
        known = await documents(chains)
        assert not is_bank(known, chains, now + 9)
        assert is_bank(known, chains, now + 10)
        clock.advance(100)
        pin = await withdraw_chain(regulator, "zsj", "test")
        known = await documents(chains)
        # The hub has not logged that it heard of it: it may not have, for a day.
        assert is_bank(known, chains, now + 200)
        assert not is_bank(known, chains, now + 100 + PIN_SECONDS)
        heard = pin_entry(pin, now + 150)
        batch, state = read_on(MirroredLog(str(chains.at.hub)), [heard], now + 200)

        def mirror(connection: object) -> None:
            keep_batch(connection, batch, {})  # type: ignore[arg-type]
            save_log(connection, state)  # type: ignore[arg-type]

        await regulator.store.run(mirror)
        known = await documents(chains)
        assert is_bank(known, chains, now + 149)
        assert not is_bank(known, chains, now + 150)
        assert Kind.UNPINNED.value == batch.rows[0]["kind"]


def test_a_guests_permit_is_verified_as_any_banks() -> None:
    chain = GuestChain()
    network = Network(chain)
    consent = chain.consent(chain.firms[0], bank=PEARL)
    asked = network.begin(chain.pearls, consent, officer="o", reference="r")
    network.permits(asked.request, PEARL, NOW)
    raw, envelope, document = network.hub_log[0]
    record = PermitRecord(0, raw, document, envelope)
    verifier = QueryVerifier(ChainDocuments(chain), chain.audit)
    examined = verifier.examine(record)
    assert examined.query.verified and examined.findings == ()
    assert examined.query.bank == str(PEARL)
    chain.members = Members(chain.root, chain.members.credentials(), NOW)
    stranger = QueryVerifier(ChainDocuments(chain), chain.audit).examine(record)
    (found,) = stranger.findings
    assert (found.kind, found.subject) == (
        FindingKind.BANK_FOREIGN,
        str(chain.members.hub.id),
    )


@pytest.mark.asyncio
async def test_a_guests_query_is_proved_to_others_by_its_guest_credential(tmp_path: Path) -> None:
    chain = GuestChain()
    consent = chain.consent(chain.firms[0], bank=PEARL)
    network = Network(chain)
    asking = network.begin(chain.pearls, consent, officer="o", reference="r")
    network.permits(asking.request, PEARL, NOW)
    signed = chain.guest(PEARL).sign(chain.signing[REGULATOR])
    async with supervising(tmp_path, chain) as regulator:
        mirrored = Mirrored.after(chain, network)
        del mirrored.logs[PEARL]  # it is mirrored at home
        await mirrored.keep(regulator)
        query = network.hub_log[0][2].payload_hash
        await regulator.store.run(lambda c: regulator.chain.put_guest(c, signed))
        done = await export(regulator, query, mirrored.opener, tmp_path / "evidence", "inspector")
    assert done.verdict is Verdict.IN_ORDER
    assert [path.name for path in (done.path / "guests").iterdir()] == [
        f"zsj-pearl-{NOW - 86_400}.json"
    ]
