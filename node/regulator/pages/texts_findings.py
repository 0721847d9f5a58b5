"""Words of the pages on findings."""

from __future__ import annotations

from typing import Final

from node.regulator.pages.texts import SECTIONS, SHARED
from scoring.documents import Text

FINDINGS: Final[dict[str, Text]] = SHARED | {
    "title": SECTIONS["/findings"][0],
    "lead": Text(
        zh="审计与镜像的发现，以及他链监管机构告知的发现。每项须由检查员作出结论。",
        en="What audit and mirror found, and what regulators of other chains told. An inspector "
        "decides about each.",
    ),
    "first_seen": Text(zh="发现时间", en="Found"),
    "what": Text(zh="内容", en="What"),
    "none_yet": Text(
        zh="没有审计发现。若审计进程未运行，请先运行：",
        en="No findings. If the audit does not run, run it first:",
    ),
}

FINDING: Final[dict[str, Text]] = SHARED | {
    "crumb": SECTIONS["/findings"][0],
    "first_seen": Text(zh="发现时间", en="Found"),
    "id": Text(zh="编号", en="Number"),
    "kind": Text(zh="类型", en="Kind"),
    "evidence": Text(zh="证据", en="Evidence"),
    "no_evidence": Text(zh="没有更多证据。", en="There is no more evidence."),
    "facts": Text(zh="概要", en="In short"),
    "decide": Text(zh="作出结论", en="Decide"),
    "decide_hint": Text(
        zh="结论与您的账户永久记入本节点日志；说明只保存在本节点。可再次更改，日志保留每一次。",
        en="The decision and your account stay in this node's log for good; the note stays at the "
        "node. It may be changed, and the log keeps every decision.",
    ),
    "explain": Text(zh="已解释：有正当理由", en="Explained: there is a good reason"),
    "confirm": Text(zh="已确认：确属违规", en="Confirmed: it is what it looks like"),
    "decision": Text(zh="结论", en="Decision"),
    "why": Text(zh="说明（必填）", en="Why (required)"),
    "record": Text(zh="记录结论", en="Record the decision"),
    "no_note": Text(
        zh="请写明理由：日后检查会据此复核。", en="Say why: later inspections go by it."
    ),
    "no_choice": Text(zh="请选择结论。", en="Choose a decision."),
    "long_note": Text(zh="说明不超过2,000字。", en="At most 2,000 characters."),
    "history": Text(zh="处理记录（本节点日志）", en="Decisions in this node's log"),
    "no_history": Text(zh="尚未处理。", en="Nobody has decided yet."),
    "by": Text(zh="账户", en="Account"),
    "open_query": Text(zh="查看该查询", en="Open the query"),
}

EVIDENCE: Final[dict[str, Text]] = {
    "index": Text(zh="条目序号", en="Entry"),
    "problem": Text(zh="问题", en="Problem"),
    "detail": Text(zh="详情", en="Detail"),
    "time": Text(zh="时间", en="Time"),
    "clock": Text(zh="日志时钟", en="Clock of the log"),
    "mirrored": Text(zh="镜像时间", en="Mirrored"),
    "bank": Text(zh="查询机构", en="Bank"),
    "officer": Text(zh="经办人代号", en="Officer"),
    "reference": Text(zh="业务编号", en="Reference"),
    "holder": Text(zh="数据方", en="Holder"),
    "epoch": Text(zh="数据期", en="Epoch"),
    "reported_by": Text(zh="发现方", en="Found by"),
    "queries": Text(zh="查询数", en="Queries"),
    "issued": Text(zh="许可时间", en="Permit issued"),
    "model": Text(zh="模型", en="Model"),
    "ctx": Text(zh="上下文", en="Context"),
    "chain": Text(zh="链", en="Chain"),
    "month": Text(zh="月份", en="Month"),
    "without": Text(zh="无业务申请", en="Without application"),
    "cosigned": Text(zh="已联署", en="Cosigned"),
    "cosigned_here": Text(zh="本节点曾联署", en="Cosigned here"),
    "needed": Text(zh="法定数", en="Quorum"),
    "found": Text(zh="对方发现时间", en="Found there"),
    "log": Text(zh="日志", en="Log"),
    "size": Text(zh="规模", en="Size"),
    "where": Text(zh="位置", en="Where"),
}
"""Names of what stands in evidence; others are shown as they are."""
