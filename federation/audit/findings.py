"""Findings: what an audit found, about whom, and the evidence for it.

A finding's id is a hash of its kind, its subject, the query and, where one subject may be found
at fault several times, a key. Evidence is not hashed: a repeated audit may know more of it, and
is to find the same finding again, not another one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

ID_BYTES = 16
_LABEL = b"yinxin/finding/v1"


class Severity(StrEnum):
    """How grave a kind of finding is."""

    NOTICE = "notice"
    """For an inspector to ask about; it may have a good reason."""
    WARNING = "warning"
    """A rule of conduct is broken, or a log is late or away."""
    CRITICAL = "critical"
    """A query without its consent, a false permit, or a log that was edited."""


class FindingKind(StrEnum):
    """What can be found. `docs/audit.md` says what each proves."""

    # Of one query: its permit, evidence and consent.
    PERMIT_FORGED = "permit-forged"
    ENTRY_MISMATCH = "entry-mismatch"
    PERMIT_OVERLONG = "permit-overlong"
    AUDIENCE_WRONG = "audience-wrong"
    CONTEXT_WRONG = "context-wrong"
    EPOCH_CLOSED = "epoch-closed"
    BANK_FOREIGN = "bank-foreign"
    CERTIFICATE_UNLOGGED = "certificate-unlogged"
    CERTIFICATE_FOREIGN = "certificate-foreign"
    CERTIFICATE_EXPIRED = "certificate-expired"
    CERTIFICATE_WITHDRAWN = "certificate-withdrawn"
    EVIDENCE_MISSING = "evidence-missing"
    EVIDENCE_UNOPENABLE = "evidence-unopenable"
    EVIDENCE_MISMATCH = "evidence-mismatch"
    CONSENT_MISSING = "consent-missing"
    CONSENT_FORGED = "consent-forged"
    CONSENT_EXPIRED = "consent-expired"
    CONSENT_AFTER_QUERY = "consent-after-query"
    CONSENT_WRONG_BANK = "consent-wrong-bank"
    CONSENT_WRONG_PURPOSE = "consent-wrong-purpose"
    CONSENT_WRONG_FIELDS = "consent-wrong-fields"
    CONSENT_WRONG_CHAIN = "consent-wrong-chain"
    FEATURE_UNDISCLOSED = "feature-undisclosed"
    HOLDER_UNNAMED = "holder-unnamed"
    PROOF_INVALID = "proof-invalid"

    # Of a consent's uses, over all queries.
    USES_EXCEEDED = "uses-exceeded"
    EPOCHS_EXCEEDED = "epochs-exceeded"
    CONSENT_CANCELLED = "consent-cancelled"
    ELEMENT_REUSED = "element-reused"
    PERMIT_ID_REUSED = "permit-id-reused"

    # Of counterpart logs.
    PERMIT_REPEATED = "permit-repeated"
    PERMIT_UNLOGGED = "permit-unlogged"
    UNLOCK_UNEXPLAINED = "unlock-unexplained"
    UNLOCK_MISSING = "unlock-missing"
    BANK_ENTRY_MISSING = "bank-entry-missing"
    QUERY_UNEXPLAINED = "query-unexplained"
    TIME_DISAGREES = "time-disagrees"
    CTX_KEY_MISSING = "ctx-key-missing"
    SECOND_DESCRIPTOR = "second-descriptor"
    SECOND_MANIFEST = "second-manifest"
    SECOND_OPENING = "second-opening"
    SECOND_CTX_KEY = "second-ctx-key"

    # Of queries between chains.
    ROUTE_UNLOGGED = "route-unlogged"
    ROUTE_UNEXPLAINED = "route-unexplained"
    ANSWER_UNTRACED = "answer-untraced"
    PERMIT_UNSHOWN = "permit-unshown"
    SHARE_MISSING = "share-missing"
    SHARE_CONTRADICTS = "share-contradicts"

    # Of development without data.
    LABELS_UNCERTIFIED = "labels-uncertified"
    COUNTS_REPEATED = "counts-repeated"
    COUNTS_MISSTATED = "counts-misstated"
    COUNTS_UNLOGGED = "counts-unlogged"
    COUNTS_RECEIPT_MISSING = "counts-receipt-missing"
    DEVELOPMENT_OVER_BUDGET = "development-over-budget"

    # Of disputes.
    DISPUTE_OVERDUE = "dispute-overdue"

    # The inspector's checks of conduct.
    QUIET_HOURS = "quiet-hours"
    VOLUME_HOUR = "volume-hour"
    VOLUME_DAY = "volume-day"
    SAME_FIRM_USER = "same-firm-user"
    SAME_FIRM_BANKS = "same-firm-banks"
    NO_APPLICATION = "no-application"
    NO_LIVE_LOAN = "no-live-loan"
    ADMINISTRATOR_QUERIES = "administrator-queries"
    PROBING = "probing"

    # Of the logs themselves: found by the mirror, not here.
    ENTRY_MALFORMED = "entry-malformed"
    LOG_BROKEN = "log-broken"
    LOG_FORK = "log-fork"
    LOG_ROLLBACK = "log-rollback"
    LOG_UNSIGNED = "log-unsigned"
    LOG_AWAY = "log-away"
    PROMISE_BROKEN = "promise-broken"
    NOT_COSIGNED = "not-cosigned"

    @property
    def severity(self) -> Severity:
        """How grave the kind is."""
        return _SEVERITIES.get(self, Severity.CRITICAL)

    @property
    def titles(self) -> Mapping[str, str]:
        """What it is called, by language: `zh` and `en`."""
        return TITLES[self]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One finding.

    Attributes:
        query: the permit's hash (32 bytes), or None for a finding about a log, a user's volume
            or an institution's share.
        subject: the SPIFFE id of the member at fault, as text.
        evidence: what an inspector needs to check it: hashes as base64url, times in unix seconds.
            It names no enterprise.
        key: tells findings of one kind, subject and query apart: an officer and a day, an epoch.
    """

    kind: FindingKind
    subject: str
    query: bytes | None = None
    evidence: Mapping[str, str | int] = field(default_factory=dict)
    key: str = ""

    @property
    def severity(self) -> Severity:
        """That of its kind."""
        return self.kind.severity

    @property
    def id(self) -> bytes:
        """16 bytes, the same whenever the same is found again."""
        digest = hashlib.sha256(_LABEL)
        for part in (
            self.kind.encode(),
            self.subject.encode(),
            self.query or b"",
            self.key.encode(),
        ):
            digest.update(len(part).to_bytes(4, "big") + part)
        return digest.digest()[:ID_BYTES]


