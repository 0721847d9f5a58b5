"""Attacks on the oblivious unlock: each shown to work without its defence, and to fail with it."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field

import pytest

from scoring import oprf, pads
from scoring.errors import OprfError
from scoring.oprf import dleq, group

CHAIN = b"csj.yinxin.example"
BANK = b"spiffe://csj.yinxin.example/bank/harbour"
OTHER_BANK = b"spiffe://csj.yinxin.example/bank/delta"
CTX = hashlib.sha256(b"ctx of one model, bank and epoch").digest()
OTHER_CTX = hashlib.sha256(b"ctx of another").digest()
MANIFEST = hashlib.sha256(b"manifest").digest()

FIRM_U, FIRM_V = b"91999999MA00000U0A", b"91999999MA00000V0B"
CONSENT_U = hashlib.sha256(b"signed consent of U").digest()


@dataclass
class Holder:
    """A holder with one key a ctx, which it has published in its log."""

    root: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def keys(self, ctx: bytes = CTX) -> oprf.KeyPair:
        return oprf.derive_key_pair(self.root, ctx)

    def pad(self, firm: bytes, ctx: bytes = CTX) -> int:
        """What covers the firm's word in the table that this holder made for ctx."""
        return pads.pad_word(oprf.evaluate(self.keys(ctx).secret, firm), ctx, MANIFEST)

    def unlock(self, element: bytes, ctx: bytes = CTX) -> oprf.Evaluation:
        return oprf.blind_evaluate(self.keys(ctx), [element])


def opened_pad(firm: bytes, scalar: bytes, evaluated: bytes, ctx: bytes = CTX) -> int:
    return pads.pad_word(oprf.finalize(firm, scalar, evaluated), ctx, MANIFEST)


def context(bank: bytes = BANK, consent: bytes = CONSENT_U, ctx: bytes = CTX) -> list[bytes]:
    return [CHAIN, bank, consent, ctx]


def hub_checks_the_proof(firm: bytes, element: bytes, proof: bytes, bound: list[bytes]) -> None:
    """The hub takes H(USCC) from the consent that it read, never from the bank."""
    oprf.verify_knowledge(oprf.hash_to_group(firm), element, bound, proof)


def test_honest_unlock_opens_the_row() -> None:
    """The unmodified twin of every attack below."""
    holder, blinded = Holder(), oprf.blind(FIRM_U)
    base = oprf.hash_to_group(FIRM_U)
    proof = oprf.prove_knowledge(blinded.scalar, base, blinded.element, context())
    hub_checks_the_proof(FIRM_U, blinded.element, proof, context())
    answer = holder.unlock(blinded.element)
    oprf.verify(holder.keys().public, [blinded.element], answer.elements, answer.proof)
    assert opened_pad(FIRM_U, blinded.scalar, answer.elements[0]) == holder.pad(FIRM_U)


# --- a holder tags a bank ----------------------------------------------------------------------


def test_holder_tags_a_bank_with_its_own_key() -> None:
    """A holder prepares and answers for one bank under a key of its own.

    Tables and answers fit together, so a bank that does not verify notices nothing; and the
    holder recognises that bank's outputs wherever they appear (here: it tells two banks that
    share results apart). Against the key in the witnessed log the answer is caught at once.
    """
    holder = Holder()
    logged = holder.keys().public
    tag = oprf.derive_key_pair(secrets.token_bytes(32), b"tag for one bank")
    tagged_pad = pads.pad_word(oprf.evaluate(tag.secret, FIRM_U), CTX, MANIFEST)

    blinded = oprf.blind(FIRM_U)
    answer = oprf.blind_evaluate(tag, [blinded.element])
    # Without the check the tagged row opens and the tag is in the output.
    assert opened_pad(FIRM_U, blinded.scalar, answer.elements[0]) == tagged_pad
    assert tagged_pad != holder.pad(FIRM_U)
    # A proof against the key that the holder *sends along* would not help either: it holds.
    oprf.verify(tag.public, [blinded.element], answer.elements, answer.proof)

    with pytest.raises(OprfError, match="published"):
        oprf.verify(logged, [blinded.element], answer.elements, answer.proof)


