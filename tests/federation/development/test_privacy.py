"""From noise to ε and back: against OpenDP's own accounting, and on the safe side of rounding."""

from __future__ import annotations

import math

import pytest

from federation.development import privacy
from federation.errors import DocumentError


@pytest.mark.parametrize(("features", "sigma_milli"), [(60, 12_600), (4, 1_000), (12, 987_654)])
def test_rho_is_opendps(features: int, sigma_milli: int) -> None:
    from opendp.domains import atom_domain, vector_domain
    from opendp.measurements import make_gaussian
    from opendp.metrics import l2_distance
    from opendp.mod import enable_features

    enable_features("contrib")
    space = vector_domain(atom_domain(T="i64")), l2_distance(T=float)
    opendp = make_gaussian(*space, scale=sigma_milli / 1000).map(d_in=math.sqrt(features))
    own = privacy.rho_nano(features, sigma_milli) / privacy.NANO
    assert opendp == pytest.approx(own, rel=1e-6, abs=1 / privacy.NANO)
    assert own >= features / (2 * (sigma_milli / 1000) ** 2)


@pytest.mark.parametrize("rho", [1e-6, 0.01, 0.185, 1.0, 20.0])
@pytest.mark.parametrize("delta", [1e-5, 1e-6, 1e-12])
def test_epsilon_is_opendps_and_below_the_simple_formula(rho: float, delta: float) -> None:
    from opendp.combinators import make_zCDP_to_approxDP
    from opendp.domains import atom_domain
    from opendp.measurements import make_gaussian
    from opendp.metrics import absolute_distance
    from opendp.mod import enable_features

    enable_features("contrib")
    scale = 1 / math.sqrt(2 * rho)
    space = atom_domain(T=float, nan=False), absolute_distance(T=float)
    profile = make_zCDP_to_approxDP(make_gaussian(*space, scale=scale)).map(1.0)
    own = privacy.epsilon(rho, delta)
    assert own == pytest.approx(profile.epsilon(delta), rel=1e-6)
    assert own < rho + 2 * math.sqrt(rho * math.log(1 / delta))


def test_the_scale_for_an_epsilon_costs_no_more_and_hardly_less() -> None:
    for features in (1, 12, 60, 400):
        for epsilon in (100_000, 1_000_000, 3_000_000):
            scale = privacy.sigma_milli(features, epsilon)
            for holders in (1, features):
                rho = holders * privacy.rho_nano(features // holders, scale)
                assert 0.99 * epsilon < privacy.epsilon_micro(rho) <= epsilon, (features, epsilon)


def test_what_holders_cost_adds_up_to_what_all_features_cost() -> None:
    parts = sum(privacy.rho_nano(features, 12_732) for features in (12, 20, 28))
    assert 0 <= parts - privacy.rho_nano(60, 12_732) <= 2  # each rounded up


def test_nothing_costs_nothing() -> None:
    assert privacy.epsilon(0.0, 1e-6) == 0
    assert privacy.rho(0.0, 1e-6) == 0


@pytest.mark.parametrize("scale", [0, 999, 100_000_001])
def test_a_scale_out_of_bounds_is_an_error(scale: int) -> None:
    with pytest.raises(DocumentError, match="sigma_milli"):
        privacy.rho_nano(4, scale)


def test_no_features_and_too_small_an_epsilon_are_errors() -> None:
    with pytest.raises(DocumentError, match="features"):
        privacy.rho_nano(0, 1000)
    with pytest.raises(DocumentError, match="epsilon_micro"):
        privacy.sigma_milli(500, 1)


@pytest.mark.parametrize("left", [1, 59, 1_000, 20_000_000, 185_069_840, 638_597_081])
def test_a_budget_lets_by_what_is_left_and_no_more(left: int) -> None:
    for asked in (1, left // 2 + 1, left - 1, left, left + 1, left + 2, 2 * left):
        fits = privacy.epsilon_micro(asked) <= privacy.epsilon_left_micro(left, asked)
        assert fits is (asked <= left), asked
    assert privacy.epsilon_left_micro(0, 1) == 0
    assert privacy.epsilon_left_micro(-left, 1) == 0  # the configured budget was lowered
