"""What the bank refuses to use, and whom it names: each by one change to an honest reply."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from federation.answers import UnlockAnswer
from federation.entries import Kind, Logged, entry
from federation.exchange.bank import (
    AnswerRejected,
    OpenQuery,
    combine_tables,
    open_record,
    table_is_signed,
)
from federation.exchange.messages import QueryReply
from federation.permit import Permit
from scoring.lattice import Decryptor
from scoring.words import MODULUS, ROWS
from support.chain import HUB, NOW, POWER, TAX, Chain
from support.checks import rejected
from support.network import Network
from support.people import Firm


@dataclasses.dataclass
class Asked:
    """An honest query and its reply, to be spoilt."""

    network: Network
    firm: Firm
    query: OpenQuery
    reply: QueryReply

    def open(self, reply: QueryReply) -> object:
        return self.network.open(self.query, reply, self.network.chain.alpha, self.firm)


@pytest.fixture
def asked(chain: Chain, network: Network) -> Asked:
    firm = chain.firms[0]
    query = network.begin(chain.alpha, chain.consent(firm))
    return Asked(network, firm, query, network.ask(query))


def test_twin_of_every_rejection_opens(chain: Chain, asked: Asked) -> None:
    assert asked.open(asked.reply) == chain.reference(chain.alpha, 1, asked.firm)


def test_reply_is_incomplete(asked: Asked) -> None:
    reply = asked.reply
    rejected(HUB, lambda: asked.open(QueryReply((), reply.answers)))
    rejected(HUB, lambda: asked.open(QueryReply(reply.permits * 2, reply.answers)))
    rejected(HUB, lambda: asked.open(QueryReply(reply.permits, reply.answers[:-1])))


def test_answers_are_in_another_order(asked: Asked) -> None:
    first, *others = asked.reply.answers
    swapped = QueryReply(asked.reply.permits, (*others, first))
    holders = asked.network.chain.alpha.certificate.holders
    rejected(holders[0], lambda: asked.open(swapped))


def test_permit_is_for_something_else(chain: Chain, network: Network, asked: Asked) -> None:
    """Every part of what was asked is compared, so the log shows the bank's own question."""
    other = network.ask(network.begin(chain.alpha, chain.consent(chain.firms[1])))
    rejected(HUB, lambda: asked.open(QueryReply(other.permits, asked.reply.answers)))
    (honest,) = asked.reply.permits
    permit = Permit.parse(honest.document.payload)
    for changes in (
        {"purpose": "01"},
        {"certificate": bytes(32)},
        {"ctx": bytes(32)},
        {"audience": (TAX,)},
    ):
        changed = permit.model_copy(update=changes)
        raw = entry(Kind.PERMIT, NOW, document=changed.hash)
        logged = network.logged(changed.sign(chain.signing[HUB]), raw)
        rejected(HUB, lambda g=logged: asked.open(QueryReply((g,), asked.reply.answers)))


def test_permit_is_not_logged(chain: Chain, network: Network, asked: Asked) -> None:
    (honest,) = asked.reply.permits
    other = network.permits(network.begin(chain.alpha, chain.consent(chain.firms[1])).request)[0]
    for logged in (
        Logged(honest.document, other.permit.entry, other.permit.promise),
        dataclasses.replace(honest, promise=other.permit.promise),
        dataclasses.replace(honest, promise=honest.document),
    ):
        rejected(HUB, lambda g=logged: asked.open(QueryReply((g,), asked.reply.answers)))


def test_answer_is_not_signed_by_the_holder(chain: Chain, asked: Asked) -> None:
    answers = list(asked.reply.answers)
    opened = UnlockAnswer.parse(answers[1].payload)
    holders = chain.alpha.certificate.holders
    answers[1] = opened.sign(chain.signing[HUB])
    rejected(holders[1], lambda: asked.open(QueryReply(asked.reply.permits, tuple(answers))))


def test_answer_is_for_another_permit(chain: Chain, network: Network, asked: Asked) -> None:
    """A correctly signed, correct evaluation of an element that was not asked here."""
    other = network.ask(network.begin(chain.alpha, chain.consent(chain.firms[1])))
    holders = chain.alpha.certificate.holders
    answers = (other.answers[0], *asked.reply.answers[1:])
    rejected(holders[0], lambda: asked.open(QueryReply(asked.reply.permits, answers)))