_SEVERITIES: dict[FindingKind, Severity] = {
    FindingKind.PERMIT_OVERLONG: Severity.WARNING,
    FindingKind.BANK_ENTRY_MISSING: Severity.WARNING,
    FindingKind.TIME_DISAGREES: Severity.WARNING,
    FindingKind.COUNTS_RECEIPT_MISSING: Severity.WARNING,
    FindingKind.ANSWER_UNTRACED: Severity.WARNING,
    FindingKind.SHARE_MISSING: Severity.WARNING,
    FindingKind.DISPUTE_OVERDUE: Severity.WARNING,
    FindingKind.QUIET_HOURS: Severity.NOTICE,
    FindingKind.VOLUME_HOUR: Severity.WARNING,
    FindingKind.VOLUME_DAY: Severity.NOTICE,
    FindingKind.SAME_FIRM_USER: Severity.NOTICE,
    FindingKind.SAME_FIRM_BANKS: Severity.NOTICE,
    FindingKind.NO_APPLICATION: Severity.WARNING,
    FindingKind.NO_LIVE_LOAN: Severity.WARNING,
    FindingKind.ADMINISTRATOR_QUERIES: Severity.WARNING,
    FindingKind.PROBING: Severity.WARNING,
    FindingKind.LOG_AWAY: Severity.WARNING,
    FindingKind.NOT_COSIGNED: Severity.WARNING,
}

