"""Words for disputes at a holder."""

from __future__ import annotations

from typing import Final

from federation.disputes.reply import Outcome
from scoring.documents import Text

OUTCOMES: Final[dict[Outcome, Text]] = {
    Outcome.CORRECTED: Text(zh="已更正", en="Corrected"),
    Outcome.CONFIRMED: Text(zh="核实无误", en="Confirmed"),
    Outcome.ANNOTATED: Text(zh="已标注异议", en="Annotated"),
}
OUTCOME_HINTS: Final[dict[Outcome, Text]] = {
    Outcome.CORRECTED: Text(
        zh="数据有误，来源已更正，自下一数据期起生效",
        en="It was wrong. The source is corrected; the next epoch has the right value.",
    ),
    Outcome.CONFIRMED: Text(
        zh="经核实数据无误，在说明中写明依据",
        en="It is right. Say in the reasons what it rests on.",
    ),
    Outcome.ANNOTATED: Text(
        zh="无法确认，已在来源处附上企业声明",
        en="It cannot be settled. The firm's statement stands beside it at the source.",
    ),
}
STATES: Final[dict[str, Text]] = {
    "open": Text(zh="待答复", en="Open"),
    "overdue": Text(zh="已逾期", en="Overdue"),
    "answered": Text(zh="已答复", en="Answered"),
    "answered-late": Text(zh="逾期答复", en="Answered late"),
    "erased": Text(zh="内容已删除", en="Content erased"),
}
