"""From a scorecard to a profile on real sockets, and what a bank is told when it asks wrongly."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from datetime import date
from typing import Any

import pytest

from federation.consent import sign_consent
from federation.entries import Kind
from federation.epoch import Descriptor, OpenEpoch, read_epoch
from federation.errors import SignatureInvalid
from federation.exchange.bank import AnswerRejected
from federation.identity import SpiffeId
from federation.permit import PERMIT_SECONDS
from federation.purpose import Purpose
from federation.signed import Signed
from node.bank.asking import Ask
from node.bank.bank import Bank
from node.bank.errors import BankError, ScorecardRefused
from node.bank.records import Model
from node.bank.sessions import check_date
from node.bank.texts import Code
from node.rpc.errors import PartyUnavailable, RemoteRefusal
from scoring.profile import build_profile
from scoring.words import words_to_bytes
from support.chain import CHAIN, COURT, DAY, DELTA, INSURANCE, NOW, POWER, TAX, UNNAMED
from support.people import Firm
from support.small import small_scorecard
from tests.node.bank.world import OpenHolderTables, World


def scorecard(world: World, name: str, holders: tuple[SpiffeId, ...] = UNNAMED) -> str:
    participants = [(h, world.chain.holders[h].kind) for h in holders]
    return small_scorecard(name, participants, ()).to_json()


async def ready(world: World, bank: Bank, name: str = "alpha", **more: Any) -> Model:
    """A model that is certified, installed and prepared."""
    model = await bank.certification.certify(scorecard(world, name), **more)
    await bank.installation.install(model)
    epochs = await bank.sessions.epochs(model)
    await bank.preparation.prepare(model, epochs[0])
    return model


def asking(world: World, firm: Firm, **changes: Any) -> Ask:
    claims = world.chain.claims(firm, **changes)
    consent = sign_consent(claims, firm.key, firm.certificate)
    return Ask(consent, Purpose.LOAN_APPROVAL, officer="o-7", reference="loan-1")


def reference(world: World, model: Model, firm: Firm, epoch: int = 2) -> dict[str, Any]:
    known = world.chain.model_of(model.hash)
    assert known is not None
    record = world.chain.reference(known, epoch, firm)
    return {"fields": dict(record.values), "coverage": record.coverage}


async def raises(code: Code, bank: Bank, ask: Ask) -> BankError:
    with pytest.raises(BankError) as caught:
        await bank.queries.ask(ask)
    assert caught.value.code is code
    return caught.value


@pytest.mark.parametrize("form", ["sealed", "open"])
async def test_record_and_profile_of_every_firm_equal_the_reference(
    bank_world: World, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if form == "open":
        tables = OpenHolderTables(bank_world.chain)
        monkeypatch.setattr(bank_world.hub, "table", tables.table)
    async with bank_world.bank() as bank:
        model = await ready(bank_world, bank, form=form)
        for firm in bank_world.chain.firms[:6]:
            answer = await bank.queries.ask(asking(bank_world, firm))
            assert answer.result["record"] == reference(bank_world, model, firm)
            known = bank_world.chain.model_of(model.hash)
            assert known is not None
            as_of = {str(h): date(2027, 1, 14) for h in known.certificate.holders}
            record = bank_world.chain.reference(known, 2, firm)
            assert answer.profile == build_profile(model.scorecard, record, as_of)
        counts = await bank.agent.runtime.log.count_by_kind()
    assert counts[Kind.QUERY] == 6


async def test_holder_that_must_see_the_subject_has_an_element_of_its_own(
    bank_world: World,
) -> None:
    async with bank_world.bank() as bank:
        raw = scorecard(bank_world, "court", (COURT, POWER, TAX))
        model = await bank.certification.certify(raw, disclosed=["court.f0"])
        await bank.installation.install(model)
        await bank.preparation.prepare(model, (await bank.sessions.epochs(model))[0])
        firm = bank_world.chain.firms[0]
        answer = await bank.queries.ask(asking(bank_world, firm))
        assert answer.result["record"] == reference(bank_world, model, firm)
        assert len(bank_world.hub.requests[-1].blindings) == 2
        counts = await bank.agent.runtime.log.count_by_kind()
        assert counts[Kind.QUERY] == 2
        error = await raises(Code.CONSENT_NAMED, bank, asking(bank_world, firm, named=()))
        assert str(COURT) in str(error)
        await raises(Code.CONSENT_DISCLOSED, bank, asking(bank_world, firm, disclosed=()))


async def test_wrong_consents_are_told_before_anybody_else_hears_of_them(
    bank_world: World,
) -> None:
    firm, chain = bank_world.chain.firms[0], bank_world.chain
    async with bank_world.bank() as bank:
        await ready(bank_world, bank)
        wrong: list[tuple[Code, Ask, str]] = [
            (Code.CONSENT_WRONG_BANK, asking(bank_world, firm, bank=DELTA), "delta"),
            (
                Code.CONSENT_EXPIRED,
                asking(bank_world, firm, not_before=NOW - 3 * DAY, expires=NOW - DAY),
                "2027-01-14T08:00",
            ),
            (
                Code.CONSENT_NOT_YET_VALID,
                asking(bank_world, firm, not_before=NOW + 10, expires=NOW + 2 * DAY),
                "2027-01-15T08:00",
            ),
            (Code.CONSENT_WRONG_CHAIN, asking(bank_world, firm, chains=("gba",)), CHAIN),
            (Code.CONSENT_WRONG_PURPOSE, asking(bank_world, firm, purpose=Purpose.JUDICIAL), "09"),
            (Code.CONSENT_FIELDS, asking(bank_world, firm, fields=("money",)), "conduct"),
            (Code.ENTERPRISE_UNKNOWN, asking(bank_world, chain.stranger), "roster"),
            (Code.CONSENT_MALFORMED, Ask("no consent", "02"), "JWS"),
            (Code.PURPOSE_UNKNOWN, Ask("x", "99"), "99"),
            (Code.PSEUDONYM_INVALID, Ask("x", "02", officer="o" * 65), "64"),
            (Code.MODEL_UNKNOWN, Ask(chain.consent(firm).compact, "02", model="none"), "none"),
        ]
        compact = chain.consent(firm).compact
        forged = compact[:-4] + ("AAAA" if not compact.endswith("AAAA") else "BBBB")
        wrong.append((Code.CONSENT_UNSIGNED, Ask(forged, "02"), "licence"))
        for code, ask, told in wrong:
            error = await raises(code, bank, ask)
            assert told in str(error)
            assert error.problem("zh") != error.problem("en")
            assert firm.uscc not in str(error)
        assert bank_world.hub.requests == []
        await bank.queries.ask(asking(bank_world, firm))


async def test_interrupted_query_sends_the_same_elements_and_costs_one_use(
    bank_world: World,
) -> None:
    firm = bank_world.chain.firms[1]
    ask = asking(bank_world, firm, uses=1)
    async with bank_world.bank() as bank:
        model = await ready(bank_world, bank)
        bank_world.hub.down = {POWER}
        with pytest.raises(PartyUnavailable) as caught:
            await bank.queries.ask(ask)
        assert caught.value.party == POWER
    bank_world.hub.down = set()
    async with bank_world.bank() as bank:  # after a crash
        answer = await bank.queries.ask(ask)
        assert answer.result["record"] == reference(bank_world, model, firm)
        first, second = bank_world.hub.requests
        assert first == second
        with pytest.raises(RemoteRefusal):  # a new question needs a new use, and there is none
            await bank.queries.ask(ask)
        assert bank_world.hub.requests[-1].blindings[0].blinded != first.blindings[0].blinded


async def test_one_key_is_one_query(bank_world: World) -> None:
    firm, other = bank_world.chain.firms[:2]
    ask = asking(bank_world, firm)
    async with bank_world.bank() as bank:
        await ready(bank_world, bank)
        answers = await asyncio.gather(*(bank.queries.ask(ask, "key-1") for _ in range(5)))
        assert len({answer.id for answer in answers}) == 1
        assert len(bank_world.hub.requests) == 1
        with pytest.raises(BankError) as caught:
            await bank.queries.ask(asking(bank_world, other), "key-1")
        assert caught.value.code is Code.KEY_REUSED
        assert (await bank.queries.ask(ask, "key-2")).id != answers[0].id
    async with bank_world.bank() as bank:
        assert (await bank.queries.ask(ask, "key-1")).result == answers[0].result
        assert len(bank_world.hub.requests) == 2


async def test_one_key_is_one_query_of_two_processes_too(bank_world: World) -> None:
    """The one that comes second goes on with the elements of the first, where those are opened: it
    would find a row that does not open, and accuse every holder of it.
    """
    firm, other = bank_world.chain.firms[:2]
    ask, different = asking(bank_world, firm), asking(bank_world, other)
    async with bank_world.bank() as one, bank_world.bank() as two:
        model = await ready(bank_world, one)
        await two.agent.sync.sync()
        answers = await asyncio.gather(*(bank.queries.ask(ask, "same") for bank in (one, two)))
        assert answers[0] == answers[1]
        assert answers[0].result["record"] == reference(bank_world, model, firm)
        elements = {r.blindings[0].blinded for r in bank_world.hub.requests}
        assert len(elements) == 1
        found = await asyncio.gather(
            one.queries.ask(ask, "mixed"),
            two.queries.ask(different, "mixed"),
            return_exceptions=True,
        )
        (refused,) = [f for f in found if isinstance(f, BaseException)]
        assert isinstance(refused, BankError) and refused.code is Code.KEY_REUSED
        assert (await one.agent.runtime.log.count_by_kind()).get(Kind.FAILURE, 0) == 0


async def test_an_epoch_that_no_longer_verifies_does_not_stop_the_others(
    bank_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A holder that left, or has other keys, since an old epoch: the next start verifies it again.

    One that is over is not even looked at.
    """
    async with bank_world.bank() as bank:
        model = await ready(bank_world, bank)

    def changed(descriptor: Signed, *documents: Any) -> OpenEpoch:
        if Descriptor.parse(descriptor.payload).epoch == 1:
            raise SignatureInvalid("a manifest's key is another now")
        return read_epoch(descriptor, *documents)

    monkeypatch.setattr("node.chain.store.read_epoch", changed)
    async with bank_world.bank() as bank:
        assert [epoch.number for epoch in await bank.sessions.epochs(model)] == [2]
        answer = await bank.queries.ask(asking(bank_world, bank_world.chain.firms[0]))
        assert answer.result["epoch"] == 2
        bank_world.clock.advance(DAY)
        monkeypatch.setattr("node.chain.store.read_epoch", None)
    async with bank_world.bank() as bank:
        with pytest.raises(BankError) as caught:
            await bank.sessions.epochs(model)
        assert caught.value.code is Code.NO_OPEN_EPOCH


