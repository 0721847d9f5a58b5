"""A channel that counts the bytes of its messages: what the agent exchanges stands in its metrics
as a server's calls do in the server's.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from typing import TypeVar

from google.protobuf.message import Message

from node.observability.metrics import NodeMetrics
from node.rpc.client import Channel
from node.rpc.errors import RemoteError

Answer = TypeVar("Answer", bound=Message)


class Counted:
    """The calls of `Channel`, counted under the method's name.

    `chain` is the peer chain that the calls are about, empty for the own one: their errors name it.
    """

    def __init__(self, channel: Channel, metrics: NodeMetrics, chain: str = "") -> None:
        self._chain = chain
        self.party = channel.party
        self.channel = channel
        self._metrics = metrics

    async def unary(
        self, method: str, request: Message, answer: type[Answer], deadline: float | None = None
    ) -> Answer:
        """As `Channel.unary`."""
        self._metrics.sent(method, request.ByteSize())
        with self._call(method):
            found = await self.channel.unary(method, request, answer, deadline)
        self._metrics.received(method, found.ByteSize())
        return found

    async def upload(
        self, method: str, requests: AsyncIterable[Message], answer: type[Answer]
    ) -> Answer:
        """As `Channel.upload`."""
        with self._call(method):
            found = await self.channel.upload(method, self._each(method, requests), answer)
        self._metrics.received(method, found.ByteSize())
        return found

    async def download(
        self, method: str, request: Message, answer: type[Answer], deadline: float | None = None
    ) -> AsyncGenerator[Answer, None]:
        """As `Channel.download`."""
        self._metrics.sent(method, request.ByteSize())
        stream = self.channel.download(method, request, answer, deadline)
        async with aclosing(stream):
            with self._call(method):
                async for message in stream:
                    self._metrics.received(method, message.ByteSize())
                    yield message

    async def exchange(
        self, method: str, requests: AsyncIterable[Message], answer: type[Answer]
    ) -> AsyncGenerator[Answer, None]:
        """As `Channel.exchange`."""
        stream = self.channel.exchange(method, self._each(method, requests), answer)
        async with aclosing(stream):
            with self._call(method):
                async for message in stream:
                    self._metrics.received(method, message.ByteSize())
                    yield message

    @contextmanager
    def _call(self, method: str) -> Iterator[None]:
        with self._metrics.call(method):
            try:
                yield
            except RemoteError as error:
                error.chain = self._chain
                raise

    async def _each(self, method: str, requests: AsyncIterable[Message]) -> AsyncIterator[Message]:
        async for request in requests:
            self._metrics.sent(method, request.ByteSize())
            yield request
