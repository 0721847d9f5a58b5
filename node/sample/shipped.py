"""Where the shipped sample scorecard, its catalogue and its report lie."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_DATA: Final = Path(__file__).parent / "data"

CATALOGUE: Final = _DATA / "catalogue-sample-1.json"
"""The starting catalogue with the frequencies of the sample, version `sample-1`."""
SCORECARD: Final = _DATA / "scorecard-sample-1.json"
"""The sample scorecard, which passes policy a and b."""
REPORT: Final = _DATA / "scorecard-sample-1.report.json"
"""AUC and KS of the scorecard before and after rounding."""
