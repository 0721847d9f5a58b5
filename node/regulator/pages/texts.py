"""Words that several of the regulator's pages use."""

from __future__ import annotations

from typing import Final

from node.regulator.evidence.texts import EVENTS, SEVERITIES, STATES
from scoring.documents import Text

SECTIONS: Final = {
    "/overview": (Text(zh="总览", en="Overview"), "overview"),
    "/queries": (Text(zh="查询", en="Queries"), "queries"),
    "/findings": (Text(zh="审计发现", en="Findings"), "findings"),
    "/certification": (Text(zh="模型认证", en="Certification"), "certify"),
    "/chains": (Text(zh="互联链", en="Chains"), "network"),
    "/members": (Text(zh="成员与密钥", en="Members and keys"), "members"),
}

SEVERITY: Final = {name: Text(**words) for name, words in SEVERITIES.items()}
SEVERITY_TONES: Final = {"critical": "bad", "warning": "warn", "notice": "soft"}
STATE: Final = {name: Text(**words) for name, words in STATES.items()}
STATE_TONES: Final = {"open": "warn", "explained": "good", "confirmed": "bad"}
EVENT: Final = {name: Text(**words) for name, words in EVENTS.items()} | {
    "query-routed": Text(zh="转接他链查询", en="query routed to another chain"),
}
YES_NO: Final = {"yes": Text(zh="是", en="yes"), "no": Text(zh="否", en="no")}

LOG_STATES: Final = {
    "ok": (Text(zh="正常", en="in order"), "good"),
    "behind": (Text(zh="未获见证", en="not cosigned"), "warn"),
    "away": (Text(zh="无法访问", en="away"), "warn"),
    "faulty": (Text(zh="异常", en="at fault"), "bad"),
}

SHARED: Final[dict[str, Text]] = {
    "time": Text(zh="时间", en="Time"),
    "bank": Text(zh="查询机构", en="Bank"),
    "officer": Text(zh="经办人代号", en="Officer (pseudonym)"),
    "reference": Text(zh="业务编号", en="Reference"),
    "purpose": Text(zh="查询原因", en="Purpose"),
    "model": Text(zh="评分模型", en="Model"),
    "epoch": Text(zh="数据期", en="Epoch"),
    "consent": Text(zh="企业授权", en="Consent"),
    "findings": Text(zh="审计发现", en="Findings"),
    "severity": Text(zh="级别", en="Severity"),
    "state": Text(zh="状态", en="State"),
    "subject": Text(zh="责任方", en="Subject"),
    "query": Text(zh="查询", en="Query"),
    "log": Text(zh="日志", en="Log"),
    "entry": Text(zh="条目", en="Entry"),
    "entries": Text(zh="条目数", en="Entries"),
    "in_order": Text(zh="合规", en="in order"),
    "not_in_order": Text(zh="不合规", en="not in order"),
    "never": Text(zh="从未", en="never"),
    "note": Text(zh="说明", en="Note"),
}

