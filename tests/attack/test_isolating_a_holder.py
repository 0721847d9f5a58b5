"""A bank, with or without the hub, tries to see one holder's part of a record."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import combinations
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from federation.certificate import ModelCertificate, Participant, read_certificate
from federation.entries import Kind, Logged, entry, promise
from federation.errors import Reason
from federation.exchange.messages import UnlockRequest
from federation.identity import Role, SpiffeId
from federation.permit import Permit
from federation.signed import SigningKey
from scoring import masks
from scoring.errors import OprfError
from scoring.lattice import Decryptor
from scoring.oprf import evaluate
from scoring.pads import pad_word
from scoring.words import MODULUS
from support.attacker import BareHolder, opened_with, outputs, own_words, pad_of, part
from support.chain import DOMAIN, HUB, NOW, POWER, REGULATOR, TAX, UNNAMED, Chain
from support.checks import refused
from support.network import Network
from support.people import Firm, Model

Ys = dict[SpiffeId, bytes]


@pytest.fixture(scope="module")
def bare() -> Chain:
    """A chain whose holders add no masks."""
    return Chain(firms=12, holder=BareHolder)


def granted(network: Network, firm: Firm) -> Ys:
    query = network.begin(network.chain.alpha, network.chain.consent(firm))
    return outputs(query, network.ask(query))


def subset_total(chain: Chain, ys: Ys, holders: tuple[SpiffeId, ...], firm: Firm) -> int:
    """The unpadded sum over some of the participants."""
    words = own_words(chain, chain.alpha)
    row = chain.row(firm)
    total = sum(int(words[h][row]) - pad_of(ys[h], chain, chain.alpha, 1, h) for h in holders)
    return total % MODULUS


def isolated_by_subtraction(chain: Chain, ys: Ys, firm: Firm) -> dict[SpiffeId, int]:
    """Each holder's part from the totals over {A,B}, {B,C}, {A,C}: (AB + AC − BC) / 2."""
    pairs = {pair: subset_total(chain, ys, pair, firm) for pair in combinations(UNNAMED, 2)}
    parts = {}
    for holder in UNNAMED:
        signed = sum(total if holder in pair else -total for pair, total in pairs.items())
        parts[holder] = signed % MODULUS // 2
    return parts


def truth(chain: Chain, firm: Firm) -> dict[SpiffeId, int]:
    return {holder: part(chain, chain.alpha, 1, holder, firm) for holder in UNNAMED}


def test_subtracting_totals_over_pairs_of_holders(chain: Chain) -> None:
    """Masks of a pair do not cancel, so every such total is uniform; only that over P is one."""
    network = Network(chain)
    for firm in chain.firms:
        ys = granted(network, firm)
        assert opened_with(ys, chain, chain.alpha, 1, firm) == chain.reference(chain.alpha, 1, firm)
        expected, found = truth(chain, firm), isolated_by_subtraction(chain, ys, firm)
        assert all(found[holder] != expected[holder] for holder in UNNAMED)
        for size in (1, 2):
            for holders in combinations(UNNAMED, size):
                # A part has 12 bits; uniform words hit that range once in 2^36.
                assert subset_total(chain, ys, holders, firm) >> 12


def test_subtracting_totals_works_without_masks(bare: Chain) -> None:
    network = Network(bare)
    for firm in bare.firms:
        ys = granted(network, firm)
        assert isolated_by_subtraction(bare, ys, firm) == truth(bare, firm)


def permit_for_one(chain: Chain, network: Network, firm: Firm) -> int:
    """Hub and bank: a permit for the tax bureau alone, and the total over it alone."""
    query = network.begin(chain.alpha, chain.consent(firm))
    (request,) = network.permits(query.request)
    key = chain.signing[HUB]
    permit = Permit.parse(request.permit.document.payload).model_copy(update={"audience": (TAX,)})
    raw = entry(Kind.PERMIT, NOW, document=permit.hash)
    alone = UnlockRequest(Logged(permit.sign(key), raw, promise(HUB, raw, key, NOW)), b"")
    ys = outputs(query, network.collect([alone], [TAX]))
    return subset_total(chain, ys, (TAX,), firm)


def test_permit_for_one_holder_alone(chain: Chain, bare: Chain) -> None:
    """The holder cannot know whether others were asked too; its mask makes that harmless."""
    for world, readable in ((chain, False), (bare, True)):
        firm = world.firms[0]
        total = permit_for_one(world, Network(world), firm)
        assert (total == part(world, world.alpha, 1, TAX, firm)) is readable


# --- whoever picks P isolates a holder ---------------------------------------------------------


def changed(model: Model, **changes: Any) -> ModelCertificate:
    """The certificate with other participants, its coverage maximum following."""
    certificate = model.certificate
    if "participants" in changes:
        size = len(changes["participants"])
        changes["coverage"] = certificate.coverage.model_copy(update={"maximum": size})
    fields = {name: getattr(certificate, name) for name in ModelCertificate.model_fields}
    return ModelCertificate(**(fields | changes))


def test_model_of_two_holders(chain: Chain) -> None:
    """With two, the bank and one holder see the other's part."""
    participants = chain.alpha.certificate.participants
    with pytest.raises(ValueError, match="at least 3"):
        changed(chain.alpha, participants=participants[:2])
    changed(chain.alpha, participants=participants)
    side = chain.holders[TAX]
    with pytest.raises(OprfError, match="3 participants"):
        peer = chain.holders[POWER].agreement.public_key().public_bytes_raw()
        masks.mask(str(TAX), side.agreement, {str(POWER): peer}, bytes(32), 0)