async def test_scorecard_that_policy_refuses_shows_what_and_why(bank_world: World) -> None:
    good = small_scorecard("coded", [(h, bank_world.chain.holders[h].kind) for h in UNNAMED], ())
    data = good.model_dump(mode="json")
    data["points"][0]["points"] = [0, 1, 7]
    async with bank_world.bank() as bank:
        with pytest.raises(ScorecardRefused) as caught:
            await bank.certification.certify(json.dumps(data))
        failures = caught.value.report.failures
        assert failures and any(item.feature for item in failures)
        assert await bank.agent.read(bank.agent.records.models) == []
        await bank.certification.certify(good.to_json())


async def test_interrupted_certification_is_continued_with_the_same_submission(
    bank_world: World,
) -> None:
    async with bank_world.bank() as bank:
        bank_world.regulator.fail_after = 3
        with pytest.raises(PartyUnavailable):
            await bank.certification.certify(scorecard(bank_world, "alpha"))
    bank_world.regulator.fail_after = None
    async with bank_world.bank() as bank:
        model = await bank.certification.certify(scorecard(bank_world, "alpha"))
        assert len(bank_world.regulator.results) == 1
        bank_world.hub.down = {INSURANCE}
        with pytest.raises(PartyUnavailable):
            await bank.installation.install(model)
        with pytest.raises(BankError) as caught:
            await bank.queries.ask(asking(bank_world, bank_world.chain.firms[0]))
        assert caught.value.code is Code.MODEL_NOT_INSTALLED
        bank_world.hub.down = set()
        assert await bank.installation.install(model) == [INSURANCE]
        assert await bank.installation.install(model) == []
        assert not list((bank_world.config.data_dir / "models").iterdir())


