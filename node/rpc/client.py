"""A channel to one party: its certificate is demanded, every call has a deadline and a size limit.

Nothing is retried here. A call may be repeated only where the protocol makes it idempotent (the
same permit, the same bucket), which the caller knows and a channel does not.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable
from contextlib import aclosing
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import grpc
import grpc.aio
import structlog
from google.protobuf.message import Message

from federation.identity import SpiffeId
from node.rpc.errors import PartyUnavailable, RemoteError, RemoteFailure, error_of
from node.rpc.identity import peer_options
from node.rpc.server import MAX_MESSAGE_BYTES
from node.rpc.tls import Reloader, TlsError, TlsFiles

if TYPE_CHECKING:
    from asyncio import Task

_log = structlog.get_logger(__name__)

Answer = TypeVar("Answer", bound=Message)


@dataclass(frozen=True)
class ChannelLimits:
    """Times in seconds, sizes in bytes.

    `deadline` is for a call with one answer, `stream_deadline` for a whole stream. `reload` is how
    often at most the certificate files are looked at. A handshake may take `connect`; after a lost
    connection gRPC tries again after `reconnect`, later at most `reconnect_most`.
    """

    deadline: float = 10.0
    stream_deadline: float = 600.0
    message_bytes: int = MAX_MESSAGE_BYTES
    metadata_bytes: int = 16 * 1024
    keepalive: float = 30.0
    keepalive_timeout: float = 10.0
    connect: float = 5.0
    reconnect: float = 0.1
    reconnect_most: float = 1.0
    reload: float = 1.0
    drain: float = 60.0

    def options(self) -> tuple[tuple[str, int], ...]:
        """As gRPC's channel arguments."""
        return (
            ("grpc.max_receive_message_length", self.message_bytes),
            ("grpc.max_send_message_length", self.message_bytes),
            ("grpc.max_metadata_size", self.metadata_bytes),
            ("grpc.absolute_max_metadata_size", self.metadata_bytes),
            ("grpc.keepalive_time_ms", round(self.keepalive * 1000)),
            ("grpc.keepalive_timeout_ms", round(self.keepalive_timeout * 1000)),
            ("grpc.initial_reconnect_backoff_ms", round(self.reconnect * 1000)),
            # Not a backoff: gRPC gives up a handshake that takes longer, however busy the peer is.
            ("grpc.min_reconnect_backoff_ms", round(self.connect * 1000)),
            ("grpc.max_reconnect_backoff_ms", round(self.reconnect_most * 1000)),
            ("grpc.enable_retries", 0),
            # A proxy or service configuration from elsewhere has no say in where calls go.
            ("grpc.enable_http_proxy", 0),
            ("grpc.service_config_disable_resolution", 1),
        )


