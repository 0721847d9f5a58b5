"""Errors as problem documents (RFC 9457), in the reader's language.

`type` is `urn:yinxin:problem:<code>`; `field` names what is wrong and `remedy` what to do; `party`
is the node that failed, `reference` what finds the refusal in that node's log; `chain` names the
chain, where it is another than the bank's own or the problem is about a chain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from federation.errors import DocumentError, FederationError, Refusal
from node.bank.errors import BankError, JointIncomplete, Rejected, ScorecardRefused
from node.bank.texts import Code, Said
from node.errors import StorageUnavailable, Unwitnessed
from node.rpc.errors import PartyUnavailable, RemoteClosed, RemoteError, RemoteRefusal
from node.workers.errors import PoolClosed, PoolFull, WorkerLost
from scoring.errors import ScoringError

URN: Final = "urn:yinxin:problem:"
_UNAVAILABLE: Final = 503

_NOT_FOUND = {
    Code.MODEL_UNKNOWN,
    Code.QUERY_UNKNOWN,
    Code.BATCH_UNKNOWN,
    Code.JOB_UNKNOWN,
    Code.REFERENCE_UNKNOWN,
}
_CONFLICT = {
    Code.NO_OPEN_EPOCH,
    Code.DATA_TOO_OLD,
    Code.MODEL_NOT_INSTALLED,
    Code.MODEL_EXPIRED,
    Code.MODEL_WITHDRAWN,
    Code.BUCKET_TOO_SMALL,
    Code.ENTERPRISE_LATER,
    Code.QUERY_OPEN,
    Code.REFERENCE_OPEN,
    Code.REFERENCE_CLOSED,
    Code.BATCH_REGISTERED,
    Code.CHAIN_WITHDRAWN,
    Code.CHAIN_EXPIRED,
    Code.CHAIN_TAKES_NONE,
    Code.CHAIN_AMBIGUOUS,
    Code.NOT_A_GUEST,
    Code.QUERY_UNSETTLED,
}
_STATUS: Final[dict[Code, int]] = {
    **dict.fromkeys(_NOT_FOUND, 404),
    **dict.fromkeys(_CONFLICT, 409),
    Code.KEY_MISSING: 400,
    Code.TOKEN_INVALID: 401,
    Code.TOKENS_MISSING: 503,
    Code.BODY_TOO_LARGE: 413,
    Code.ANSWER_REJECTED: 502,
    Code.CERTIFICATE_WRONG: 502,
    Code.DIRECTORY_REFUSED: 502,
    Code.DIRECTORY_STALE: 503,
    Code.JOINT_INCOMPLETE: 503,
}

_PARTY_UNAVAILABLE = (
    Said("{party} 暂时不可用，没有得出评分", "{party} is unavailable; there is no score"),
    Said("请稍后用同一键重试", "try again later, with the same key"),
)
_PARTY_REFUSED = (
    Said("{party} 拒绝了请求", "{party} refuses the request"),
    Said("请凭参考号询问该机构", "ask its operator, who finds the reason under the reference"),
)
_PARTY_CLOSED = (
    Said("{party} 表示该数据期未开放或已结束", "{party} answers that the epoch is not open"),
    Said("请重试，将使用当前数据期", "ask again; the epoch that is open now is used"),
)
_PARTY_FAILED = (
    Said("{party} 发生内部错误", "{party} had an internal error"),
    Said("请联系该机构运维", "tell its operator"),
)
_BUSY = (
    Said("本节点暂时无法处理请求", "this node cannot work on the request now"),
    Said("请稍后重试", "try again later"),
)
_INVALID = (
    Said("内容无效：{reason}", "is not valid: {reason}"),
    Said("请改正后重新提交", "correct it and send it again"),
)
_INTERNAL = (
    Said("内部错误", "internal error"),
    Said("请查看本节点日志", "see this node's log"),
)


@dataclass(frozen=True)
class Problem:
    """One problem, ready to be written in either language."""

    code: str
    status: int
    text: Said
    remedy: Said
    field: str = ""
    party: str = ""
    reference: str = ""
    failures: tuple[dict[str, Any], ...] = ()
    chain: str = ""

    @property
    def passes(self) -> bool:
        """Whether the same request may well succeed later."""
        return self.status == _UNAVAILABLE

    def to_dict(self, language: str) -> dict[str, Any]:
        """The members of the problem document that have a value."""
        members = {
            "type": URN + self.code,
            "title": self.text.of(language),
            "status": self.status,
            "detail": self.text.of(language),
            "field": self.field,
            "remedy": self.remedy.of(language),
            "party": self.party,
            "reference": self.reference,
            "chain": self.chain,
            "failures": list(self.failures),
        }
        return {name: value for name, value in members.items() if value not in ("", [])}


def problem_of(error: Exception) -> Problem:
    """The problem that an error of this project is to a caller."""
    match error:
        case BankError():
            return _own(error)
        case RemoteError():
            return _remote(error)
        case StorageUnavailable() | Unwitnessed() | PoolFull() | PoolClosed() | WorkerLost():
            return Problem("busy", 503, *_BUSY)
        case DocumentError():
            return Problem("invalid", 422, *_with(_INVALID, reason=str(error)), field=error.field)
        case Refusal():
            return Problem("invalid", 422, *_with(_INVALID, reason=error.reason.value))
        case FederationError() | ScoringError():
            return Problem("invalid", 422, *_with(_INVALID, reason=str(error)))
    return Problem("internal", 500, *_INTERNAL)


def _own(error: BankError) -> Problem:
    failures: tuple[dict[str, Any], ...] = ()
    if isinstance(error, ScorecardRefused):
        failures = tuple(item.model_dump(mode="json") for item in error.report.failures)
    status, chain = _STATUS.get(error.code, 422), str(error.details.get("chain", ""))
    if isinstance(error, JointIncomplete):
        chain = ", ".join(error.missing)
        failures = tuple(
            {"chain": name, **{lang: one.to_dict(lang) for lang in ("zh", "en")}}
            for name, one in error.missing.items()
        )
        status = status if error.passes else 409
    return Problem(
        error.code.value,
        status,
        Said(error.problem("zh"), error.problem("en")),
        Said(error.remedy("zh"), error.remedy("en")),
        field=error.field,
        party=error.party if isinstance(error, Rejected) else "",
        failures=failures,
        chain=chain,
    )


def _remote(error: RemoteError) -> Problem:
    texts, code, status = _PARTY_FAILED, "party_failed", 502
    match error:
        case PartyUnavailable():
            texts, code, status = _PARTY_UNAVAILABLE, "party_unavailable", 503
        case RemoteRefusal():
            texts, code, status = _PARTY_REFUSED, "party_refused", 403
        case RemoteClosed():
            texts, code, status = _PARTY_CLOSED, "party_closed", 409
    party = str(error.party)
    said = _with(texts, party=party)
    if error.chain:
        text = Said(f"征信链 {error.chain}：{said[0].zh}", f"chain {error.chain}: {said[0].en}")
        said = text, said[1]
    return Problem(code, status, *said, party=party, reference=error.reference, chain=error.chain)


def _with(texts: tuple[Said, Said], **details: str) -> tuple[Said, Said]:
    text, remedy = texts
    return Said(text.zh.format(**details), text.en.format(**details)), remedy
