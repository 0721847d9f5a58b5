"""Charts, drawn on the server as SVG that needs no script and no inline style.

Sizes follow the page: what lies along the width is in per cent, so text keeps its size on a phone.
Colours are tones, names of `static/charts.css`: `brand`, `good`, `warn`, `bad`, `soft`, and `a` to
`f` for series that only have to be told apart. Every chart has its content in words too; charts of
series also have it as a table. A chart's `title` is heard, not seen: the heading above says it.
"""

from node.pages.charts.bars import Stack, bar_list, meter, stacked_bars
from node.pages.charts.dials import gauge, radar
from node.pages.charts.graph import Edge, Node, network
from node.pages.charts.lines import Series, line_chart, sparkline

__all__ = [
    "Edge",
    "Node",
    "Series",
    "Stack",
    "bar_list",
    "gauge",
    "line_chart",
    "meter",
    "network",
    "radar",
    "sparkline",
    "stacked_bars",
]