OVERVIEW: Final[dict[str, Text]] = SHARED | {
    "title": SECTIONS["/overview"][0],
    "lead": Text(
        zh="{chain} 全部查询的授权、用途与日志，均由本节点独立核验。",
        en="Consent, purpose and logs of every query in {chain}, verified by this node itself.",
    ),
    "period": Text(zh="统计期", en="Period"),
    "d7": Text(zh="7天", en="7 days"),
    "d30": Text(zh="30天", en="30 days"),
    "d90": Text(zh="90天", en="90 days"),
    "d365": Text(zh="一年", en="1 year"),
    "show": Text(zh="应用", en="Apply"),
    "queries": Text(zh="查询", en="Queries"),
    "queries_note": Text(zh="{days}天内的许可", en="permits in {days} days"),
    "coverage": Text(zh="授权核验通过", en="Consent verified"),
    "coverage_note": Text(
        zh="{verified} / {queries}；{missing}笔证据中没有授权",
        en="{verified} of {queries}; {missing} without a consent in evidence",
    ),
    "still": Text(zh="授权仍在有效期", en="Consent still holds"),
    "still_note": Text(zh="其余授权已到期", en="the others' consents have ended"),
    "open_findings": Text(zh="待处理发现", en="Open findings"),
    "open_note": Text(zh="其中严重{critical}项", en="{critical} critical"),
    "logs_ok": Text(zh="日志正常", en="Logs in order"),
    "logs_note": Text(
        zh="无法访问{away}，异常{faulty}，未获见证{behind}",
        en="{away} away, {faulty} at fault, {behind} not cosigned",
    ),
    "audited": Text(zh="审计进度", en="Audited up to"),
    "audited_note": Text(
        zh="平台日志{verified} / {size}条已核验", en="{verified} of {size} hub entries verified"
    ),
    "audit_never": Text(
        zh="尚未审计。请由审计用户运行：", en="Nothing is audited yet. The audit's user runs:"
    ),
    "audit_behind": Text(
        zh="各日志的核对已落后{hours}小时。请检查审计进程：",
        en="The comparison of logs is {hours} hours behind. Look at the audit's process:",
    ),
    "over_time": Text(zh="查询量", en="Queries over time"),
    "by_day": Text(zh="按日", en="by day"),
    "by_week": Text(zh="按周（周一起）", en="by week, from Monday"),
    "verified": Text(zh="核验通过", en="verified"),
    "refused": Text(zh="核验未通过", en="not verified"),
    "by_bank": Text(zh="按查询机构", en="By bank"),
    "by_purpose": Text(zh="按查询原因", en="By purpose"),
    "by_holder": Text(zh="按数据方", en="By holder"),
    "holder_hint": Text(
        zh="一笔查询计入其许可中的每个数据方。", en="A query counts for each holder in its permit."
    ),
    "times": Text(zh="笔", en="queries"),
    "no_queries": Text(
        zh="所选范围内没有已审计的查询。请放宽统计期或清除筛选。",
        en="No audited query in this selection. Choose a longer period or clear the filter.",
    ),
    "findings_by": Text(zh="审计发现（全部）", en="Findings (all time)"),
    "all_findings": Text(zh="查看全部", en="All findings"),
    "logs": Text(zh="日志与见证", en="Logs and witnesses"),
    "logs_hint": Text(
        zh="本节点镜像每位成员的日志，逐条核对其检查点与见证联署。",
        en="This node mirrors every member's log and checks entries, checkpoints and cosignatures.",
    ),
    "cosigned": Text(zh="已见证", en="Cosigned"),
    "checked": Text(zh="最近核对", en="Last in order"),
    "no_logs": Text(
        zh="尚未镜像任何日志：请在 node.toml 中配置 hub 并运行节点。",
        en="No log is mirrored yet: configure the hub in node.toml and let the node serve.",
    ),
    "total": Text(zh="合计", en="Total"),
}

ENTRY: Final[dict[str, Text]] = SHARED | {
    "title": Text(zh="日志条目", en="Log entry"),
    "lead": Text(
        zh="镜像中的原文，时间为 Unix 秒（UTC）。",
        en="As it is mirrored; times are Unix seconds (UTC).",
    ),
}

MEMBERS: Final[dict[str, Text]] = SHARED | {
    "title": SECTIONS["/members"][0],
    "lead": Text(
        zh="本节点签发的成员凭证，以及打开查询证据的审计密钥。",
        en="The credentials that this node signed, and the keys that open evidence of queries.",
    ),
    "members": Text(zh="成员", en="Members"),
    "member": Text(zh="成员", en="Member"),
    "kind": Text(zh="数据类别", en="Kind"),
    "named": Text(zh="须知悉主体", en="Told the subject"),
    "begins": Text(zh="生效", en="From"),
    "ends": Text(zh="到期", en="Until"),
    "valid": Text(zh="有效", en="valid"),
    "soon": Text(zh="{days}天后到期", en="ends in {days} days"),
    "expired": Text(zh="已过期", en="expired"),
    "later": Text(zh="未生效", en="not begun"),
    "no_members": Text(
        zh="尚无成员。请用 yinxin regulator enrol 签发入链申请。",
        en="No member yet. Sign requests with yinxin regulator enrol.",
    ),
    "guests": Text(zh="他链机构", en="Guests of other chains"),
    "home": Text(zh="所在链", en="Home chain"),
    "no_guests": Text(
        zh="没有他链银行在本链查询。", en="No bank of another chain asks in this one."
    ),
    "keys": Text(zh="审计密钥", en="Audit keys"),
    "keys_hint": Text(
        zh="每月每类主体一把。没有当月密钥，平台不签发许可；销毁后当月证据永远无法打开。",
        en="One a month and class of subjects. Without this month's the hub issues no permit; once "
        "erased, the month's evidence opens no more.",
    ),
    "month": Text(zh="月份", en="Month"),
    "individual": Text(zh="个体工商户", en="Sole traders"),
    "enterprise": Text(zh="企业及其他组织", en="Enterprises"),
    "current": Text(zh="使用中", en="in use"),
    "ahead": Text(zh="已备", en="made ahead"),
    "past": Text(zh="保留", en="kept"),
    "erased": Text(zh="已销毁 {day}", en="erased {day}"),
    "missing": Text(zh="缺失", en="missing"),
    "no_keys": Text(
        zh="尚无审计密钥，平台无法签发许可。请由审计用户运行：",
        en="There is no audit key, so the hub issues no permit. The audit's user runs:",
    ),
    "retention": Text(
        zh="证据保留{years}年；此前任何密钥不得销毁。",
        en="Evidence is kept for {years} years; no key is erased before.",
    ),
}
