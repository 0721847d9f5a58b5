"""Evidence for who works at the serving node, which never holds the audit master key.

A process of its own reads the key for one envelope, if it may, and ends. Where it may not, the
command does it as the user who may.
"""

from __future__ import annotations

import asyncio
import io
import shutil
import tempfile
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from federation.permit import Evidence
from node.config import RegulatorConfig
from node.regulator.auditkeys.provider import AuditKeyRing
from node.regulator.evidence.export import export
from node.regulator.evidence.material import Opener
from node.regulator.evidence.report import Verdict
from node.regulator.membership import Regulator
from node.storage.engine import open_engine, reading
from node.workers.pool import WorkerPool

OPEN_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Archive:
    """An evidence folder as a ZIP file, what its verifier found, and the file's name."""

    name: str
    verdict: Verdict
    body: bytes = field(repr=False)


def may_open(config: RegulatorConfig) -> None:
    """A worker's job: raises MasterKeyError, TokenError or SecretFileError unless this user may use
    the audit master key.
    """
    _ring(config)


def open_envelope(config: RegulatorConfig, envelope: bytes, permit: bytes, issued: int) -> bytes:
    """A worker's job: the evidence (its payload) in an envelope. Raises as `may_open`, and
    EnvelopeError.
    """
    return _ring(config).evidence(envelope, permit, issued).payload()


def _ring(config: RegulatorConfig) -> AuditKeyRing:
    engine = open_engine(config.database_url(), pool=1)
    try:
        with reading(engine) as connection:
            return AuditKeyRing.read(config, connection)
    finally:
        engine.dispose()


@asynccontextmanager
async def opening(config: RegulatorConfig) -> AsyncIterator[Opener]:
    """An opener that works in a process of its own, which ends with the context.

    Raises MasterKeyError, TokenError, SecretFileError where the audit key may not be read.
    """
    pool = WorkerPool(1, module=__name__)
    await pool.start()
    loop = asyncio.get_running_loop()

    def opened(envelope: bytes, permit: bytes, issued: int) -> Evidence:
        # Called in a reader's thread.
        job = pool.run(open_envelope, config, envelope, permit, issued)
        payload = asyncio.run_coroutine_threadsafe(job, loop).result(OPEN_SECONDS)
        return Evidence.parse(payload)

    try:
        await pool.run(may_open, config)
        yield opened
    finally:
        await pool.stop()


async def archive(regulator: Regulator, query: bytes, opener: Opener, by: str) -> Archive:
    """The evidence folder of a query as a ZIP file. Raises as `export`."""
    folder = Path(tempfile.mkdtemp(prefix="yinxin-evidence-"))  # for its user only
    try:
        name = f"evidence-{query.hex()[:16]}"
        done = await export(regulator, query, opener, folder / name, by)
        body = await asyncio.to_thread(_zipped, done.path)
        return Archive(f"{name}.zip", done.verdict, body)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _zipped(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(folder.rglob("*")):
            file.write(path, path.relative_to(folder.parent))
    return buffer.getvalue()
