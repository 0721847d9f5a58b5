"""Words of the charts."""

from __future__ import annotations

from typing import Final

from scoring.documents import Text

TABLE: Final = Text(zh="数据表", en="As a table")
NOTHING: Final = Text(zh="此期间没有数据", en="No data in this period")
PERIOD: Final = Text(zh="时段", en="Period")
TOTAL: Final = Text(zh="合计", en="Total")
RANGE: Final = Text(
    zh="{name}，{first}至{last}：最低{low}，最高{high}，最近{latest}",
    en="{name}, {first} to {last}: lowest {low}, highest {high}, latest {latest}",
)
NO_VALUE: Final = Text(zh="{name}：无数据", en="{name}: no data")
SUM: Final = Text(zh="{name}合计{total}", en="{name}: {total} in all")
