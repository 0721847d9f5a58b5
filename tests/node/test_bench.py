"""The benchmark's method, its report, and that every row has two sides which do the same work.

Nothing here is timed: the method runs on a clock that stands until a side moves it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import create_engine, inspect, text
from typer.testing import CliRunner

from node.bench import BenchError, Meter, Setting, blind, choose, oblivious, run
from node.bench.measure import Pair, Row, Side, Unit
from node.bench.report import ratio_text, to_dict
from node.cli.bench import app
from scoring.lattice import ANSWER_BYTES, WEIGHT_BYTES
from tests.support.postgresql import Cluster

ROW = Row("a.row", Unit.MILLISECONDS, "work", "other work")
RATE = Row("a.rate", Unit.RATE, "work", "other work")
POSTGRESQL = {"log.postgresql_1", "log.postgresql_64"}


class StandingClock:
    """Seconds that pass only when a side takes them."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def side(self, seconds: Iterator[float], items: int = 1) -> Side:
        def work() -> None:
            self.now += next(seconds)

        return Side(work, items)


def forever(seconds: float) -> Iterator[float]:
    while True:
        yield seconds


def once(**more: float) -> Meter:
    return Meter(0, least_turns=1, turn=0, **more)  # type: ignore[arg-type]


async def test_a_ratio_is_of_the_measured_runs() -> None:
    clock = StandingClock()
    pair = Pair(clock.side(forever(0.3)), clock.side(forever(0.1)))
    result = await Meter(5.9, clock=clock).measure(ROW, pair)
    assert result.ratio == pytest.approx(3)
    assert (result.median, result.least) == pytest.approx((300, 300))
    assert result.baseline_median == pytest.approx(100)
    assert result.runs == 15, "turns of 0.4 s until 5.9 s have passed"


async def test_a_machine_that_slows_down_changes_the_medians_and_not_the_ratio() -> None:
    """Ratios of a turn, not of medians: here those would give another figure."""
    clock = StandingClock()
    paces = [1.0, 1.0, 1.0, 2.0, 20.0]
    # Each side runs once before its turns.
    ours = clock.side(iter([0.2, *(0.2 * pace for pace in paces)]))
    theirs = clock.side(iter([0.1, *(0.1 * pace for pace in paces)]))
    result = await Meter(0, least_turns=5, clock=clock).measure(ROW, Pair(ours, theirs))
    assert result.ratio == pytest.approx(2)
    assert result.median == pytest.approx(200)


async def test_sides_take_turns_in_alternating_order() -> None:
    clock, order = StandingClock(), []

    def side(name: str) -> Side:
        def work() -> None:
            clock.now += 1
            order.append(name)

        return Side(work)

    await Meter(0, least_turns=3, clock=clock).measure(ROW, Pair(side("a"), side("b")))
    assert order == ["a", "b", "a", "b", "b", "a", "a", "b"]


async def test_short_work_is_repeated_until_it_can_be_timed() -> None:
    clock = StandingClock()
    pair = Pair(clock.side(forever(0.001)), clock.side(forever(0.05)))
    result = await Meter(0, least_turns=1, turn=0.01, clock=clock).measure(ROW, pair)
    assert (result.median, result.baseline_median) == pytest.approx((1, 50))
    assert clock.now == pytest.approx(2 * 0.001 + 0.05 + 10 * 0.001 + 0.05)


async def test_a_figure_is_for_one_item_and_a_rate_counts_items() -> None:
    clock = StandingClock()
    pair = Pair(clock.side(forever(0.5), items=10), clock.side(forever(0.1)))
    time = await Meter(0, clock=clock).measure(ROW, pair)
    assert (time.median, time.ratio) == pytest.approx((50, 0.5))
    rate = await Meter(0, clock=clock).measure(RATE, pair)
    assert (rate.median, rate.baseline_median, rate.ratio) == pytest.approx((20, 10, 2))


async def test_awaitable_work_is_awaited() -> None:
    clock = StandingClock()

    async def work() -> None:
        clock.now += 0.2

    result = await Meter(0, clock=clock).measure(ROW, Pair(Side(work), clock.side(forever(0.1))))
    assert result.ratio == pytest.approx(2)


async def test_sizes_and_times_are_not_compared() -> None:
    with pytest.raises(BenchError, match=r"a\.row"):
        await once().measure(ROW, Pair(3, Side(lambda: None)))


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), 1e9])
def test_a_meter_refuses_an_impossible_time(seconds: float) -> None:
    with pytest.raises(BenchError, match="seconds"):
        Meter(seconds)


