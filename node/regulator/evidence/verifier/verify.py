#!/usr/bin/env python3
"""Checks this evidence folder. Needs Python 3.11 and the package `cryptography`, nothing else.

    python3 verify.py [--trust SHA256] [--json]

--trust is the SHA-256 of the chain's trust root (trust-root.json), as you have it from elsewhere:
everything else follows from it, so compare it. Exit code 0: the evidence is whole and the query was
in order. 3: the evidence is whole and shows that the query was not. 4: whole, nothing is wrong, but
the consent can no longer be checked (erased after the legal term). 1: the evidence is not whole.
"""

from __future__ import annotations

import sys

sys.dont_write_bytecode = True  # the folder is to hold what its manifest lists, and no more

import argparse  # noqa: E402
import json  # noqa: E402
from pathlib import Path  # noqa: E402

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "verifier"))

from folder import Folder  # noqa: E402
from steps import STEPS, Outcome, run  # noqa: E402

IN_ORDER, NOT_WHOLE, NOT_IN_ORDER, ERASED = 0, 1, 3, 4


def exit_code(outcomes: list[Outcome]) -> int:
    """What the outcomes amount to."""
    failed = [outcome.step for outcome in outcomes if outcome.faults]
    if any(step.whole for step in failed):
        return NOT_WHOLE
    if failed:
        return NOT_IN_ORDER
    return ERASED if any(outcome.gone for outcome in outcomes) else IN_ORDER


def main(arguments: list[str]) -> int:
    """Runs every step and prints it."""
    parser = argparse.ArgumentParser(description="Checks this evidence folder.")
    parser.add_argument("--trust", default="", help="SHA-256 of the trust root, from elsewhere")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    folder = Folder(HERE, options.trust.lower())
    outcomes = run(folder)
    code = exit_code(outcomes)
    if options.json:
        print(json.dumps([outcome.as_json() for outcome in outcomes], ensure_ascii=False))  # noqa: T201
        return code
    for number, outcome in enumerate(outcomes, start=1):
        mark = "ok / 通过"
        if outcome.gone:
            mark = f"not checkable / 无法核验 ({outcome.gone})"
        if outcome.faults:
            mark = "FAILED / 不通过"
        line = f"{number:>2}/{len(STEPS)} {outcome.step.en} / {outcome.step.zh}: {mark}"
        print(line)  # noqa: T201
        for fault in outcome.faults:
            print(f"      {fault}")  # noqa: T201
    print(f"trust root / 信任根 SHA-256: {folder.trust_hash}")  # noqa: T201
    print(CONCLUSIONS[code])  # noqa: T201
    return code


CONCLUSIONS = {
    IN_ORDER: "The evidence is whole and the query was in order. / 证据完整，查询合规。",
    NOT_WHOLE: "THE EVIDENCE IS NOT WHOLE. / 证据不完整或被改动。",
    ERASED: "The evidence is whole; the consent was erased. / 证据完整，授权内容已到期销毁。",
    NOT_IN_ORDER: "The evidence is whole; the query was NOT in order. / 证据完整，查询不合规。",
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
