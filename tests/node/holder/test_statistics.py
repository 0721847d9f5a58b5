"""A holder's statistics: the noise and its price, the budget, and the command."""

from __future__ import annotations

import asyncio
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest

from federation.errors import SignatureInvalid
from federation.signed import Signed
from federation.statistics import HolderStatistics, read_statistics
from node.holder.errors import HolderError
from node.holder.statistics.making import make
from node.holder.statistics.mechanism import MILLI, Budget, concentrated, noisy
from node.holder.statistics.release import Month, release
from scoring.statistics import histogram_sensitivity, moment_sensitivity, transition_sensitivity
from support.chain import TAX
from tests.node.holder.test_cli import terminal
from tests.node.holder.world import Node, World

ONE = Budget(1.0, 1e-6)
NAMES = [("f0", 4), ("f1", 7), ("f2", 3), ("f3", 11)]


# --- noise and its price --------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0.4, 5.0, 61.25])
def test_the_noise_has_the_scale_that_is_stated(scale: float) -> None:
    size = 20_000
    noise = noisy(np.full(size, 7), round(scale * MILLI)) - 7
    assert noise.dtype == np.int64
    # A discrete Gaussian's variance is at most σ², near it from σ = 1 on, and less below.
    whole = np.arange(-400, 401)
    weights = np.exp(-(whole**2) / (2 * scale**2))
    variance = float((weights * whole**2).sum() / weights.sum())
    assert noise.mean() == pytest.approx(0, abs=6 * scale / np.sqrt(size) + 1e-9)
    assert noise.var() == pytest.approx(variance, rel=6 * np.sqrt(2 / size))


def test_noise_is_new_each_time() -> None:
    table = np.zeros(64, dtype=np.int64)
    assert (noisy(table, 50_000) != noisy(table, 50_000)).any()


def test_sums_over_a_large_chain_have_room() -> None:
    """Products of a million firms' scores are beyond 32 bits; noise beyond them was cut off."""
    table = np.array([2**31 - 1, 9_000_000_000, -9_000_000_000], dtype=np.int64)
    assert np.abs(noisy(np.repeat(table, 30), 50_000) - np.repeat(table, 30)).max() < 600
    noise = noisy(np.full(100, 2**31 - 1), 50_000) - (2**31 - 1)
    assert noise.max() > 0 > noise.min()


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 3.0])
def test_the_scales_together_cost_what_was_asked_for(epsilon: float) -> None:
    sensitivities = (
        histogram_sensitivity(9),
        transition_sensitivity(9),
        moment_sensitivity(9),
    )
    scales = Budget(epsilon, 1e-6).scales((0.4, 0.3, 0.3), sensitivities)
    rho = sum(
        (s / (scale / MILLI)) ** 2 / 2 for s, scale in zip(sensitivities, scales, strict=True)
    )
    assert 0.999 * concentrated(epsilon, 1e-6) < rho <= concentrated(epsilon, 1e-6)
    # Not more than the closed form allows is wasted (Bun and Steinke 2016, Proposition 1.3) …
    assert epsilon <= rho + 2 * np.sqrt(rho * np.log(1e6)) < 1.5 * epsilon
    # … and one Gaussian mechanism of that ρ is private by its exact curve (Balle and Wang 2018).
    half, phi = np.sqrt(rho / 2), NormalDist().cdf
    shift = epsilon / (2 * half)
    assert 0 < phi(half - shift) - np.exp(epsilon) * phi(-half - shift) <= 1e-6


def test_less_budget_is_more_noise() -> None:
    scales = [Budget(e, 1e-6).scales((1.0,), (1.0,))[0] for e in (0.1, 1.0, 10.0)]
    assert scales[0] > 5 * scales[1] > 25 * scales[2]


@pytest.mark.parametrize(
    ("epsilon", "delta", "field"),
    [(0.0, 1e-6, "epsilon"), (11, 1e-6, "epsilon"), (1, 1e-3, "delta"), (1, 0.0, "delta")],
)
def test_a_budget_out_of_bounds_is_refused(epsilon: float, delta: float, field: str) -> None:
    with pytest.raises(HolderError, match=field):
        Budget(epsilon, delta)


def month(rows: int, seed: int) -> Month:
    rng = np.random.default_rng(seed)
    known = rng.random(rows) < 0.85
    bins = np.stack([rng.binomial(n - 1, 0.4, rows) for _, n in NAMES]).astype(np.uint16)
    bins[:, ~known] = 0
    return Month(bins, known)


def test_counts_of_20_000_firms_are_as_near_as_epsilon_1_says() -> None:
    now = month(20_000, 1)
    made = release(NAMES, now, now, ONE)
    scale = made.budget.counts_milli / MILLI
    errors = np.concatenate(
        [
            np.array(of.counts) - np.bincount(row[now.known], minlength=len(of.counts))
            for of, row in zip(made.features, now.bins, strict=True)
        ]
    )
    assert 15 < scale < 25
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(scale, rel=0.6)
    # In shares of all firms: a third of a per cent at most, in 25 bins.
    assert np.abs(errors).max() < 0.004 * 20_000
    assert abs(made.known - int(now.known.sum())) < 6 * scale


