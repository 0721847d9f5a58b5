"""`node_process.py`, killed in the moment after a release of counts is in the log."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from tests.node.holder.node_process import main

if __name__ == "__main__":
    from node.holder.development import counts

    counts._remove_others = lambda released: os.kill(os.getpid(), signal.SIGKILL)
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