async def test_prepare_goes_on_where_it_was_interrupted(bank_world: World) -> None:
    async with bank_world.bank() as bank:
        model = await bank.certification.certify(scorecard(bank_world, "alpha"))
        await bank.installation.install(model)
        (epoch, *_) = await bank.sessions.epochs(model)
        bank_world.hub.down = {TAX}
        with pytest.raises(PartyUnavailable) as caught:
            await bank.preparation.prepare(model, epoch)
        assert caught.value.party == TAX
        bank_world.hub.down = set()
        steps: list[tuple[int, int, int]] = []
        made = await bank.preparation.prepare(model, epoch, progress=lambda *s: steps.append(s))
        assert (made.buckets, made.fetched) == (1, 1)
        assert made.bytes > 3 * 131_000
        assert steps[0] == (0, 1, 0) and steps[-1] == (1, 1, made.bytes)
        calls = len(bank_world.hub.prepared)
        again = await bank.preparation.prepare(model, epoch)
        assert (again.fetched, again.bytes) == (0, 0)
        assert len(bank_world.hub.prepared) == calls


async def test_small_bucket_is_not_prepared_for_one_subject(bank_world: World) -> None:
    async with bank_world.bank() as bank:
        model = await bank.certification.certify(scorecard(bank_world, "alpha"))
        await bank.installation.install(model)
        (epoch, *_) = await bank.sessions.epochs(model)
        error = await raises(
            Code.BUCKET_TOO_SMALL, bank, asking(bank_world, bank_world.chain.firms[0])
        )
        assert "prepare" in str(error)
        assert bank_world.hub.prepared == []
        with pytest.raises(BankError) as caught:
            await bank.preparation.prepare(model, epoch, [1])
        assert caught.value.code is Code.BUCKET_UNKNOWN


