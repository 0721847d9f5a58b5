"""The shared history: what is asked, told in pages, and believed of it."""

from __future__ import annotations

import secrets
import zlib
from typing import Any

import pytest

from federation.certificate import CertifiedField, ModelCertificate, Participant
from federation.errors import DocumentError, EnvelopeError, Reason, Refusal, SignatureInvalid
from federation.identity import Role, SpiffeId
from federation.interchain import history as shared
from federation.interchain.history import (
    History,
    HistoryRequest,
    Known,
    make_history,
    must_yield,
    open_history,
    read_request,
    seal_history,
)
from federation.interchain.told import read_scorecards
from federation.signed import SigningKey
from scoring.errors import ScorecardError
from support.small import small_catalogue, small_scorecard
from tests.federation.interchain.regulators import DAY, NOW, Chain

CSJ, ZSJ, JJJ = Chain("csj"), Chain("zsj"), Chain("jjj")
CATALOGUE = small_catalogue()
HOLDERS = [(SpiffeId(ZSJ.domain, Role.HOLDER, k), k) for k in ("insurance", "power", "tax")]
CARD = small_scorecard("gamma", HOLDERS)


def certificate(**changes: Any) -> ModelCertificate:
    """What zsj's regulator certified for csj's bank."""
    layout = CARD.layout()
    keys = [SigningKey.generate() for _ in HOLDERS]

    def field(of: Any) -> CertifiedField:
        return CertifiedField(name=of.name, offset=of.offset, width=of.width, maximum=of.maximum)

    made = ModelCertificate(
        model=secrets.token_bytes(16),
        name=CARD.name,
        bank=CSJ.bank,
        chain="zsj",
        form="sealed",
        catalogue=CATALOGUE.digest(),
        fields=tuple(field(f) for f in layout.fields),
        coverage=field(layout.coverage),
        disclosed=(),
        participants=tuple(
            Participant(
                holder=holder,
                kind=kind,
                named=False,
                signing=key.public,
                agreement=secrets.token_bytes(32),
                columns=12,
                bundle=bytes(32),
            )
            for (holder, kind), key in zip(HOLDERS, keys, strict=True)
        ),
        parameter_set="yinxin-bfv-1",
        public_key=bytes(32),
        report=bytes(32),
        epochs_a_month=1,
        not_before=NOW - DAY,
        not_after=NOW + DAY,
    )
    return made.model_copy(update=changes)


def known(signer: Chain = ZSJ, scorecard: str = CARD.to_json(), **changes: Any) -> Known:
    signed = certificate(**changes).sign(signer.key)
    return Known(signed, scorecard, CATALOGUE.to_json(), NOW - DAY, True)


def request(**changes: Any) -> HistoryRequest:
    """The regulator of csj asks zsj's about its bank."""
    made = HistoryRequest(
        id=secrets.token_bytes(16),
        home="csj",
        regulator=CSJ.regulator,
        chain="zsj",
        audience=ZSJ.regulator,
        banks=(CSJ.bank,),
        first=0,
        issued=NOW,
    )
    return made.model_copy(update=changes)


def answer(asked: HistoryRequest, *found: Known, **changes: Any) -> History:
    made = make_history(asked, groups=(), judging=False, known=found)
    return made.model_copy(update=changes)


def sealed(asked: HistoryRequest, made: History, signer: Chain = ZSJ) -> bytes:
    return seal_history(made.sign(signer.key), asked, ZSJ.pin(CSJ))


def opened(asked: HistoryRequest, raw: bytes) -> History:
    return open_history(raw, asked, CSJ.pin(ZSJ), CSJ.envelope)


def refused(reason: Reason, asked: HistoryRequest, **changes: Any) -> None:
    arguments: dict[str, Any] = {
        "pin": ZSJ.pin(CSJ),
        "root": ZSJ.root,
        "caller": CSJ.regulator,
        "now": NOW,
    }
    with pytest.raises(Refusal) as refusal:
        read_request(asked.sign(CSJ.key), **(arguments | changes))
    assert refusal.value.reason is reason


def test_what_was_certified_is_told() -> None:
    asked, one = request(), known()
    raw = sealed(asked, answer(asked, one))
    (told,) = read_scorecards(opened(asked, raw), asked, ZSJ.root)
    assert told.certificate.hash == one.certificate.payload_hash
    assert (told.scorecard, told.catalogue, told.valid) == (CARD, CATALOGUE, True)
    assert len(raw) == len(sealed(asked, answer(asked)))


