"""`yinxin demo --once --json FILE`: exact, in the promised form, and nothing is left over."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from itertools import accumulate
from pathlib import Path
from typing import Any

import psutil
import pytest

from node.demo.calendar import office_weeks

pytestmark = pytest.mark.timeout(900)

ROOT = Path(__file__).resolve().parents[2]
ENTERPRISES, QUERIES, HOLDERS = 600, 12, 8
NODES = HOLDERS + 3
SECONDS = 60
"""Within which entries need not stand in order of their times."""
REASONS = {
    "no_consent", "expired", "wrong_bank", "wrong_purpose", "replayed_permit", "cancelled",
    "uses_exhausted", "unknown_enterprise", "uncertified_model", "foreign_certificate",
}  # fmt: skip

WRONG = """
import sys
from pathlib import Path

import node.demo.run as run
from node.demo.layout import KINDS
from support.running import KINDS as FEW, small_scorecard

# A smaller chain is as good here.
card = Path(sys.argv.pop())
card.write_text(small_scorecard().to_json(), encoding="utf-8")
run.SCORECARD = card
run.KINDS = {kind: KINDS[kind] for kind in FEW}

right = run.reference_records

def wrong(*files):
    return {code: word ^ 1 for code, word in right(*files).items()}

run.reference_records = wrong

from node.demo.dishonest import Planted, Plot
plant = Plot.plant

async def boast(plot):
    return [*await plant(plot), Planted("00" * 32, "consent-missing", "nobody")]

