"""Generated firms and holders' files, for trying the system without real data."""

from __future__ import annotations

from node.sample.errors import SampleError
from node.sample.generate import Region, generate
from node.sample.shipped import CATALOGUE, REPORT, SCORECARD

__all__ = ["CATALOGUE", "REPORT", "SCORECARD", "Region", "SampleError", "generate"]
