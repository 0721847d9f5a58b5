"""Reading another member's log, and asking a witness: HTTPS with the party's identity demanded.

What comes is bytes of the right form, and nothing more: checkpoints, tiles and entries mean
something only once `federation.tlog` has verified them.
"""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Final, Self

import httpx
import structlog

from federation.entries import MAX_ENTRY_BYTES
from federation.errors import DocumentError
from federation.identity import SpiffeId, dns_name
from federation.merkle import HASH_BYTES
from federation.tlog.note import MAX_NOTE_BYTES
from federation.tlog.tiles import (
    TILE_WIDTH,
    decode_bundle,
    entries_path,
    tile_path,
)
from node.log.attachments import decode_attachments
from node.log.http.tls import client_context
from node.rpc.errors import PartyUnavailable, RemoteFailure, RemoteRefusal
from node.rpc.tls import Reloader, TlsError, TlsFiles

CHECKPOINT: Final = "checkpoint"
FAULT: Final = "fault"
MAX_FAULT_BYTES: Final = 4096
ADD_CHECKPOINT: Final = "add-checkpoint"
ATTACHMENTS: Final = "attachments"
MAX_ATTACHMENTS_BYTES: Final = 64 << 20
MIN_BYTES_A_SECOND: Final = 1 << 20
"""What the largest answer has to come with at least."""
KEEP_ALIVE: Final = 60.0
_RELOAD_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)


class LogClient:
    """Calls to the log server of `party` at `address` (`host:port`); `seconds` is for one call,
    and for an answer that may be large a second more for each MiB.

    Whatever goes wrong is a `node.rpc.errors.RemoteError` that names the party: PartyUnavailable,
    RemoteRefusal, or RemoteFailure for an answer that no node of this version gives. Has to be
    made and used in one event loop.
    """

    def __init__(self, party: SpiffeId, address: str, tls: TlsFiles, seconds: float = 10.0) -> None:
        """Raises TlsError, or IdentityError when `party` has no host name. Does not connect yet."""
        self.party = party
        self.address = address
        self._host = dns_name(party)
        self._tls = tls
        self._seconds = seconds
        self._reloader = Reloader(tls, self._tell_reload)
        self._looked = time.monotonic()
        self._http = self._connect()

    async def checkpoint(self) -> bytes:
        """The newest checkpoint that a quorum of witnesses cosigned, or the newest: a note."""
        return await self._get(CHECKPOINT, MAX_NOTE_BYTES)

    async def fault(self) -> str:
        """What the party found wrong with its own log, as it words it; nothing for a sound log."""
        try:
            return (await self._get(FAULT, MAX_FAULT_BYTES)).decode()
        except UnicodeDecodeError as error:
            raise RemoteFailure(self.party) from error

    async def tile(self, level: int, index: int, width: int = TILE_WIDTH) -> bytes:
        """A hash tile: `width` hashes of 32 bytes."""
        raw = await self._get(tile_path(level, index, width), TILE_WIDTH * HASH_BYTES)
        if len(raw) != width * HASH_BYTES:
            raise RemoteFailure(self.party)
        return raw

    async def bundle(self, index: int, width: int = TILE_WIDTH) -> tuple[bytes, ...]:
        """`width` entries from number 256 · `index` on. The regulator alone is given them."""
        most = TILE_WIDTH * (MAX_ENTRY_BYTES + 2)
        try:
            entries = decode_bundle(await self._get(entries_path(index, width), most))
        except DocumentError as error:
            raise RemoteFailure(self.party) from error
        if len(entries) != width:
            raise RemoteFailure(self.party)
        return entries

    async def attachments(self, index: int) -> dict[bytes, bytes]:
        """What the entries of bundle `index` name by hash and their owner still keeps, by hash."""
        raw = await self._get(f"{ATTACHMENTS}/{index}", MAX_ATTACHMENTS_BYTES)
        try:
            return decode_attachments(raw)
        except DocumentError as error:
            raise RemoteFailure(self.party) from error

    async def add_checkpoint(self, raw: bytes) -> tuple[int, bytes]:
        """Status and body of a witness's answer. Raises PartyUnavailable."""
        return await self._call("POST", ADD_CHECKPOINT, MAX_NOTE_BYTES, raw)

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _get(self, path: str, most: int) -> bytes:
        status, body = await self._call("GET", path, most)
        if status == httpx.codes.FORBIDDEN:
            raise RemoteRefusal(self.party)
        if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise PartyUnavailable(self.party)
        if status != httpx.codes.OK:
            raise RemoteFailure(self.party)
        return body

    async def _call(
        self, method: str, path: str, most: int, content: bytes | None = None
    ) -> tuple[int, bytes]:
        http = await self._current()
        url = f"https://{self.address}/{path}"
        named = {"sni_hostname": self._host}
        body = bytearray()
        try:
            # As a whole: a byte now and then keeps the time for one read from running out.
            async with (
                asyncio.timeout(self._seconds + most / MIN_BYTES_A_SECOND),
                http.stream(method, url, content=content, extensions=named) as answer,
            ):
                async for part in answer.aiter_raw():
                    body += part
                    if len(body) > most:
                        raise RemoteFailure(self.party)
                return answer.status_code, bytes(body)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise PartyUnavailable(self.party) from error

    async def _current(self) -> httpx.AsyncClient:
        """The connections, made anew when the certificate files changed."""
        now = time.monotonic()
        if now - self._looked >= _RELOAD_SECONDS:
            self._looked = now
            if self._reloader.changed() is not None:
                old, self._http = self._http, self._connect()
                await old.aclose()
        return self._http

    def _connect(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            verify=client_context(self._tls),
            trust_env=False,  # no proxy or authority of the environment has a say
            timeout=self._seconds,
            limits=httpx.Limits(max_connections=8, keepalive_expiry=KEEP_ALIVE),
        )

    def _tell_reload(self, error: TlsError) -> None:
        _log.warning("certificate files changed but do not fit; old ones stay", error=str(error))