async def test_tables_are_erased_when_their_epoch_has_closed(bank_world: World) -> None:
    async with bank_world.bank() as bank:
        model = await ready(bank_world, bank)
        await bank.queries.ask(asking(bank_world, bank_world.chain.firms[0]))
        ctx = (await bank.preparation.session(model, (await bank.sessions.epochs(model))[0])).ctx
        assert await bank.preparation.kept(ctx, 0) is not None
        bank_world.clock.advance(DAY)
        await bank.preparation.erase_closed()
        assert await bank.preparation.kept(ctx, 0) is None
        with pytest.raises(BankError) as caught:
            await bank.sessions.epochs(model)
        assert caught.value.code is Code.NO_OPEN_EPOCH


async def test_nothing_secret_is_on_disk_in_the_clear(bank_world: World) -> None:
    firm = bank_world.chain.firms[2]
    ask = asking(bank_world, firm)
    async with bank_world.bank() as bank:
        model = await ready(bank_world, bank)
        bank_world.hub.down = {TAX}
        with pytest.raises(PartyUnavailable):
            await bank.queries.ask(ask)
        bank_world.hub.down = set()
        await bank.queries.ask(ask, "other")
        known = bank_world.chain.model_of(model.hash)
        assert known is not None
        table = bank_world.chain.table(known, 2)
        await bank.agent.runtime.store.scrub()
    written = b"".join(
        path.read_bytes()
        for path in bank_world.config.data_dir.rglob("*")
        if path.is_file() and ".sqlite" in path.name
    )
    needles = [
        model.secret_key[-4096:],
        firm.uscc.encode(),
        ask.consent.encode(),
        ask.consent.split(".")[1].encode(),
        words_to_bytes(table[:4]),
        b'"points"',
        b"probability_of_default",
    ]
    assert model.hash in written  # the search finds what is there
    assert [needle[:16] for needle in needles if needle in written] == []


