"""Quota bands by a bank's own rules: the document `yinxin-quota/1`.

A product lends a multiple of a base that the applicant states to the bank: tax paid a year, the
amount invoiced in 12 months, the yearly bill of electricity. The bank's agent never sees a
holder's values, so a base is not checked here: the bank asks for the paper. What comes from the
chain are score, grade and coverage, by which the rules choose the multiple.

    amount = min(base × multiple, cap) rounded down to whole units; below the floor there is none

A product has a largest multiple (and a least one, where the customary band has one), and every
multiple of its bands has to lie within: a slip of the pen lends nothing tenfold. The bands are
tried in their order and the first that fits counts. Thin files, those that fewer than all holders
knew, get a share of the multiple, or nothing below a least coverage. Money is in yuan, decimal
throughout; binary fractions appear nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from scoring.catalogue import Name
from scoring.documents import Document, Text
from scoring.errors import ScorecardError, ScoringError
from scoring.profile import GRADES, HIGHEST, LOWEST, Profile

FORMAT: Literal["yinxin-quota/1"] = "yinxin-quota/1"
_BEST_FIRST: Final = tuple(grade for _, grade in GRADES)

Amount = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=2)]
"""Yuan, with fen."""
Multiple = Annotated[Decimal, Field(ge=0, le=1000)]
GradeName = Literal["AAA", "AA", "A", "BBB", "BB", "B", "CCC", "C"]


class Base(Document):
    """What the applicant states: its name in `--given`, and what it is."""

    name: Name
    title: Text


class Band(Document):
    """From which grade and score a multiple is lent."""

    least_grade: GradeName = "C"
    least_score: int = Field(default=LOWEST, ge=LOWEST, le=HIGHEST)
    multiple: Multiple

    def fits(self, profile: Profile) -> bool:
        """Whether a profile is as good as the band asks."""
        good = _BEST_FIRST.index(profile.grade) <= _BEST_FIRST.index(self.least_grade)
        return good and profile.score >= self.least_score


class Product(Document):
    """A loan, its base and its bands, the best first."""

    name: Name
    title: Text
    base: Base
    least_multiple: Multiple = Decimal(0)
    most_multiple: Multiple
    floor: Amount = Decimal(0)
    cap: Amount
    unit: Annotated[Decimal, Field(gt=0)] = Decimal(1000)
    """Amounts are whole multiples of this, rounded down."""
    least_coverage: int = Field(default=0, ge=0)
    """Holders that have to know the firm."""
    thin_share: Annotated[Decimal, Field(gt=0, le=1)] = Decimal(1)
    """The share of the multiple that a thin file gets."""
    bands: tuple[Band, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _within(self) -> Self:
        for number, band in enumerate(self.bands, 1):
            if band.multiple and not self.least_multiple <= band.multiple <= self.most_multiple:
                raise ValueError(
                    f"{self.name}: band {number}: multiple {band.multiple} is not 0 and not in "
                    f"{self.least_multiple}–{self.most_multiple}; correct it"
                )
        if self.floor > self.cap:
            raise ValueError(f"{self.name}: floor {self.floor} is above cap {self.cap}; swap them")
        return self


class QuotaRules(Document):
    """A bank's products."""

    error: ClassVar[type[ScoringError]] = ScorecardError

    format: Literal["yinxin-quota/1"]
    currency: Literal["CNY"] = "CNY"
    products: tuple[Product, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _once(self) -> Self:
        names = [product.name for product in self.products]
        if len(set(names)) < len(names):
            raise ValueError("products: a name stands twice; rename one")
        return self


class Quota(Document):
    """What one product offers, and by which rule."""

    product: str
    title: Text
    base: Decimal
    multiple: Decimal
    amount: Decimal
    band: int | None = None
    """The number of the band that fitted, from 1."""
    rule: Text


def quotas(rules: QuotaRules, profile: Profile, given: Mapping[str, Decimal]) -> tuple[Quota, ...]:
    """The quota of every product whose base is given.

    Raises ScorecardError for a base that no product has, that is negative or not a number, and
    where no product's base is given.
    """
    known = {product.base.name for product in rules.products}
    unknown = sorted(set(given) - known)
    if unknown or not given:
        what = f"{', '.join(unknown)}: no product has it" if unknown else "nothing"
        raise ScorecardError(f"given: {what}; give one of {', '.join(sorted(known))}")
    for name, value in given.items():
        if not value.is_finite() or value < 0:
            raise ScorecardError(f"given: {name}: {value}; give an amount in yuan, 0 or more")
    return tuple(
        _quota(product, profile, given[product.base.name])
        for product in rules.products
        if product.base.name in given
    )


def _quota(product: Product, profile: Profile, base: Decimal) -> Quota:
    numbered = ((n, band) for n, band in enumerate(product.bands, 1) if band.fits(profile))
    number, band = next(numbered, (None, None))
    thin = profile.coverage < profile.participants
    multiple, amount = Decimal(0), Decimal(0)
    if profile.coverage < product.least_coverage:
        rule = Text(
            zh=f"仅{profile.coverage}家数据方知晓该企业，至少须{product.least_coverage}家",
            en=f"only {profile.coverage} holders know the firm, {product.least_coverage} must",
        )
    elif band is None or not band.multiple:
        rule = Text(
            zh=f"等级{profile.grade}、信用分{profile.score}：不提供该产品",
            en=f"grade {profile.grade}, score {profile.score}: the product is not offered",
        )
    else:
        multiple = band.multiple * (product.thin_share if thin else 1)
        lent = min(base * multiple, product.cap)
        amount = (lent / product.unit).to_integral_value(ROUND_DOWN) * product.unit
        rule = _rule(product, band, number or 0, thin, base * multiple)
        if amount < product.floor:
            amount = Decimal(0)
            rule = Text(
                zh=f"{rule.zh}；低于最低额{product.floor}元，不予提供",
                en=f"{rule.en}; below the floor of {product.floor}, so none",
            )
    return Quota(
        product=product.name,
        title=product.title,
        base=base,
        multiple=multiple,
        amount=amount,
        band=number,
        rule=rule,
    )


def _rule(product: Product, band: Band, number: int, thin: bool, lent: Decimal) -> Text:
    zh = f"第{number}档（{band.least_grade}级及以上"
    en = f"band {number} (grade {band.least_grade} or better"
    if band.least_score > LOWEST:
        zh += f"，信用分不低于{band.least_score}"
        en += f", score from {band.least_score}"
    zh += f"）：{band.multiple}倍"
    en += f"): {band.multiple} times"
    if thin and product.thin_share < 1:
        zh += f"，数据不足按{product.thin_share}折算"
        en += f", of which a thin file gets {product.thin_share}"
    if lent > product.cap:
        zh += f"，封顶{product.cap}元"
        en += f", at most {product.cap}"
    return Text(zh=zh, en=en)
