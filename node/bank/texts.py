"""What the agent says when it cannot do what it was asked: problem and remedy, in both languages.

Texts are completed with `str.format` from the details of a BankError. None of them may quote a
credit code, a weight or a score: they stand in logs and in answers over HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Code(StrEnum):
    """Every error of the agent's own; part of the REST interface, never renamed."""

    SCORECARD_UNREADABLE = "scorecard_unreadable"
    SCORECARD_INVALID = "scorecard_invalid"
    SCORECARD_REFUSED = "scorecard_refused"
    CATALOGUE_UNKNOWN = "catalogue_unknown"
    CERTIFICATE_WRONG = "certificate_wrong"
    MODEL_UNKNOWN = "model_unknown"
    MODEL_AMBIGUOUS = "model_ambiguous"
    MODEL_NOT_INSTALLED = "model_not_installed"
    MODEL_EXPIRED = "model_expired"
    MODEL_WITHDRAWN = "model_withdrawn"
    NO_OPEN_EPOCH = "no_open_epoch"
    DATA_TOO_OLD = "data_too_old"
    CONSENT_MALFORMED = "consent_malformed"
    CONSENT_UNSIGNED = "consent_unsigned"
    CONSENT_EXPIRED = "consent_expired"
    CONSENT_NOT_YET_VALID = "consent_not_yet_valid"
    CONSENT_WRONG_BANK = "consent_wrong_bank"
    CONSENT_WRONG_CHAIN = "consent_wrong_chain"
    CONSENT_WRONG_PURPOSE = "consent_wrong_purpose"
    CONSENT_FIELDS = "consent_fields"
    CONSENT_DISCLOSED = "consent_disclosed"
    CONSENT_NAMED = "consent_named"
    PURPOSE_UNKNOWN = "purpose_unknown"
    PSEUDONYM_INVALID = "pseudonym_invalid"
    PSEUDONYM_MISSING = "pseudonym_missing"
    REFERENCE_OPEN = "reference_open"
    REFERENCE_CLOSED = "reference_closed"
    REFERENCE_UNKNOWN = "reference_unknown"
    BATCH_REGISTERED = "batch_registered"
    BATCH_PURPOSE = "batch_purpose"
    BATCH_BEGUN = "batch_begun"
    BATCH_TIME = "batch_time"
    ENTERPRISE_UNKNOWN = "enterprise_unknown"
    ENTERPRISE_LATER = "enterprise_later"
    BUCKET_UNKNOWN = "bucket_unknown"
    BUCKET_TOO_SMALL = "bucket_too_small"
    KEY_MISSING = "key_missing"
    KEY_REUSED = "key_reused"
    QUERY_UNKNOWN = "query_unknown"
    QUERY_OPEN = "query_open"
    ANSWER_REJECTED = "answer_rejected"
    BATCH_UNKNOWN = "batch_unknown"
    BATCH_INVALID = "batch_invalid"
    JOB_UNKNOWN = "job_unknown"
    EVIDENCE_INVALID = "evidence_invalid"
    TOKENS_MISSING = "tokens_missing"
    TOKEN_INVALID = "token_invalid"  # noqa: S105  # the name of an error
    TOKEN_EXISTS = "token_exists"  # noqa: S105  # the name of an error
    BODY_INVALID = "body_invalid"
    BODY_TOO_LARGE = "body_too_large"
    API_UNUSABLE = "api_unusable"
    LABELS_INVALID = "labels_invalid"
    LABELS_REFUSED = "labels_refused"
    DEVELOPMENT_UNKNOWN = "development_unknown"
    DEVELOPMENT_EXISTS = "development_exists"
    DEVELOPMENT_OPEN = "development_open"
    DEVELOPMENT_EPOCH = "development_epoch"
    COUNTS_WRONG = "counts_wrong"
    CHAIN_UNKNOWN = "chain_unknown"
    CHAIN_WITHDRAWN = "chain_withdrawn"
    CHAIN_EXPIRED = "chain_expired"
    CHAIN_TAKES_NONE = "chain_takes_none"
    CHAIN_AMBIGUOUS = "chain_ambiguous"
    DIRECTORY_STALE = "directory_stale"
    DIRECTORY_REFUSED = "directory_refused"
    NOT_A_GUEST = "not_a_guest"
    QUERY_UNSETTLED = "query_unsettled"
    JOINT_NAME = "joint_name"
    JOINT_NONE = "joint_none"
    JOINT_INCOMPLETE = "joint_incomplete"


