"""The tree of a long log: checkpoints, proofs, and the check of all of it.

The log is filled in bulk, as a million appends would take as long as all other rows together; what
an append costs is in the rows of `log`.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import psutil
from sqlalchemy import Connection, insert, select

from federation.entries import Kind, entry
from federation.identity import Role, SpiffeId
from federation.merkle import leaf_hash, root
from federation.signed import SigningKey
from federation.tlog.fault import Wanted
from federation.tlog.opening import LogKeys
from federation.tlog.tiles import bundles_of, tiles_of
from node.bench.errors import BenchError, agree
from node.bench.measure import Pair, Row, Side, Unit
from node.bench.setting import Group, Pairs, Setting
from node.log.faults import Covering
from node.log.scrub import FsckReport, Scrub
from node.log.tree import LogTree, extend
from node.log.verify import verify_log
from node.storage import Store
from node.storage.schema import log_entries

NEW: Final = 10_000
"""Entries of a checkpoint."""
PART: Final = 16_384
"""Entries that one run of a check reads: what it costs grows with them and with nothing else."""
_PAGE: Final = 2048
_LOG: Final = SpiffeId("bench.yinxin.example", Role.HOLDER, "tax")
_TIME: Final = 1_800_000_000
_HASHES: Final = "leaf hashes and root of as many entries, in memory"

ROWS_OF_GROUP = (
    Row(
        "tree.prove",
        Unit.MILLISECONDS,
        "an inclusion proof in a log of a million entries",
        "reading the entry",
    ),
    Row(
        "tree.checkpoint",
        Unit.MILLISECONDS,
        f"a checkpoint over {NEW:,} new entries",
        _HASHES,
    ),
    Row("tree.fsck", Unit.RATE, "entries a second, `yinxin log fsck`", _HASHES),
    Row("tree.verify", Unit.RATE, "entries a second, `yinxin log verify`", _HASHES),
    Row(
        "tree.memory",
        Unit.BYTES,
        "what the process grows by while its log does by a million entries",
        "what the database grows by",
    ),
)


class _RolledBack(Exception):
    """Ends a unit of work that is to leave nothing."""


class _Copied:
    """The files of a log in memory."""

    def __init__(self, checkpoint: bytes, files: dict[Wanted, bytes]) -> None:
        self._checkpoint = checkpoint
        self._files = files

    async def checkpoint(self) -> bytes:
        return self._checkpoint

    async def read(self, wanted: Wanted) -> bytes:
        return self._files[wanted]


@asynccontextmanager
async def prepare(setting: Setting) -> AsyncIterator[Pairs]:
    """A log of `setting.entries`, and as many new ones as a checkpoint is to cover."""
    key, size = SigningKey.generate(), setting.entries
    new, part = min(NEW, size), min(PART, size)
    with ExitStack() as stack:
        file = setting.folder / "long.sqlite"
        store = _opened(stack, file)
        tree = LogTree(store)
        await tree.checkpoint(key, _LOG, _TIME)
        memory, disk = _rss(), _bytes(file)
        await _fill(store, 0, size)
        signed = await tree.checkpoint(key, _LOG, _TIME)
        covering = Covering(signed.size, signed.root)
        growth = (max(1, _rss() - memory), _bytes(file) - disk)
        await _fill(store, size, size + new)

        copied = await _copy(_opened(stack, setting.folder / "short.sqlite"), key, part)
        keys = LogKeys(_LOG, key.public, {})

        async def prove() -> None:
            await tree.prove(secrets.randbelow(size), size)

        async def read() -> None:
            index = secrets.randbelow(size)
            query = select(log_entries.c.entry).where(log_entries.c.index == index)
            await store.read(lambda connection: connection.execute(query).scalar_one())

        async def checkpoint() -> None:
            try:
                await store.run(unit)
            except _RolledBack:
                return

        def unit(connection: Connection) -> None:
            signed, whole = extend(connection, key, _LOG, _TIME)
            if not whole or signed.size != size + new:
                raise BenchError("tree.checkpoint: does not cover every new entry")
            raise _RolledBack

        async def scrub() -> None:
            step = Scrub(_LOG, {}, FsckReport())
            for start in range(0, part, _PAGE):
                stop = min(part, start + _PAGE)
                await store.read(partial(step.entries, start=start, stop=stop, covering=covering))

        checked = [_raw(number) for number in range(part)]
        covered = [_raw(number) for number in range(size, size + new)]
        found = await verify_log(copied, keys, (), _silent)
        agree("tree.verify", found.checkpoint.root, _root_of(checked))
        yield {
            "tree.prove": Pair(Side(prove), Side(read)),
            "tree.checkpoint": Pair(Side(checkpoint), Side(partial(_root_of, covered))),
            "tree.fsck": Pair(Side(scrub, part), Side(partial(_root_of, checked), part)),
            "tree.verify": Pair(
                Side(lambda: verify_log(copied, keys, (), _silent), part),
                Side(partial(_root_of, checked), part),
            ),
            "tree.memory": Pair(*growth),
        }


def _opened(stack: ExitStack, file: Path) -> Store:
    store = Store.open(f"sqlite:///{file}")
    stack.callback(store.close)
    return store


def _raw(number: int) -> bytes:
    return entry(
        Kind.UNLOCK,
        _TIME,
        document=number.to_bytes(32, "big"),
        bank="spiffe://csj.yinxin.example/bank/harbour",
        ctx=bytes(32),
    )


async def _fill(store: Store, start: int, stop: int) -> None:
    for begin in range(start, stop, _PAGE):
        rows = [
            {
                "index": number,
                "leaf_hash": leaf_hash(raw := _raw(number)),
                "kind": Kind.UNLOCK,
                "time": _TIME,
                "entry": raw,
            }
            for number in range(begin, min(stop, begin + _PAGE))
        ]
        await store.run(partial(_insert, rows=rows))


def _insert(connection: Connection, rows: Sequence[dict[str, object]]) -> None:
    connection.execute(insert(log_entries), rows)


async def _copy(store: Store, key: SigningKey, size: int) -> _Copied:
    """A log of `size` entries with its files in memory."""
    tree = LogTree(store)
    await _fill(store, 0, size)
    signed = await tree.checkpoint(key, _LOG, _TIME)
    files = {Wanted(*tile): await tree.tile(*tile) for tile in tiles_of(size)}
    for number, width in bundles_of(size):
        files[Wanted(None, number, width)] = await tree.bundle(number, width)
    return _Copied(signed.note, files)


def _root_of(entries: Sequence[bytes]) -> bytes:
    return root(leaf_hash(raw) for raw in entries)


def _rss() -> int:
    resident: int = psutil.Process().memory_info().rss
    return resident


def _bytes(file: Path) -> int:
    return sum(path.stat().st_size for path in file.parent.glob(f"{file.name}*"))


def _silent(done: int, total: int) -> None:
    """Shows no progress."""


GROUP = Group("tree", ROWS_OF_GROUP, prepare)
