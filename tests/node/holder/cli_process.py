"""`yinxin` at a fixed time.

python cli_process.py NOW ARGUMENTS…
"""

from __future__ import annotations

import sys

import node.runtime
from node.cli.main import main
from node.clock import FixedClock

if __name__ == "__main__":
    now = int(sys.argv.pop(1))
    node.runtime.SystemClock = lambda: FixedClock(now)  # type: ignore[assignment,misc]
    main()
