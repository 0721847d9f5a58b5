"""A node's whole log, derived again from the bytes of its entries. The first fault ends it.

1. Every entry is there, has its leaf hash, is one that this version reads, and its columns are
   those of its content.
2. The tree's nodes are those of the entries, no more and no fewer, and every checkpoint has the
   root that the entries gave at its size.
3. Every checkpoint's note says that size and root, and is signed with a key of the log's owner.
4. Every cosignature is a witness's, under a checkpoint that is kept.
5. Whatever is kept beside the log hashes to the name that it is kept under.

What an insider changed in entries, leaf hashes and nodes alike shows in step 2, as long as the
checkpoints are left; against somebody who signs those anew stand the witnesses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from sqlalchemy import Column, Connection, Row, Select, func, select

from federation.identity import SpiffeId
from federation.membership import Member
from federation.tlog.tiles import TILE_WIDTH
from node.chain.store import MEMBER, ChainStore
from node.log.checkpoints import select_checkpoints
from node.log.faults import Covering, Fault
from node.log.query_log import QueryLog
from node.log.scrub import Check, FaultFound, FsckReport, Keys, Scrub
from node.log.tables import blob, log_attachments, log_checkpoints
from node.storage.store import Store

_PAGE: Final = 8 * TILE_WIDTH
_ROWS: Final = 256

Progress = Callable[[Check, int, int], None]
"""Told the step, how much of it is done, and of how much."""


def known_keys(connection: Connection, chain: ChainStore) -> dict[SpiffeId, set[bytes]]:
    """The signing keys in every credential of the chain that is kept, of now and of before."""
    keys: dict[SpiffeId, set[bytes]] = {
        chain.root.regulator: {chain.root.regulator_signing},
    }
    for credential in chain.documents(connection, MEMBER):
        member = Member.open_(credential, chain.root.regulator_signing)
        keys.setdefault(member.id, set()).add(member.signing)
    return keys


async def fsck(store: Store, log: SpiffeId, keys: Keys, progress: Progress) -> FsckReport:
    """Looks at the log of `log` in its own database. Entries may be appended meanwhile.

    `keys` are those of all members that sign or signed the log's checkpoints. Raises
    StorageUnavailable.
    """
    report = FsckReport()
    scrub = Scrub(log, keys, report)
    try:
        size, covering = await store.read(_extent)
        if covering is not None and covering.size > size:
            problem = f"is missing; a checkpoint of size {covering.size} covers it"
            raise FaultFound(Check.ENTRIES, Fault(f"entry {size}", problem))
        await store.read(scrub.begin)
        for start in range(0, size, _PAGE):
            progress(Check.ENTRIES, start, size)
            stop = min(size, start + _PAGE)
            await store.read(partial(scrub.entries, start=start, stop=stop, covering=covering))
        progress(Check.ENTRIES, size, size)
        await store.read(scrub.nodes_end)
        progress(Check.TREE, report.nodes, report.nodes)
        sizes, digests = log_checkpoints.c.size, log_attachments.c.hash
        rows = select_checkpoints()
        await _pages(store, rows, sizes, scrub.checkpoints, partial(progress, Check.CHECKPOINTS))
        await store.read(scrub.orphans)
        progress(Check.COSIGNATURES, report.cosignatures, report.cosignatures)
        rows = select(digests, blob(log_attachments.c.body))
        await _pages(store, rows, digests, scrub.attachments, partial(progress, Check.ATTACHMENTS))
    except FaultFound as found:
        report.check, report.fault = found.check, found.fault
    return report


async def _pages(
    store: Store,
    rows_of: Select[Any],
    key: Column[Any],
    look: Callable[[Connection, Sequence[Row[Any]]], None],
    progress: Callable[[int, int], None],
) -> None:
    """Calls `look` with the rows, `_ROWS` at a time in order of their key."""
    count = select(func.count(key))
    total = await store.read(lambda c: c.execute(count).scalar_one())
    done = 0
    last: Any = None

    def page(connection: Connection) -> tuple[int, Any]:
        query = rows_of if last is None else rows_of.where(key > last)
        rows = connection.execute(query.order_by(key).limit(_ROWS)).all()
        if rows:
            look(connection, rows)
        return len(rows), getattr(rows[-1], key.name) if rows else last

    while True:
        progress(min(done, total), total)
        length, last = await store.read(page)
        done += length
        if length < _ROWS:
            break
    progress(done, max(done, total))


def _extent(connection: Connection) -> tuple[int, Covering | None]:
    """How many entries there are, and the largest checkpoint as it is stored."""
    row = connection.execute(
        select_checkpoints().order_by(log_checkpoints.c.size.desc()).limit(1)
    ).first()
    covering = None if row is None else Covering(row.size, row.root)
    return QueryLog.size_in(connection), covering
