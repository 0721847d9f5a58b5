"""Bodies of requests and answers, with examples for the OpenAPI document."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from node.bank.asking import MAX_PSEUDONYM, Ask

MAX_CONSENT = 16_384
MAX_API_ITEMS = 10_000
MAX_CHAINS = 32

Consent = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_CONSENT,
        description="The enterprise's consent, a JWS in compact form. 企业授权书",
        examples=["eyJhbGciOiJFZDI1NTE5Iiwi….eyJhdWQiOi….3f1c…"],
    ),
]
PurposeCode = Annotated[
    str,
    Field(
        max_length=32,
        description="Purpose code of the enquiry, 02 is loan approval. 查询用途代码",
        examples=["02"],
    ),
]
Pseudonym = Annotated[str, Field(max_length=MAX_PSEUDONYM)]
ModelReference = Annotated[
    str,
    Field(
        max_length=128,
        description="Hash of the certificate (or 8 digits of it), name@version, or name.",
        examples=["sme-growth@1"],
    ),
]


ChainName = Annotated[
    str,
    Field(
        max_length=32,
        description="A peer chain by its pinned name; empty for the own one. 征信链",
        examples=["zsj"],
    ),
]


class Body(BaseModel):
    """A request's body: unknown members are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class CertifyBody(Body):
    """A scorecard to certify."""

    scorecard: Annotated[
        dict[str, Any], Field(description="A scorecard document, format yinxin-scorecard/1.")
    ]
    disclosed: Annotated[list[str], Field(max_length=64, examples=[["courts.enforced"]])] = []
    days: Annotated[int, Field(ge=1, le=366, description="Validity in days.")] = 180
    form: Literal["sealed", "open"] = "sealed"
    chain: ChainName = ""


class PrepareBody(Body):
    """What to prepare: every bucket of the newest epoch unless said otherwise."""

    epoch: Annotated[int | None, Field(ge=1)] = None
    buckets: Annotated[list[int] | None, Field(max_length=100_000)] = None


class QueryBody(Body):
    """One question about an enterprise."""

    consent: Consent
    purpose: PurposeCode
    officer: Annotated[
        Pseudonym, Field(description="Pseudonym of the officer. 经办人化名", examples=["officer-7"])
    ] = ""
    reference: Annotated[
        Pseudonym, Field(description="Application or loan. 业务编号", examples=["A2027-00118"])
    ] = ""
    model: ModelReference = ""

    def ask(self) -> Ask:
        """The question in the agent's own form."""
        return Ask(self.consent, self.purpose, self.officer, self.reference, self.model)


class JointBody(QueryBody):
    """One question about an enterprise to several chains."""

    chains: Annotated[
        list[ChainName],
        Field(
            max_length=MAX_CHAINS,
            description="Empty: every chain that enrols the firm, that the consent names and that "
            "has a valid model of the name. 征信链",
            examples=[["csj", "zsj"]],
        ),
    ] = []
    partial: Annotated[
        bool, Field(description="Take what some chains answer, marked as partial. 接受部分结果")
    ] = False

    def ask(self) -> Ask:
        """The question in the agent's own form."""
        return replace(super().ask(), joint=True, chains=tuple(self.chains), partial=self.partial)


class ItemBody(QueryBody):
    """One question of a batch; with `chains` it goes to several, as in /v1/joint."""

    chains: Annotated[list[ChainName] | None, Field(max_length=MAX_CHAINS)] = None
    partial: bool = False

    def ask(self) -> Ask:
        """The question in the agent's own form."""
        if self.chains is None:
            return super().ask()
        return replace(super().ask(), joint=True, chains=tuple(self.chains), partial=self.partial)


class BatchBody(Body):
    """Questions that are asked one by one, each with its own result."""

    items: Annotated[list[ItemBody], Field(min_length=1, max_length=MAX_API_ITEMS)]


