"""OpenTelemetry spans: how long which step took, for the node's own operator.

A span carries fixed names and numbers only; no text of a request, no exception text. Traces end
at the node: a trace id sent along would link what one party sees with what another sees, which is
what the protocol avoids.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

from node.errors import NodeError

EXPORTER_MODULE = "opentelemetry.exporter.otlp.proto.http.trace_exporter"

Number = int | float


class Tracing:
    """Makes spans. Without an endpoint they cost next to nothing and go nowhere."""

    def __init__(self, tracer: Tracer | None = None, provider: Any = None) -> None:
        self._tracer = tracer if tracer is not None else trace.NoOpTracer()
        self._provider = provider

    @contextmanager
    def call(self, method: str) -> Iterator[Span]:
        """The root span of one received call of `method` (`/package.Service/Name`)."""
        service, _, name = method.removeprefix("/").rpartition("/")
        attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name}
        span = self._tracer.start_span(
            f"{service}/{name}", otel_context.Context(), SpanKind.SERVER, attributes
        )
        # Not detached: a call's task ends with it, and a generator may be closed from elsewhere.
        otel_context.attach(trace.set_span_in_context(span))
        with _ending(span):
            yield span

    @contextmanager
    def step(self, name: str, **numbers: Number) -> Iterator[Span]:
        """A span within the current one, for instance `step("prepare", buckets=3)`.

        Raises NodeError for an attribute that is not a number.
        """
        for key, value in numbers.items():
            if not isinstance(value, int | float):
                raise NodeError(f"span {name}: {key} is not a number; spans carry no text")
        span = self._tracer.start_span(name, attributes=dict(numbers))
        current = trace.use_span(span, record_exception=False, set_status_on_exception=False)
        with current, _ending(span):
            yield span

    def close(self) -> None:
        """Sends what is waiting to be sent. Blocks for some seconds at most."""
        if self._provider is not None:
            self._provider.shutdown()


def configure_tracing(role: str, endpoint: str | None) -> Tracing:
    """Tracing of a node of `role`, exported by OTLP over HTTP to `endpoint` (a URL) if given.

    Raises NodeError when an endpoint is given and the exporter is not installed.
    """
    if endpoint is None:
        return Tracing()
    try:
        exporter = import_module(EXPORTER_MODULE).OTLPSpanExporter(endpoint=endpoint)
    except ImportError as error:
        raise NodeError(
            "tracing.endpoint: the OTLP exporter is not installed; install the extra 'otlp'"
        ) from error
    # Imported here: a node without tracing does not carry the SDK.
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    return tracing_to(role, BatchSpanProcessor(exporter))


def tracing_to(role: str, processor: Any) -> Tracing:
    """Tracing of a node of `role` whose spans go to an OpenTelemetry span processor."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    provider = TracerProvider(resource=Resource({"service.name": f"yinxin-{role}"}))
    provider.add_span_processor(processor)
    return Tracing(provider.get_tracer("yinxin"), provider)


@contextmanager
def _ending(span: Span) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        span.set_status(Status(StatusCode.ERROR, type(error).__name__))
        raise
    finally:
        span.end()
