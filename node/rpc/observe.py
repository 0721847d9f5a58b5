"""Interceptors that measure calls: metrics and traces. They see refused calls too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from node.observability.metrics import NodeMetrics
from node.observability.tracing import Tracing
from node.rpc.around import AroundInterceptor, Context, Handler, behaviour_of, rebuild
from node.rpc.errors import Failure, FailureObserver


def together(*observers: FailureObserver) -> FailureObserver:
    """One observer that awaits several in order; the first that raises ends it."""

    async def observe(method: str, failure: Failure, error: Exception) -> None:
        for each in observers:
            await each(method, failure, error)

    return observe


class MetricsInterceptor(AroundInterceptor):
    """Counts and times calls and their bytes. `observe` goes to `build_server` beside it."""

    def __init__(self, metrics: NodeMetrics) -> None:
        self._metrics = metrics

    @asynccontextmanager
    async def around(self, method: str, context: Context) -> AsyncIterator[None]:
        """Times the call."""
        with self._metrics.call(method):
            yield

    def adapt(self, method: str, handler: Handler) -> Handler:
        """Counts the bytes of the messages where they are bytes."""
        parse, serialise = handler.request_deserializer, handler.response_serializer

        def read(raw: bytes) -> Any:
            self._metrics.received(method, len(raw))
            return raw if parse is None else parse(raw)

        def write(message: Any) -> bytes:
            raw: bytes = message if serialise is None else serialise(message)
            self._metrics.sent(method, len(raw))
            return raw

        return rebuild(handler, behaviour_of(handler), read, write)

    async def observe(self, method: str, failure: Failure, error: Exception) -> None:
        """Counts how a failed call was answered."""
        self._metrics.failed(method, failure.code.name, failure.reason)


class TracingInterceptor(AroundInterceptor):
    """One root span a call."""

    def __init__(self, tracing: Tracing) -> None:
        self._tracing = tracing

    @asynccontextmanager
    async def around(self, method: str, context: Context) -> AsyncIterator[None]:
        """Makes the span current for the handler."""
        with self._tracing.call(method):
            yield
