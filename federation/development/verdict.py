"""What the regulator says of labels, sealed to the bank: which lines fail, and what is short."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Final

from pydantic import Field

from federation.documents import Array, Bytes32, Document, Part

MAX_REFUSED: Final = 1000
"""Lines that a verdict names; it counts all."""


class LabelProblem(StrEnum):
    """Why a line is refused."""

    MALFORMED = "malformed"
    OUTCOME = "outcome"
    NO_CONSENT = "no_consent"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    WRONG_BANK = "wrong_bank"
    WRONG_CHAIN = "wrong_chain"
    FIRM_TWICE = "firm_twice"
    UNKNOWN_FIRM = "unknown_firm"

    @property
    def titles(self) -> dict[str, str]:
        """What is wrong and what to do, by language: `zh` and `en`."""
        return _TITLES[self]


_TITLES = {
    LabelProblem.MALFORMED: {
        "zh": "不是建模授权；请企业重新签署（yinxin enterprise consent develop）",
        "en": "no development consent; have the firm sign one (yinxin enterprise consent develop)",
    },
    LabelProblem.OUTCOME: {
        "zh": "标签既非 0（正常）也非 1（违约）；请更正",
        "en": "the outcome is neither 0 (paid) nor 1 (defaulted); correct it",
    },
    LabelProblem.NO_CONSENT: {
        "zh": "签名人不是该企业；请企业本身签署",
        "en": "not signed by the firm that it names; have the firm itself sign",
    },
    LabelProblem.EXPIRED: {
        "zh": "授权已过期；请企业重新签署或删除该行",
        "en": "the consent has expired; have it renewed or leave the firm out",
    },
    LabelProblem.NOT_YET_VALID: {
        "zh": "授权尚未生效；请稍后提交或删除该行",
        "en": "the consent does not hold yet; wait or leave the firm out",
    },
    LabelProblem.WRONG_BANK: {
        "zh": "授权给了另一机构；请删除该行",
        "en": "the consent is for another bank; leave the firm out",
    },
    LabelProblem.WRONG_CHAIN: {
        "zh": "授权不包括本链；请删除该行",
        "en": "the consent does not name this chain; leave the firm out",
    },
    LabelProblem.FIRM_TWICE: {
        "zh": "企业重复出现；每家企业只留一行",
        "en": "the firm stands in an earlier line; keep one line a firm",
    },
    LabelProblem.UNKNOWN_FIRM: {
        "zh": "企业不在本链名册中；请删除该行",
        "en": "the firm is not in the chain's roster; leave it out",
    },
}


class RefusedLabel(Part):
    """One line that is refused, counted from 1."""

    line: Annotated[int, Field(ge=1)]
    problem: Annotated[str, Field(pattern="^[a-z_]+$")]


class LabelVerdict(Document):
    """What the bank learns of the regulator's checks, sealed to it.

    `refused` names the first thousand lines that fail, of `refused_total`. `good` and `bad` are the
    firms that passed, and the certificate needs `least_good` and `least_bad`. `epsilon_left` is
    what the bank's budget of a year had left before this submission, in millionths.
    """

    TYPE: ClassVar[str] = "label-verdict"

    submission: Bytes32
    refused: Annotated[tuple[RefusedLabel, ...], Array]
    refused_total: Annotated[int, Field(ge=0)]
    good: Annotated[int, Field(ge=0)]
    bad: Annotated[int, Field(ge=0)]
    least_good: int
    least_bad: int
    epsilon_asked: int
    epsilon_left: Annotated[int, Field(ge=0)]

    @property
    def passed(self) -> bool:
        """Whether the labels were certified."""
        enough = self.good >= self.least_good and self.bad >= self.least_bad
        return enough and not self.refused_total and self.epsilon_asked <= self.epsilon_left

    def reasons(self, language: str, above: int = 0) -> list[str]:
        """Why not, in `zh` or `en`; empty for a pass. `above` is how many lines the reader's table
        has above the first label.
        """
        zh = language == "zh"
        found = [
            (f"第 {r.line + above} 行：" if zh else f"line {r.line + above}: ")
            + LabelProblem(r.problem).titles["zh" if zh else "en"]
            for r in self.refused
        ]
        more = self.refused_total - len(self.refused)
        if more:
            found.append(f"另有 {more} 行" if zh else f"and {more} lines more")
        for names, count, least in (
            (("正常", "that paid"), self.good, self.least_good),
            (("违约", "that defaulted"), self.bad, self.least_bad),
        ):
            if count < least:
                found.append(
                    f"{names[0]}企业 {count} 家，至少需要 {least} 家；请补充标签"
                    if zh
                    else f"{count} firms {names[1]}, at least {least} are needed; add labels"
                )
        if self.epsilon_asked > self.epsilon_left:
            asked, left = self.epsilon_asked / 1e6, self.epsilon_left / 1e6
            found.append(
                f"申请 ε = {asked:.4g}，一年预算尚余 {left:.4g}；请降低 --epsilon 或等待"
                if zh
                else f"asks for ε = {asked:.4g}, the year's budget has {left:.4g} left; "
                "lower --epsilon or wait"
            )
        return found