def test_holder_cannot_prove_a_tagged_answer_with_either_key() -> None:
    holder, blinded = Holder(), oprf.blind(FIRM_U)
    keys, tag = holder.keys(), oprf.derive_key_pair(secrets.token_bytes(32), b"")
    tagged = [group.multiply(tag.secret, blinded.element)]
    honest = [group.multiply(keys.secret, blinded.element)]
    forgeries = [
        dleq.generate_proof(secret, public, [blinded.element], statement)
        for secret in (keys.secret, tag.secret)
        for public in (keys.public, tag.public)
        for statement in (tagged, honest)
    ]
    for proof in forgeries:
        with pytest.raises(OprfError):
            oprf.verify(keys.public, [blinded.element], tagged, proof)


def test_holder_hides_one_tagged_answer_in_an_honest_batch() -> None:
    """One proof for many elements must not let one of them through."""
    holder = Holder()
    blinded = [oprf.blind(b"firm %d" % n).element for n in range(20)]
    honest = holder.unlock(blinded[0])
    answer = oprf.blind_evaluate(holder.keys(), blinded)
    tagged = list(answer.elements)
    tagged[13] = group.multiply(oprf.random_scalar(), blinded[13])
    keys = holder.keys()
    oprf.verify(keys.public, blinded, answer.elements, answer.proof)
    remade = dleq.generate_proof(keys.secret, keys.public, blinded, tagged)
    for proof in (answer.proof, honest.proof, remade):
        with pytest.raises(OprfError):
            oprf.verify(keys.public, blinded, tagged, proof)


# --- a bank stretches a permit -----------------------------------------------------------------


def test_multiple_of_a_granted_element_opens_the_same_row_again() -> None:
    """B' = cB: another bank turns a proof and permit that it saw for B into an unlock of its own.

    A holder that checks only that B' is new answers, and the answer opens U's row for whoever
    knows r (and, for the one who chose c, un-multiplies to kB). The Schnorr proof is for B and
    for nothing else, in whatever way it is adapted.
    """
    holder, blinded = Holder(), oprf.blind(FIRM_U)
    base = oprf.hash_to_group(FIRM_U)
    proof = oprf.prove_knowledge(blinded.scalar, base, blinded.element, context())
    c = oprf.random_scalar()
    multiple = group.multiply(c, blinded.element)
    assert multiple != blinded.element

    # The defence removed: without the proof the multiple is answered, and it opens the row.
    answer = holder.unlock(multiple)
    unmultiplied = group.multiply(group.scalar_invert(c), answer.elements[0])
    assert opened_pad(FIRM_U, blinded.scalar, unmultiplied) == holder.pad(FIRM_U)

    hub_checks_the_proof(FIRM_U, blinded.element, proof, context())
    commitment, response = proof[:32], proof[32:]
    adapted = [
        proof,
        group.multiply(c, commitment) + group.scalar_multiply(c, response),
        commitment + group.scalar_multiply(c, response),
        group.multiply(c, commitment) + response,
        commitment + group.scalar_multiply(group.scalar_invert(c), response),
    ]
    for forged in adapted:
        with pytest.raises(OprfError):
            hub_checks_the_proof(FIRM_U, multiple, forged, context())


def test_scaled_proof_would_pass_for_a_scaled_base() -> None:
    """The algebra alone is malleable: only base and element in the hash stop c·(base, B, A, s).

    With the challenge held fixed, (cH, cB, cA, s) satisfies the same equation.
    """
    base, blinded = oprf.hash_to_group(FIRM_U), oprf.blind(FIRM_U)
    proof = oprf.prove_knowledge(blinded.scalar, base, blinded.element, context())
    c = oprf.random_scalar()
    scaled = [group.multiply(c, point) for point in (base, blinded.element, proof[:32])]

    transcript = b"yinxin/pok/v1"
    for part in [*context(), base, blinded.element, proof[:32]]:
        transcript += len(part).to_bytes(4, "big") + part
    challenge = group.reduce_scalar(hashlib.sha512(transcript).digest())
    assert group.combine(proof[32:], scaled[0], challenge, scaled[1]) == scaled[2]

    with pytest.raises(OprfError):
        oprf.verify_knowledge(scaled[0], scaled[1], context(), scaled[2] + proof[32:])