@pytest.mark.parametrize(
    "changes",
    [{"permit": bytes(32)}, {"ctx": bytes(32)}, {"holder": POWER}],
    ids=lambda changes: next(iter(changes)),
)
def test_right_evaluation_is_signed_for_something_else(
    chain: Chain, asked: Asked, changes: dict[str, Any]
) -> None:
    """As evidence it would be worthless: the holder could say that it answered another permit."""
    holders = chain.alpha.certificate.holders
    index = holders.index(TAX)
    answers = list(asked.reply.answers)
    opened = UnlockAnswer.parse(answers[index].payload).model_copy(update=changes)
    answers[index] = opened.sign(chain.holders[TAX].signing)
    rejected(TAX, lambda: asked.open(QueryReply(asked.reply.permits, tuple(answers))))


def test_holder_stated_no_key(chain: Chain, asked: Asked) -> None:
    session, model = chain.session(chain.alpha), chain.alpha
    keys = {holder: key for holder, key in session.keys.items() if holder != TAX}
    word = int(chain.table(model)[chain.row(asked.firm)])
    for known, opens in ((keys, False), (session.keys, True)):

        def attempt(known: Any = known) -> object:
            partial = dataclasses.replace(session, keys=known)
            layout = model.scorecard.layout()
            return open_record(asked.query, asked.reply, partial, chain.members, layout, word, NOW)

        if opens:
            assert attempt() == chain.reference(model, 1, asked.firm)
        else:
            rejected(TAX, attempt)


def test_record_fails_its_checks(chain: Chain, asked: Asked) -> None:
    """A spoilt table word is an error, not a score; nobody but the regulator is told."""
    session, layout = chain.session(chain.alpha), chain.alpha.scorecard.layout()
    honest = int(chain.table(chain.alpha)[chain.row(asked.firm)])
    for spoilt in (honest ^ (1 << 47), honest ^ (1 << 40), (honest + (1 << 20)) % MODULUS):
        error = rejected(
            HUB,
            lambda w=spoilt: open_record(
                asked.query, asked.reply, session, chain.members, layout, w, NOW
            ),
        )
        assert str(spoilt) not in str(error)


def test_coverage_beyond_the_participants_is_no_record(chain: Chain, asked: Asked) -> None:
    """Three holders fill the two bits of coverage, so a fourth reaches the bits above."""
    session, layout = chain.session(chain.alpha), chain.alpha.scorecard.layout()
    honest = int(chain.table(chain.alpha)[chain.row(asked.firm)])
    excess = honest + ((layout.coverage.maximum + 1) << layout.coverage.offset)
    rejected(
        HUB,
        lambda: open_record(
            asked.query, asked.reply, session, chain.members, layout, excess % MODULUS, NOW
        ),
    )


def test_table_of_a_participant_is_missing(chain: Chain) -> None:
    """A holder that is down makes the query fail with its name, never a wrong score."""
    model, session = chain.alpha, chain.session(chain.alpha)
    decryptor = Decryptor(model.secret_key)
    tables = {h: decryptor.decrypt(table) for h, (table, _) in chain.answers(model).items()}
    combined = combine_tables(tables, model.weight_sums, session)
    assert np.array_equal(combined, chain.table(model))
    del tables[POWER]
    rejected(POWER, lambda: combine_tables(tables, model.weight_sums, session))


def test_combined_table_is_reduced(chain: Chain) -> None:
    model, session = chain.alpha, chain.session(chain.alpha)
    full = np.full(ROWS, MODULUS - 1, dtype=np.uint64)
    sums = dict.fromkeys(model.certificate.holders, 0)
    combined = combine_tables(dict.fromkeys(sums, full), sums, session)
    assert set(combined.tolist()) == {MODULUS - 3}
    sums[TAX] = MODULUS - 2
    assert set(combine_tables(dict.fromkeys(sums, full), sums, session).tolist()) == {MODULUS - 1}


def test_table_is_not_the_signed_one(chain: Chain) -> None:
    model, session = chain.alpha, chain.session(chain.alpha)
    answers, later = chain.answers(model), chain.answers(model, epoch=2)
    table, answer = answers[TAX]
    table_is_signed(session, TAX, 0, answer, table)
    for holder, bucket, signed, raw in (
        (TAX, 1, answer, table),  # another bucket
        (TAX, 0, answer, table[:-1] + b"\0"),  # another table
        (TAX, 0, later[TAX][1], later[TAX][0]),  # another epoch
        (TAX, 0, answers[POWER][1], answers[POWER][0]),  # another holder's
        (POWER, 0, answer, table),
    ):
        rejected(
            holder,
            lambda h=holder, b=bucket, s=signed, r=raw: table_is_signed(session, h, b, s, r),
        )


def test_rejection_names_the_party_in_words() -> None:
    error = AnswerRejected(TAX, "does not verify")
    assert str(TAX) in str(error) and error.party == TAX