def test_pages_fit_together(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = [known() for _ in range(5)]
    monkeypatch.setattr(shared, "PAGE_BYTES", 6_000)
    first, pages, found = 0, 0, []
    while first < 5:
        asked = request(first=first)
        page = opened(asked, sealed(asked, answer(asked, *everything)))
        found += read_scorecards(page, asked, ZSJ.root)
        first, pages = first + len(page.scorecards), pages + 1
    assert [one.certificate.hash for one in found] == [
        k.certificate.payload_hash for k in everything
    ]
    assert 1 < pages < 5


def test_an_endless_history_is_refused() -> None:
    asked = request()
    for made in (answer(asked, total=3), answer(asked, known(), total=0)):
        with pytest.raises(Refusal) as refusal:
            opened(asked, sealed(asked, made))
        assert refusal.value.reason is Reason.CONFLICT


def test_nobody_but_the_pinned_regulator_asks() -> None:
    refused(Reason.FOREIGN_CERTIFICATE, request(), caller=JJJ.regulator)
    refused(Reason.WRONG_CHAIN, request(home="jjj"))
    refused(Reason.WRONG_CHAIN, request(regulator=JJJ.regulator))
    refused(Reason.WRONG_AUDIENCE, request(), root=JJJ.root, pin=JJJ.pin(CSJ))
    refused(Reason.WRONG_AUDIENCE, request(audience=JJJ.regulator))
    refused(Reason.EXPIRED, request(issued=NOW - 90))
    refused(Reason.EXPIRED, request(issued=NOW + 31))
    refused(Reason.UNKNOWN_CHAIN, request(), pin=ZSJ.pin(CSJ, state="withdrawn"))
    with pytest.raises(SignatureInvalid):
        read_request(request().sign(JJJ.key), ZSJ.pin(CSJ), ZSJ.root, CSJ.regulator, NOW)


def test_an_answer_is_the_other_regulators_to_this_request() -> None:
    asked, other = request(), request()
    with pytest.raises(SignatureInvalid):
        opened(asked, sealed(asked, answer(asked), signer=JJJ))
    with pytest.raises(EnvelopeError):
        opened(other, sealed(asked, answer(asked)))
    with pytest.raises(Refusal) as refusal:
        opened(asked, sealed(asked, answer(other)))
    assert refusal.value.reason is Reason.CONFLICT
    with pytest.raises(EnvelopeError):
        open_history(sealed(asked, answer(asked)), asked, CSJ.pin(ZSJ), JJJ.envelope)


def test_a_certificate_that_another_regulator_signed_is_not_believed() -> None:
    asked = request()
    for signer in (CSJ, JJJ):
        made = opened(asked, sealed(asked, answer(asked, known(signer))))
        with pytest.raises(SignatureInvalid):
            read_scorecards(made, asked, ZSJ.root)
    made = opened(asked, sealed(asked, answer(asked, known(chain="jjj"))))
    with pytest.raises(Refusal) as refusal:
        read_scorecards(made, asked, ZSJ.root)
    assert refusal.value.reason is Reason.WRONG_CHAIN


def test_what_nobody_asked_about_is_not_believed() -> None:
    asked = request()
    made = answer(asked, known(bank=JJJ.bank))
    with pytest.raises(Refusal) as refusal:
        read_scorecards(made, asked, ZSJ.root)
    assert refusal.value.reason is Reason.WRONG_BANK
    # An affiliate is asked about.
    together = made.model_copy(update={"groups": ((CSJ.bank, JJJ.bank),)})
    assert len(read_scorecards(together, asked, ZSJ.root)) == 1
    holders = made.model_copy(update={"groups": ((CSJ.bank, HOLDERS[0][0]),)})
    with pytest.raises(DocumentError, match="no bank"):
        opened(asked, sealed(asked, holders))


def test_a_scorecard_that_the_certificate_cannot_be_of_is_not_believed() -> None:
    asked = request()
    wrong = {
        "another name": known(scorecard=small_scorecard("delta", HOLDERS).to_json()),
        "other holders": known(
            scorecard=small_scorecard(
                "gamma", [*HOLDERS[:2], (SpiffeId(ZSJ.domain, Role.HOLDER, "court"), "court")]
            ).to_json()
        ),
        "disclosed": known(disclosed=("tax.f0",)),
        "no scorecard": known(scorecard="{}"),
    }
    for one in wrong.values():
        with pytest.raises(DocumentError):
            read_scorecards(answer(asked, one), asked, ZSJ.root)
    with pytest.raises(DocumentError, match="catalogues"):
        read_scorecards(answer(asked, known(), catalogues=()), asked, ZSJ.root)


def test_what_is_wrong_with_a_scorecard_is_not_quoted() -> None:
    """The problem goes into logs: an error that quoted points would put a model there."""
    points = (*CARD.points[0].points, 2)  # a bin more than the feature has
    odd = CARD.points[0].model_copy(update={"points": points})
    card = CARD.model_copy(update={"points": (odd, *CARD.points[1:])})
    with pytest.raises(ScorecardError, match=odd.feature):
        card.check(CATALOGUE)
    asked = request()
    with pytest.raises(DocumentError) as caught:
        read_scorecards(answer(asked, known(scorecard=card.to_json())), asked, ZSJ.root)
    assert str(caught.value) == "history.scorecards: do not fit the catalogue"


def test_a_small_page_cannot_unpack_to_much() -> None:
    asked = request()
    bomb = zlib.compress(bytes(5 << 20))
    made = answer(asked, known(), catalogues=(bomb,))
    with pytest.raises(DocumentError, match="hold more than"):
        read_scorecards(made, asked, ZSJ.root)


def test_of_two_chains_that_judge_at_once_one_lets_go() -> None:
    assert must_yield("zsj", "csj")
    assert not must_yield("csj", "zsj")
