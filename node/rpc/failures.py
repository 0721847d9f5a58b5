"""The interceptor that applies `node.rpc.errors` to every handler of a server.

It has to be the outermost one. gRPC itself answers an uncaught exception with its text, which
would tell the other side reasons, paths and values.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import grpc
import grpc.aio
import structlog

from federation.errors import DocumentError, Refusal
from federation.identity import SpiffeId
from node.errors import NodeError, StorageUnavailable
from node.rpc.around import (
    AroundInterceptor,
    Context,
    Handler,
    behaviour_of,
    rebuild,
)
from node.rpc.errors import (
    Failure,
    FailureObserver,
    MalformedMessage,
    RemoteError,
    RemoteFailure,
    failure_of,
)

_log = structlog.get_logger(__name__)

DRAIN_MESSAGES: Final = 128
DRAIN_SECONDS: Final = 30.0


class _Unreadable:
    """Stands for a message that did not parse, until a handler would have seen it."""


class _Unwritable(NodeError):
    """Raised without text towards gRPC, which would send the text."""


class FailureInterceptor(AroundInterceptor):
    """Turns each error of a handler into its status, and tells the own log the reason.

    The log gets method, reference, reason and, for refusals, the detail that the refuser wrote
    for it; for internal errors the traceback. The text of other errors stays out of it, because
    it may quote the request. `observe` is for the node's query log and metrics. When the log cannot
    be written, the client hears that the node is unavailable instead; anything else that `observe`
    raises reaches the own log alone, and the client hears of the first error all the same.
    """

    def __init__(self, own: SpiffeId, observe: FailureObserver | None = None) -> None:
        self._own = own
        self._observe = observe

    @asynccontextmanager
    async def around(self, method: str, context: Context) -> AsyncIterator[None]:
        """Aborts the call with the status of the error."""
        try:
            yield
        except grpc.aio.AbortError:
            raise  # already has its status: health and reflection abort by themselves
        except Exception as error:  # the last resort of the process's edge
            failure = failure_of(error, self._own)
            self._tell(method, failure, error)
            if self._observe is not None:
                try:
                    await self._observe(method, failure, error)
                except StorageUnavailable as outage:
                    # Nobody is told of a refusal that no log holds: the node is unavailable.
                    failure = failure_of(outage, self._own)
                    self._tell(method, failure, outage)
                except Exception:  # else gRPC would answer with its text
                    _log.exception("failure not recorded", reference=failure.reference)
            await context.abort(failure.code, failure.details, failure.metadata())

    def _tell(self, method: str, failure: Failure, error: Exception) -> None:
        event: dict[str, Any] = {
            "method": method,
            "code": failure.code.name,
            "reason": failure.reason,
            "reference": failure.reference,
        }
        # What another node did wrong is no fault in this program: there is nothing to trace.
        if failure.code is grpc.StatusCode.INTERNAL and not isinstance(error, RemoteFailure):
            _log.error("call failed", exc_info=error, **event)
        else:
            _log.info("call refused", detail=_detail(error), **event)

    def adapt(self, method: str, handler: Handler) -> Handler:
        """Keeps gRPC from answering for messages that it cannot read or write."""
        inner = behaviour_of(handler)

        async def one(request: Any, context: Context) -> Any:
            try:
                return await inner(_readable(request), context)
            except Exception:
                if handler.request_streaming:
                    await _drain(request)
                raise

        def many(request: Any, context: Context) -> Any:
            return inner(_readable(request), context)

        return rebuild(
            handler,
            many if handler.response_streaming else one,
            _reading(handler.request_deserializer),
            _writing(handler.response_serializer),
        )


def _detail(error: Exception) -> str:
    match error:
        case Refusal():
            return error.detail
        case DocumentError():
            return f"DocumentError in {error.field}"
        case RemoteError():
            return str(error)
    return type(error).__name__


def _readable(request: Any) -> Any:
    if isinstance(request, _Unreadable):
        raise MalformedMessage("message does not parse")
    return _each(request) if hasattr(request, "__aiter__") else request


async def _drain(requests: AsyncIterable[Any]) -> None:
    """Takes what the client still sends, within limits, before it hears of the error.

    gRPC loses the status of a call that ends while its client writes: the client sees an internal
    error of its own library instead of the refusal, one time in thirty.
    """
    left = DRAIN_MESSAGES
    with suppress(Exception):  # a client that is gone has nothing left to hear
        async with asyncio.timeout(DRAIN_SECONDS):
            async for _ in requests:
                left -= 1
                if not left:
                    return


async def _each(requests: Any) -> AsyncIterator[Any]:
    async for request in requests:
        yield _readable(request)


def _reading(parse: Callable[[bytes], Any] | None) -> Callable[[bytes], Any] | None:
    if parse is None:
        return None

    def read(raw: bytes) -> Any:
        try:
            return parse(raw)
        except Exception:  # protobuf raises several kinds; all mean the same
            return _Unreadable()

    return read


def _writing(serialise: Callable[[Any], bytes] | None) -> Callable[[Any], bytes] | None:
    if serialise is None:
        return None

    def write(message: Any) -> bytes:
        try:
            return serialise(message)
        except Exception:
            _log.exception("answer does not serialise", type=type(message).__name__)
            raise _Unwritable from None

    return write
