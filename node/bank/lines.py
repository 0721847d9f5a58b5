"""The file of a batch: one question a line."""

from __future__ import annotations

import json

from node.bank.asking import Ask
from node.bank.errors import BankError
from node.bank.texts import Code


def read_lines(text: str) -> list[Ask]:
    """The questions of a JSONL file: an object with consent and purpose on each line, and officer,
    reference and model where wanted; with `chains` (a list, empty for all) and `partial` one goes
    to several chains. Raises BankError naming the line.
    """
    asks = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise _bad_line(number, "is no JSON") from error
        if not isinstance(value, dict):
            raise _bad_line(number, "is no object of texts")
        joint, chains = "chains" in value, value.pop("chains", [])
        partial = value.pop("partial", False)
        if not all(isinstance(v, str) for v in value.values()):
            raise _bad_line(number, "is no object of texts")
        if not isinstance(chains, list) or not all(isinstance(c, str) for c in chains):
            raise _bad_line(number, "chains is no list of names")
        if not isinstance(partial, bool) or (partial and not joint):
            raise _bad_line(number, "partial is true or false, and goes with chains")
        unknown = set(value) - {"consent", "purpose", "officer", "reference", "model"}
        missing = {"consent", "purpose"} - set(value)
        if unknown or missing:
            reason = f"unknown: {', '.join(sorted(unknown))}" if unknown else "consent and purpose"
            raise _bad_line(number, reason if unknown else f"needs {reason}")
        asks.append(Ask(**value, joint=joint, chains=tuple(chains), partial=partial))
    return asks


def _bad_line(number: int, reason: str) -> BankError:
    return BankError(Code.BATCH_INVALID, "batch", line=number, reason=reason)
