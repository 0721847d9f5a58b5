"""Models against models, at the regulator's real desk: every refusal names the feature, and every
attack succeeds where the history is left out.

A bank that holds records of one firm under several scorecards adds and subtracts their fields. The
scorecards below pass every rule alone, and the four any two of the three before as well.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from federation.exchange.regulator import (
    HISTORY_SECONDS,
    REPORT_PURPOSE,
    PolicyVerdict,
    Submission,
    open_at_bank,
    seal_submission,
)
from federation.identity import SpiffeId
from federation.policy import PolicyItem, PolicyReport
from node.clock import FixedClock
from node.regulator.certification import CertificationDesk
from node.regulator.decisions import DecisionStore
from node.regulator.membership import Regulator
from scoring.reference import record_word
from scoring.scorecard import Scorecard
from support.enrolled import DELTA, HARBOUR, HOLDERS, HUB, KINDS, Homes, regulating
from support.small import BINS, FEATURES, small_catalogue, small_scorecard

DAY = 86_400
PARTICIPANTS = [(holder, KINDS[holder.name]) for holder in HOLDERS]
ISOLATED = f"{HOLDERS[0]} f1"
FIRMS = 300

# Points of the bins (missing, low, high) of each holder's features in order. R3 is R1 + R2 − R0 but
# for the second feature, and for constants that the bank knows.
R0 = ((2, 0, 1), (0, 1, 3), (3, 1, 0), (3, 1, 0), (1, 2, 0), (0, 1, 3),
      (2, 3, 0), (2, 3, 0), (1, 3, 0), (3, 1, 0), (2, 3, 0), (1, 0, 2))  # fmt: skip
R1 = ((3, 1, 0), (0, 1, 3), (1, 0, 3), (3, 1, 0), (1, 3, 0), (1, 0, 3),
      (2, 0, 1), (1, 3, 0), (0, 1, 3), (3, 2, 0), (2, 1, 3), (1, 0, 3))  # fmt: skip
R2 = ((0, 1, 3), (2, 0, 1), (2, 3, 0), (1, 2, 0), (1, 0, 3), (2, 3, 0),
      (2, 3, 0), (2, 1, 3), (1, 3, 0), (2, 1, 3), (1, 3, 0), (2, 0, 1))  # fmt: skip
R3 = ((0, 1, 1), (1, 0, 3), (0, 2, 3), (1, 2, 0), (0, 0, 2), (3, 2, 0),
      (2, 0, 1), (0, 0, 2), (0, 1, 3), (0, 0, 1), (0, 0, 2), (2, 0, 2))  # fmt: skip
NEAR = (R0[0], (1, 0, 3), *R0[2:])
"""R0 with other points for one feature."""

Points = tuple[tuple[int, ...], ...]


def scorecard(points: Points) -> Scorecard:
    card = small_scorecard("gamma", PARTICIPANTS)
    entries = [e.model_copy(update={"points": p}) for e, p in zip(card.points, points, strict=True)]
    return card.model_copy(update={"points": tuple(entries)})


@dataclass
class Desk:
    """The regulator's desk over a real database, and the banks that submit to it."""

    homes: Homes
    regulator: Regulator
    clock: FixedClock
    desk: CertificationDesk = field(init=False)

    def __post_init__(self) -> None:
        self.desk = CertificationDesk(self.regulator, None)

    async def submit(
        self, points: Points, bank: SpiffeId = HARBOUR, **changes: Any
    ) -> tuple[PolicyItem, ...]:
        """What is wrong with it, as the bank reads it: nothing when it is certified."""
        fields: dict[str, Any] = {
            "id": secrets.token_bytes(16),
            "bank": bank,
            "form": "sealed",
            "scorecard": scorecard(points).to_json(),
            "disclosed": (),
            "days": 1,
        }
        made = Submission(**(fields | changes))
        sealing = self.regulator.identity.require_sealing()
        decision = await self.desk.certify(bank, seal_submission(made, sealing.public))
        key = self.homes.identity(bank).require_sealing()
        verdict = PolicyVerdict.parse(open_at_bank(REPORT_PURPOSE, made.id, decision.report, key))
        assert verdict.passed is (decision.certificate is not None)
        return PolicyReport.from_json(verdict.report).failures

    async def certified(self, points: Points, bank: SpiffeId = HARBOUR, **changes: Any) -> None:
        """A model that passes, and has expired when the next one comes."""
        assert await self.submit(points, bank, **changes) == ()
        self.clock.advance(DAY)


@asynccontextmanager
async def at_desk(
    folder: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Desk]:
    homes = Homes(folder)
    clock = FixedClock(homes.now)
    async with regulating(homes, clock, environment) as regulator:
        await regulator.pool.start()
        await homes.enrol(regulator, HARBOUR, DELTA, HUB, *HOLDERS)
        catalogue = small_catalogue().to_json().encode()
        await regulator.store.run(lambda c: regulator.chain.put_catalogue(c, catalogue))
        desk = Desk(homes, regulator, clock)
        try:
            yield desk
        finally:
            await desk.desk.worker.close()


