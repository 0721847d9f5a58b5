"""What the demo says, in both languages."""

from __future__ import annotations

from typing import Literal

Language = Literal["zh", "en"]

TEXTS: dict[str, dict[str, str]] = {
    "title": {
        "zh": "隐信 · 一条征信链在本机运行",
        "en": "Yinxin · a credit chain on this machine",
    },
    "sample": {"zh": "生成虚构企业的数据", "en": "generating data of firms that do not exist"},
    "found": {"zh": "建立信任根，签发各方证书", "en": "founding the chain, enrolling members"},
    "start": {"zh": "启动各方进程", "en": "starting the parties' processes"},
    "accounts": {"zh": "为各方网页建立账户", "en": "making accounts for the parties' pages"},
    "pages": {"zh": "逐一登录并打开各方网页", "en": "signing in and opening every page"},
    "logins": {
        "zh": "各方工作网页（仅本次运行有效）",
        "en": "The pages people work on, for this run",
    },
    "logins_note": {
        "zh": "企业、数据与时间均为模拟。请用 Chromium、Edge 或 Firefox 打开；口令只显示这一次。",
        "en": "Firms, data and time are synthetic. Use Chromium, Edge or Firefox; passwords are "
        "shown only once.",
    },
    "edited": {
        "zh": "其日志被改动，已停止应答（见审计）",
        "en": "its log was edited, so it answers nothing",
    },
    "account": {"zh": "账户", "en": "account"},
    "password": {"zh": "口令", "en": "password"},
    "first": {"zh": "开放最早一期数据", "en": "opening the first epoch, in the past"},
    "history": {
        "zh": "按模拟时钟重演 {weeks} 周的真实查询",
        "en": "replaying {weeks} weeks of real queries",
    },
    "audit_history": {"zh": "监管方审计这段历史", "en": "the regulator audits these weeks"},
    "load": {"zh": "数据持有方导入数据", "en": "holders load their data"},
    "open": {"zh": "开放数据期次", "en": "opening the epoch"},
    "certify": {"zh": "监管方审核并认证评分卡", "en": "the regulator certifies the scorecard"},
    "prepare": {"zh": "盲评预备：每个桶每个持有方", "en": "blind evaluation ahead: every bucket"},
    "consents": {"zh": "企业签署授权", "en": "enterprises sign consents"},
    "reference": {"zh": "由原始文件独立重算", "en": "recomputing from the original files"},
    "queries": {"zh": "凭授权查询", "en": "queries by consent"},
    "refusals": {"zh": "十种应被拒绝的请求", "en": "ten requests that must be refused"},
    "plant": {
        "zh": "不守规矩的各方作案，只有它们自己知道",
        "en": "dishonest parties break rules, in secret",
    },
    "audit": {
        "zh": "监管方审计全部查询与日志",
        "en": "the regulator audits every query and log",
    },
    "stop": {"zh": "停止全部进程", "en": "stopping every process"},
    "saw": {"zh": "各方看到了什么", "en": "Who saw what"},
    "party": {"zh": "参与方", "en": "party"},
    "learned": {"zh": "得知", "en": "learned"},
    "never": {"zh": "始终不知", "en": "never learned"},
    "bytes": {"zh": "接收\n发送", "en": "received\nsent"},
    "each": {"zh": "{count} 家数据持有方，各自", "en": "{count} data holders, each"},
    "log": {"zh": "日志条目", "en": "log entries"},
    "bank_learned": {
        "zh": "被授权企业的评分记录",
        "en": "the score records of consenting firms",
    },
    "bank_never": {"zh": "任何企业的原始数据", "en": "raw data of any firm"},
    "hub_learned": {"zh": "哪家银行凭授权查询哪家企业", "en": "which bank asks about which firm"},
    "hub_never": {"zh": "数据、模型、评分", "en": "features, models, scores"},
    "regulator_learned": {
        "zh": "评分卡；可查全部查询证据",
        "en": "scorecards; all evidence",
    },
    "regulator_never": {"zh": "原始数据", "en": "raw data"},
    "holder_learned": {
        "zh": "某银行就某授权企业查询过一次",
        "en": "that some bank asked about some consenting firm",
    },
    "holder_never": {
        "zh": "哪家企业、什么模型、多少分",
        "en": "which firm, model, score",
    },
    "permit": {
        "zh": "数据持有方为一次查询收到的许可：没有企业，没有模型，没有评分",
        "en": "The permit that holders received for one query: no firm, no model, no score",
    },
    "refused": {"zh": "被拒绝的请求（拒绝方日志）", "en": "Refused requests (the refusers' logs)"},
    "audited": {
        "zh": "审计：{queries} 次查询，{verified} 次证据齐全；作案 {planted} 起，"
        "漏查 {missed}，误报 {false_positives}",
        "en": "Audit: {queries} queries, {verified} proved in order; {planted} violations planted, "
        "{missed} missed, {false_positives} false positives",
    },
    "kind": {"zh": "发现", "en": "finding"},
    "subject": {"zh": "责任方", "en": "party at fault"},
    "query": {"zh": "查询", "en": "query"},
    "result": {"zh": "核对结果", "en": "Result"},
    "exact": {
        "zh": "{queries} 次查询，{mismatches} 处不符（与由原始文件独立重算的结果逐一比对）",
        "en": "{queries} queries, {mismatches} mismatches against an independent recomputation "
        "from the original files",
    },
    "timing": {
        "zh": "查询 p50 {p50} 毫秒，p95 {p95} 毫秒；上行 {up} 字节，下行 {down} 字节",
        "en": "query p50 {p50} ms, p95 {p95} ms; {up} bytes up, {down} bytes down",
    },
    "more": {
        "zh": "各方的数据、日志与配置：{folder}",
        "en": "everybody's data, logs and configuration: {folder}",
    },
    "wait": {
        "zh": "链仍在运行。按回车停止并退出。",
        "en": "The chain is still running. Press Enter to stop it.",
    },
}


def text(key: str, language: Language, **values: object) -> str:
    """The text of `key`, with its values filled in."""
    return TEXTS[key][language].format(**values)