Plot.plant = boast
from node.cli.main import main
main()
"""
"""The demo with a reference in which every record differs in one bit: the same as wrong records."""


class Demo:
    """One run of the command, watched: which processes it had, and which of them are left."""

    def __init__(self, command: list[str], folder: Path, weeks: int = 0) -> None:
        self.folder = folder
        self.file = folder / "result.json"
        arguments = ["demo", "--once", "--json", str(self.file), "--dir", str(folder / "chain")]
        arguments += ["--enterprises", str(ENTERPRISES), "--queries", str(QUERIES)]
        arguments += ["--weeks", str(weeks)]
        self._seen: dict[int, psutil.Process] = {}
        with (folder / "output").open("w+", encoding="utf-8") as output:
            process = subprocess.Popen(
                [sys.executable, *command[:2], *arguments, *command[2:]],
                cwd=ROOT,
                env={"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{ROOT}/tests", "HOME": str(folder)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                self._watch(process)
            finally:
                process.kill()
                process.wait()
            output.seek(0)
            self.output = output.read()
        self.code = process.returncode

    @property
    def processes(self) -> int:
        """How many processes it started."""
        return len(self._seen)

    @property
    def left(self) -> list[psutil.Process]:
        """Those that still run. `is_running` knows a process id that was given to another."""
        return [p for p in self._seen.values() if p.is_running() and p.status() != "zombie"]

    @property
    def result(self) -> Any:
        """What it wrote."""
        return json.loads(self.file.read_text(encoding="utf-8"))

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        own = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                for child in own.children(recursive=True):
                    self._seen.setdefault(child.pid, child)
            except psutil.Error:
                pass  # it has just ended
            time.sleep(0.1)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    return Demo(["-m", "node.cli"], tmp_path_factory.mktemp("demo"), weeks=1)


def test_it_ends_well_and_says_so(demo: Demo) -> None:
    assert demo.code == 0, demo.output
    assert demo.result["mismatches"] == 0


def test_the_result_has_exactly_the_promised_form(demo: Demo) -> None:
    """Keys, and what kind of number stands under each."""
    result = demo.result
    assert set(result) == {
        "holders", "enterprises", "columns", "queries", "mismatches", "prepare", "query_ms",
        "query_bytes", "log_entries", "refusals", "processes", "startup_s", "peak_rss_mb", "audit",
        "clock", "history", "pages",
    }  # fmt: skip
    assert set(result["prepare"]) == {"buckets", "seconds", "bytes"}
    assert set(result["query_ms"]) == {"p50", "p95"}
    assert set(result["query_bytes"]) == {"up", "down"}
    assert (result["holders"], result["queries"]) == (HOLDERS, QUERIES)
    assert result["enterprises"] == ENTERPRISES
    assert result["prepare"]["buckets"] == 1
    whole = [result["columns"], result["prepare"]["bytes"], *result["query_bytes"].values()]
    assert all(type(number) is int and number > 0 for number in whole)
    times = [result["startup_s"], result["prepare"]["seconds"], *result["query_ms"].values()]
    assert all(type(number) is float and number > 0 for number in times)
    assert result["query_ms"]["p50"] <= result["query_ms"]["p95"]
    # Eight tables of 131 kB, and a query of some kilobytes either way.
    assert result["prepare"]["bytes"] > HOLDERS * 131_000
    assert max(result["query_bytes"].values()) < 20_000


def test_every_node_has_a_log_and_every_refusal_stands_in_one(demo: Demo) -> None:
    result = demo.result
    assert result["refusals"] == dict.fromkeys(REASONS, 1)
    assert len(result["log_entries"]) == NODES
    # Every query and every twin of a refusal left an entry with the hub and each holder.
    for name, count in result["log_entries"].items():
        least = 1 if name == "regulator" else QUERIES
        assert count >= least, name


def test_the_audit_finds_what_was_planted_and_nothing_else(demo: Demo) -> None:
    audit = demo.result["audit"]
    assert set(audit) == {
        "queries", "verified", "planted", "found", "missed", "false_positives", "logs", "seconds",
    }  # fmt: skip
    assert (audit["missed"], audit["false_positives"]) == (0, 0)
    assert len({planted["kind"] for planted in audit["planted"]}) >= 8
    planted = sorted(audit["planted"], key=lambda one: sorted(one.items()))
    assert planted == sorted(audit["found"], key=lambda one: sorted(one.items()))
    with_findings = {found["id"] for found in audit["found"] if found["id"]}
    assert audit["queries"] == audit["verified"] + len(with_findings)
    assert audit["verified"] > QUERIES


def test_every_log_is_mirrored_cosigned_and_but_for_the_edited_one_consistent(demo: Demo) -> None:
    audit = demo.result["audit"]
    (edited,) = [f["subject"] for f in audit["found"] if f["kind"] == "log-broken"]
    assert set(audit["logs"]) == set(demo.result["log_entries"])
    for name, log in audit["logs"].items():
        assert log["cosigned"] == log["size"] > 0, name
        assert log["consistent"] == (name != edited.rpartition("/")[2]), name


def test_a_history_of_real_queries_is_told_to_be_synthetic(demo: Demo) -> None:
    """A week has office days, but for holidays that last for one; the regulator has no doubts."""
    history = demo.result["history"]
    assert set(history) == {"days", "epochs", "queries", "findings"}
    if office_weeks(int(time.time()), 1):
        assert demo.result["clock"].startswith("synthetic until ")
        assert 1 <= history["days"] <= 6
        assert history["epochs"] in (1, 2)
        assert history["queries"] > history["days"]
    assert history["findings"] == 0


def test_no_log_is_back_dated(demo: Demo) -> None:
    """Within every log times rise, from the past to the present: nothing is written afterwards."""
    for name in demo.result["log_entries"]:
        folders = [demo.folder / "chain" / one for one in (name, f"holder-{name}")]
        (path,) = [path for folder in folders for path in folder.glob("data/*.sqlite")]
        with closing(sqlite3.connect(path)) as connection:
            rows = connection.execute('SELECT entry FROM log_entries ORDER BY "index"').fetchall()
        times = [json.loads(raw)["time"] for (raw,) in rows]
        # What is written at once has the time at which it was begun.
        newest = accumulate(times, max)
        assert all(time > last - SECONDS for last, time in zip(newest, times, strict=True)), name


def test_everybody_signs_in_and_opens_every_page(demo: Demo) -> None:
    pages = demo.result["pages"]
    assert len({row["party"] for row in pages}) == NODES + 1
    assert len({row["address"] for row in pages}) == NODES + 1
    for row in pages:
        assert row["pages"] > 0, row
        assert row["failed"] == [], row
    assert "officer-31" in demo.output


def test_no_process_is_left(demo: Demo) -> None:
    assert demo.result["processes"] >= 2 * NODES
    assert demo.processes >= demo.result["processes"]
    assert demo.left == []


def test_the_profile_is_shown(demo: Demo) -> None:
    """Without a terminal too: the card with score and code."""
    assert "999999" in demo.output
    assert f"{QUERIES}" in demo.output


def test_no_process_outlives_a_demo_that_is_killed() -> None:
    """Nothing can clean up after SIGKILL but a process that notices."""
    program = (
        "import subprocess, time\n"
        "from node.demo.guard import Guard\n"
        "guard = Guard()\n"
        "child = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
        "guard.add(child.pid)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    with parent.stdout as output:
        child = psutil.Process(int(output.readline()))
    assert child.is_running()
    parent.kill()
    parent.wait()
    child.wait(10)


def test_wrong_records_are_told_and_end_in_failure(tmp_path: Path) -> None:
    demo = Demo(["-c", WRONG, str(tmp_path / "scorecard.json")], tmp_path)
    assert demo.code != 0
    assert demo.result["mismatches"] == QUERIES, demo.output
    # A violation that no log shows is missed, and that is told as well.
    assert (demo.result["audit"]["missed"], demo.result["audit"]["false_positives"]) == (1, 0)
    assert demo.left == []
