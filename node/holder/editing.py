"""The mapping file, edited on a page: examined whole, kept whole, and the one before it with it.

A page changes what a mapping makes of its source, not what the source is: type, path and address
stand as whoever runs the machine wrote them. An account of the pages would read any file or
database of the machine otherwise.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from federation.entries import Kind, entry
from node.config import HolderConfig
from node.files import replacing
from node.holder.errors import HolderError
from node.holder.impact import present_catalogue
from node.holder.mapping import HolderMapping, MappingError, examine
from node.holder.mapping_lines import line_of
from node.runtime import Runtime
from scoring.catalogue import Catalogue

MOST_BYTES: Final = 256 * 1024
_FIXED: Final = ("type", "path", "url", "url_file")


@dataclass(frozen=True)
class Fault:
    """What is wrong in a text, and in which line; `key` is dotted."""

    line: int
    key: str
    problem: str
    remedy: str


@dataclass(frozen=True)
class Examined:
    """A text as a mapping, None where it cannot be read, and everything that is wrong with it."""

    mapping: HolderMapping | None
    faults: tuple[Fault, ...]

    @property
    def valid(self) -> bool:
        """Whether it can be kept."""
        return self.mapping is not None and not self.faults


class Conflict(HolderError):
    """The file is another one than the one that was edited."""


class MappingDesk:
    """The mapping file of one holder."""

    def __init__(self, runtime: Runtime[HolderConfig]) -> None:
        self._runtime = runtime
        self._saving = asyncio.Lock()

    @property
    def path(self) -> Path:
        """The file. Raises HolderError where the configuration names none."""
        path = self._runtime.config.mapping
        if path is None:
            raise HolderError("mapping: the configuration names no file; add it to node.toml")
        return path

    async def text(self) -> str:
        """The file as it is. Raises HolderError."""
        return await asyncio.to_thread(_read, self.path)

    async def catalogue(self) -> Catalogue | None:
        """The catalogue of the newest epoch; None while none is announced."""
        return await self._runtime.store.read(
            lambda connection: present_catalogue(self._runtime, connection)
        )

    async def examine(self, text: str) -> Examined:
        """What a text says. It is checked against the newest epoch's catalogue, this holder's kind
        and the source that stands in the file. Raises HolderError when that cannot be read.
        """
        present, catalogue = await self.text(), await self.catalogue()
        return await asyncio.to_thread(self._examined, text, present, catalogue)

    def _examined(self, text: str, present: str, catalogue: Catalogue | None) -> Examined:
        mapping, errors = examine(text, self.path, catalogue)
        if mapping is not None:
            errors += self._own_faults(mapping, present)
        faults = {
            Fault(line_of(text, one.key, one.problem), one.key, one.problem, one.remedy): None
            for one in errors
        }
        return Examined(mapping, tuple(sorted(faults, key=lambda fault: fault.line)))

    async def save(self, text: str, edited: str, by: str) -> str:
        """Keeps a valid text in place of the file, whose digest was `edited`; returns the new one.

        The file before stays beside it. The digest of the new one is logged with the account first.
        Raises HolderError for a text that is not valid, or a file that cannot be written, and
        Conflict when the file has changed since.
        """
        # One at a time: else two that edited the same file would both find it unchanged.
        async with self._saving:
            if not (await self.examine(text)).valid:
                raise HolderError("the mapping is not valid; correct the lines that are named")
            before = await self.text()
            if digest(before) != edited:
                raise Conflict("the mapping was changed meanwhile; open the page anew")
            if text == before:
                return edited
            now = self._runtime.clock.now()
            document = hashlib.sha256(text.encode()).digest()
            raw = entry(Kind.ADMIN, now, action="mapping", by=by, document=document)

            def record(connection: Connection) -> None:
                self._runtime.append(connection, Kind.ADMIN, raw)

            await self._runtime.store.run(record)
            await asyncio.to_thread(_replace, self.path, before, text)
            return digest(text)

    async def earlier(self) -> list[str]:
        """Names of the files that were kept, the newest first."""
        return await asyncio.to_thread(_earlier, self.path)

    def _own_faults(self, mapping: HolderMapping, present: str) -> list[MappingError]:
        kind, found = self._runtime.config.kind, []
        if mapping.kind != kind:
            found.append(
                mapping.error("kind", f"is {mapping.kind}, this holder's is {kind}", f"use {kind}")
            )
        standing, _ = examine(present, self.path)
        if standing is None:
            raise HolderError(f"{self.path}: is no mapping; correct it on the machine")
        for name in _FIXED:
            if getattr(mapping.source, name, None) != getattr(standing.source, name, None):
                found.append(
                    mapping.error(
                        f"source.{name}",
                        "is another one than in the file",
                        "leave it; a source is changed on the machine, not on a page",
                    )
                )
        return found


def digest(text: str) -> str:
    """By which a file is known again, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def _read(path: Path) -> str:
    try:
        raw = path.read_bytes()
        if len(raw) > MOST_BYTES:
            raise HolderError(f"{path}: has more than {MOST_BYTES:,} bytes; shorten it")
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise HolderError(f"mapping: {path} cannot be read ({error})") from error


def _replace(path: Path, before: str, text: str) -> None:
    """Both files appear whole; the one before first, so that none is ever lost."""
    mode = path.stat().st_mode & 0o777
    try:
        for target, content in ((_kept(path, before), before), (path, text)):
            with replacing(target) as temporary:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                with os.fdopen(os.open(temporary, flags, mode), "wb") as file:
                    file.write(content.encode())
    except OSError as error:
        raise HolderError(
            f"mapping: {path} cannot be written ({error.strerror}); let the node's user write there"
        ) from error


def _kept(path: Path, before: str) -> Path:
    numbers = [int(name.rpartition(".")[2]) for name in _earlier(path)]
    return path.with_name(f"{path.name}.{max(numbers, default=0) + 1}")


def _earlier(path: Path) -> list[str]:
    names = [
        one.name
        for one in path.parent.glob(f"{path.name}.*")
        if one.name.removeprefix(f"{path.name}.").isdigit()
    ]
    return sorted(names, key=lambda name: -int(name.rpartition(".")[2]))
