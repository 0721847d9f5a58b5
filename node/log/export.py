"""A node's own log shown to others: its files in a folder, and the proof of one entry.

Both are of the newest checkpoint that a majority of the witnesses cosigned, and both are verified
with the keys of now before they are handed out.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from federation.canonical import b64
from federation.errors import FederationError
from federation.tlog.checkpoint import quorum_of
from federation.tlog.fault import LogFault
from federation.tlog.opening import LogKeys, open_log, recognised
from federation.tlog.proof import TlogProof, verify_proof
from federation.tlog.tiles import TILE_WIDTH, bundles_of, entries_path, tile_path, tiles_of
from node.errors import LogError
from node.log.checkpoints import SignedCheckpoint
from node.log.query_log import QueryLog
from node.log.tree import LogTree
from node.log.verify.source import CHECKPOINT


@dataclass(frozen=True)
class ProvedEntry:
    """An entry, its index, and the tlog-proof of it under a checkpoint of `size`."""

    index: int
    size: int
    entry: bytes
    proof: bytes


async def cosigned_now(tree: LogTree, keys: LogKeys) -> SignedCheckpoint:
    """The newest checkpoint cosigned by a majority, with no line but those of `keys`.

    Raises LogError where there is none yet.
    """
    signed = await tree.cosigned(quorum_of(len(keys.witnesses)))
    if signed is None:
        raise LogError("no checkpoint is cosigned by a majority of the witnesses yet; try later")
    note = recognised(signed.note, keys)
    try:
        open_log(note, keys)
    except LogFault as fault:
        raise LogError(f"newest cosigned checkpoint: {fault.problem}; start the node") from fault
    return SignedCheckpoint(signed.size, signed.root, note, signed.time)


async def export_log(
    tree: LogTree, keys: LogKeys, folder: Path, progress: Callable[[int, int], None]
) -> SignedCheckpoint:
    """Writes checkpoint, tiles and entry bundles; the folder appears whole or not at all.

    `progress` is told how many entries are written, and of how many. Raises LogError when the
    folder exists and is not empty or cannot be written, or the log lacks what it should have.
    """
    signed = await cosigned_now(tree, keys)
    with _appearing(folder) as building:
        for number, width in bundles_of(signed.size):
            progress(number * TILE_WIDTH, signed.size)
            _write(building / entries_path(number, width), await tree.bundle(number, width))
        for tile in tiles_of(signed.size):
            _write(building / tile_path(*tile), await tree.tile(*tile))
        _write(building / CHECKPOINT, signed.note)
    progress(signed.size, signed.size)
    return signed


async def prove_entry(tree: LogTree, log: QueryLog, keys: LogKeys, index: int) -> ProvedEntry:
    """The proof that entry `index` is in the log, as anybody with the keys verifies it.

    Raises LogError for an entry that is not there or that no cosigned checkpoint covers yet.
    """
    signed = await cosigned_now(tree, keys)
    raw = (await log.get(index)).entry
    if index >= signed.size:
        raise LogError(f"entry {index}: no cosigned checkpoint covers it yet; try in a minute")
    proof = TlogProof(index, await tree.prove(index, signed.size), signed.note).encode()
    try:
        verify_proof(proof, raw, keys.log, keys.public, keys.witnesses)
    except FederationError as error:
        raise LogError(
            f"entry {index}: {error}; run `yinxin log fsck` to find what is changed"
        ) from error
    return ProvedEntry(index, signed.size, raw, proof)


async def find_document(log: QueryLog, document: bytes) -> int:
    """Index of the first entry that names a document by its hash (32 bytes). Raises LogError."""
    wanted = f'"document":"{b64(document)}"'.encode()
    async for found in log.iterate():
        if wanted in found.entry:
            return found.index
    raise LogError(f"--document: no entry of this log names {document.hex()}")


@contextmanager
def _appearing(folder: Path) -> Iterator[Path]:
    folder = folder.absolute()
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise LogError(f"{folder} exists and is not empty; name a new folder")
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = folder.parent / f".{folder.name}.{secrets.token_hex(6)}.part"
        temporary.mkdir(mode=0o700)
    except OSError as error:
        raise LogError(f"{folder} cannot be made ({error.strerror})") from error
    try:
        yield temporary
        temporary.rename(folder)
    except OSError as error:
        raise LogError(f"{folder} cannot be written ({error.strerror})") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write(path: Path, raw: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw)
