"""A node's metrics: numbers for its own operator, over HTTP on an address of its own.

Labels come from fixed vocabularies (methods, status codes, refusal reasons, outcomes, names of
pinned chains) and never from a request, so no enterprise, model or bank can appear in one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from threading import Thread
from time import perf_counter
from typing import Any, Protocol
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from federation.errors import Reason
from node.errors import NodeError

# From a loopback call of half a millisecond to a bucket that waits for its turn.
LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120)
OUTCOMES = ("granted", "refused", "failed")
OTHER_REASON = "other"

_REASONS = frozenset(reason.value for reason in Reason) | {
    "unverified", "storage", "busy", "unwitnessed", "party", "internal",
}  # fmt: skip


class PoolStateLike(Protocol):
    """What is read of `node.workers.pool.PoolState`."""

    @property
    def workers(self) -> int: ...
    @property
    def running(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    @property
    def lost(self) -> int: ...
    @property
    def peak_bytes(self) -> int: ...


@dataclass(frozen=True)
class MetricsServer:
    """A running HTTP endpoint; `port` is the one it got."""

    port: int
    _server: WSGIServer
    _thread: Thread

    def close(self) -> None:
        """Stops serving and waits for the server's thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class NodeMetrics:
    """All metrics of one node, in a registry of their own."""

    def __init__(self, role: str) -> None:
        self.registry = CollectorRegistry()
        info = Gauge("yinxin_node", "Always 1; the role is the label", ["role"],
                     registry=self.registry)  # fmt: skip
        info.labels(role).set(1)
        self._calls = self._counter("rpc_calls", "Calls received", "method")
        self._failures = self._counter("rpc_failures", "Calls not answered OK", "method", "code")
        self._refusals = self._counter("refusals", "Failed calls by reason", "reason")
        self._bytes = self._counter("rpc_bytes", "Bytes of messages", "method", "direction")
        self._queries = self._counter("queries", "Queries by outcome", "outcome")
        self._abroad = self._counter(
            "chain_queries", "Queries in peer chains by outcome", "chain", "outcome"
        )
        self._seconds = Histogram(
            "yinxin_rpc_seconds", "Time to the end of a call", ["method"],
            buckets=LATENCY_BUCKETS, registry=self.registry,
        )  # fmt: skip
        self._peers = Gauge(
            "yinxin_peer_reached", "Whether a peer chain's hub answered last", ["chain"],
            registry=self.registry,
        )  # fmt: skip
        self._directories = Gauge(
            "yinxin_peer_directory_issued_seconds", "When a peer's directory was signed", ["chain"],
            registry=self.registry,
        )  # fmt: skip
        for outcome in OUTCOMES:
            self._queries.labels(outcome)

    @contextmanager
    def call(self, method: str) -> Iterator[None]:
        """Counts and times one call of `method`."""
        self._calls.labels(method).inc()
        begin = perf_counter()
        try:
            yield
        finally:
            self._seconds.labels(method).observe(perf_counter() - begin)

    def failed(self, method: str, code: str, reason: str) -> None:
        """Counts a call that was answered with the status `code` for `reason`."""
        self._failures.labels(method, code).inc()
        self._refusals.labels(reason if reason in _REASONS else OTHER_REASON).inc()

    def received(self, method: str, size: int) -> None:
        """Counts the bytes of a request message."""
        self._bytes.labels(method, "received").inc(size)

    def sent(self, method: str, size: int) -> None:
        """Counts the bytes of an answer message."""
        self._bytes.labels(method, "sent").inc(size)

    def query(self, outcome: str, chain: str = "") -> None:
        """Counts one query; `outcome` is one of OUTCOMES, else NodeError. `chain` is the peer chain
        that was asked, by its pinned name.
        """
        if outcome not in OUTCOMES:
            raise NodeError(f"outcome: {outcome!r} is not one of {', '.join(OUTCOMES)}")
        self._queries.labels(outcome).inc()
        if chain:
            self._abroad.labels(chain, outcome).inc()

    def peer_reached(self, chain: str, *, reached: bool) -> None:
        """Whether the hub of a pinned chain answered what could be believed, when last asked."""
        self._peers.labels(chain).set(reached)

    def peer_directory(self, chain: str, issued: int) -> None:
        """When the newest directory of a pinned chain was signed, unix seconds."""
        self._directories.labels(chain).set(issued)

    def forget_peer(self, chain: str) -> None:
        """A chain that is pinned no more has no health."""
        for gauge in (self._peers, self._directories):
            gauge.remove(chain)

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """A gauge `yinxin_<name>` that is read when the metrics are."""
        gauge = Gauge(f"yinxin_{name}", text, registry=self.registry)
        gauge.set_function(value)

    def watch_log(self, size: Callable[[], int]) -> None:
        """The number of entries of the node's transparency log."""
        self.watch("log_entries", "Entries of the node's own log", size)

    def watch_pool(self, state: Callable[[], PoolStateLike]) -> None:
        """The worker pool: pass `pool.state`."""
        self.watch("pool_workers", "Worker processes", lambda: state().workers)
        self.watch("pool_running", "Jobs that run", lambda: state().running)
        self.watch("pool_waiting", "Jobs that wait for a worker", lambda: state().waiting)
        self.watch("pool_lost", "Times that a worker died", lambda: state().lost)
        self.watch("pool_peak_bytes", "Highest memory of one worker", lambda: state().peak_bytes)

    def serve(
        self, host: str, port: int, ready: Callable[[], bool] = lambda: True
    ) -> MetricsServer:
        """Serves `/metrics` from a thread. Port 0 takes a free one. Raises NodeError.

        `/ready` says 200 while the node is `ready` to answer, else 503: for a balancer.
        There is no authentication: bind it to loopback or to the operator's network.
        """
        try:
            server, thread = start_http_server(port, host, self.registry)
        except OSError as error:
            raise NodeError(f"metrics: cannot listen on {host}:{port}: {error.strerror}") from error
        server.set_app(_with_ready(server.get_app(), ready))
        return MetricsServer(server.server_port, server, thread)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"yinxin_{name}", text, labels, registry=self.registry)


def _with_ready(metrics: Any, ready: Callable[[], bool]) -> Any:
    """A WSGI application that answers `/ready`, and leaves the rest to another."""

    def application(environment: dict[str, Any], start: Any) -> Iterable[bytes]:
        if environment.get("PATH_INFO") != "/ready":
            answer: Iterable[bytes] = metrics(environment, start)
            return answer
        now = ready()
        status = HTTPStatus.OK if now else HTTPStatus.SERVICE_UNAVAILABLE
        start(f"{status.value} {status.phrase}", [("Content-Type", "text/plain")])
        return [b"ready\n" if now else b"not ready\n"]

    return application
