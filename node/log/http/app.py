"""What a node's log server answers, as an ASGI application: tlog-tiles and tlog-witness.

    GET  checkpoint                   the newest checkpoint, with its cosignatures
    GET  fault                        what this node found wrong with its own log, or nothing
    GET  tile/<L>/<N>[.p/<W>]         hashes
    GET  tile/entries/<N>[.p/<W>]     entries, to the regulator
    GET  attachments/<N>              what those entries name by hash, to the regulator
    POST add-checkpoint               a cosignature of this node as a witness

A caller that may not have something hears 403 and a reference, whether it exists or not.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from federation.errors import DocumentError, Reason, Refusal
from federation.identity import Role, SpiffeId
from federation.membership import Members
from federation.tlog.tiles import TILE_WIDTH, parse_tile_path
from federation.tlog.witness import MAX_REQUEST_BYTES, SIZE_TYPE, WitnessAnswer
from node.errors import LogError, StorageUnavailable
from node.log.http.access import Resource, require_reader
from node.log.http.protocol import CALLER
from node.log.publishing import Publisher
from node.log.tree import LogTree
from node.log.witnessing import Witness

BODY_SECONDS: Final = 10.0
MAX_TOLD: Final = 1024
REFERENCE_HEADER: Final = "yinxin-reference"
_TEXT: Final = "text/plain; charset=utf-8"
_BYTES: Final = "application/octet-stream"
_FRESH: Final = {"cache-control": "no-cache"}
_FOREVER: Final = {"cache-control": "max-age=31536000, immutable"}
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,12}")

Refused = Callable[[SpiffeId | None, str, str, str, dict[str, str]], Awaitable[None]]
"""Records a refusal before it is told: caller, what was asked, reason, reference, more."""

_log = structlog.get_logger(__name__)


class LogApp:
    """The handlers of one node."""

    def __init__(
        self,
        own: SpiffeId,
        tree: LogTree,
        publisher: Publisher,
        witness: Witness,
        members: Callable[[], Awaitable[Members]],
        refused: Refused,
    ) -> None:
        self._own = own
        self._tree = tree
        self._publisher = publisher
        self._witness = witness
        self._members = members
        self._refused = refused
        self._told: dict[tuple[SpiffeId, bytes], None] = {}

    def application(self) -> Starlette:
        """The application to serve."""
        return Starlette(
            routes=[
                Route("/checkpoint", self._guarded(Resource.HASHES, self._checkpoint)),
                Route("/fault", self._guarded(Resource.HASHES, self._fault)),
                Route("/tile/entries/{path:path}", self._guarded(Resource.ENTRIES, self._tile)),
                Route("/tile/{path:path}", self._guarded(Resource.HASHES, self._tile)),
                Route("/attachments/{index}", self._guarded(Resource.ENTRIES, self._attachments)),
                Route(
                    "/add-checkpoint",
                    self._guarded(Resource.COSIGNATURE, self._add_checkpoint),
                    methods=["POST"],
                ),
            ]
        )

    def _guarded(
        self, resource: Resource, handler: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            caller: SpiffeId | None = request.scope["state"].get(CALLER)
            try:
                if caller is None:
                    raise Refusal(Reason.FOREIGN_CERTIFICATE, "no identity in the certificate")
                members = await self._members()
                if not any(members.of(Role.HUB)):
                    # The node has just begun and no copy of its chain yet: it can judge nobody.
                    return Response(status_code=HTTPStatus.SERVICE_UNAVAILABLE)
                require_reader(caller, self._own, members, resource)
                return await handler(request)
            except Refusal as error:
                return await self._refuse(caller, resource, error)
            except DocumentError:
                return Response(status_code=HTTPStatus.BAD_REQUEST)
            except LogError:
                return Response(status_code=HTTPStatus.NOT_FOUND)
            except StorageUnavailable:
                return Response(status_code=HTTPStatus.SERVICE_UNAVAILABLE)

        return guarded

    async def _refuse(
        self, caller: SpiffeId | None, resource: Resource, error: Refusal
    ) -> Response:
        reference = secrets.token_hex(8)
        asked = f"log-{resource.name.lower()}"
        _log.info("reader refused", detail=error.detail, reference=reference)
        try:
            await self._refused(caller, asked, error.reason.value, reference, {})
        except StorageUnavailable:  # a refusal that no log holds is not told
            return Response(status_code=HTTPStatus.SERVICE_UNAVAILABLE)
        headers = {REFERENCE_HEADER: reference}
        return Response("refused\n", HTTPStatus.FORBIDDEN, headers, _TEXT)

    async def _checkpoint(self, request: Request) -> Response:
        note = self._publisher.checkpoint
        if note is None:
            return Response(status_code=HTTPStatus.NOT_FOUND)
        return Response(note, headers=_FRESH, media_type=_TEXT)

    async def _fault(self, request: Request) -> Response:
        """What no tile shows, such as an old checkpoint that was edited, its owner says itself."""
        return Response(self._publisher.fault, headers=_FRESH, media_type=_TEXT)

    async def _tile(self, request: Request) -> Response:
        level, index, width = parse_tile_path(request.url.path.removeprefix("/"))
        if level is None:
            body = await self._tree.bundle(index, width)
        else:
            body = await self._tree.tile(level, index, width)
        headers = _FOREVER if width == TILE_WIDTH else {}
        return Response(body, headers=headers, media_type=_BYTES)

    async def _attachments(self, request: Request) -> Response:
        index = request.path_params["index"]
        if not _INDEX.fullmatch(index):
            raise DocumentError("path", "is not that of attachments")
        return Response(await self._tree.attachments(int(index)), media_type=_BYTES)

    async def _add_checkpoint(self, request: Request) -> Response:
        raw = b""
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for part in request.stream():
                    raw += part
                    if len(raw) > MAX_REQUEST_BYTES:
                        return Response(status_code=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        except TimeoutError:
            return Response(status_code=HTTPStatus.REQUEST_TIMEOUT)
        given = await self._witness.add_checkpoint(raw)
        if given.fault and given.origin:
            await self._disagreed(request.scope["state"][CALLER], given, _shown(raw))
        media = SIZE_TYPE if given.status == HTTPStatus.CONFLICT else _TEXT
        return Response(given.body, given.status, media_type=media)

    async def _disagreed(self, caller: SpiffeId, given: WitnessAnswer, shown: str) -> None:
        """Keeps what does not fit what was seen of a log: evidence against whoever signed it, or
        sent it. Once: its owner asks again every second until somebody looks.
        """
        told = (caller, hashlib.sha256(shown.encode()).digest())
        if told in self._told:
            return
        _log.error("log disagrees", log=given.origin, fault=given.fault)
        more = {"log": given.origin, "checkpoint": shown}
        await self._refused(caller, "add-checkpoint", "conflict", secrets.token_hex(8), more)
        self._told[told] = None
        while len(self._told) > MAX_TOLD:
            del self._told[next(iter(self._told))]


def _shown(raw: bytes) -> str:
    """The checkpoint of a request, for the own log: evidence against whoever signed it."""
    return raw.partition(b"\n\n")[2][:4096].decode(errors="replace")
