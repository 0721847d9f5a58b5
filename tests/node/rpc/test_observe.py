from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import AsyncIterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from federation.errors import Reason, Refusal
from node.errors import NodeError
from node.observability.metrics import NodeMetrics
from node.observability.tracing import Tracing, configure_tracing, tracing_to
from node.rpc.errors import Failure, RemoteError
from node.rpc.observe import MetricsInterceptor, TracingInterceptor, together
from node.workers.pool import PoolState
from tests.node.rpc.parties import BANK, DOWN, ECHO, HUB, TAX, UP, Chain, channel, serving
from yinxin.v1.common_pb2 import Chunk

CODE = "91100000100003962T"


async def refuse(request: Chunk, context: object) -> AsyncIterator[Chunk]:
    yield Chunk(total=1)
    raise Refusal(Reason.BAD_PROOF, CODE)


async def letters() -> AsyncIterator[Chunk]:
    yield Chunk(data=CODE.encode())


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
        text: str = answer.read().decode()
        return text


async def test_calls_failures_and_bytes_are_counted_and_served(chain: Chain) -> None:
    metrics = NodeMetrics("holder")
    metrics.watch_log(lambda: 17)
    metrics.watch_pool(lambda: PoolState(2, 1, 5, 0, 1000))
    metrics.query("granted")
    counting = MetricsInterceptor(metrics)
    remembered: list[str] = []

    async def remember(method: str, failure: Failure, error: Exception) -> None:
        remembered.append(failure.reason)

    async with serving(
        chain.files(TAX), handlers={"Down": refuse},
        interceptors=[counting], observe=together(counting.observe, remember),
    ) as server:  # fmt: skip
        async with channel(server.port, chain.files(HUB)) as hub:
            request = Chunk(data=CODE.encode())
            await hub.unary(ECHO, request, Chunk)
            await hub.upload(UP, letters(), Chunk)
            with pytest.raises(RemoteError):
                _ = [one async for one in hub.download(DOWN, Chunk(), Chunk)]
        async with channel(server.port, chain.files(BANK)) as bank:
            with pytest.raises(RemoteError):
                await bank.upload(UP, letters(), Chunk)
    endpoint = metrics.serve("127.0.0.1", 0)
    url = f"http://127.0.0.1:{endpoint.port}/metrics"
    text = await asyncio.to_thread(fetch, url)
    endpoint.close()
    size = len(Chunk(data=CODE.encode()).SerializeToString())
    for line in (
        f'yinxin_rpc_calls_total{{method="{ECHO}"}} 1.0',
        f'yinxin_rpc_calls_total{{method="{UP}"}} 2.0',
        f'yinxin_rpc_bytes_total{{direction="received",method="{ECHO}"}} {size:.1f}',
        f'yinxin_rpc_bytes_total{{direction="sent",method="{ECHO}"}} {size:.1f}',
        f'yinxin_rpc_failures_total{{code="PERMISSION_DENIED",method="{DOWN}"}} 1.0',
        'yinxin_refusals_total{reason="bad_proof"} 1.0',
        'yinxin_refusals_total{reason="foreign_certificate"} 1.0',
        f'yinxin_rpc_seconds_count{{method="{DOWN}"}} 1.0',
        'yinxin_queries_total{outcome="granted"} 1.0',
        'yinxin_queries_total{outcome="failed"} 0.0',
        "yinxin_log_entries 17.0",
        "yinxin_pool_waiting 5.0",
        'yinxin_node{role="holder"} 1.0',
    ):
        assert line in text, line
    assert CODE not in text
    assert remembered == [Reason.BAD_PROOF, Reason.FOREIGN_CERTIFICATE]


def test_labels_are_of_fixed_vocabularies() -> None:
    metrics = NodeMetrics("hub")
    with pytest.raises(NodeError, match="outcome"):
        metrics.query(CODE)
    metrics.failed(ECHO, "INTERNAL", CODE)
    labels = [sample.labels for metric in metrics.registry.collect() for sample in metric.samples]
    assert CODE not in str(labels)


def test_a_taken_port_is_named() -> None:
    endpoint = NodeMetrics("hub").serve("127.0.0.1", 0)
    with pytest.raises(NodeError, match="cannot listen"):
        NodeMetrics("bank").serve("127.0.0.1", endpoint.port)
    endpoint.close()


async def test_spans_carry_methods_and_numbers_only(chain: Chain) -> None:
    exporter = InMemorySpanExporter()
    tracing = tracing_to("holder", SimpleSpanProcessor(exporter))

    async def stepping(request: Chunk, context: object) -> Chunk:
        with tracing.step("unlock", elements=2):
            return request

    async with (
        serving(
            chain.files(TAX), handlers={"Echo": stepping, "Down": refuse},
            interceptors=[TracingInterceptor(tracing)],
        ) as server,
        channel(server.port, chain.files(HUB)) as hub,
    ):  # fmt: skip
        await hub.unary(ECHO, Chunk(data=CODE.encode()), Chunk)
        with pytest.raises(RemoteError):
            _ = [one async for one in hub.download(DOWN, Chunk(), Chunk)]
    tracing.close()
    step, call, failed = exporter.get_finished_spans()
    assert (step.name, call.name) == ("unlock", "test.v1.Echo/Echo")
    assert step.parent is not None and call.context is not None
    assert step.parent.span_id == call.context.span_id
    assert call.parent is None
    assert dict(step.attributes or {}) == {"elements": 2}
    assert failed.status.status_code is trace.StatusCode.ERROR
    assert failed.status.description == "Refusal"
    assert failed.events == ()
    assert not any(CODE in span.to_json() for span in (step, call, failed))


def test_text_does_not_get_into_a_span() -> None:
    step = Tracing().step("query", code=CODE)  # type: ignore[arg-type]
    with pytest.raises(NodeError, match="no text"), step:
        raise AssertionError


def test_tracing_is_off_without_an_endpoint_and_says_what_it_needs_with_one() -> None:
    with configure_tracing("hub", None).call(ECHO) as span:
        assert not span.is_recording()
    with pytest.raises(NodeError, match="otlp"):
        configure_tracing("hub", "http://127.0.0.1:4318/v1/traces")