def test_without_a_month_before_its_share_goes_to_the_other_tables() -> None:
    now = month(500, 2)
    alone, pair = release(NAMES, now, None, ONE), release(NAMES, now, now, ONE)
    assert alone.budget.moves_milli == 0
    assert all(feature.moves == () for feature in alone.features)
    assert alone.budget.counts_milli == pytest.approx(
        pair.budget.counts_milli * np.sqrt(0.7), rel=1e-3
    )


def test_two_features_have_no_products() -> None:
    now = month(500, 3)
    made = release(NAMES[:2], Month(now.bins[:2], now.known), None, ONE)
    assert made.products == (0,) and made.budget.products_milli == 0


# --- once, and within a year's budget -------------------------------------------------------


async def loaded(world: World, node: Node, **days: str) -> None:
    """Epochs 9 and 10, of data that are a month apart unless `before` says otherwise."""
    for number, seed, day in ((9, 3, days.get("before", "2026-12-14")), (10, 4, "2027-01-14")):
        world.announce(number)
        mapping = world.source(world.data(seed=seed), number)
        mapping.write_text(mapping.read_text().replace("2027-01-14", day))
        await node.load(number, mapping)


async def test_the_same_epochs_give_the_same_statistics_and_spend_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with world.running() as node:
        await loaded(world, node)
        # At once from two commands: one draws, both get it.
        made, other = await asyncio.gather(
            make(node.runtime, 10, 9, ONE), make(node.runtime, 10, 9, ONE)
        )
        assert made.signed == other.signed
        assert {made.repeated, other.repeated} == {True, False}
        again = await make(node.runtime, 10, 9, Budget(0.5, 1e-6))
        assert again.repeated and again.signed == made.signed and again.spent_micro == 1_000_000
        statistics = read_statistics(made.signed, world.chain.members)
        assert (statistics.holder, statistics.epoch, statistics.before) == (TAX, 10, 9)
        assert statistics.rows == world.chain.roster.size
        assert statistics.catalogue == world.chain.catalogue.digest()
        (logged,) = [e for e in await node.entries() if e.kind == "holder-statistics"]
        assert logged.body["epsilon"] == 1_000_000
        assert (logged.body["epoch"], logged.body["before"]) == (10, 9)


async def test_a_years_budget_is_not_exceeded_and_comes_back(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with world.running() as node:
        await loaded(world, node)
        await make(node.runtime, 10, None, Budget(3.0, 1e-6))
        with pytest.raises(HolderError, match=r"3 of 4 a year are spent.*at most 1,"):
            await make(node.runtime, 10, 9, Budget(1.5, 1e-6))
        assert not (await make(node.runtime, 10, 9, ONE)).repeated
        with pytest.raises(HolderError, match="at most 0"):
            await make(node.runtime, 9, None, Budget(0.01, 1e-6))
        assert (await make(node.runtime, 10, 9, ONE)).repeated  # what exists costs nothing
        world.clock.advance(366 * 86_400)
        assert (await make(node.runtime, 9, None, ONE)).spent_micro == 1_000_000


async def test_epochs_that_do_not_fit_are_refused_before_anything_is_spent(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with world.running() as node:
        await loaded(world, node, before="2026-06-14")
        with pytest.raises(HolderError, match="214 days older"):
            await make(node.runtime, 10, 9, ONE)
        with pytest.raises(HolderError, match="-214 days older"):
            await make(node.runtime, 9, 10, ONE)
        with pytest.raises(HolderError, match="epoch 11 is not loaded"):
            await make(node.runtime, 11, None, ONE)
        assert (await make(node.runtime, 10, None, ONE)).spent_micro == 1_000_000


# --- the command ----------------------------------------------------------------------------


async def test_the_command_writes_what_the_holder_signed(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with world.running() as node, terminal(world) as yinxin:
        await loaded(world, node)
        out = tmp_path / "tax.json"
        given = ("statistics", "--epoch", "10", "--before", "9", "--out", str(out))
        first = (await yinxin(*given, "--json")).json
        assert (first["spent_now"], first["epsilon_this_year"], first["repeated"]) == (1, 1, False)
        signed = Signed.from_json(out.read_bytes())
        assert signed.payload_hash.hex() == first["document"]
        read_statistics(signed, world.chain.members)
        nowhere = await yinxin(*given[:-1], str(tmp_path / "no" / "tax.json"))
        assert nowhere.code == 1 and "another --out" in nowhere.err
        again = await yinxin(*given)
        assert again.code == 0, again.err
        assert "spent now: 0" in again.out and first["document"] in again.out
        wrong = await yinxin("statistics", "--epoch", "10", "--delta", "0.1")
        assert wrong.code == 1 and wrong.err.startswith("yinxin: delta")
        document = HolderStatistics.parse(signed.payload)
        changed = document.model_copy(update={"known": document.known + 1})
        forged = Signed(signed.payload_type, changed.payload(), signed.key_id, signed.signature)
        with pytest.raises(SignatureInvalid):
            read_statistics(forged, world.chain.members)
