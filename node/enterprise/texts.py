"""Words of an enterprise's agent, for its commands and its pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from federation.disputes.reply import DisputeState
from federation.errors import Reason
from scoring.documents import Text

if TYPE_CHECKING:
    from node.enterprise.disputing import OwnDispute

STATES: Final[dict[str, Text]] = {
    "unsent": Text(zh="未送达", en="Not delivered yet"),
    "received": Text(zh="等待答复", en="Waiting for the answer"),
    "answered": Text(zh="已答复", en="Answered"),
    "refused": Text(zh="未受理", en="Not taken"),
    "erased": Text(zh="已答复，数据方已删除", en="Answered, erased by the holder since"),
}
OUTCOMES: Final[dict[str, Text]] = {
    "corrected": Text(zh="已更正", en="Corrected"),
    "confirmed": Text(zh="核实无误", en="Confirmed"),
    "annotated": Text(zh="已标注异议", en="Annotated"),
}
REFUSALS: Final[dict[Reason, Text]] = {
    Reason.BUDGET_EXHAUSTED: Text(
        zh="待答复或近 30 天提出的异议过多，请等待答复后再提",
        en="Too many disputes wait or were opened within 30 days: wait for an answer first.",
    ),
    Reason.EXPIRED: Text(
        zh="异议签署已超过 7 天才送达，请重新提出",
        en="It was signed more than 7 days before it arrived: open it again.",
    ),
    Reason.NOT_YET_VALID: Text(
        zh="本机时间超前，请校准后重新提出",
        en="This machine's clock is ahead: set it right and open the dispute again.",
    ),
}
_OTHER: Final = Text(
    zh="数据方未受理（{code}），请联系该数据方",
    en="The holder did not take it ({code}): speak to the holder.",
)


def state_title(state: str, language: str) -> str:
    """A state in `zh` or `en`; itself where this program does not know it."""
    return _said(STATES[state], language) if state in STATES else state


def outcome_title(outcome: str, language: str) -> str:
    """An outcome in `zh` or `en`; itself where this program does not know it."""
    return _said(OUTCOMES[outcome], language) if outcome in OUTCOMES else outcome


def reason_text(own: OwnDispute, language: str) -> str:
    """The words of an answer, or what a refusal means and what to do about it."""
    if own.state != DisputeState.REFUSED:
        return own.reason
    known = REFUSALS.get(Reason(own.reason)) if own.reason in set(Reason) else None
    return _said(known or _OTHER, language).format(code=own.reason)


def _said(text: Text, language: str) -> str:
    return text.zh if language == "zh" else text.en
