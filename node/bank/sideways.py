"""The result of a question to several chains: one record a chain, side by side.

The chains' scores come to one only by the rule that the scorecards state, all of them the same
(`scoring.across`). A result that lacks a chain says so in itself, so that nobody who prints, stores
or exports it can lose that.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

from node.bank.asking import Ask
from node.bank.problems import Problem
from node.bank.results import Answer
from node.bank.texts import Said
from scoring.across import combine, rule_of
from scoring.errors import ScorecardError
from scoring.scorecard import Scorecard

RESULT: Final = "yinxin-joint-result/1"
_NO_RULE: Final = Said(
    "评分卡未规定跨链合并规则，各链评分并列显示，不合并",
    "the scorecards state no rule for several chains: the scores stand side by side",
)
_PARTIAL: Final = Said("部分结果，缺少征信链：{missing}", "PARTIAL: without {missing}")
_COLUMNS: Final = (
    "id", "uscc", "purpose", "reference", "partial", "missing", "chain", "model", "epoch", "score",
    "grade", "probability_of_default", "coverage", "participants", "combined_rule",
    "combined_score", "error",
)  # fmt: skip


def joint_result(
    identifier: bytes,
    ask: Ask,
    answers: Mapping[str, Answer],
    cards: Mapping[str, Scorecard],
    missing: Mapping[str, Problem],
    not_enrolled: Sequence[str],
) -> dict[str, Any]:
    """The document that callers get. `answers` by chain, at least one; `cards` of all that were to
    be asked.
    """
    first = next(iter(answers.values())).result
    listed = [
        {
            "chain": chain,
            "party": problem.party,
            "code": problem.code,
            "reason": {"zh": problem.text.zh, "en": problem.text.en},
        }
        for chain, problem in sorted(missing.items())
    ]
    result: dict[str, Any] = {
        "format": RESULT,
        "id": identifier.hex(),
        "state": "answered",
        "partial": bool(missing),
        "uscc": first["uscc"],
        "purpose": first["purpose"],
        "officer": ask.officer,
        "reference": ask.reference,
        "records": [answers[chain].result for chain in sorted(answers)],
        "missing": listed,
        "not_enrolled": sorted(not_enrolled),
        **_combined(answers, cards, partial=bool(missing)),
    }
    if missing:
        result["notice"] = {lang: notice(result, lang) for lang in ("zh", "en")}
    return result


def notice(result: Mapping[str, Any], language: str) -> str:
    """What a reader of a partial result has to be told; empty for a whole one."""
    if not result.get("partial"):
        return ""
    separator = "；" if language == "zh" else "; "
    missing = separator.join(
        _named(one["chain"], one["reason"][language]) for one in result["missing"]
    )
    return _PARTIAL.of(language).format(missing=missing)


def _named(chain: str, reason: str) -> str:
    """A reason with the chain that it is about; most name it themselves."""
    return reason if chain in reason else f"{chain} ({reason})"


def to_csv(result: Mapping[str, Any], language: str) -> str:
    """One line a chain, also for those that are missing; every line says whether all are there."""
    out = io.StringIO()
    writer = csv.DictWriter(out, _COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    combined = result["combined"] or {}
    every = {
        "id": result["id"],
        "uscc": result["uscc"],
        "purpose": result["purpose"],
        "reference": result["reference"],
        "partial": str(result["partial"]).lower(),
        "missing": " ".join(one["chain"] for one in result["missing"]),
        "combined_rule": combined.get("rule", ""),
        "combined_score": combined.get("score", ""),
    }
    for record in result["records"]:
        profile = record["profile"]
        names = ("score", "grade", "probability_of_default", "coverage", "participants")
        shown = {name: profile[name] for name in names}
        own = {name: record[name] for name in ("chain", "model", "epoch")}
        writer.writerow({**every, **own, **shown})
    for one in result["missing"]:
        writer.writerow({**every, "chain": one["chain"], "error": one["reason"][language]})
    return out.getvalue()


def _combined(
    answers: Mapping[str, Answer], cards: Mapping[str, Scorecard], *, partial: bool
) -> dict[str, Any]:
    """The score over the chains, or why there is none."""
    try:
        rule = rule_of(cards)
    except ScorecardError as error:
        said = Said("各链评分卡规定的合并规则不同，不合并", str(error))
        return {"combined": None, "not_combined": {"zh": said.zh, "en": said.en}}
    if rule is None:
        return {"combined": None, "not_combined": {"zh": _NO_RULE.zh, "en": _NO_RULE.en}}
    scores = {chain: int(one.result["profile"]["score"]) for chain, one in answers.items()}
    score = combine(rule, scores)
    found = {"rule": rule, "score": score, "chains": sorted(scores), "partial": partial}
    return {"combined": found}
