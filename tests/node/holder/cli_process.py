"""`yinxin` at a fixed time, command after command, so that a test pays for the imports once.

    python cli_process.py NOW

Reads the arguments of a command from each line (a JSON list); prints exit code, standard output
and standard error as one line (a JSON list).
"""

from __future__ import annotations

import contextlib
import io
import json
import sys

import node.runtime
from node.cli.main import main
from node.clock import FixedClock


def run(arguments: list[str]) -> tuple[int, str, str]:
    sys.argv = ["yinxin", *arguments]
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    return (code if isinstance(code, int) else 0), out.getvalue(), err.getvalue()


if __name__ == "__main__":
    now = int(sys.argv[1])
    node.runtime.SystemClock = lambda: FixedClock(now)  # type: ignore[assignment,misc]
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)
