"""A sandbox's clock, the days it replays, and that nothing shipped can be given such a clock."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest

from node.config import RegulatorConfig
from node.demo import calendar
from node.demo.clock import SandboxClock
from node.demo.errors import DemoError
from node.demo.people import new_password
from node.demo.sandbox import main

ROOT = Path(__file__).resolve().parents[3]
DAY = 86_400


def test_it_is_behind_and_catches_up_with_the_machines(tmp_path: Path) -> None:
    clock = SandboxClock.create(tmp_path / "clock", 7 * DAY)
    begin = clock.now()
    assert abs(begin - (time.time() - 7 * DAY)) < 60
    real = clock.is_real
    assert not real
    clock.forward(begin + 3 * DAY)
    assert begin + 3 * DAY <= clock.now() < begin + 3 * DAY + 60
    clock.forward(begin + 100 * DAY)
    assert clock.is_real
    assert abs(clock.now() - time.time()) < 60


def test_it_never_goes_back_and_is_never_ahead(tmp_path: Path) -> None:
    clock = SandboxClock.create(tmp_path / "clock", DAY)
    with pytest.raises(DemoError, match="never goes back"):
        clock.forward(clock.now() - 10)
    with pytest.raises(DemoError, match="ahead"):
        SandboxClock.create(tmp_path / "other", -5)
    with pytest.raises(FileExistsError):
        SandboxClock.create(tmp_path / "clock")


def test_a_move_is_seen_by_every_process_at_once(tmp_path: Path) -> None:
    clock = SandboxClock.create(tmp_path / "clock", 30 * DAY)
    program = (
        "import sys\nfrom pathlib import Path\nfrom node.demo.clock import SandboxClock\n"
        "clock = SandboxClock(Path(sys.argv[1]))\n"
        "for _ in sys.stdin: print(clock.now(), flush=True)\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(clock.file)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with other:
        assert other.stdin is not None
        assert other.stdout is not None
        for _ in range(3):
            begin = clock.now()
            other.stdin.write("\n")
            other.stdin.flush()
            assert begin <= int(other.stdout.readline()) <= clock.now()
            clock.forward(clock.now() + 5 * DAY)
        other.stdin.close()


@pytest.mark.parametrize(
    ("today", "weeks", "expected"),
    [
        # A Tuesday: four days of the week before, and Monday.
        (date(2026, 11, 24), 1, [[17, 18, 19, 20], [23]]),
        # The National Day's holidays, 1 to 7 October 2026.
        (date(2026, 10, 8), 1, []),
        (date(2026, 10, 8), 2, [[24], [28, 29, 30]]),
        (date(2026, 11, 22), 0, []),
    ],
)
def test_what_is_replayed_are_office_days(
    today: date, weeks: int, expected: list[list[int]]
) -> None:
    """Neither weekends nor statutory holidays: 25 September is the Mid-Autumn Festival."""
    found = calendar.office_weeks(calendar.moment(today, 9), weeks)
    assert [[day.day for day in week] for week in found] == expected


def test_an_hour_is_that_of_china() -> None:
    day = date(2026, 11, 24)
    assert calendar.moment(day, 9.5) == 1_795_483_800
    assert calendar.day_of(calendar.moment(day, 23.9)) == day
    assert calendar.same_week(date(2026, 11, 23), date(2026, 11, 29))
    assert not calendar.same_week(date(2026, 11, 22), date(2026, 11, 23))


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["clock", "hub"],
        ["clock", "hub", "status", "--config", "node.toml"],
        ["clock", "nobody", "serve", "--config", "node.toml"],
        ["clock", "enterprise", "serve", "--config", "node.toml"],
    ],
)
def test_the_sandboxs_entry_serves_and_does_nothing_else(arguments: list[str]) -> None:
    with pytest.raises(DemoError, match="usage"):
        main(arguments)


def test_no_code_but_the_sandboxs_gives_a_node_a_clock() -> None:
    """`serve(..., sandbox=…)` and the clock itself are in node/demo, and nowhere else."""
    giving, importing = set(), set()
    for path in (ROOT / "node").rglob("*.py"):
        where = path.relative_to(ROOT)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and any(k.arg == "sandbox" for k in node.keywords):
                giving.add(where)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("node.demo"):
                importing.add(where)
    assert giving == {Path("node/demo/sandbox.py")}
    assert {path for path in importing if "demo" not in path.parts} == {Path("node/cli/demo.py")}
    assert not [name for name in RegulatorConfig.model_fields if "clock" in name]


def test_passwords_are_long_and_each_is_another() -> None:
    made = {new_password() for _ in range(50)}
    assert len(made) == 50
    assert all(len(password) == 19 for password in made)
