"""What the authority certified: JSON Lines, appended and synced before a certificate is given."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from node.errors import NodeError


class LicenceError(NodeError):
    """The authority's folder or register is unusable, or a request must not be certified."""


@dataclass(frozen=True)
class Certified:
    """One line: which keys (SHA-256 of the public key, hex) of which enterprise, and until when."""

    time: int
    uscc: str
    title: str
    request: str
    consent_key: str
    consent_serial: str
    tls_serial: str
    not_after: int


class Register:
    """The register in one file, for one writer at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def lines(self) -> list[Certified]:
        """Everything certified, oldest first. Raises LicenceError."""
        with self._locked() as file:
            return _read(self._path, file)

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """Holds the register: what was certified, and the means to add to it."""
        with self._locked() as file:
            lines = _read(self._path, file)
            newest = {line.uscc: line for line in lines}
            yield Writer(file, newest, {line.consent_key: line.uscc for line in lines})

    @contextmanager
    def _locked(self) -> Iterator[BinaryIO]:
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield file
        except OSError as error:
            raise LicenceError(f"{self._path} cannot be used ({error.strerror})") from error


@dataclass(frozen=True)
class Writer:
    """The open register. `newest` has the last line of each enterprise, `owners` whose each
    consent key is or was.
    """

    _file: BinaryIO
    newest: dict[str, Certified]
    owners: dict[str, str]

    def append(self, lines: Sequence[Certified]) -> None:
        """Adds lines, whole and synced."""
        raw = "".join(json.dumps(asdict(line), ensure_ascii=False) + "\n" for line in lines)
        self._file.write(raw.encode())
        self._file.flush()
        os.fsync(self._file.fileno())


def _read(path: Path, file: BinaryIO) -> list[Certified]:
    raw = file.read()
    whole = raw.rfind(b"\n") + 1
    if whole < len(raw):
        # A write that a crash cut off: its certificates never left, because they come after it.
        file.seek(whole)
        file.truncate()
    found = []
    for number, line in enumerate(raw[:whole].splitlines(), start=1):
        try:
            found.append(Certified(**json.loads(line)))
        except (ValueError, TypeError) as error:
            raise LicenceError(f"{path}: line {number} is no entry; restore the file") from error
    return found