class Channel:
    """Calls to `party` at `address` (`host:port`).

    Whatever goes wrong in a call is a `node.rpc.errors.RemoteError` that names the party. When
    the certificate files change, new calls use a new connection; running ones finish on the old.
    Has to be made and used in one event loop.
    """

    def __init__(
        self,
        party: SpiffeId,
        address: str,
        tls: TlsFiles,
        limits: ChannelLimits | None = None,
        authorities: bytes | None = None,
    ) -> None:
        """`authorities` (PEM) are those of `party`, in place of those in the files.

        Raises TlsError, or IdentityError when `party` has no host name. Does not connect yet.
        """
        self._authorities = authorities
        self.party = party
        self.address = address
        self._limits = limits or ChannelLimits()
        self._options = (*self._limits.options(), *peer_options(party))
        self._reloader = Reloader(tls, self._tell_reload)
        self._looked = time.monotonic()
        self._raw = self._connect()
        self._draining: dict[Task[None], grpc.aio.Channel] = {}

    async def unary(
        self, method: str, request: Message, answer: type[Answer], deadline: float | None = None
    ) -> Answer:
        """One request, one answer. `method` is `/package.Service/Name`; `deadline` in seconds."""
        callable_ = self._current().unary_unary(method, _serialise, answer.FromString)
        seconds = self._limits.deadline if deadline is None else deadline
        return await self._one(answer, callable_(request, timeout=seconds))

    async def upload(
        self,
        method: str,
        requests: AsyncIterable[Message],
        answer: type[Answer],
        deadline: float | None = None,
    ) -> Answer:
        """A stream of requests, one answer. An error of `requests` cancels the call and passes."""
        callable_ = self._current().stream_unary(method, _serialise, answer.FromString)
        failed: list[Exception] = []
        call = callable_(_watched(requests, failed), timeout=self._stream_deadline(deadline))
        try:
            return await self._one(answer, call)
        except RemoteError:
            # gRPC cancels a call whose requests raise, and loses what they raised.
            if failed:
                raise failed[0] from None
            raise

    async def download(
        self, method: str, request: Message, answer: type[Answer], deadline: float | None = None
    ) -> AsyncGenerator[Answer, None]:
        """One request, a stream of answers. `contextlib.aclosing` cancels it early."""
        callable_ = self._current().unary_stream(method, _serialise, answer.FromString)
        call = callable_(request, timeout=self._stream_deadline(deadline))
        async with aclosing(self._answers(call)) as answers:
            async for message in answers:
                yield message

    async def exchange(
        self,
        method: str,
        requests: AsyncIterable[Message],
        answer: type[Answer],
        deadline: float | None = None,
    ) -> AsyncGenerator[Answer, None]:
        """A stream of requests, a stream of answers. An error of `requests` ends the call and
        passes; `contextlib.aclosing` cancels it early.
        """
        callable_ = self._current().stream_stream(method, _serialise, answer.FromString)
        failed: list[Exception] = []
        call = callable_(_watched(requests, failed), timeout=self._stream_deadline(deadline))
        try:
            async with aclosing(self._answers(call)) as answers:
                async for message in answers:
                    yield message
        except RemoteError:
            if failed:
                raise failed[0] from None
            raise

    async def ready(self, deadline: float) -> None:
        """Waits for a connection. Raises PartyUnavailable after `deadline` seconds."""
        try:
            async with asyncio.timeout(deadline):
                await self._current().channel_ready()
        except TimeoutError as error:
            raise PartyUnavailable(self.party) from error

    async def close(self, grace: float | None = None) -> None:
        """Ends all calls, after `grace` seconds if given."""
        replaced = tuple(self._draining.items())
        for task, _ in replaced:
            task.cancel()
        await asyncio.gather(*(task for task, _ in replaced), return_exceptions=True)
        for channel in (*(channel for _, channel in replaced), self._raw):
            await channel.close(grace)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _answers(self, call: Any) -> AsyncGenerator[Any, None]:
        """The answers of a call, which ends with the generator."""
        try:
            async for message in call:
                yield message
        except grpc.aio.AioRpcError as error:
            raise error_of(error, self.party) from error
        except asyncio.CancelledError as error:
            if _cancelling():
                raise
            # Nobody cancelled this task: the channel was closed under the call.
            raise PartyUnavailable(self.party) from error
        finally:
            call.cancel()

    async def _one(self, answer: type[Answer], call: Awaitable[object]) -> Answer:
        try:
            found = await call
        except grpc.aio.AioRpcError as error:
            raise error_of(error, self.party) from error
        except asyncio.CancelledError as error:
            if _cancelling():
                raise
            # Nobody cancelled this task: the channel was closed under the call.
            raise PartyUnavailable(self.party) from error
        if not isinstance(found, answer):
            raise RemoteFailure(self.party)
        return found

    def _stream_deadline(self, deadline: float | None) -> float:
        return self._limits.stream_deadline if deadline is None else deadline

    def _current(self) -> grpc.aio.Channel:
        """The connection for a new call, made anew when the certificate files changed."""
        now = time.monotonic()
        if now - self._looked >= self._limits.reload:
            self._looked = now
            if self._reloader.changed() is not None:
                old, self._raw = self._raw, self._connect()
                task = asyncio.get_running_loop().create_task(old.close(self._limits.drain))
                self._draining[task] = old
                task.add_done_callback(self._draining.pop)
        return self._raw

    def _connect(self) -> grpc.aio.Channel:
        material = self._reloader.material
        if self._authorities is not None:
            material = replace(material, authorities=self._authorities)
        credentials = material.channel_credentials()
        return grpc.aio.secure_channel(self.address, credentials, options=self._options)

    def _tell_reload(self, error: TlsError) -> None:
        _log.warning("certificate files changed but do not fit; old ones stay", error=str(error))


def _cancelling() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _serialise(message: Message) -> bytes:
    return message.SerializeToString()


async def _watched(requests: AsyncIterable[Message], failed: list[Exception]) -> Any:
    try:
        async for request in requests:
            yield request
    except Exception as error:
        failed.append(error)
        raise