def test_rows_are_chosen_by_name_or_group() -> None:
    assert [row.name for row in choose(["log.sqlite_1", "words"])] == [
        "words.mask",
        "words.pads",
        "log.sqlite_1",
    ]
    every = [row.name for row in choose([])]
    assert len(set(every)) == len(every) > 20
    with pytest.raises(BenchError, match="tables"):
        choose(["tables"])


async def test_every_row_has_two_sides_and_a_ratio_of_their_run(
    tmp_path: Path,
) -> None:
    told: list[str] = []
    report = await run(choose([]), Setting(tmp_path, entries=600), once(), told.append)
    assert told == [row.name for row in choose([])]
    assert set(report.left_out) == POSTGRESQL
    document = json.loads(json.dumps(to_dict(report)))
    assert set(document) == {"machine", "rows", "left_out"}
    assert set(document["machine"]) == {"cpus", "python", "architecture"}
    assert {row["name"] for row in document["rows"]} == set(told) - POSTGRESQL
    for row in document["rows"]:
        assert row["baseline"], row["name"]
        assert row["runs"] == 1
        assert row["min"] == row["median"] > 0
        # One run, so the medians are its two figures.
        assert row["ratio"] == pytest.approx(row["median"] / row["baseline_median"])


async def test_sizes_are_those_of_the_protocol(tmp_path: Path) -> None:
    report = await run(choose(["size"]), Setting(tmp_path), once(), lambda _: None)
    sizes = {result.row.name: result.median for result in report.results}
    assert sizes["size.table"] == ANSWER_BYTES
    assert sizes["size.column"] == WEIGHT_BYTES
    assert 128 < sizes["size.unlock"] < sizes["size.permit"] < 2048


async def test_sides_that_disagree_are_not_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest: Callable[[blind.PlainScores], blind.Points] = blind.PlainScores.by_lookup
    monkeypatch.setattr(
        blind.PlainScores, "by_lookup", lambda self: honest(self) + np.int16(1), raising=True
    )
    with pytest.raises(BenchError, match=r"blind\.lookup"):
        await run(choose(["blind.lookup"]), Setting(tmp_path), once(), lambda _: None)


async def test_without_the_peer_its_rows_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oblivious, "_peer", lambda: None)
    report = await run(choose(["oprf"]), Setting(tmp_path), once(), lambda _: None)
    assert [result.row.name for result in report.results] == [
        "oprf.prove_knowledge",
        "oprf.verify_knowledge",
    ]
    assert all("voprf" in reason for reason in report.left_out.values())
    assert len(report.left_out) == 4


async def test_postgresql_rows_leave_the_given_database_alone(
    tmp_path: Path, postgresql: Cluster
) -> None:
    url = postgresql.create_database(empty=True)
    rows = choose(sorted(POSTGRESQL))
    report = await run(rows, Setting(tmp_path, url), once(), lambda _: None)
    assert {result.row.name for result in report.results} == POSTGRESQL
    engine = create_engine(url)
    with engine.connect() as connection:
        assert inspect(connection).get_table_names() == []
        names = connection.execute(text("SELECT datname FROM pg_database")).scalars().all()
    engine.dispose()
    assert not [name for name in names if name.startswith("yinxin_bench")]
    postgresql.drop_database(url)


@pytest.mark.parametrize("url", ["nonsense", "postgresql+pg8000://nobody@127.0.0.1:1/none"])
async def test_a_server_that_cannot_be_used_is_named_as_the_option(
    tmp_path: Path, url: str
) -> None:
    with pytest.raises(BenchError, match="--postgresql"):
        await run(choose(sorted(POSTGRESQL)), Setting(tmp_path, url), once(), lambda _: None)


def test_the_command_writes_json_beside_the_table(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    done = CliRunner().invoke(
        app, ["--only", "size.unlock", "--only", "log.postgresql_1", "--json", str(file)]
    )
    assert done.exit_code == 0, done.output
    document = json.loads(file.read_text(encoding="utf-8"))
    assert [row["name"] for row in document["rows"]] == ["size.unlock"]
    assert "size.unlock" in done.stdout
    assert list(document["left_out"]) == ["log.postgresql_1"]
    assert "log.postgresql_1: left out, give a server" in done.stderr


def test_a_report_that_cannot_be_written_is_refused_before_measuring(tmp_path: Path) -> None:
    missing = tmp_path / "none" / "report.json"
    done = CliRunner().invoke(app, ["--only", "size.unlock", "--json", str(missing)])
    assert isinstance(done.exception, BenchError)
    assert "--json" in str(done.exception)


@pytest.mark.parametrize(
    ("ratio", "written"),
    [(1479.4, "1,479×"), (21.52, "21.5×"), (0.43, "0.43×"), (1 / 2943, "1/2,943")],
)
def test_ratios_are_written_for_people(ratio: float, written: str) -> None:
    assert ratio_text(ratio) == written
