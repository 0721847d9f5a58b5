"""`yinxin bench`: what each step costs on this machine, beside a baseline that is stated.

Machines differ and are busy with other things, so a figure alone says little. Each row measures
Yinxin's step and its baseline in one process, turn by turn, and gives their ratio.
"""

from __future__ import annotations

from node.bench.errors import BenchError
from node.bench.groups import GROUPS, Report, choose, run
from node.bench.measure import Meter, Result, Row
from node.bench.setting import Setting

__all__ = [
    "GROUPS",
    "BenchError",
    "Meter",
    "Report",
    "Result",
    "Row",
    "Setting",
    "choose",
    "run",
]
