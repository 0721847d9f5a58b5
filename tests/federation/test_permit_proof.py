"""The chain's policy `proof`: a holder answers no permit that witnesses do not know of."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial

import pytest

from federation.entries import Kind, entry
from federation.errors import Reason
from federation.exchange.holder import UnlockDesk
from federation.exchange.messages import UnlockRequest
from federation.identity import SpiffeId
from federation.merkle import inclusion_proof, leaf_hash, root
from federation.permit import Permit, PermitPolicy
from federation.signed import SigningKey
from federation.tlog.checkpoint import Checkpoint, cosign, origin_of, sign_checkpoint, witnesses_of
from federation.tlog.proof import TlogProof
from support.chain import HARBOUR, HUB, INSURANCE, NOW, POWER, REGULATOR, TAX, Chain
from support.checks import refused
from support.network import Network

OTHERS = [entry(Kind.CLOSED, NOW, epoch=number) for number in range(6)]


@pytest.fixture
def request_(chain: Chain, network: Network) -> UnlockRequest:
    query = network.begin(chain.alpha, chain.consent(chain.firms[0]))
    return network.permits(query.request)[0]


def keys_of(chain: Chain) -> dict[SpiffeId, SigningKey]:
    return {**chain.signing, **{party: side.signing for party, side in chain.holders.items()}}


def proof(
    chain: Chain,
    raw: bytes,
    witnesses: Sequence[SpiffeId] = (REGULATOR, POWER, INSURANCE),
    log: SpiffeId = HUB,
    key: SigningKey | None = None,
    entries: Sequence[bytes] | None = None,
) -> bytes:
    """A proof of `raw` as entry 3 of 7."""
    keys = keys_of(chain)
    logged = list(entries) if entries is not None else [*OTHERS[:3], raw, *OTHERS[3:]]
    leaves = [leaf_hash(one) for one in logged]
    checkpoint = Checkpoint(origin_of(log), len(leaves), root(leaves))
    note = sign_checkpoint(checkpoint, key or keys[log])
    note = note.adding([cosign(note, witness, keys[witness], NOW) for witness in witnesses])
    return TlogProof(3, inclusion_proof(leaves, 3), note.encode()).encode()


def examine(
    chain: Chain,
    request: UnlockRequest,
    given: bytes,
    policy: PermitPolicy = PermitPolicy.PROOF,
) -> Permit:
    """TAX looks at the permit with that proof."""
    desk = UnlockDesk(TAX, chain.members, chain.holders[TAX].signing, None, policy)
    proved = UnlockRequest(dataclasses.replace(request.permit, proof=given), b"")
    permit = desk.read(proved)
    model = chain.model_of(permit.certificate)
    assert model is not None
    epoch = chain.epochs[permit.epoch]
    return desk.examine(proved, permit, model.certificate, epoch, NOW).permit


def test_proven_permit_is_answered(chain: Chain, request_: UnlockRequest) -> None:
    raw = request_.permit.entry
    assert examine(chain, request_, proof(chain, raw)).bank == HARBOUR
    everyone = list(witnesses_of(chain.members, HUB))
    assert len(everyone) == 5
    assert examine(chain, request_, proof(chain, raw, everyone)).bank == HARBOUR


def test_policy_promise_asks_for_no_proof(chain: Chain, request_: UnlockRequest) -> None:
    assert examine(chain, request_, b"", PermitPolicy.PROMISE).bank == HARBOUR


def test_permit_without_proof(chain: Chain, request_: UnlockRequest) -> None:
    for given in (b"", b"c2sp.org/tlog-proof@v1\n", bytes(100)):
        refused(Reason.BAD_PROMISE, partial(examine, chain, request_, given))


def test_proof_that_too_few_witnesses_cosigned(chain: Chain, request_: UnlockRequest) -> None:
    raw = request_.permit.entry
    two = proof(chain, raw, [REGULATOR, POWER])
    refused(Reason.BAD_PROMISE, lambda: examine(chain, request_, two))
    again = proof(chain, raw, [REGULATOR, POWER, POWER])
    refused(Reason.BAD_PROMISE, lambda: examine(chain, request_, again))


def test_hub_and_banks_are_no_witnesses_of_the_hubs_log(
    chain: Chain, request_: UnlockRequest
) -> None:
    given = proof(chain, request_.permit.entry, [REGULATOR, POWER, HUB, HARBOUR])
    refused(Reason.BAD_PROMISE, lambda: examine(chain, request_, given))


def test_proof_of_another_permit(chain: Chain, network: Network, request_: UnlockRequest) -> None:
    other = network.permits(network.begin(chain.alpha, chain.consent(chain.firms[1])).request)[0]
    given = proof(chain, other.permit.entry)
    assert (
        examine(chain, other, given).hash
        != examine(chain, request_, proof(chain, request_.permit.entry)).hash
    )
    refused(Reason.BAD_PROMISE, lambda: examine(chain, request_, given))


def test_proof_from_another_log(chain: Chain, request_: UnlockRequest) -> None:
    """A holder's own log, and a tree that a holder signed in the hub's name."""
    raw = request_.permit.entry
    theirs = proof(chain, raw, [REGULATOR, INSURANCE, TAX], log=POWER)
    refused(Reason.BAD_PROMISE, lambda: examine(chain, request_, theirs))
    forged = proof(chain, raw, key=chain.holders[POWER].signing)
    refused(Reason.BAD_PROMISE, lambda: examine(chain, request_, forged))


def test_every_changed_byte_of_a_proof_is_noticed(chain: Chain, request_: UnlockRequest) -> None:
    """Of what is verified: a signature line more than the quorum needs is not."""
    given = proof(chain, request_.permit.entry)
    for position in range(0, len(given), 7):
        changed = bytearray(given)
        changed[position] ^= 1
        refused(Reason.BAD_PROMISE, partial(examine, chain, request_, bytes(changed)))
