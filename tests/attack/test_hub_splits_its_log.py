"""A hub that shows two logs, turns its log back, dates entries back, or forges cosignatures."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest

from federation.audit.findings import FindingKind
from federation.entries import Kind, entry
from federation.errors import Reason, Refusal
from federation.exchange import holder
from federation.exchange.holder import UnlockDesk
from federation.exchange.messages import UnlockRequest
from federation.identity import Role, SpiffeId
from federation.membership import Member, Members
from federation.permit import PermitPolicy
from federation.signed import SigningKey
from federation.tlog import checkpoint
from federation.tlog.checkpoint import (
    cosign,
    open_checkpoint,
    origin_of,
    require_cosigned,
    witnesses_of,
)
from federation.tlog.note import COSIGNATURE, Note, NoteSignature, note_key_id
from federation.tlog.proof import TlogProof
from node.log import witnessing
from node.regulator.mirror import follower, promises
from node.regulator.mirror.follower import BEHIND_SECONDS
from support.chain import DELTA, DOMAIN, HARBOUR, HUB, NOW, REGULATOR, TAX, Chain
from support.checks import refused
from support.network import Network
from tests.attack.watched import Owner, Watched, entries, key_of, watching


@pytest.fixture
async def watched(tmp_path: Path, chain: Chain):  # type: ignore[no-untyped-def]
    async with watching(tmp_path, chain) as found:
        yield found


@pytest.fixture
def request_(chain: Chain, network: Network) -> UnlockRequest:
    """A permit in order, as the hub passes it on to a holder."""
    return network.permits(network.begin(chain.alpha, chain.consent(chain.firms[0])).request)[0]


def halves(parties: Iterable[SpiffeId]) -> Iterator[tuple[tuple[SpiffeId, ...], ...]]:
    """Every way to show each party one of two views."""
    everyone = list(parties)
    for count in range(len(everyone) + 1):
        for first in itertools.combinations(everyone, count):
            yield first, tuple(party for party in everyone if party not in first)


def settled(owner: Owner) -> bool:
    """Whether the view has its quorum, for whoever is shown it."""
    _, note = open_checkpoint(owner.shown.note, origin_of(HUB), owner.key.public)
    try:
        require_cosigned(note, witnesses_of(owner.chain.members, HUB))
    except Refusal:
        return False
    return True


def answered(
    chain: Chain, request: UnlockRequest, proof: bytes, members: Members | None = None
) -> None:
    """A holder of a chain whose policy is `proof` looks at the permit. Raises Refusal."""
    tax = chain.holders[TAX]
    desk = UnlockDesk(TAX, members or chain.members, tax.signing, None, PermitPolicy.PROOF)
    proved = UnlockRequest(dataclasses.replace(request.permit, proof=proof), b"")
    permit = desk.read(proved)
    desk.examine(proved, permit, chain.alpha.certificate, chain.epochs[1], NOW)


# --- two views ------------------------------------------------------------------------------------


async def two_views(watched: Watched, permit: bytes) -> Owner:
    """The log without the permit, which the regulator is to see, and one with it for the holder."""
    hidden = watched.second_view()
    await watched.owner.append([*entries(3), *entries(1, 50)])
    await hidden.append([*entries(3), permit])
    return hidden


async def split(watched: Watched, hidden: Owner, first: Sequence[SpiffeId]) -> None:
    """Asks the first for the one view, all others for the other."""
    rest = [party for party in watched.witnesses if party not in first]
    for owner, asked in ((watched.owner, first), (hidden, rest)):
        await owner.publish_to(asked)


async def test_no_split_of_honest_witnesses_settles_both_views(
    watched: Watched, request_: UnlockRequest, chain: Chain
) -> None:
    """The permit in one view, the regulator in the other, and all 32 ways to divide witnesses."""
    hidden = await two_views(watched, request_.permit.entry)
    both = []
    for first, rest in halves(watched.witnesses):
        for witness in watched.witnesses.values():
            await witness.forget()  # every division from the beginning
        await split(watched, hidden, first)
        assert settled(watched.owner) is (len(first) >= 3)
        assert settled(hidden) is (len(rest) >= 3)
        if settled(watched.owner):
            proof = await hidden.prove(3)
            refused(Reason.BAD_PROMISE, lambda p=proof: answered(chain, request_, p))
            both += [rest] if settled(hidden) else []
    assert both == []


async def test_with_a_quorum_of_half_both_views_settle(
    watched: Watched, request_: UnlockRequest, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The defence removed: two quorums without a common witness. The holder answers a permit that
    is in no log that the regulator sees.
    """
    hidden = await two_views(watched, request_.permit.entry)
    await split(watched, hidden, list(watched.witnesses)[2:])
    proof = await hidden.prove(3)
    refused(Reason.BAD_PROMISE, lambda: answered(chain, request_, proof))
    monkeypatch.setattr(checkpoint, "quorum_of", lambda witnesses: witnesses // 2)
    assert settled(watched.owner) and settled(hidden)
    answered(chain, request_, proof)
    await watched.look()
    assert await watched.found() == []


async def test_with_witnesses_that_remember_nothing_both_views_settle(
    watched: Watched, request_: UnlockRequest, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other defence removed: a witness cosigns whatever is signed by the log's owner."""
    hidden = await two_views(watched, request_.permit.entry)
    assert len(await watched.owner.publish()) == 5
    assert await hidden.publish() == []
    proof = await hidden.prove(3)
    refused(Reason.BAD_PROMISE, lambda: answered(chain, request_, proof))
    monkeypatch.setattr(witnessing, "last_seen", lambda *_: None)
    monkeypatch.setattr(witnessing, "_remember", lambda *_: None)
    assert len(await hidden.publish()) == 5
    answered(chain, request_, await hidden.prove(3))


async def test_a_common_witness_that_signs_both_is_convicted_with_the_hub(
    watched: Watched, request_: UnlockRequest, chain: Chain
) -> None:
    """Outside what cosignatures prove: a dishonest witness in both quorums. The holder keeps the
    proof that it was shown; laid beside the regulator's note it has both signatures twice.
    """
    hidden = await two_views(watched, request_.permit.entry)
    (liar, *rest), first = list(watched.witnesses)[:3], list(watched.witnesses)[3:]
    assert REGULATOR in first
    await watched.owner.publish_to([*first, liar])
    await watched.witnesses[liar].forget()
    await hidden.publish_to([*rest, liar])
    answered(chain, request_, await hidden.prove(3))
    await watched.look()
    assert await watched.found() == []
    # What the holder kept, shown to the regulator:
    await watched.look(hidden)
    (found,) = await watched.findings()
    assert found.kind is FindingKind.LOG_FORK
    keys = witnesses_of(chain.members, HUB)
    signers = [
        checkpoint.cosigners(Note.parse(owner.shown.note), keys)
        for owner in (watched.owner, hidden)
    ]
    assert set(signers[0]) & set(signers[1]) == {liar}


async def test_regulator_and_holders_are_shown_views_that_grow(watched: Watched) -> None:
    """Each view is consistent in itself; whoever sees one of each has the proof."""
    hidden = watched.second_view()
    await watched.owner.append(entries(300))
    await hidden.append(entries(300, 1))
    for start in (400, 500):
        await watched.owner.publish()
        assert await hidden.publish() == []
        await watched.look()
        await watched.owner.append(entries(7, start))
        await hidden.append(entries(9, start))
    assert await watched.found() == []
    await hidden.publish()
    await watched.look(hidden)
    assert await watched.found() == [FindingKind.LOG_FORK]


@pytest.mark.parametrize("witnesses", range(1, 12))
def test_how_many_dishonest_witnesses_a_second_view_needs(witnesses: int) -> None:
    """As the protocol says: one of an odd number, two of an even one; never none."""
    quorum = checkpoint.quorum_of(witnesses)

    def both_settle(liars: int) -> bool:
        honest = witnesses - liars
        return any(min(first, honest - first) + liars >= quorum for first in range(honest + 1))

    fewest = min(liars for liars in range(witnesses + 1) if both_settle(liars))
    assert fewest == 2 * quorum - witnesses == (1 if witnesses % 2 else 2)


async def test_a_hub_that_keeps_the_regulators_credential_to_itself(
    watched: Watched, request_: UnlockRequest, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Credentials come by the hub: it lets a holder know itself and the hub alone, so that its own
    cosignature would be a quorum. The regulator is in the trust root.
    """
    hidden = await two_views(watched, request_.permit.entry)
    await split(watched, hidden, [party for party in watched.witnesses if party != TAX])
    assert settled(watched.owner)
    proof = await hidden.prove(3)
    shown = [
        credential
        for credential in chain.members.credentials()
        if Member.parse(credential.payload).id in (HUB, HARBOUR, TAX)
    ]
    members = Members(chain.root, shown, NOW)
    refused(Reason.BAD_PROMISE, lambda: answered(chain, request_, proof, members))
    monkeypatch.setattr(holder, "witnesses_of", lambda *_: {TAX: key_of(chain, TAX).public})
    answered(chain, request_, proof, members)


# --- turning back ---------------------------------------------------------------------------------


async def test_a_backup_put_in_place_of_the_log(watched: Watched) -> None:
    """Yesterday's database with yesterday's keys: whole in itself, and started again."""
    owner = watched.owner
    await owner.append(entries(20))
    await owner.publish()
    backup = watched.second_view("backup")
    await backup.append(entries(20))
    await owner.append(entries(5, 20))
    assert len(await owner.publish()) == 5
    await watched.look()
    assert await backup.publish() == []
    assert not settled(backup)
    await watched.look(backup)
    await watched.look(backup, after=BEHIND_SECONDS)
    assert await watched.found() == [FindingKind.LOG_ROLLBACK]
    # It goes on with other entries until it is longer than it was.
    await backup.append(entries(9, 90))
    assert await backup.publish() == []
    await watched.look(backup)
    assert FindingKind.LOG_FORK in await watched.found()


# --- keeping back, and dating back ----------------------------------------------------------------


def permit_entry(time: int) -> bytes:
    return entry(Kind.PERMIT, time, document=bytes(32), bank=HARBOUR, ctx=bytes(32))


@pytest.mark.parametrize(("before", "found"), [(90, []), (91, [FindingKind.PROMISE_BROKEN])])
async def test_an_entry_with_a_time_before_its_own(
    watched: Watched, before: int, found: list[FindingKind]
) -> None:
    """A permit from before a consent ran out, say, written after. Witnesses' cosignatures have
    their own times, and the checkpoint from before the entry has them already.
    """
    await watched.owner.append(entries(3))
    await watched.owner.publish()
    await watched.look()
    await watched.owner.append([permit_entry(NOW - before)])
    await watched.owner.publish()
    await watched.look()
    assert await watched.found() == found
    if found:
        (one,) = await watched.findings()
        assert (one.query, one.evidence["where"]) == (bytes(32), "entry 3")


async def test_a_hub_that_logs_nothing_meanwhile(watched: Watched) -> None:
    """No checkpoint is cosigned in between: the regulator's own look tells."""
    await watched.owner.append(entries(3))
    await watched.owner.publish()
    await watched.look()
    await watched.look(after=1_800)
    await watched.owner.append([permit_entry(NOW + 10)])
    await watched.owner.publish()
    await watched.look()
    (one,) = await watched.findings()
    assert (one.kind, one.evidence["where"]) == (FindingKind.PROMISE_BROKEN, "entry 3")
    assert (one.evidence["seen_at"], "note" in one.evidence) == (NOW + 1_800, False)


async def test_a_hub_whose_witnesses_were_away_broke_no_promise(watched: Watched) -> None:
    """It goes on showing the last checkpoint with a quorum; as a witness the regulator knows."""
    await watched.owner.append(entries(3))
    await watched.owner.publish()
    await watched.look()
    settled_note = watched.owner.shown.note
    await watched.owner.append([permit_entry(NOW + 10)])
    assert await watched.owner.publish_to([REGULATOR]) == [REGULATOR]
    watched.owner.shown.note = settled_note
    await watched.look(after=1_800)
    await watched.owner.publish()
    await watched.look()
    assert await watched.found() == []


async def test_without_the_times_of_cosignatures_it_passes(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The defence removed: then only the hub says when it wrote what."""
    monkeypatch.setattr(follower, "late_entries", lambda *_: [])
    await watched.owner.append(entries(3))
    await watched.owner.publish()
    await watched.look()
    await watched.owner.append([permit_entry(NOW - 3_000)])
    await watched.owner.publish()
    await watched.look()
    assert await watched.found() == []


async def test_a_witness_whose_clock_is_wrong_convicts_nobody(watched: Watched) -> None:
    """One of five, years ahead: the median of the cosignatures' times is that of the others."""
    await watched.owner.append(entries(3))
    await watched.owner.publish()
    note = Note.parse(watched.owner.shown.note)
    keys = witnesses_of(watched.chain.members, HUB)
    kept = [one for one in note.signatures if one.name != origin_of(TAX)]
    ahead = cosign(note, TAX, key_of(watched.chain, TAX), NOW + 10**8)
    watched.owner.shown.note = Note(note.text, (*kept, ahead)).encode()
    assert checkpoint.cosigners(Note.parse(watched.owner.shown.note), keys)[TAX] > NOW
    await watched.look()
    await watched.owner.append([permit_entry(NOW)])
    await watched.owner.publish()
    await watched.look()
    assert await watched.found() == []
    assert promises.LATE_SECONDS == 90


# --- forged cosignatures --------------------------------------------------------------------------


async def test_cosignatures_that_are_none(
    watched: Watched, request_: UnlockRequest, chain: Chain
) -> None:
    """A hub under policy `proof` with two true cosignatures, one short of the quorum, adds one."""
    owner = watched.owner
    await owner.append([*entries(3), request_.permit.entry])
    two = list(watched.witnesses)[:2]
    third = list(watched.witnesses)[2]
    await owner.publish_to(two)
    note = Note.parse(owner.shown.note)
    true = cosign(note, third, key_of(chain, third), NOW)
    own = SigningKey.generate()
    other = Note(note.text.replace("\n4\n", "\n5\n"), note.signatures)
    forged: dict[str, NoteSignature] = {
        "by its own key in a witness's name": cosign(note, third, own, NOW),
        "by its own key under a witness's key id": dataclasses.replace(
            cosign(note, third, own, NOW), key_id=true.key_id
        ),
        "of another tree": cosign(other, third, key_of(chain, third), NOW),
        "with another time": dataclasses.replace(
            true, signature=(NOW + 1).to_bytes(8, "big") + true.signature[8:]
        ),
        "one of the two again": note.signatures[1],
        "of one of the two, made again": cosign(note, two[0], key_of(chain, two[0]), NOW + 9),
        "of the hub itself": cosign(note, HUB, owner.key, NOW),
        "of a bank": cosign(note, HARBOUR, key_of(chain, HARBOUR), NOW),
        "of another bank": cosign(note, DELTA, key_of(chain, DELTA), NOW),
        "of nobody's": cosign(note, SpiffeId(DOMAIN, Role.HOLDER, "ghost"), own, NOW),
        "a checkpoint's signature in its place": dataclasses.replace(
            note.signatures[0],
            name=origin_of(third),
            key_id=note_key_id(origin_of(third), COSIGNATURE, key_of(chain, third).public),
        ),
    }
    proof = TlogProof.parse(await owner.prove(3))
    for what, line in forged.items():
        try:
            shown = note.adding([line]).encode()
            answered(chain, request_, dataclasses.replace(proof, checkpoint=shown).encode())
        except Refusal as refusal:
            assert refusal.reason is Reason.BAD_PROMISE, what
        else:
            pytest.fail(what)
    shown = note.adding([true]).encode()
    answered(chain, request_, dataclasses.replace(proof, checkpoint=shown).encode())


async def test_a_former_members_cosignature(
    watched: Watched, request_: UnlockRequest, chain: Chain
) -> None:
    """A holder that left sold its key: its cosignature was one of the quorum, and is none now."""
    former = SpiffeId(DOMAIN, Role.HOLDER, "former-1")
    key = SigningKey.generate()
    agreement = chain.holders[TAX].agreement.public_key().public_bytes_raw()

    def members(until: int) -> Members:
        left = chain.member(former, key.public, kind="tax", agreement=agreement, not_after=until)
        credentials = [*chain.members.credentials(), left.sign(chain.signing[REGULATOR])]
        return Members(chain.root, credentials, NOW)

    owner = watched.owner
    await owner.append([*entries(3), request_.permit.entry])
    await owner.publish_to(list(watched.witnesses)[:3])
    whole = Note.parse(owner.shown.note)
    note = Note(whole.text, whole.signatures[:3])  # two of them
    shown = note.adding([cosign(note, former, key, NOW)]).encode()
    proof = dataclasses.replace(TlogProof.parse(await owner.prove(3)), checkpoint=shown).encode()
    for known in (chain.members, members(NOW), members(NOW - 1)):
        refused(Reason.BAD_PROMISE, lambda m=known: answered(chain, request_, proof, m))
    # While it was a member, six witnessed, and four were the quorum: three were not enough either,
    refused(Reason.BAD_PROMISE, lambda: answered(chain, request_, proof, members(NOW + 1)))
    # and with one more it counts.
    shown = whole.adding([cosign(whole, former, key, NOW)]).encode()
    proof = dataclasses.replace(TlogProof.parse(proof), checkpoint=shown).encode()
    answered(chain, request_, proof, members(NOW + 1))
