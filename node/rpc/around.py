"""Server interceptors as context managers: one wrapper for the four kinds of handler.

An interceptor says what happens before, after and on failure of a call; how unary and streaming
handlers are driven is written down once, here.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

if TYPE_CHECKING:  # generic in the type stubs only
    Context = grpc.aio.ServicerContext[Any, Any]
    Handler = grpc.RpcMethodHandler[Any, Any]
    Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]
    Around = Callable[[Context], AbstractAsyncContextManager[None]]
    _ServerInterceptor = grpc.aio.ServerInterceptor[Any, Any]
else:
    Context = grpc.aio.ServicerContext
    Handler = grpc.RpcMethodHandler
    _ServerInterceptor = grpc.aio.ServerInterceptor


class AroundInterceptor(_ServerInterceptor):
    """Runs every handler inside `around(method, context)`.

    Each call has a task of its own, so a context variable that is set on entry is the handler's
    and ends with the call. Calls of unknown methods never get here: gRPC answers UNIMPLEMENTED.
    """

    @abstractmethod
    def around(self, method: str, context: Context) -> AbstractAsyncContextManager[None]:
        """The context manager for one call of `method` (`/package.Service/Name`)."""

    def adapt(self, method: str, handler: Handler) -> Handler:
        """A last change to the handler before it is wrapped; none by default."""
        return handler

    async def intercept_service(  # type: ignore[override]  # the stubs forget the None
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        """Called by gRPC for each call."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        method = handler_call_details.method
        return wrap(self.adapt(method, handler), lambda context: self.around(method, context))


def rebuild(
    handler: Handler,
    behaviour: Any,
    deserialise: Callable[[bytes], Any] | None,
    serialise: Callable[[Any], bytes] | None,
) -> Handler:
    """A handler of the same kind with another behaviour and other codecs."""
    makers = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }
    make: Any = makers[bool(handler.request_streaming), bool(handler.response_streaming)]
    made: Handler = make(behaviour, deserialise, serialise)
    return made


def behaviour_of(handler: Handler) -> Any:
    """The one function among the handler's four that is set."""
    if handler.request_streaming:
        return handler.stream_stream if handler.response_streaming else handler.stream_unary
    return handler.unary_stream if handler.response_streaming else handler.unary_unary


def wrap(handler: Handler, around: Around) -> Handler:
    """The handler, run inside `around`."""
    inner = behaviour_of(handler)

    async def one(request: Any, context: Context) -> Any:
        async with around(context):
            return await inner(request, context)

    async def many(request: Any, context: Context) -> AsyncIterator[Any]:
        async with around(context):
            answers = inner(request, context)
            if hasattr(answers, "__aiter__"):
                async with aclosing(answers):
                    async for answer in answers:
                        yield answer
            else:  # a handler that writes to the context itself
                await answers

    return rebuild(
        handler,
        many if handler.response_streaming else one,
        handler.request_deserializer,
        handler.response_serializer,
    )
