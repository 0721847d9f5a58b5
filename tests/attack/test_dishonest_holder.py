"""A holder that tags a bank, or answers otherwise than it stated in its log."""

from __future__ import annotations

import dataclasses
import secrets
from typing import Any

import pytest

from federation.answers import KeyStatement, UnlockAnswer, read_key
from federation.entries import Kind, Logged, entry, promise
from federation.errors import Reason, SignatureInvalid
from federation.exchange.bank import OpenQuery, open_record
from federation.exchange.messages import QueryReply
from federation.signed import SigningKey
from scoring import oprf
from scoring.pads import pad_word
from scoring.words import MODULUS
from support.chain import HUB, NOW, POWER, TAX, UNNAMED, Chain
from support.checks import refused, rejected
from support.network import Network

TAG = oprf.derive_key_pair(secrets.token_bytes(32), b"tag for one bank")


def tagged(chain: Chain, network: Network, query: OpenQuery) -> QueryReply:
    """The reply with the tax bureau's answer under a key of its own, properly signed and proved."""
    reply = network.ask(query)
    index = UNNAMED.index(TAX)
    done = oprf.blind_evaluate(TAG, [query.request.blindings[0].blinded])
    honest = UnlockAnswer.parse(reply.answers[index].payload)
    answers = list(reply.answers)
    answers[index] = honest.model_copy(
        update={"evaluated": done.elements[0], "proof": done.proof}
    ).sign(chain.holders[TAX].signing)
    return QueryReply(reply.permits, tuple(answers))


def tagged_word(chain: Chain, index: int) -> int:
    """The firm's word of the table, had the bureau prepared it under the tag as well."""
    model, firm = chain.alpha, chain.firms[index]
    session, code = chain.session(model), firm.uscc.encode()
    manifest = session.epoch.manifests[TAX].hash
    honest = chain.holders[TAX].keys(session.ctx, 1).secret
    word = int(chain.table(model)[chain.row(firm)])
    word -= pad_word(oprf.evaluate(honest, code), session.ctx, manifest)
    word += pad_word(oprf.evaluate(TAG.secret, code), session.ctx, manifest)
    return word % MODULUS


def test_tagging_a_bank_with_an_own_oprf_key(chain: Chain, network: Network) -> None:
    """Table and answers fit together, so without the logged key the bank would notice nothing,
    and the bureau would know that bank's outputs again wherever they turn up.
    """
    model, firm = chain.alpha, chain.firms[0]
    query = network.begin(model, chain.consent(firm))
    reply, word = tagged(chain, network, query), tagged_word(chain, 0)
    layout, session = model.scorecard.layout(), chain.session(model)
    rejected(TAX, lambda: open_record(query, reply, session, chain.members, layout, word, NOW))
    # The defence removed: a bank that takes the key the holder sends along.
    sent_along = dataclasses.replace(session, keys={**session.keys, TAX: TAG.public})
    record = open_record(query, reply, sent_along, chain.members, layout, word, NOW)
    assert record == chain.reference(model, 1, firm)


def statement(world: Chain, /, **changes: Any) -> KeyStatement:
    logged = world.statement(TAX, world.alpha, world.epochs[1])
    return KeyStatement.parse(logged.document.payload).model_copy(update=changes)


def logged_by(chain: Chain, document: KeyStatement, key: SigningKey | None = None) -> Logged:
    own = chain.holders[TAX].signing
    raw = entry(Kind.CTX_KEY, NOW, document=document.hash, ctx=document.ctx)
    return Logged(document.sign(key or own), raw, promise(TAX, raw, own, NOW))


def read(chain: Chain, logged: Logged) -> KeyStatement:
    return read_key(logged, TAX, chain.alpha.certificate, chain.epochs[1], NOW)


def test_key_that_stands_in_no_log(chain: Chain) -> None:
    """A statement for one bank's eyes: promised by nobody, by another log, or not recorded."""
    own = chain.holders[TAX].signing
    tag = logged_by(chain, statement(chain, public_key=TAG.public))
    honest = chain.statement(TAX, chain.alpha, chain.epochs[1])
    other = entry(Kind.PREPARED, NOW, document=tag.document.payload_hash)
    for logged in (
        dataclasses.replace(tag, entry=honest.entry, promise=honest.promise),
        dataclasses.replace(tag, promise=promise(HUB, tag.entry, own, NOW)),
        dataclasses.replace(tag, promise=promise(TAX, honest.entry, own, NOW)),
        dataclasses.replace(tag, promise=promise(TAX, tag.entry, own, NOW + 31)),
        dataclasses.replace(tag, entry=other, promise=promise(TAX, other, own, NOW)),
    ):
        refused(Reason.BAD_PROMISE, lambda g=logged: read(chain, g))
    for key in (chain.signing[HUB], chain.holders[POWER].signing):
        unsigned = dataclasses.replace(tag, promise=promise(TAX, tag.entry, key, NOW))
        with pytest.raises(SignatureInvalid):
            read(chain, unsigned)
    assert read(chain, honest).public_key == chain.session(chain.alpha).keys[TAX]


@pytest.mark.parametrize(
    "changes",
    [
        {"ctx": bytes(32)},
        {"manifest": bytes(32)},
        {"holder": POWER},
        {"chain": "zsj"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_statement_of_another_context(chain: Chain, changes: dict[str, Any]) -> None:
    """A key once stated and logged for one ctx or manifest does not serve for another."""
    refused(
        Reason.WRONG_CONTEXT,
        lambda: read(chain, logged_by(chain, statement(chain, **changes))),
    )
    read(chain, logged_by(chain, statement(chain)))


def test_statement_by_another_member(chain: Chain) -> None:
    forged = logged_by(chain, statement(chain), chain.holders[POWER].signing)
    with pytest.raises(SignatureInvalid):
        read(chain, forged)


def test_answer_with_the_proof_of_another_query(chain: Chain, network: Network) -> None:
    """Right key, right signature, a proof for another element."""
    model, firm = chain.alpha, chain.firms[0]
    first, second = (network.begin(model, chain.consent(firm)) for _ in range(2))
    replies = [network.ask(query) for query in (first, second)]
    index = UNNAMED.index(TAX)
    opened, other = (UnlockAnswer.parse(reply.answers[index].payload) for reply in replies)
    for changes in ({"proof": other.proof}, {"evaluated": other.evaluated}):
        answers = list(replies[0].answers)
        answers[index] = opened.model_copy(update=changes).sign(chain.holders[TAX].signing)
        bad = QueryReply(replies[0].permits, tuple(answers))
        rejected(TAX, lambda b=bad: network.open(first, b, model, firm))
    network.open(first, replies[0], model, firm)