async def test_bucket_at_least_half_full_is_prepared_at_need(
    bank_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bank_world.bank() as bank:
        model = await bank.certification.certify(scorecard(bank_world, "alpha"))
        await bank.installation.install(model)
        firm = bank_world.chain.firms[0]
        # A bucket of 48 would be half full with the chain's 24 firms; one of 50 would not.
        monkeypatch.setattr("node.bank.preparation.ROWS", 50)
        await raises(Code.BUCKET_TOO_SMALL, bank, asking(bank_world, firm))
        monkeypatch.setattr("node.bank.preparation.ROWS", 48)
        answers = await asyncio.gather(
            *(bank.queries.ask(asking(bank_world, f)) for f in bank_world.chain.firms[:3])
        )
        assert answers[0].result["record"] == reference(bank_world, model, firm)
        assert len(bank_world.hub.prepared) == 3  # one call a holder, whoever waited for it


async def test_query_of_a_permit_that_has_run_out_begins_anew(bank_world: World) -> None:
    firm = bank_world.chain.firms[4]
    ask = asking(bank_world, firm, uses=2)
    async with bank_world.bank() as bank:
        await ready(bank_world, bank)
        bank_world.hub.down = {POWER}
        with pytest.raises(PartyUnavailable):
            await bank.queries.ask(ask, "k")
        bank_world.hub.down = set()
        bank_world.clock.advance(PERMIT_SECONDS)
        answer = await bank.queries.ask(ask, "k")
        first, second = bank_world.hub.requests
        assert first.blindings[0].blinded != second.blindings[0].blinded
        assert (await bank.queries.ask(ask, "k")).id == answer.id


async def test_query_continues_in_an_epoch_that_is_open_and_prepared(bank_world: World) -> None:
    """The newest epoch is not prepared yet: the one before it still answers."""
    async with bank_world.bank() as bank:
        model = await bank.certification.certify(scorecard(bank_world, "alpha"))
        await bank.installation.install(model)
        newest, older = await bank.sessions.epochs(model)
        assert (newest.number, older.number) == (2, 1)
        await bank.preparation.prepare(model, older)
        firm = bank_world.chain.firms[0]
        answer = await bank.queries.ask(asking(bank_world, firm))
        assert answer.result["epoch"] == 1
        assert answer.result["record"] == reference(bank_world, model, firm, epoch=1)
        await bank.preparation.prepare(model, newest)
        assert (await bank.queries.ask(asking(bank_world, firm))).result["epoch"] == 2


async def test_models_are_found_by_hash_name_and_version(bank_world: World) -> None:
    async with bank_world.bank() as bank:
        alpha = await bank.certification.certify(scorecard(bank_world, "alpha"))
        assert (await bank.agent.model()).hash == alpha.hash
        await bank.certification.certify(scorecard(bank_world, "beta"))
        for wanted in (alpha.hash.hex(), alpha.hash.hex()[:8], "alpha@1", "alpha"):
            assert (await bank.agent.model(wanted)).hash == alpha.hash
        for wanted, code in (("", Code.MODEL_AMBIGUOUS), ("alpha@2", Code.MODEL_UNKNOWN)):
            with pytest.raises(BankError) as caught:
                await bank.agent.model(wanted)
            assert caught.value.code is code


async def test_manifest_of_a_day_that_does_not_exist_opens_no_session(bank_world: World) -> None:
    """A profile names the day of each holder's data, so the day is checked before any query."""
    epoch = bank_world.chain.epochs[1]
    check_date(TAX, epoch)
    manifest = epoch.manifests[TAX].model_copy(update={"as_of": "2027-02-30"})
    spoilt = dataclasses.replace(epoch, manifests={**epoch.manifests, TAX: manifest})
    with pytest.raises(AnswerRejected) as caught:
        check_date(TAX, spoilt)
    assert caught.value.party == TAX
