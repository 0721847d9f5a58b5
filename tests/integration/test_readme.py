"""The README's first query is a script that works, and the Chinese README has the same commands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from federation.auditkeys import CHINA
from node.demo.processes import free_ports

ROOT = Path(__file__).resolve().parents[2]
READMES = {"README.md": "## A first query", "README.zh-CN.md": "## 第一次查询"}
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def section(name: str) -> str:
    text = (ROOT / name).read_text(encoding="utf-8")
    begin = text.index(READMES[name])
    return text[begin : text.index("\n## ", begin + 1)]


def script(name: str) -> str:
    return "\n".join(BLOCK.findall(section(name)))


def on_free_ports(commands: str) -> str:
    """The same commands on ports that nobody uses: fixed ones would meet another test's."""
    found = free_ports(40)
    base = next(first for first in found if {*range(first, first + 8)} <= {*found})
    rest = [port for port in found if not base <= port < base + 8]
    for number, port in enumerate((7100, 7101, 7102, 7103)):
        commands = commands.replace(f"127.0.0.1:{port}", f"127.0.0.1:{rest[number]}")
    commands = commands.replace("127.0.0.1:7104", "127.0.0.1:0")
    return commands.replace("port=7110", f"port={base}")


def by_day(commands: str) -> str:
    """The same commands, with a regulator to whom no hour is quiet: tests run at night, too. It
    looks at the logs every second, so that nobody has to wait for it.
    """
    today = datetime.now(CHINA).date()
    days = [str(today), str(today + timedelta(days=1))]
    quiet = ["[audit]", "quiet_from = 0", "quiet_until = 0", f"working_days = {days}"]
    lines = ["[mirror]", "period = 1", *quiet]
    told = " ".join(f'"{line}"' for line in ["", *lines])
    marker = "yinxin hub init hub "
    assert commands.count(marker) == 1
    return commands.replace(marker, f"printf '%s\\n' {told} >> regulator/node.toml\n{marker}")


def test_both_readmes_have_the_same_commands() -> None:
    def comparable(name: str) -> str:
        commands = "\n".join(BLOCK.findall((ROOT / name).read_text(encoding="utf-8")))
        commands = re.sub(r"#.*", "", commands)
        commands = re.sub(r'echo ".*"', "echo", commands).replace("--lang zh", "--lang en")
        return re.sub(r"[ \t]+$", "", commands, flags=re.MULTILINE)

    english, chinese = map(comparable, READMES)
    assert english == chinese


def without_waiting(commands: str) -> str:
    """The same commands; checkpoints come every second here, and the mirror needs less time."""
    assert commands.count("sleep 30") == 1
    return commands.replace("sleep 30", "sleep 8")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_first_query_works_as_written(tmp_path: Path) -> None:
    commands = without_waiting(by_day(on_free_ports(script("README.md"))))
    for line in commands.splitlines():  # nothing but what it says is typed
        assert not line.startswith("make ")
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "TMPDIR": str(tmp_path),
        "COLUMNS": "80",
        "YINXIN__TLOG__PERIOD": "1",
    }
    ended = subprocess.run(
        ["bash", "-c", f"set -eu\ntrap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n{commands}"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=840,
    )
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-4000:]
    assert "Credit profile · 91999999MAU4MKLH2A" in ended.stdout
    shown = re.search(r"Score  \d+ ", section("README.md"))
    assert shown is not None and shown.group() in ended.stdout, "another score: update both READMEs"
    assert "The scorecard meets the policy" in ended.stdout
    assert "verified: True" in ended.stdout
    assert "refused, as it should be" in ended.stdout
    assert "in order / 合规: 2\nfindings / 发现: none / 无" in ended.stdout
    assert "no findings / 没有发现" in ended.stdout
    assert "The evidence is whole and the query was in order." in ended.stdout
    assert re.search(r"verified \d+ entries .*\ncosigned by \d of 9", ended.stdout)
    assert re.search(r"hub/hub refused \(reference [0-9a-f]{16}\)", ended.stderr)
    assert "Traceback" not in ended.stderr


def test_every_command_of_the_readmes_exists() -> None:
    """`yinxin A B …` in prose and tables: group and command are there."""
    from node.cli.main import GROUPS

    for name in READMES:
        text = (ROOT / name).read_text(encoding="utf-8")
        for found in re.findall(r"yinxin ([a-z-]+)", text):
            assert found in GROUPS, f"{name}: yinxin {found}"