def test_consent_of_one_firm_opens_another_firm() -> None:
    """The bank has U's consent and wants V's row: it blinds V and proves for H(U).

    With the element left out of the hash (weak Fiat–Shamir) it chooses A = a·H(V) and s = 0
    first and B = A/c after: the proof passes for H(U), and B is a multiple of H(V) that the
    bank can unblind.
    """
    holder = Holder()
    base_u, base_v = oprf.hash_to_group(FIRM_U), oprf.hash_to_group(FIRM_V)
    a = oprf.random_scalar()
    commitment = group.multiply(a, base_v)

    weak = hashlib.sha512(b"yinxin/pok/v1")
    for part in [*context(), base_u, commitment]:
        weak.update(len(part).to_bytes(4, "big") + part)
    challenge = group.reduce_scalar(weak.digest())
    scalar = group.scalar_multiply(a, group.scalar_invert(challenge))
    element = group.multiply(scalar, base_v)

    # A hub with the weak hash accepts it as an element for U, and the unlock opens V.
    assert group.combine(bytes(32), base_u, challenge, element) == commitment
    answer = holder.unlock(element)
    assert opened_pad(FIRM_V, scalar, answer.elements[0]) == holder.pad(FIRM_V)

    with pytest.raises(OprfError):
        hub_checks_the_proof(FIRM_U, element, commitment + bytes(32), context())


def test_consent_of_one_firm_with_an_honest_proof_for_another() -> None:
    """The plain form: r is known for H(V), and the hub checks against the consent's own H(U)."""
    blinded, base_v = oprf.blind(FIRM_V), oprf.hash_to_group(FIRM_V)
    proof = oprf.prove_knowledge(blinded.scalar, base_v, blinded.element, context())
    # A hub that let the bank name the base would accept it.
    oprf.verify_knowledge(base_v, blinded.element, context(), proof)
    with pytest.raises(OprfError):
        hub_checks_the_proof(FIRM_U, blinded.element, proof, context())
    with pytest.raises(OprfError, match="true statement"):
        base_u = oprf.hash_to_group(FIRM_U)
        oprf.prove_knowledge(blinded.scalar, base_u, blinded.element, context())


OTHERS = {
    "another bank": context(bank=OTHER_BANK),
    "another consent": context(consent=hashlib.sha256(b"another consent of U").digest()),
    "another model or epoch": context(ctx=OTHER_CTX),
    "another chain": [b"zsj.yinxin.example", BANK, CONSENT_U, CTX],
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
def test_proof_is_replayed_elsewhere(other: list[bytes]) -> None:
    blinded, base = oprf.blind(FIRM_U), oprf.hash_to_group(FIRM_U)
    proof = oprf.prove_knowledge(blinded.scalar, base, blinded.element, context())
    hub_checks_the_proof(FIRM_U, blinded.element, proof, context())
    with pytest.raises(OprfError):
        hub_checks_the_proof(FIRM_U, blinded.element, proof, other)


# --- a bank opens more than it was granted ----------------------------------------------------


def test_unlock_under_one_ctx_opens_no_table_of_another() -> None:
    """One key for all tables (the defence removed) would open every model, bank and epoch."""
    holder, blinded = Holder(), oprf.blind(FIRM_U)
    evaluated = holder.unlock(blinded.element).elements[0]
    y = oprf.finalize(FIRM_U, blinded.scalar, evaluated)
    assert pads.pad_word(y, CTX, MANIFEST) == holder.pad(FIRM_U)
    assert pads.pad_word(y, OTHER_CTX, MANIFEST) != holder.pad(FIRM_U, OTHER_CTX)

    one_key = holder.keys().secret
    undefended = pads.pad_word(oprf.evaluate(one_key, FIRM_U), OTHER_CTX, MANIFEST)
    assert pads.pad_word(y, OTHER_CTX, MANIFEST) == undefended


def test_unlock_of_one_firm_opens_no_other_row() -> None:
    """The answer for U, finalised for every other firm of the roster, gives none of their pads."""
    holder, blinded = Holder(), oprf.blind(FIRM_U)
    evaluated = holder.unlock(blinded.element).elements[0]
    for firm in [FIRM_V, *(b"91999999MA%08d" % n for n in range(50))]:
        assert opened_pad(firm, blinded.scalar, evaluated) != holder.pad(firm)


def test_identity_and_small_requests_reveal_no_key_bit() -> None:
    """Degenerate elements are the classical way to learn a scalar's residue: none is answered."""
    keys = Holder().keys()
    torsion = [
        "00" * 32,  # the identity
        "01" + "00" * 31,  # edwards25519's points of order 1, 2, 4 and 8, as Ed25519 encodes them
        "ec" + "ff" * 30 + "7f",
        "00" * 31 + "80",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ]
    for point in torsion:
        with pytest.raises(OprfError):
            oprf.blind_evaluate(keys, [bytes.fromhex(point)])