class Ghost:
    """A holder that does not exist: its inventor has its keys."""

    def __init__(self, name: str) -> None:
        self.id = SpiffeId(DOMAIN, Role.HOLDER, name)
        self.signing, self.agreement = SigningKey.generate(), X25519PrivateKey.generate()

    def participant(self) -> Participant:
        return Participant(
            holder=self.id,
            kind="court",
            named=False,
            signing=self.signing.public,
            agreement=self.agreement.public_key().public_bytes_raw(),
            columns=12,
            bundle=bytes(32),
        )


def ghostly(chain: Chain, ghosts: list[Ghost]) -> ModelCertificate:
    """`alpha` with P = the tax bureau and two ghosts."""
    tax = chain.alpha.certificate.participant(TAX)
    participants = sorted(
        [tax, *(ghost.participant() for ghost in ghosts)], key=lambda p: str(p.holder)
    )
    return changed(chain.alpha, participants=tuple(participants))


def test_holders_that_do_not_exist_in_p(chain: Chain) -> None:
    """Their inventor knows every mask, so the tax bureau's answer is bare. A certificate is read
    only if every participant's keys are those of a member.
    """
    ghosts = [Ghost("aaa-1"), Ghost("zzz-1")]
    certificate = ghostly(chain, ghosts)
    regulator = chain.signing[REGULATOR]
    refused(
        Reason.FOREIGN_CERTIFICATE,
        lambda: read_certificate(certificate.sign(regulator), chain.members),
    )
    read_certificate(chain.alpha.signed, chain.members)

    # The defence removed: a holder that takes the certificate as it is.
    epoch = chain.epochs[1]
    tax_manifest = epoch.manifests[TAX]
    epoch = dataclasses.replace(
        epoch, manifests=epoch.manifests | {ghost.id: tax_manifest for ghost in ghosts}
    )
    model = dataclasses.replace(chain.alpha, certificate=certificate)
    side, ctx = chain.holders[TAX], certificate.context(epoch)
    table = Decryptor(model.secret_key).decrypt(
        side.table(model, epoch, chain.catalogue, chain.roster.codes(0))
    )
    peers = {str(p.holder): p.agreement for p in certificate.participants}
    ghost_masks = [
        masks.mask(
            str(ghost.id),
            ghost.agreement,
            {name: key for name, key in peers.items() if name != str(ghost.id)},
            ctx,
            0,
        )
        for ghost in ghosts
    ]
    for firm in chain.firms:
        row = chain.row(firm)
        y = evaluate(side.keys(ctx, 1).secret, firm.uscc.encode())  # what a grant would give
        word = int(table[row]) + sum(int(mask[row]) for mask in ghost_masks)
        word -= pad_word(y, ctx, tax_manifest.hash) + model.weight_sums[TAX]
        assert word % MODULUS == part(chain, chain.alpha, 1, TAX, firm)


def test_ghosts_have_no_manifest_in_any_opening(chain: Chain) -> None:
    """A second fence: a certificate serves only where all its participants are in the opening."""
    certificate = ghostly(chain, [Ghost("aaa-1"), Ghost("zzz-1")])
    refused(Reason.CLOSED, lambda: certificate.context(chain.epochs[1]))


def swapped_key(chain: Chain) -> ModelCertificate:
    """A real member with an agreement key of the attacker's."""
    own = X25519PrivateKey.generate().public_key().public_bytes_raw()
    return changed(
        chain.alpha,
        participants=tuple(
            p.model_copy(update={"agreement": own}) if p.holder == POWER else p
            for p in chain.alpha.certificate.participants
        ),
    )


def swapped_signing(chain: Chain) -> ModelCertificate:
    own = SigningKey.generate().public
    return changed(
        chain.alpha,
        participants=tuple(
            p.model_copy(update={"signing": own}) if p.holder == POWER else p
            for p in chain.alpha.certificate.participants
        ),
    )


@pytest.mark.parametrize("forge", [swapped_key, swapped_signing])
def test_member_with_a_key_of_the_attackers(
    chain: Chain, forge: Callable[[Chain], ModelCertificate]
) -> None:
    signed = forge(chain).sign(chain.signing[REGULATOR])
    refused(Reason.FOREIGN_CERTIFICATE, lambda: read_certificate(signed, chain.members))


def test_participants_share_an_agreement_key(chain: Chain) -> None:
    """Two of three with one key: the third one's two masks could cancel each other."""
    participants = chain.alpha.certificate.participants
    shared = tuple(
        p.model_copy(update={"agreement": participants[0].agreement}) for p in participants
    )
    with pytest.raises(ValueError, match="share a key"):
        changed(chain.alpha, participants=shared)


def test_participant_that_the_chain_does_not_have_is_not_certified(chain: Chain) -> None:
    ghost = Ghost("aaa-1")
    chain.holders[ghost.id] = BareHolder(ghost.id, "court", named=False)
    try:
        refused(
            Reason.FOREIGN_CERTIFICATE,
            lambda: chain.consider(
                "ghost", chain.alpha.certificate.bank, (TAX, POWER, ghost.id), ()
            ),
        )
    finally:
        del chain.holders[ghost.id]
