"""The independent verifier of logs: a small program over Go's sumdb, both of Debian's packages."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

GO = Path("/usr/lib/go-1.19/bin/go")
PACKAGES = Path("/usr/share/gocode")
LIBRARY = PACKAGES / "src/golang.org/x/mod/sumdb/tlog"
SOURCE = Path(__file__).parent.parent / "golang" / "logcheck.go"


def installed() -> bool:
    """Whether `make test` has installed compiler and library."""
    return GO.is_file() and LIBRARY.is_dir()


def build(folder: Path) -> Path:
    """The compiled program."""
    program = folder / "logcheck"
    environment = {
        **os.environ,
        "GO111MODULE": "off",
        "GOPATH": str(PACKAGES),
        "GOCACHE": str(folder / "cache"),
        "GOFLAGS": "",
    }
    command = [str(GO), "build", "-o", str(program), str(SOURCE)]
    subprocess.run(command, check=True, env=environment, cwd=folder, capture_output=True)
    return program


class GoVerifier:
    """Runs the program; every run is given the keys first."""

    def __init__(self, program: Path, vkeys: list[str], quorum: int) -> None:
        self._program = program
        self._keys = {"Do": "keys", "VKeys": vkeys, "Quorum": quorum}

    def ask(self, requests: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """An answer for each request: `error`, which is empty for success, and `proof`."""
        lines = [json.dumps(plain(request)) for request in (self._keys, *requests)]
        told = subprocess.run(
            [str(self._program)],
            input="\n".join(lines).encode(),
            check=True,
            capture_output=True,
        ).stdout
        keys, *answers = [json.loads(line) for line in told.splitlines()]
        assert keys["error"] == ""
        assert len(answers) == len(lines) - 1
        return answers

    def errors(self, requests: Iterable[Mapping[str, Any]]) -> list[str]:
        """The error of each, empty for success."""
        return [answer["error"] for answer in self.ask(requests)]


def plain(value: Any) -> Any:
    """The JSON form of a request, bytes as Go reads them."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def proof_of(answer: Mapping[str, Any]) -> tuple[bytes, ...]:
    """The hashes of the proof in an answer."""
    assert answer["error"] == ""
    return tuple(base64.b64decode(part) for part in answer.get("proof", []))
