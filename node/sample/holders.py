"""What each kind of holder knows of the generated firms, in the units of the catalogue.

One function a kind. It draws from its own random stream and returns arrays of shape
(firms,) by feature name, complete and undistorted; `presentation` then forgets firms and
cells and writes the rest in the holder's own headers and units.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from node.sample.population import SECTORS, Flags, Floats, Population

Columns = dict[str, NDArray[Any]]


def _chance(logit: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-logit)), dtype=np.float64)


def _flag(rng: np.random.Generator, logit: Floats) -> Flags:
    return np.asarray(rng.random(len(logit)) < _chance(logit))


def _count(rng: np.random.Generator, mean: NDArray[Any], most: int) -> NDArray[np.int64]:
    return np.asarray(np.minimum(rng.poisson(np.clip(mean, 0, most)), most), dtype=np.int64)


def _pick(position: Floats, cuts: list[float], labels: list[str]) -> NDArray[np.str_]:
    return np.array(labels)[np.digitize(position, cuts)]


def registry(firms: Population) -> Columns:
    """Market regulation: T+1."""
    rng, n = firms.stream(0), firms.firms
    capital = np.clip(np.exp(13.6 + 0.6 * firms.size + 0.6 * rng.standard_normal(n)), 1e5, 1e7)
    trouble = -firms.quality + 0.6 * rng.standard_normal(n)
    return {
        "months_since_founding": firms.age_months,
        "registered_capital": np.round(capital, -4),
        "paid_in_ratio": np.clip(rng.beta(2.2, 1.6, n) + 0.10 * firms.quality, 0, 1),
        "industry": np.array([s.letter for s in SECTORS])[firms.sector],
        "status": _pick(trouble, [3.2, 3.7], ["operating", "suspended", "revoked"]),
        "legal_representative_changes_24m": _count(rng, np.exp(-2.0 + 0.5 * trouble), 2),
        "shareholder_changes_24m": _count(rng, np.exp(-1.3 + 0.4 * trouble), 3),
        "abnormal_list": _flag(rng, -3.6 + 0.9 * trouble),
        "serious_violation": _flag(rng, -5.2 + 0.9 * trouble),
        "staff": np.clip(firms.staff * rng.uniform(0.8, 1.3, n), 1, 100).astype(np.int64),
    }


def tax(firms: Population) -> Columns:
    """Tax bureau: monthly."""
    rng, n = firms.stream(1), firms.firms
    health = firms.tax
    sales = np.clip(firms.revenue_yuan * np.exp(0.15 * rng.standard_normal(n)), 5e5, 3e7)
    burden = np.clip(0.022 + 0.006 * health + 0.006 * rng.standard_normal(n), 0.002, 0.08)
    grade = health + 0.7 * rng.standard_normal(n)
    young = firms.age_months < 24
    arrears = _flag(rng, -2.0 - 1.2 * health)
    return {
        "credit_grade": np.where(
            young & (grade > -0.6),
            "M",
            _pick(grade, [-2.0, -1.1, 1.1], ["D", "C", "B", "A"]),
        ),
        "taxable_sales_12m": sales,
        "tax_paid_12m": np.clip(sales * burden, 5e3, 1e6),
        "sales_growth": np.clip(0.06 + 0.16 * health + 0.17 * rng.standard_normal(n), -0.6, 0.8),
        "tax_growth": np.clip(0.05 + 0.17 * health + 0.22 * rng.standard_normal(n), -0.8, 1.5),
        "payment_months": np.minimum(
            np.clip(34 + 13 * health + 12 * rng.standard_normal(n), 0, 60), firms.age_months
        ).astype(np.int64),
        "zero_declaration_months_12m": _count(rng, np.exp(-0.3 - 0.75 * health), 12),
        "arrears": np.where(arrears, np.clip(np.exp(9.6 + rng.standard_normal(n)), 0, 2e5), 0.0),
        "late_fees_24m": _count(rng, np.exp(-1.1 - 0.85 * health), 3),
    }


def invoice(firms: Population) -> Columns:
    """Invoice platform: daily."""
    rng, n = firms.stream(2), firms.firms
    health = firms.trade
    invoiced = np.clip(firms.revenue_yuan * np.exp(0.2 * rng.standard_normal(n)), 2e4, 5e7)
    volume = np.exp(3.1 + 0.45 * firms.size + 0.25 * health + 0.4 * rng.standard_normal(n))
    customers = np.exp(2.9 + 0.6 * firms.size + 0.3 * health + 0.4 * rng.standard_normal(n))
    red = np.exp(-2.62 - 0.42 * health + 0.4 * rng.standard_normal(n))
    largest = _chance(-0.5 - 0.45 * health - 0.25 * firms.size + 0.6 * rng.standard_normal(n))
    idle = _count(rng, np.exp(-0.1 - 0.85 * health), 12)
    return {
        "invoiced_12m": invoiced,
        "invoiced_growth": np.clip(0.05 + 0.17 * health + 0.2 * rng.standard_normal(n), -0.8, 1.5),
        "months_with_invoices_12m": 12 - idle,
        "invoices_per_month": np.clip(volume, 5, 200).round(),
        "red_letter_share": np.clip(red, 0, 0.3),
        "voided_share": np.clip(np.exp(-4.6 - 0.3 * health + 0.5 * rng.standard_normal(n)), 0, 0.1),
        "longest_gap_days": np.clip(
            np.exp(2.6 - 0.5 * health + 0.45 * rng.standard_normal(n)), 0, 120
        ).astype(np.int64),
        "customers_12m": np.clip(customers, 1, 300).astype(np.int64),
        "largest_customer_share": np.clip(largest, 0.05, 0.9),
    }


def social_insurance(firms: Population) -> Columns:
    """Social insurance agency: monthly."""
    rng, n = firms.stream(3), firms.firms
    health = firms.people
    insured = firms.staff * np.clip(0.75 + 0.1 * health + 0.1 * rng.standard_normal(n), 0.2, 1)
    return {
        "insured_staff": np.clip(insured, 1, 80).astype(np.int64),
        "staff_growth": np.clip(0.02 + 0.11 * health + 0.15 * rng.standard_normal(n), -0.5, 0.5),
        "contribution_months": np.minimum(
            np.clip(32 + 12 * health + 12 * rng.standard_normal(n), 0, 60), firms.age_months
        ).astype(np.int64),
        "arrears_months_12m": _count(rng, np.exp(-0.8 - 0.95 * health), 6),
        "contribution_base": np.clip(
            6500 + 900 * health + 1000 * rng.standard_normal(n), 4000, 12000
        ),
        "staff_turnover_12m": np.clip(
            0.20 - 0.075 * health + 0.08 * rng.standard_normal(n), 0, 0.6
        ),
    }


def housing_fund(firms: Population) -> Columns:
    """Housing provident fund: monthly."""
    rng, n = firms.stream(4), firms.firms
    health = 0.9 * firms.people + 0.44 * rng.standard_normal(n)
    payers = np.clip(firms.staff * np.clip(0.5 + 0.15 * health, 0, 1), 0, 60).astype(np.int64)
    return {
        "payers": payers,
        "monthly_amount": np.clip(payers * (900 + 120 * health), 0, 2e5),
        "payment_months": np.minimum(
            np.clip(28 + 12 * health + 10 * rng.standard_normal(n), 0, 60), firms.age_months
        ).astype(np.int64),
        "deferral": _flag(rng, -3.0 - 0.9 * health),
        "arrears_months_12m": _count(rng, np.exp(-1.0 - 0.9 * health), 12),
    }


def electricity(firms: Population) -> Columns:
    """Power company: daily and monthly."""
    rng, n = firms.stream(5), firms.firms
    health = firms.energy
    use = np.exp(8.0 + firms.shift("energy") + 0.7 * firms.size + 0.5 * rng.standard_normal(n))
    late = _count(rng, np.exp(-0.6 - 0.95 * health), 4)
    return {
        "monthly_consumption": np.clip(use, 500, 100_000),
        "consumption_growth": np.clip(
            0.02 + 0.10 * health + 0.15 * rng.standard_normal(n), -0.4, 0.4
        ),
        "utilisation": np.clip(0.66 + 0.10 * health + 0.12 * rng.standard_normal(n), 0.2, 1),
        "late_payments_12m": late,
        "mean_days_late": np.where(
            late > 0, np.clip(np.exp(1.6 - 0.4 * health + 0.5 * rng.standard_normal(n)), 1, 30), 0
        ).astype(np.int64),
        "theft_or_breach": _flag(rng, -4.6 - 0.8 * health),
        "outage_days_12m": _count(rng, np.exp(0.4 - 0.5 * health), 60),
        "peak_valley_ratio": np.clip(
            0.55 + 0.06 * health + 0.07 * rng.standard_normal(n), 0.3, 0.8
        ),
    }


def water(firms: Population) -> Columns:
    """Water company: monthly."""
    rng, n = firms.stream(6), firms.firms
    health = 0.9 * firms.energy + 0.44 * rng.standard_normal(n)
    use = np.exp(4.2 + 0.5 * firms.shift("energy") + 0.7 * firms.size + rng.standard_normal(n))
    arrears = _flag(rng, -2.6 - 1.0 * health)
    return {
        "monthly_consumption": np.clip(use, 1, 20_000),
        "consumption_growth": np.clip(
            0.01 + 0.12 * health + 0.12 * rng.standard_normal(n), -0.6, 0.6
        ),
        "late_payments_12m": _count(rng, np.exp(-1.1 - 0.8 * health), 6),
        "arrears": np.where(arrears, np.clip(np.exp(6.8 + rng.standard_normal(n)), 0, 5e4), 0.0),
        "cut_off": _flag(rng, -4.8 - 0.9 * health),
    }


def courts(firms: Population) -> Columns:
    """Courts: weekly; every firm that the court's system has matched, most without a case."""
    rng, n = firms.stream(7), firms.firms
    trouble = 2.2 * (firms.probability - firms.probability.mean()) * 3 + 0.5 * rng.standard_normal(
        n
    )
    cases = _count(rng, np.exp(-1.6 + 0.55 * trouble), 5)
    enforced = _flag(rng, -3.6 + 0.8 * trouble + 0.5 * (cases > 0))
    amount = np.where(enforced, np.clip(np.exp(11.8 + rng.standard_normal(n)), 5e3, 5e6), 0.0)
    dishonest = enforced & _flag(rng, -1.2 + 0.3 * trouble)
    return {
        "cases_as_defendant_24m": cases,
        "loan_disputes_24m": np.minimum(cases, _count(rng, 0.35 * cases, 5)),
        "under_enforcement": amount,
        "dishonest_debtor": dishonest,
        "consumption_limit": dishonest | (enforced & _flag(rng, np.full(n, -0.8))),
        "equity_frozen": _flag(rng, -4.4 + 0.6 * trouble + 1.5 * enforced),
        "bankruptcy_filed": _flag(rng, -6.8 + 0.8 * trouble),
    }


HOLDERS: Final[Mapping[str, Callable[[Population], Columns]]] = {
    "registry": registry,
    "tax": tax,
    "invoice": invoice,
    "social_insurance": social_insurance,
    "housing_fund": housing_fund,
    "electricity": electricity,
    "water": water,
    "courts": courts,
}