class ProblemDocument(BaseModel):
    """A problem document, RFC 9457."""

    type: Annotated[str, Field(examples=["urn:yinxin:problem:consent_expired"])]
    title: str
    status: int
    detail: str = ""
    field: Annotated[str, Field(examples=["consent.exp"])] = ""
    remedy: Annotated[str, Field(examples=["obtain a new consent"])] = ""
    party: Annotated[str, Field(examples=["spiffe://csj.yinxin.example/holder/tax"])] = ""
    reference: str = ""
    chain: Annotated[str, Field(examples=["zsj"])] = ""


RESULT_EXAMPLE: dict[str, Any] = {
    "format": "yinxin-query-result/1",
    "id": "0f4a6c0e8d5b4a5f9b0f5f5b2a1c7d3e",
    "state": "answered",
    "model": "sme-growth@1",
    "chain": "csj",
    "certificate": "5b2c…",
    "epoch": 12,
    "uscc": "914403001922038216",
    "purpose": "02",
    "officer": "officer-7",
    "reference": "A2027-00118",
    "answered_at": 1_800_000_000,
    "record": {"fields": {"growth": 41, "conduct": 37}, "coverage": 6},
    "profile": {
        "score": 688,
        "grade": "A",
        "probability_of_default": 0.0107,
        "dimensions": [
            {"name": "growth", "title": {"zh": "成长", "en": "Growth"}, "value": 81},
            {"name": "conduct", "title": {"zh": "守信", "en": "Conduct"}, "value": 55},
        ],
        "reasons": [{"code": "R03", "text": {"zh": "用电量下降", "en": "Electricity use falling"}}],
        "coverage": 6,
        "participants": 6,
        "as_of": {"spiffe://csj.yinxin.example/holder/tax": "2027-01-14"},
    },
}
JOB_EXAMPLE: dict[str, Any] = {
    "id": "9c1f0b7a55de23aa",
    "kind": "prepare",
    "certificate": "5b2c…",
    "epoch": 12,
    "state": "running",
    "done": 1,
    "total": 3,
    "bytes": 786_432,
}
BATCH_EXAMPLE: dict[str, Any] = {
    "id": "7d0c2c…",
    "state": "running",
    "done": 1,
    "total": 2,
    "waiting": [],
    "items": [
        {
            "index": 0,
            "error": {
                "type": "urn:yinxin:problem:consent_expired",
                "title": "expired at 2027-01-14T08:00+00:00",
                "status": 422,
                "field": "consent.exp",
                "remedy": "obtain a new consent",
            },
        }
    ],
}
MODEL_EXAMPLE: dict[str, Any] = {
    "certificate": "5b2c…",
    "chain": "csj",
    "name": "sme-growth",
    "version": "1",
    "form": "sealed",
    "fields": ["growth", "conduct"],
    "disclosed": [],
    "participants": [
        {
            "holder": "spiffe://csj.yinxin.example/holder/tax",
            "kind": "tax",
            "named": False,
            "installed": True,
        }
    ],
    "not_before": 1_800_000_000,
    "not_after": 1_815_552_000,
    "prepared": [{"epoch": 12, "buckets": 3, "prepared": 3}],
}
JOINT_EXAMPLE: dict[str, Any] = {
    "format": "yinxin-joint-result/1",
    "id": "5d1e…",
    "state": "answered",
    "partial": True,
    "uscc": "914403001922038216",
    "purpose": "02",
    "officer": "officer-7",
    "reference": "A2027-00118",
    "records": [RESULT_EXAMPLE],
    "missing": [
        {
            "chain": "zsj",
            "party": "spiffe://zsj.yinxin.example/hub/hub",
            "code": "party_unavailable",
            "reason": {"zh": "征信链 zsj：… 暂时不可用", "en": "chain zsj: … is unavailable"},
        }
    ],
    "not_enrolled": [],
    "combined": {"rule": "lowest", "score": 688, "chains": ["csj"], "partial": True},
    "notice": {"zh": "部分结果，缺少征信链：zsj（…）", "en": "PARTIAL: without zsj (…)"},
}
CHAIN_EXAMPLE: dict[str, Any] = {
    "chain": "zsj",
    "state": "pinned",
    "usable": True,
    "directory_age": 4,
    "until": 1_807_776_000,
    "enterprises": 1000,
    "models": 1,
}