TITLES: dict[FindingKind, dict[str, str]] = {
    FindingKind.PERMIT_FORGED: {
        "zh": "许可并非枢纽所签或无法读取",
        "en": "the permit is not one that the hub signed",
    },
    FindingKind.ENTRY_MISMATCH: {
        "zh": "日志条目与许可或证据信封不符",
        "en": "the log entry does not record this permit and envelope",
    },
    FindingKind.PERMIT_OVERLONG: {
        "zh": "许可有效期过长",
        "en": "the permit is valid for too long",
    },
    FindingKind.AUDIENCE_WRONG: {
        "zh": "许可的受众与模型证书的参与方不符",
        "en": "the permit's audience does not fit the model's participants",
    },
    FindingKind.CONTEXT_WRONG: {
        "zh": "许可的上下文与证书和批次不符",
        "en": "the permit's context is not that of its certificate and epoch",
    },
    FindingKind.EPOCH_CLOSED: {
        "zh": "查询时该批次不存在或未开放",
        "en": "the epoch was not open at the time of the query",
    },
    FindingKind.BANK_FOREIGN: {
        "zh": "查询机构当时不是本链成员",
        "en": "the bank was no member of the chain at the time",
    },
    FindingKind.CERTIFICATE_UNLOGGED: {
        "zh": "所用模型证书不在监管日志中",
        "en": "the model certificate is not in the regulator's log",
    },
    FindingKind.CERTIFICATE_FOREIGN: {
        "zh": "模型证书属于他人或其密钥与成员不符",
        "en": "the model certificate is another bank's, or its keys are not the members'",
    },
    FindingKind.CERTIFICATE_EXPIRED: {
        "zh": "查询时模型证书不在有效期内",
        "en": "the model certificate was not valid at the time",
    },
    FindingKind.CERTIFICATE_WITHDRAWN: {
        "zh": "模型撤回后平台仍签发许可",
        "en": "the hub permitted a query after it had received the model's withdrawal",
    },
    FindingKind.EVIDENCE_MISSING: {
        "zh": "缺少查询的证据信封",
        "en": "the evidence of the query is missing",
    },
    FindingKind.EVIDENCE_UNOPENABLE: {
        "zh": "证据信封无法用审计密钥打开",
        "en": "the evidence does not open with the audit key",
    },
    FindingKind.EVIDENCE_MISMATCH: {
        "zh": "证据属于另一许可",
        "en": "the evidence is of another permit",
    },
    FindingKind.CONSENT_MISSING: {
        "zh": "没有企业授权",
        "en": "there is no consent",
    },
    FindingKind.CONSENT_FORGED: {
        "zh": "授权并非该企业所签",
        "en": "the consent is not signed by the enterprise",
    },
    FindingKind.CONSENT_EXPIRED: {
        "zh": "查询时授权已过期",
        "en": "the consent had expired",
    },
    FindingKind.CONSENT_AFTER_QUERY: {
        "zh": "授权在查询之后才签署或生效",
        "en": "the consent was signed, or begins, after the query",
    },
    FindingKind.CONSENT_WRONG_BANK: {
        "zh": "授权给了另一机构",
        "en": "the consent is for another bank",
    },
    FindingKind.CONSENT_WRONG_PURPOSE: {
        "zh": "查询原因与授权不符",
        "en": "the consent is for another purpose",
    },
    FindingKind.CONSENT_WRONG_FIELDS: {
        "zh": "查询字段超出授权",
        "en": "the model has fields that the consent does not name",
    },
    FindingKind.CONSENT_WRONG_CHAIN: {
        "zh": "授权不包括本链",
        "en": "the consent does not name this chain",
    },
    FindingKind.FEATURE_UNDISCLOSED: {
        "zh": "授权未列明须披露的特征",
        "en": "the consent misses a disclosed feature",
    },
    FindingKind.HOLDER_UNNAMED: {
        "zh": "授权未列明须知悉主体的数据方",
        "en": "the consent misses a holder that needs the name",
    },
    FindingKind.PROOF_INVALID: {
        "zh": "盲化元素并非授权企业的",
        "en": "the blinded element is not of the enterprise that consented",
    },
    FindingKind.USES_EXCEEDED: {
        "zh": "授权使用次数超限",
        "en": "the consent was used more often than granted",
    },
    FindingKind.EPOCHS_EXCEEDED: {
        "zh": "一个月内使用的批次数超过认证",
        "en": "the consent was used in more epochs of a month than certified",
    },
    FindingKind.CONSENT_CANCELLED: {
        "zh": "授权撤销后仍被使用",
        "en": "the consent was used after it was cancelled",
    },
    FindingKind.ELEMENT_REUSED: {
        "zh": "盲化元素重复使用",
        "en": "a blinded element has two permits",
    },
    FindingKind.PERMIT_ID_REUSED: {
        "zh": "许可编号重复使用",
        "en": "a permit id was used twice",
    },
    FindingKind.PERMIT_REPEATED: {
        "zh": "同一许可被枢纽记录两次",
        "en": "the hub logged the same permit twice",
    },
    FindingKind.PERMIT_UNLOGGED: {
        "zh": "枢纽签发了许可却未按时记入日志",
        "en": "the hub signed a permit and did not log it in time",
    },
    FindingKind.UNLOCK_UNEXPLAINED: {
        "zh": "数据方在没有枢纽许可时解锁",
        "en": "a holder unlocked without a permit of the hub",
    },
    FindingKind.UNLOCK_MISSING: {
        "zh": "银行得到结果而一数据方没有解锁记录",
        "en": "the bank has a result and a holder logged no unlock",
    },
    FindingKind.BANK_ENTRY_MISSING: {
        "zh": "数据方均已解锁而银行既无结果也无失败记录",
        "en": "all holders unlocked and the bank logged neither result nor failure",
    },
    FindingKind.QUERY_UNEXPLAINED: {
        "zh": "银行记录了没有许可的查询",
        "en": "the bank logged a query that nobody permitted or unlocked",
    },
    FindingKind.TIME_DISAGREES: {
        "zh": "各方日志的时间不一致",
        "en": "the times of counterpart logs disagree",
    },
    FindingKind.CTX_KEY_MISSING: {
        "zh": "解锁所用上下文没有登记密钥",
        "en": "a holder unlocked under a context whose key it did not log",
    },
    FindingKind.SECOND_DESCRIPTOR: {
        "zh": "同一批次有两份描述",
        "en": "an epoch has two descriptors",
    },
    FindingKind.SECOND_MANIFEST: {
        "zh": "同一批次有两份数据清单",
        "en": "a holder has two manifests in an epoch",
    },
    FindingKind.SECOND_OPENING: {
        "zh": "同一批次有两次开放",
        "en": "an epoch has two openings",
    },
    FindingKind.SECOND_CTX_KEY: {
        "zh": "同一上下文有两把密钥",
        "en": "a holder has two keys for a context",
    },
    FindingKind.ROUTE_UNLOGGED: {
        "zh": "银行记录了对他链的查询，而本地平台没有转接记录",
        "en": "the bank logged a query to another chain and its own hub logged no routing",
    },
    FindingKind.ROUTE_UNEXPLAINED: {
        "zh": "平台记录了对他链的转接，而该链没有相应许可",
        "en": "a hub logged a routed query that the other chain did not permit",
    },
    FindingKind.ANSWER_UNTRACED: {
        "zh": "数据方均已为他链银行解锁，而其所在链毫无记录",
        "en": "all holders unlocked for a guest and its own chain logged nothing",
    },
    FindingKind.PERMIT_UNSHOWN: {
        "zh": "他链平台签发的许可不在其监管机构的审计共享中",
        "en": "a permit that the other chain's hub signed is not in its regulator's shares",
    },
    FindingKind.SHARE_MISSING: {
        "zh": "他链监管机构的审计共享逾期一日以上",
        "en": "the other chain's regulator has shared nothing for over a day",
    },
    FindingKind.SHARE_CONTRADICTS: {
        "zh": "他链监管机构的审计共享前后矛盾",
        "en": "shares of the other chain's regulator contradict each other",
    },
    FindingKind.QUIET_HOURS: {
        "zh": "夜间或节假日查询",
        "en": "a query at night or on a holiday",
    },
    FindingKind.VOLUME_HOUR: {
        "zh": "用户一小时内查询量过大",
        "en": "too many queries of a user within an hour",
    },
    FindingKind.VOLUME_DAY: {
        "zh": "用户单日查询量偏离近三十日均值",
        "en": "a user's queries of a day are far above its 30-day mean",
    },
    FindingKind.SAME_FIRM_USER: {
        "zh": "同一用户反复查询同一企业",
        "en": "a user asked about the same firm again and again",
    },
    FindingKind.SAME_FIRM_BANKS: {
        "zh": "多家机构查询同一企业",
        "en": "many institutions asked about the same firm",
    },
    FindingKind.NO_APPLICATION: {
        "zh": "多数审批查询之后没有业务申请",
        "en": "most approval queries of an institution have no application",
    },
    FindingKind.NO_LIVE_LOAN: {
        "zh": "贷后查询没有存续贷款",
        "en": "a post-loan query without a live loan",
    },
    FindingKind.ADMINISTRATOR_QUERIES: {
        "zh": "管理员账户进行查询",
        "en": "an administrator's account queries",
    },
    FindingKind.PROBING: {
        "zh": "用近似模型探测同一企业",
        "en": "near-identical models were asked about the same firm",
    },
    FindingKind.ENTRY_MALFORMED: {
        "zh": "日志条目无法读取",
        "en": "a log entry is not one",
    },
    FindingKind.LOG_BROKEN: {
        "zh": "日志被改动",
        "en": "a log does not give its own root",
    },
    FindingKind.LOG_FORK: {
        "zh": "日志有两个互不一致的版本",
        "en": "a log shows two views",
    },
    FindingKind.LOG_ROLLBACK: {
        "zh": "日志变短",
        "en": "a log became shorter",
    },
    FindingKind.LOG_UNSIGNED: {
        "zh": "日志检查点没有其所有者的签名",
        "en": "a checkpoint is not signed by the log's owner",
    },
    FindingKind.LOG_AWAY: {
        "zh": "日志无法访问",
        "en": "a log cannot be reached",
    },
    FindingKind.PROMISE_BROKEN: {
        "zh": "承诺的条目未按时进入日志",
        "en": "a promised entry came into the log too late",
    },
    FindingKind.NOT_COSIGNED: {
        "zh": "检查点未获足够见证签名",
        "en": "a checkpoint lacks the quorum of cosignatures",
    },
    FindingKind.LABELS_UNCERTIFIED: {
        "zh": "标签或计数所依据的证书不在监管日志中，或属于另一机构",
        "en": "labels or counts are of a certificate that the regulator did not log for that bank",
    },
    FindingKind.COUNTS_REPEATED: {
        "zh": "同一证书下计数被释放了不止一次",
        "en": "counts were released a second time under one certificate",
    },
    FindingKind.COUNTS_MISSTATED: {
        "zh": "数据方日志所记的计数成本与证书不符",
        "en": "a holder's log states another cost of counts than their certificate gives",
    },
    FindingKind.DISPUTE_OVERDUE: {
        "zh": "数据方未在期限内答复异议",
        "en": "a holder did not answer a dispute in time",
    },
    FindingKind.COUNTS_UNLOGGED: {
        "zh": "银行收到的计数不在数据方日志中",
        "en": "a bank received counts that the holder's log does not have",
    },
    FindingKind.COUNTS_RECEIPT_MISSING: {
        "zh": "数据方已释放计数，银行未记录收到",
        "en": "counts were released, and the bank logged no receipt",
    },
    FindingKind.DEVELOPMENT_OVER_BUDGET: {
        "zh": "建模计数的年度隐私预算超限",
        "en": "the counts of a year cost a firm more than the budget",
    },
}
