"""The words of the evidence report, in both languages."""

from __future__ import annotations

from typing import Final

Text = dict[str, str]

WORDS: Final[dict[str, Text]] = {
    "title": {"zh": "查询证据报告", "en": "Evidence of one query"},
    "system": {
        "zh": "隐信 · 信用信息可用不可见",
        "en": "Yinxin · credit data, usable but invisible",
    },
    "in_order": {"zh": "查询合规", "en": "The query was in order"},
    "not_in_order": {"zh": "查询不合规", "en": "The query was not in order"},
    "in_order_why": {
        "zh": "企业授权、许可、模型证书与各方日志均经核验，未发现问题。",
        "en": "Consent, permit, model certificate and every party's log were verified; "
        "nothing was found.",
    },
    "not_in_order_why": {
        "zh": "下列核验未通过，或审计有未作解释的发现。证据本身完整。",
        "en": "A check below failed, or the audit has a finding that nobody explained. "
        "The evidence itself is whole.",
    },
    "erased": {"zh": "授权内容已销毁", "en": "The consent was erased"},
    "erased_why": {
        "zh": "法定期限届满，证据密钥已销毁，授权无法再核验；其余核验均通过。",
        "en": "The legal term is over and the key of the evidence erased: the consent can no "
        "longer be checked. Everything else was, and nothing was found.",
    },
    "gone": {"zh": "已销毁", "en": "erased"},
    "facts": {"zh": "查询事实", "en": "The facts"},
    "enterprise": {"zh": "被查询企业", "en": "Enterprise"},
    "bank": {"zh": "查询机构", "en": "Institution"},
    "officer": {"zh": "查询人员（代号）", "en": "Officer (pseudonym)"},
    "reference": {"zh": "业务编号", "en": "Reference"},
    "purpose": {"zh": "查询原因", "en": "Purpose"},
    "time": {"zh": "许可时间", "en": "Permit issued"},
    "model": {"zh": "评分模型", "en": "Model"},
    "fields": {"zh": "返回字段", "en": "Fields returned"},
    "epoch": {"zh": "数据批次", "en": "Epoch"},
    "holders": {"zh": "参与数据方", "en": "Data holders asked"},
    "consent": {"zh": "企业授权", "en": "Consent"},
    "consent_value": {
        "zh": "{signed} 签署；{begin} 至 {end} 有效；每链至多 {uses} 次",
        "en": "signed {signed}; valid {begin} to {end}; at most {uses} uses a chain",
    },
    "query": {"zh": "查询编号", "en": "Query id"},
    "timeline": {"zh": "时间线", "en": "Timeline"},
    "when": {"zh": "时间（北京）", "en": "Time (UTC+8)"},
    "who": {"zh": "记录方", "en": "Recorded by"},
    "what": {"zh": "事项", "en": "What"},
    "entry": {"zh": "条目", "en": "Entry"},
    "logs": {"zh": "日志与见证", "en": "Logs and witnesses"},
    "log": {"zh": "日志", "en": "Log"},
    "size": {"zh": "检查点规模", "en": "Checkpoint size"},
    "root": {"zh": "根哈希", "en": "Root"},
    "positions": {"zh": "条目位置", "en": "Positions"},
    "cosigners": {"zh": "联署见证方", "en": "Cosigned by"},
    "checks": {"zh": "核验步骤", "en": "Checks performed"},
    "passed": {"zh": "通过", "en": "passed"},
    "failed": {"zh": "未通过", "en": "failed"},
    "findings": {"zh": "审计发现", "en": "Findings of the audit"},
    "no_findings": {"zh": "无。", "en": "None."},
    "subject": {"zh": "责任方", "en": "Subject"},
    "severity": {"zh": "级别", "en": "Severity"},
    "state": {"zh": "状态", "en": "State"},
    "verify": {"zh": "如何自行核验", "en": "How to verify this yourself"},
    "verify_how": {
        "zh": "在本文件夹中运行 python3 verify.py --trust <信任根>"
        "（需要 Python 3.11 与 cryptography）。信任根请通过其他途径取得并比对：",
        "en": "Run python3 verify.py --trust <trust root> in this folder (Python 3.11 and "
        "cryptography). Take the trust root from elsewhere and compare:",
    },
    "made": {"zh": "出具", "en": "Made"},
    "confidential": {
        "zh": "含企业身份信息，仅供监管用途",
        "en": "Names an enterprise: for supervision only",
    },
    "page": {"zh": "第 {page} 页，共 {pages} 页", "en": "Page {page} of {pages}"},
    "unknown": {"zh": "（证据不可用：{problem}）", "en": "(evidence not available: {problem})"},
}

SEVERITIES: Final[dict[str, Text]] = {
    "notice": {"zh": "提示", "en": "notice"},
    "warning": {"zh": "警告", "en": "warning"},
    "critical": {"zh": "严重", "en": "critical"},
}
STATES: Final[dict[str, Text]] = {
    "open": {"zh": "待处理", "en": "open"},
    "explained": {"zh": "已解释", "en": "explained"},
    "confirmed": {"zh": "已确认", "en": "confirmed"},
}
EVENTS: Final[dict[str, Text]] = {
    "consent": {"zh": "企业签署授权", "en": "enterprise signed the consent"},
    "model-certified": {"zh": "监管认证模型", "en": "model certified"},
    "model-installed": {"zh": "安装模型", "en": "model installed"},
    "epoch-descriptor": {"zh": "发布批次描述", "en": "epoch announced"},
    "manifest": {"zh": "登记数据清单", "en": "manifest of the data"},
    "epoch-opening": {"zh": "开放批次", "en": "epoch opened"},
    "ctx-key": {"zh": "登记上下文密钥", "en": "key of the context stated"},
    "permit": {"zh": "签发许可", "en": "permit issued"},
    "unlock": {"zh": "应答许可（解锁）", "en": "permit answered (unlock)"},
    "query": {"zh": "得到评分记录", "en": "score record received"},
    "record-failure": {"zh": "记录未通过核验", "en": "record failed its checks"},
    "administrator": {"zh": "导出证据", "en": "evidence exported"},
}
ROLES: Final[dict[str, Text]] = {
    "hub": {"zh": "枢纽", "en": "hub"},
    "holder": {"zh": "数据方", "en": "holder"},
    "bank": {"zh": "金融机构", "en": "bank"},
    "regulator": {"zh": "监管", "en": "regulator"},
}


def word(name: str, language: str) -> str:
    """A word of the report in `zh` or `en`."""
    return WORDS[name][language]
