"""The numbered steps of the verification.

`whole` steps say whether the evidence is what the regulator exported and the logs hold it; the
others whether the query was in order. A folder about a query that was not in order is whole, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import query
import whole
from folder import Folder
from formats import Bad, Gone


@dataclass(frozen=True)
class Step:
    """One step: its name, and whether its failure means that the evidence is not whole."""

    key: str
    zh: str
    en: str
    whole: bool
    check: Callable[[Folder, list[str]], None]


@dataclass(frozen=True)
class Outcome:
    """What a step found wrong; nothing when it passed. `gone` is why it could not be checked."""

    step: Step
    faults: tuple[str, ...]
    gone: str = ""

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        names = {"step": self.step.key, "zh": self.step.zh, "en": self.step.en}
        return {**names, "whole": self.step.whole, "faults": list(self.faults), "gone": self.gone}


STEPS = (
    Step("files", "文件与清单一致", "files are those of the signed manifest", True, whole.files),
    Step("trust", "信任根与成员凭证", "trust root and credentials", True, whole.trust),
    Step("checkpoints", "日志检查点签名", "checkpoints are signed", True, whole.checkpoints),
    Step("cosignatures", "见证方联署达到多数", "checkpoints cosigned", True, whole.cosignatures),
    Step("inclusion", "条目确在日志中", "entries are in the logs", True, whole.inclusion),
    Step("permit", "枢纽签发并记录许可", "permit signed and logged", False, query.permit),
    Step("model", "模型经监管认证", "model certified by the regulator", False, query.model),
    Step("epoch", "数据批次与上下文", "epoch and context", False, query.epoch),
    Step("consent", "企业授权签名有效", "consent signed by the enterprise", False, query.consent),
    Step("coverage", "授权覆盖本次查询", "consent covers the query", False, query.coverage),
    Step("tag", "许可绑定该授权", "permit bound to the consent", False, query.tag),
    Step("knowledge", "盲化元素属于该企业", "element is the enterprise's", False, query.knowledge),
    Step("counterparts", "各方日志相符", "counterpart logs agree", False, query.counterparts),
    Step("verdict", "审计结论", "verdict of the audit", False, query.verdict),
)


def run(folder: Folder) -> list[Outcome]:
    """Every step in order; one that fails does not end the others."""
    outcomes = []
    for step in STEPS:
        faults: list[str] = []
        gone = ""
        try:
            step.check(folder, faults)
        except Gone as error:
            gone = str(error)
        except Bad as error:
            faults.append(str(error))
        except Exception as error:  # a hostile file may break anything: it is a fault, no crash
            faults.append(f"{step.key}: cannot be checked ({error!r})")
        outcomes.append(Outcome(step, tuple(faults), gone))
    return outcomes
