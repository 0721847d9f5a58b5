"""What `yinxin model` check and round share: what a scorecard is judged with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EarlierOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--earlier", help="A scorecard certified before, still valid; repeatable. / 有效的既往卡"
    ),
]
PastOption = Annotated[
    list[Path] | None,
    typer.Option("--past", help="One that expired or was withdrawn; repeatable. / 已失效的既往卡"),
]
ThresholdsOption = Annotated[
    Path | None,
    typer.Option("--thresholds", help="TOML with the regulator's table policy. / 规则阈值"),
]