def without_history(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DecisionStore, "certified", lambda *_: [])


def isolates(found: tuple[PolicyItem, ...]) -> bool:
    """Whether rule c finds a combination that tells of the feature alone, in both languages."""
    named = [i for i in found if i.rule == "c" and i.about == (ISOLATED,) and i.limit == 0]
    return bool(named) and all(ISOLATED in text for text in (named[0].text.zh, named[0].text.en))


def recovered(signs: Mapping[Points, int]) -> float:
    """The share of firms whose bin of the isolated feature the sum of their records tells."""
    catalogue = small_catalogue()
    bins = np.random.default_rng(7).integers(0, BINS, (FIRMS, len(HOLDERS), FEATURES))
    total = sum(sign * np.array(points) for points, sign in signs.items())
    money = [f for f in range(len(total)) if f % FEATURES < FEATURES // 2]
    # Of every other feature all bins give the same: the bank knows it from its own scorecards.
    assert all(len(set(total[f])) == 1 for f in money if f != 1)
    constant = sum(total[f][0] for f in money if f != 1)
    by_sum = {constant + points: number for number, points in enumerate(total[1])}
    right = 0
    for firm in bins:
        shown = {str(holder): firm[i] for i, holder in enumerate(HOLDERS)}
        found = 0
        for points, sign in signs.items():
            card = scorecard(points)
            record = card.layout().unpack(record_word(card, catalogue, shown))
            found += sign * record.values["money"]
        right += by_sum[found] == firm[0][1]
    return right / FIRMS


async def test_a_tracker_of_four_models_is_refused_with_the_feature_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R3 − R1 − R2 + R0, of models that expired one after the other.

    Some pairs of them are refused already, for what one feature has of a sum of both; here they
    were certified without regard to one another.
    """
    for number, before in enumerate(((R0, R1), (R0, R1, R2))):
        async with at_desk(tmp_path / str(number)) as desk:
            with monkeypatch.context() as patched:
                without_history(patched)
                for points in before:
                    await desk.certified(points)
            # Beside two of the three, R3 does not isolate it: all of them are looked at.
            assert isolates(await desk.submit(R3)) is (number == 1)
    assert recovered({R3: 1, R1: -1, R2: -1, R0: 1}) == 1.0


async def test_one_feature_changed_in_a_renewed_model_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model that expired, certified again as it is, passes: its records say the same."""
    async with at_desk(tmp_path) as desk:
        await desk.certified(R0)
        assert isolates(await desk.submit(NEAR))
        await desk.certified(R0)
        without_history(monkeypatch)
        assert await desk.submit(NEAR) == ()
    assert recovered({NEAR: 1, R0: -1}) == 1.0


@pytest.mark.parametrize("first", ["open", "sealed"])
async def test_an_open_scorecard_and_a_private_one_count_together(
    tmp_path: Path, first: str
) -> None:
    second = "sealed" if first == "open" else "open"
    async with at_desk(tmp_path) as desk:
        await desk.certified(R0, form=first)
        assert isolates(await desk.submit(NEAR, form=second))


async def test_affiliates_count_as_one_bank(tmp_path: Path) -> None:
    """A relation that is entered after the first model was certified counts for it, too."""
    async with at_desk(tmp_path) as desk:
        await desk.certified(R0)
        # Strangers: two banks may have models that differ in one feature, and each one record.
        assert await desk.submit(NEAR, DELTA, days=1) == ()
    groups = {"YINXIN__AFFILIATES__GROUPS": f'[["{HARBOUR}", "{DELTA}"]]'}
    async with at_desk(tmp_path / "group", groups) as desk:
        await desk.certified(R0)
        assert isolates(await desk.submit(NEAR, DELTA))
        assert not isolates(await desk.submit(R1, DELTA))
        desk.clock.advance(DAY)
        assert isolates(await desk.submit(NEAR))


async def test_a_model_counts_for_24_months(tmp_path: Path) -> None:
    async with at_desk(tmp_path) as desk:
        assert await desk.submit(R0) == ()
        past = desk.desk.history.past
        for after, count in ((0, 1), (HISTORY_SECONDS, 1), (HISTORY_SECONDS + 1, 0)):
            desk.clock.advance(after)
            found = await desk.regulator.store.read(lambda c: past(c, {str(HARBOUR)}))
            assert len(found) == count
            assert [one.valid for one in found] == [after == 0] * count
            assert await desk.regulator.store.read(lambda c: past(c, {str(DELTA)})) == []
            desk.clock.advance(-after)
