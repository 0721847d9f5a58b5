"""`yinxin` itself: what it offers, and how it says that something is wrong."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

from federation.errors import DocumentError
from node.cli import main as module
from node.cli.main import GROUPS, main
from node.cli.output import emit, guard
from node.errors import NodeError
from scoring.errors import ScoringError

ROOT = Path(__file__).resolve().parents[3]


def yinxin(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit code."""
    monkeypatch.setattr(sys, "argv", ["yinxin", *arguments])
    try:
        main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    return 0


@pytest.mark.parametrize("arguments", [(), ("-h",), ("--help",)])
def test_the_overview_names_every_group(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert yinxin(monkeypatch, *arguments) == 0
    told = capsys.readouterr()
    assert all(f"  {name} " in told.out for name in GROUPS)
    assert told.err == ""


def test_the_version_is_the_packages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert yinxin(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"yinxin {importlib.metadata.version('yinxin')}\n"


def test_an_unknown_command_is_a_usage_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert yinxin(monkeypatch, "hubb") == 2
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert "'hubb'" in told.err and "regulator" in told.err
    assert yinxin(monkeypatch, "hub", "no-such") == 2


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_explains_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], group: str
) -> None:
    assert yinxin(monkeypatch, group, "--help") == 0
    assert f"yinxin {group}" in capsys.readouterr().out


def test_an_error_is_one_line_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    missing = tmp_path / "node.toml"
    assert yinxin(monkeypatch, "hub", "status", "--config", str(missing)) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("yinxin: ") and str(missing) in told.err
    assert "Traceback" not in told.err


@pytest.mark.parametrize(
    "error", [NodeError("a: b; c"), DocumentError("a", "b", "c"), ScoringError("a: b; c")]
)
def test_the_projects_errors_are_told_and_others_are_not_hidden(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, guard():
        raise error
    assert ended.value.code == 1
    assert capsys.readouterr().err == "yinxin: a: b; c\n"
    with pytest.raises(ZeroDivisionError), guard():
        raise ZeroDivisionError


def test_json_is_json_alone(capsys: pytest.CaptureFixture[str]) -> None:
    import json

    result = {"名": "甲", "rows": [{"a": 1}, {"a": 2}], "empty": [], "ids": ["x" * 40, "y" * 40]}
    emit(result, True, text="not this")
    assert json.loads(capsys.readouterr().out) == result
    emit(result, False)
    text = capsys.readouterr().out
    assert "名: 甲" in text and "empty: –" in text
    assert "x" * 40 in text and "[" not in text


def test_a_group_is_imported_only_when_it_is_called() -> None:
    code = (
        "import sys; sys.argv = ['yinxin', '--help']; from node.cli.main import main; main();"
        "heavy = {'grpc', 'polars', 'tenseal', 'fastapi', 'sqlalchemy'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert module.GROUPS is GROUPS
