"""Words of the pages on certification."""

from __future__ import annotations

from typing import Final

from node.regulator.pages.texts import SECTIONS, SHARED
from scoring.documents import Text

STATES: Final = {
    "valid": (Text(zh="有效", en="valid"), "good"),
    "refused": (Text(zh="未通过", en="refused"), "bad"),
    "expired": (Text(zh="已过期", en="expired"), "soft"),
    "withdrawn": (Text(zh="已撤回", en="withdrawn"), "warn"),
    "untold": (Text(zh="已撤回，平台未收到", en="withdrawn, hub not told"), "bad"),
}
OUTCOMES: Final = {
    "passed": Text(zh="通过", en="passed"),
    "refused": Text(zh="未通过", en="refused"),
}

CERTIFICATION: Final[dict[str, Text]] = SHARED | {
    "bank": Text(zh="提交机构", en="Bank"),
    "title": SECTIONS["/certification"][0],
    "lead": Text(
        zh="银行提交的评分卡由本节点按认证规则逐项判定；结论与报告在此查阅。",
        en="This node judges each scorecard that a bank submits by the policy's rules. Decisions "
        "and their reports are here.",
    ),
    "desk": Text(zh="待认证", en="At the desk"),
    "desk_hint": Text(
        zh="一次判定一份，其余依序等待；每家银行至多两份。",
        en="One is judged at a time, the others wait in turn; of a bank no more than two.",
    ),
    "judging": Text(zh="判定中", en="being judged"),
    "waiting": Text(zh="第{place}位等待", en="waits, {place} ahead"),
    "desk_empty": Text(zh="没有等待的评分卡。", en="No scorecard waits."),
    "catalogue": Text(zh="特征目录", en="Catalogue"),
    "in_force": Text(zh="最新发布", en="Published last"),
    "features": Text(zh="{version}（{count}个特征）", en="{version} ({count} features)"),
    "proposed": Text(zh="拟议版本", en="Proposed"),
    "proposed_hint": Text(
        zh="由平台拟议，公布前不影响任何数据期与模型。",
        en="Proposed by the hub; until it is published no epoch and no model is affected.",
    ),
    "no_catalogue": Text(
        zh="本节点尚未收到目录：平台发布后自动同步。",
        en="This node has no catalogue yet: it comes by itself once the hub publishes one.",
    ),
    "decided": Text(zh="判定时间", en="Decided"),
    "outcome": Text(zh="结论", en="Outcome"),
    "ends": Text(zh="有效期至", en="Valid until"),
    "decisions": Text(zh="认证结论", en="Decisions"),
}

DECISION: Final[dict[str, Text]] = SHARED | {
    "crumb": SECTIONS["/certification"][0],
    "lead": Text(zh="{bank}，{time}判定", en="{bank}, decided {time}"),
    "certificate": Text(zh="证书", en="Certificate"),
    "scorecard": Text(zh="评分卡", en="The scorecard"),
    "submission": Text(zh="提交文件哈希", en="Submission"),
    "ends": Text(zh="有效期至", en="Valid until"),
    "withdrawn": Text(zh="撤回", en="Withdrawn"),
    "withdrawn_by": Text(zh="{time}，{by}", en="{time} by {by}"),
    "history": Text(zh="计入累计判定至", en="Judged with later ones until"),
    "affiliates": Text(zh="合并判定的关联机构", en="Affiliates judged as one"),
    "withdraw": Text(zh="撤回模型", en="Withdraw the model"),
    "withdraw_hint": Text(
        zh="撤回不可恢复：平台收到后不再为该模型签发许可；您的账户记入日志。该评分卡仍计入累计判定。",
        en="For ever: once the hub has it, it permits nothing under the model. Your account is "
        "logged. The scorecard still counts when later ones are judged.",
    ),
    "sure": Text(zh="我确认永久撤回{name}", en="I withdraw {name} for ever"),
    "unsure": Text(zh="请勾选确认。", en="Tick the box to confirm."),
    "not_withdrawn": Text(zh="未能撤回：{problem}", en="Not withdrawn: {problem}"),
    "no_report": Text(zh="报告不可用：{problem}", en="The report is not available: {problem}"),
    "more": Text(
        zh="另有{count}项未列出；完整报告请运行 yinxin regulator model report。",
        en="{count} more; yinxin regulator model report writes all of them.",
    ),
}