@dataclass(frozen=True)
class Said:
    """One text in both languages."""

    zh: str
    en: str

    def of(self, language: str) -> str:
        """The text in `zh`, or else in English."""
        return self.zh if language == "zh" else self.en


TEXTS: Final[dict[Code, tuple[Said, Said]]] = {
    Code.SCORECARD_UNREADABLE: (
        Said("评分卡无法读取：{reason}", "cannot be read: {reason}"),
        Said("请检查文件路径和权限", "check the path and its permissions"),
    ),
    Code.SCORECARD_INVALID: (
        Said("评分卡不符合本链要求：{reason}", "does not fit this chain: {reason}"),
        Said("请修改评分卡后重新提交", "correct the scorecard and submit it again"),
    ),
    Code.SCORECARD_REFUSED: (
        Said("监管规则未通过，共 {count} 项", "policy refuses the scorecard on {count} counts"),
        Said(
            "请按报告（yinxin model explain）逐项修改后重新提交",
            "mend what the report lists (yinxin model explain) and submit it again",
        ),
    ),
    Code.CATALOGUE_UNKNOWN: (
        Said(
            "征信链 {chain} 未发布该版本的数据目录：{version}",
            "chain {chain} publishes no version {version}",
        ),
        Said("请改用已发布版本：{known}", "use a published version: {known}"),
    ),
    Code.CERTIFICATE_WRONG: (
        Said("监管返回的模型证书与提交内容不符：{reason}", "is not for what was sent: {reason}"),
        Said("请联系监管方，勿使用该模型", "ask the regulator, and do not use the model"),
    ),
    Code.MODEL_UNKNOWN: (
        Said("没有名为 {model} 的模型", "there is no model {model}"),
        Said("用 yinxin model list 查看已有模型", "list the models with: yinxin model list"),
    ),
    Code.MODEL_AMBIGUOUS: (
        Said("{model} 对应多个模型", "{model} names several models"),
        Said("请给出证书哈希的前 8 位以上", "give 8 or more digits of the certificate's hash"),
    ),
    Code.MODEL_NOT_INSTALLED: (
        Said("模型尚未安装到 {holder}", "the model is not installed at {holder}"),
        Said("请运行 yinxin bank install", "run: yinxin bank install"),
    ),
    Code.MODEL_EXPIRED: (
        Said("模型证书不在有效期内", "the model's certificate is not valid now"),
        Said("请重新认证模型", "have the scorecard certified again"),
    ),
    Code.MODEL_WITHDRAWN: (
        Said("模型已撤回，不再应答", "the model is withdrawn, and nobody answers under it"),
        Said("请使用其后续模型，或重新认证", "use its successor, or have it certified again"),
    ),
    Code.NO_OPEN_EPOCH: (
        Said(
            "征信链 {chain} 目前没有该模型可用的数据期",
            "chain {chain} has no epoch open for this model",
        ),
        Said("请等待平台开放下一期", "wait until the hub opens the next one"),
    ),
    Code.DATA_TOO_OLD: (
        Said(
            "征信链 {chain} 的 {holder} 在当前数据期没有数据，数据过旧",
            "data of {holder}, chain {chain}, is too old",
        ),
        Said("请等待其提交新一期数据", "wait until it takes part in an open epoch"),
    ),
    Code.CONSENT_MALFORMED: (
        Said("授权书格式不正确", "is not a consent in compact JWS form"),
        Said("请使用企业签署的原件", "use what the enterprise signed, unchanged"),
    ),
    Code.CONSENT_UNSIGNED: (
        Said("授权书没有有效的企业签名", "no enterprise certified by the licence authority signed"),
        Said("请企业用其证书重新签署", "have the enterprise sign with its certified key"),
    ),
    Code.CONSENT_EXPIRED: (
        Said("授权书已于 {at} 到期", "expired at {at}"),
        Said("请企业重新授权", "obtain a new consent"),
    ),
    Code.CONSENT_NOT_YET_VALID: (
        Said("授权书自 {at} 起生效", "holds from {at} only"),
        Said("请在生效后再查询", "ask again then"),
    ),
    Code.CONSENT_WRONG_BANK: (
        Said("授权书授予的是 {bank}，不是本行", "is for {bank}, not for this bank"),
        Said("请取得授予本行的授权", "obtain a consent that names this bank"),
    ),
    Code.CONSENT_WRONG_CHAIN: (
        Said("授权书不含征信链 {chain}", "does not name the chain {chain}"),
        Said("请取得包含该链的授权", "obtain a consent that names it"),
    ),
    Code.CONSENT_WRONG_PURPOSE: (
        Said("授权用途为 {given}，查询用途为 {asked}", "is for purpose {given}, not {asked}"),
        Said("请按授权用途查询或重新取得授权", "ask for that purpose, or obtain another consent"),
    ),
    Code.CONSENT_FIELDS: (
        Said("授权书缺少评分项：{names}", "does not cover the fields {names}"),
        Said("请取得包含这些项的授权", "obtain a consent that names them"),
    ),
    Code.CONSENT_DISCLOSED: (
        Said("授权书缺少需披露的特征：{names}", "does not name the disclosed features {names}"),
        Said("请取得包含这些特征的授权", "obtain a consent that names them"),
    ),
    Code.CONSENT_NAMED: (
        Said(
            "依法须告知查询对象的机构不在授权书内：{names}",
            "does not name {names}, which must by law be told the subject",
        ),
        Said("请取得包含这些机构的授权", "obtain a consent that names them"),
    ),
    Code.PURPOSE_UNKNOWN: (
        Said("未知的用途代码 {purpose}", "there is no purpose {purpose}"),
        Said("可用代码：{known}", "use one of {known}"),
    ),
    Code.PSEUDONYM_INVALID: (
        Said("超过 {most} 个字符或含不可打印字符", "has over {most} or unprintable characters"),
        Said("请使用较短的化名", "use a shorter pseudonym"),
    ),
    Code.PSEUDONYM_MISSING: (
        Said("未填写", "is empty"),
        Said("请填写业务编号或化名", "give the bank's own reference or pseudonym"),
    ),
    Code.REFERENCE_OPEN: (
        Said("{reference} 已登记且未关闭", "{reference} is open already"),
        Said("请先关闭，或使用新的编号", "close it first, or use a new reference"),
    ),
    Code.REFERENCE_CLOSED: (
        Said("{reference} 已经关闭", "{reference} is closed already"),
        Said("请核对编号；新业务使用新的编号", "check it; a new matter has a new reference"),
    ),
    Code.REFERENCE_UNKNOWN: (
        Said("没有登记过 {reference}", "{reference} was never opened"),
        Said("请核对编号，或先登记", "check the reference, or open it first"),
    ),
    Code.BATCH_REGISTERED: (
        Said("批次 {batch} 已经登记", "{batch} is registered already"),
        Said("请使用新的批次名", "use a new name"),
    ),
    Code.BATCH_PURPOSE: (
        Said("登记批次只能用于贷后（01），不能用于 {purpose}", "is {purpose}, not post-loan (01)"),
        Said("其他用途请在工作时间查询", "ask for other purposes in working hours"),
    ),
    Code.BATCH_BEGUN: (
        Said("开始时间已过", "lies in the past"),
        Said("请在批次运行之前登记", "register a batch before it runs"),
    ),
    Code.BATCH_TIME: (
        Said("须晚于开始时间，且不超过 {days} 天", "is not within {days} days after its start"),
        Said("请改正结束时间", "give a time after the start, within that"),
    ),
    Code.ENTERPRISE_UNKNOWN: (
        Said(
            "该企业未在征信链 {chain} 登记", "the enterprise is not on the roster of chain {chain}"
        ),
        Said(
            "请该链平台先登记该企业，或改查其所在的链",
            "have that chain's hub enrol it first, or ask in a chain that does",
        ),
    ),
    Code.ENTERPRISE_LATER: (
        Said(
            "该企业从征信链 {chain} 的下一数据期起可查",
            "the enterprise takes part from the next epoch of chain {chain}",
        ),
        Said("请在下一期开放后查询", "ask again when the next epoch is open"),
    ),
    Code.BUCKET_UNKNOWN: (
        Said(
            "不存在第 {bucket} 桶，全册共 {buckets} 桶",
            "there is no bucket {bucket}; the roster has {buckets}",
        ),
        Said("请给出 0 至桶数减 1", "name buckets from 0 to one less than that"),
    ),
    Code.BUCKET_TOO_SMALL: (
        Said(
            "第 {bucket} 桶不足半满，单独准备会暴露查询对象的范围",
            "bucket {bucket} is less than half full, and preparing it alone would point at its few",
        ),
        Said("请先运行 yinxin bank prepare", "prepare all buckets first: yinxin bank prepare"),
    ),
    Code.KEY_MISSING: (
        Said("缺少 Idempotency-Key 请求头", "the request has no usable Idempotency-Key"),
        Said(
            "请带上 1 至 200 个可打印字符的唯一键",
            "send a unique key of 1 to 200 printable characters",
        ),
    ),
    Code.KEY_REUSED: (
        Said("该键已用于另一请求", "was used for another request"),
        Said("每个新请求使用新的键", "use a new key for a new request"),
    ),
    Code.QUERY_UNKNOWN: (
        Said("没有该查询", "there is no such query"),
        Said("请检查查询编号", "check the query's id"),
    ),
    Code.QUERY_OPEN: (
        Said("该查询尚无结果", "the query has no answer yet"),
        Said("请用同一键重复请求", "repeat the request with its key"),
    ),
    Code.ANSWER_REJECTED: (
        Said(
            "{party} 的回答未通过校验，没有得出评分",
            "what {party} answered does not verify; there is no score",
        ),
        Said("已向监管方报告，请勿重试", "the regulator has been told; do not try again"),
    ),
    Code.BATCH_UNKNOWN: (
        Said("没有该批次", "there is no such batch"),
        Said("请检查批次编号", "check the batch's id"),
    ),
    Code.BATCH_INVALID: (
        Said("第 {line} 行无效：{reason}", "line {line}: {reason}"),
        Said("请改正该行", "correct that line"),
    ),
    Code.JOB_UNKNOWN: (
        Said("没有该任务", "there is no such job since the agent started"),
        Said("请重新提交，已完成的桶会保留", "start it again; buckets that are done are kept"),
    ),
    Code.EVIDENCE_INVALID: (
        Said("证据未通过校验：{reason}", "does not verify: {reason}"),
        Said("请勿采信该文件", "do not rely on the file"),
    ),
    Code.TOKENS_MISSING: (
        Said("尚未设置接口令牌，接口拒绝一切请求", "no token is set, so all is refused"),
        Said("请运行 yinxin bank token NAME 生成令牌", "make one with: yinxin bank token NAME"),
    ),
    Code.TOKEN_INVALID: (
        Said("令牌缺失或无效", "the bearer token is missing or unknown"),
        Said("请在 Authorization 头中带上有效令牌", "send Authorization: Bearer TOKEN"),
    ),
    Code.TOKEN_EXISTS: (
        Said("名为 {name} 的令牌已存在", "a token named {name} exists"),
        Said("请换一个名称，或先从文件中删除该行", "choose another name, or remove its line"),
    ),
    Code.BODY_INVALID: (
        Said("请求内容无效：{reason}", "is not valid: {reason}"),
        Said("请参照 /v1/openapi.json", "see /v1/openapi.json"),
    ),
    Code.BODY_TOO_LARGE: (
        Said("请求超过 {most} 字节", "the request has over {most} bytes"),
        Said("请拆分后提交", "split it"),
    ),
    Code.API_UNUSABLE: (
        Said("无法监听 {address}：{reason}", "cannot listen on {address}: {reason}"),
        Said("请更改 api.listen", "change api.listen"),
    ),
    Code.LABELS_INVALID: (
        Said("标签或授权文件有误：{reason}", "labels or consents cannot be used: {reason}"),
        Said("请更正后重新运行", "correct them and run the command again"),
    ),
    Code.LABELS_REFUSED: (
        Said("监管方未予认证，原因 {count} 项", "the regulator certifies none; reasons: {count}"),
        Said("请按所列原因更正后重新提交", "mend what is listed and submit them again"),
    ),
    Code.DEVELOPMENT_UNKNOWN: (
        Said("没有已认证的建模任务 {name}", "no development {name} is certified"),
        Said("请先运行 yinxin model develop labels", "run yinxin model develop labels first"),
    ),
    Code.DEVELOPMENT_EXISTS: (
        Said("建模任务 {name} 已有另一份标签", "{name} is a development of other labels or terms"),
        Said("请换一个名称", "take another name"),
    ),
    Code.DEVELOPMENT_OPEN: (
        Said("建模任务 {name} 尚缺 {holder} 的计数", "{name} still lacks the counts of {holder}"),
        Said("请运行 yinxin model develop counts", "run yinxin model develop counts"),
    ),
    Code.DEVELOPMENT_EPOCH: (
        Said("{name} 的计数属于第 {epoch} 期", "the counts of {name} are those of epoch {epoch}"),
        Said("请去掉 --epoch", "leave --epoch out: a holder answers in one epoch only"),
    ),
    Code.COUNTS_WRONG: (
        Said("{holder} 的计数未通过校验：{reason}", "counts of {holder} do not verify: {reason}"),
        Said("请联系监管方，勿使用这些计数", "ask the regulator, and do not use the counts"),
    ),
    Code.CHAIN_UNKNOWN: (
        Said("征信链 {chain} 未与本链互通", "chain {chain} is not one that this chain trusts"),
        Said("用 yinxin bank chains 查看可用的链", "list the chains with: yinxin bank chains"),
    ),
    Code.CHAIN_WITHDRAWN: (
        Said(
            "本链监管方已撤销与征信链 {chain} 的互通，不能再查询；已有记录保留",
            "the regulator withdrew its trust in chain {chain}; records stay, and nothing more is "
            "asked there",
        ),
        Said("如需恢复，请联系本链监管方", "ask the regulator of this chain"),
    ),
    Code.CHAIN_EXPIRED: (
        Said("与征信链 {chain} 的互通已到期", "the trust in chain {chain} has run out"),
        Said("请本链监管方更新该链的信任包", "have the regulator pin that chain's newest bundle"),
    ),
    Code.CHAIN_TAKES_NONE: (
        Said(
            "征信链 {chain} 的平台不接受外链查询",
            "the hub of chain {chain} takes no queries of others",
        ),
        Said("请联系该链平台", "ask that chain's hub to set up an envelope key"),
    ),
    Code.CHAIN_AMBIGUOUS: (
        Said(
            "该企业在多条征信链登记：{chains}",
            "the enterprise is enrolled in several chains: {chains}",
        ),
        Said(
            "请以“链名:模型”指定其一，或使用联合查询",
            "name one as chain:model, or ask jointly (yinxin bank query --chains)",
        ),
    ),
    Code.DIRECTORY_STALE: (
        Said(
            "征信链 {chain} 暂时无法连通，本地目录已超过 {hours} 小时",
            "chain {chain} cannot be reached, and what is known of it is over {hours} hours old",
        ),
        Said("请稍后用同一键重试", "try again later, with the same key"),
    ),
    Code.DIRECTORY_REFUSED: (
        Said(
            "征信链 {chain} 的目录未通过校验：{reason}",
            "what came of chain {chain} does not verify: {reason}",
        ),
        Said("请联系本链平台与监管方", "tell this chain's hub and regulator"),
    ),
    Code.NOT_A_GUEST: (
        Said(
            "征信链 {chain} 尚未将本行列为来访银行",
            "chain {chain} does not list this bank as a guest",
        ),
        Said(
            "认证后稍候重试；仍不行请联系本链监管方",
            "try again shortly after certification, else ask this chain's regulator",
        ),
    ),
    Code.QUERY_UNSETTLED: (
        Said(
            "等待过久，原许可已失效；为免多用一次授权，未自动重问",
            "waited too long: its permit is over, and to ask anew could cost another use",
        ),
        Said("如需重问，请作为新查询提交", "to ask anew, send it as a new query"),
    ),
    Code.JOINT_NAME: (
        Said("联合查询的模型须以名称给出，不能用证书哈希或链名", "names a certificate or a chain"),
        Said("请给出各链共用的模型名称", "give the name that the chains' models share"),
    ),
    Code.JOINT_NONE: (
        Said(
            "没有可查询的征信链：须该企业已登记、授权书含该链且有有效的 {model} 模型",
            "no chain enrols the firm, is named by the consent and has a valid model {model}",
        ),
        Said("用 yinxin bank chains 与授权书核对", "compare yinxin bank chains with the consent"),
    ),
    Code.JOINT_INCOMPLETE: (
        Said("以下征信链没有结果：{missing}", "there is no result of {missing}"),
        Said(
            "请稍后用同一键重试，或用同一键加 partial 索取部分结果",
            "try again with the same key, or ask with it for a partial result",
        ),
    ),
}
