from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from structlog.testing import capture_logs

from federation.errors import (
    DocumentError,
    EnvelopeError,
    IdentityError,
    Reason,
    Refusal,
    SignatureInvalid,
)
from federation.identity import SpiffeId
from node.errors import StorageBusy, StorageUnavailable
from node.rpc import errors
from node.rpc.errors import (
    ChunkError,
    Failure,
    PartyUnavailable,
    RemoteClosed,
    RemoteError,
    RemoteFailure,
    RemoteInvalid,
    RemoteRefusal,
)
from node.workers.errors import PoolFull
from tests.node.rpc.parties import DOWN, ECHO, HUB, POWER, TAX, UP, Chain, channel, serving
from yinxin.v1.common_pb2 import Chunk

SECRET = "91100000100003962T"

CASES: list[tuple[Exception, type[RemoteError], str, SpiffeId]] = [
    (Refusal(Reason.NO_CONSENT, "why"), RemoteRefusal, "no_consent", TAX),
    (Refusal(Reason.CLOSED), RemoteClosed, "closed", TAX),
    (Refusal(Reason.NOT_OPEN), RemoteClosed, "not_open", TAX),
    (SignatureInvalid(SECRET), RemoteRefusal, "unverified", TAX),
    (EnvelopeError(SECRET), RemoteRefusal, "unverified", TAX),
    (DocumentError("uscc", f"{SECRET} is none"), RemoteInvalid, "malformed", TAX),
    (IdentityError(SECRET), RemoteInvalid, "malformed", TAX),
    (ChunkError("too long"), RemoteInvalid, "malformed", TAX),
    (StorageUnavailable("disk full"), PartyUnavailable, "storage", TAX),
    (StorageBusy("queue full"), PartyUnavailable, "storage", TAX),
    (PoolFull("many wait"), PartyUnavailable, "busy", TAX),
    (PartyUnavailable(POWER), PartyUnavailable, "party", POWER),
    (RemoteRefusal(POWER, "0011223344556677"), RemoteRefusal, "party", POWER),
    (RemoteClosed(POWER, "closed"), RemoteClosed, "party", POWER),
    (RemoteInvalid(POWER), RemoteFailure, "party", POWER),
    (ValueError(SECRET), RemoteFailure, "internal", TAX),
    (asyncio.InvalidStateError(SECRET), RemoteFailure, "internal", TAX),
]


class Raising:
    """Handlers that raise what the test wants, in every kind of method."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.handlers = {"Echo": self.one, "Up": self.up, "Down": self.down}

    async def one(self, request: Chunk, context: object) -> Chunk:
        raise self.error

    async def up(self, requests: AsyncIterator[Chunk], context: object) -> Chunk:
        async for _ in requests:
            raise self.error
        raise AssertionError

    async def down(self, request: Chunk, context: object) -> AsyncIterator[Chunk]:
        yield Chunk(total=1)
        raise self.error


async def chunks(*data: bytes) -> AsyncIterator[Chunk]:
    for one in data:
        yield Chunk(data=one)


@pytest.mark.parametrize(("error", "expected", "reason", "party"), CASES)
async def test_each_error_crosses_as_its_counterpart(
    chain: Chain, error: Exception, expected: type[RemoteError], reason: str, party: SpiffeId
) -> None:
    seen: list[Failure] = []

    async def observe(method: str, failure: Failure, error: Exception) -> None:
        seen.append(failure)

    raising = Raising(error)
    own = TAX if party == TAX else HUB  # whose task it is to relay what a holder said
    async with (
        serving(chain.files(own), own, handlers=raising.handlers, observe=observe) as server,
        channel(server.port, chain.files(HUB), own) as hub,
    ):
        for call in ("unary", "upload", "download"):
            with capture_logs() as logs, pytest.raises(expected) as caught:
                if call == "unary":
                    await hub.unary(ECHO, Chunk(), Chunk)
                elif call == "upload":
                    await hub.upload(UP, chunks(b"a", b"b"), Chunk)
                else:
                    _ = [one async for one in hub.download(DOWN, Chunk(), Chunk)]
            assert type(caught.value) is expected
            assert caught.value.party == party
            assert seen[-1].reason == reason
            (log,) = [one for one in logs if one["event"].startswith("call ")]
            assert caught.value.reference == log["reference"] == seen[-1].reference != ""
            if isinstance(error, RemoteError) and error.reference:
                assert caught.value.reference == error.reference
            assert SECRET not in str(caught.value)
            internal = expected is RemoteFailure
            assert (log.get("exc_info") is error) == internal
            assert SECRET not in str({k: v for k, v in log.items() if k != "exc_info"})


@pytest.mark.parametrize("error", [case[0] for case in CASES])
async def test_the_wire_carries_generic_words_only(chain: Chain, error: Exception) -> None:
    """Status text and metadata in full: no reason, detail, path or value."""
    async with (
        serving(chain.files(TAX), handlers=Raising(error).handlers) as server,
        channel(server.port, chain.files(HUB)) as hub,
    ):
        with pytest.raises(RemoteError) as caught:
            await hub.unary(ECHO, Chunk(), Chunk)
    wire: Any = caught.value.__cause__
    assert wire.details() in {"refused", "closed", "not open", "malformed request",
                              "unavailable", "internal error"}  # fmt: skip
    allowed = {"yinxin-reference", "yinxin-party"}
    assert {key for key, _ in wire.trailing_metadata()} <= allowed


async def test_an_observer_that_fails_changes_nothing_for_the_client(chain: Chain) -> None:
    async def broken(method: str, failure: Failure, error: Exception) -> None:
        raise OSError(SECRET)

    handlers = Raising(Refusal(Reason.BAD_PROOF)).handlers
    async with (
        serving(chain.files(TAX), handlers=handlers, observe=broken) as server,
        channel(server.port, chain.files(HUB)) as hub,
    ):
        with capture_logs() as logs, pytest.raises(RemoteRefusal) as caught:
            await hub.unary(ECHO, Chunk(), Chunk)
    assert SECRET not in str(caught.value.__cause__)
    assert [log["event"] for log in logs] == ["call refused", "failure not recorded"]


async def test_references_are_fresh(chain: Chain) -> None:
    references = set()
    async with (
        serving(chain.files(TAX), handlers=Raising(Refusal(Reason.BAD_PROOF)).handlers) as server,
        channel(server.port, chain.files(HUB)) as hub,
    ):
        for _ in range(3):
            with pytest.raises(RemoteRefusal) as caught:
                await hub.unary(ECHO, Chunk(), Chunk)
            references.add(caught.value.reference)
    assert len(references) == 3


async def test_bytes_that_are_no_message_are_malformed_and_reach_no_handler(chain: Chain) -> None:
    called: list[Any] = []

    async def echo(request: Chunk, context: object) -> Chunk:
        called.append(request)
        return request

    async def up(requests: AsyncIterator[Chunk], context: object) -> Chunk:
        async for request in requests:
            called.append(request)
        return Chunk()

    async with (
        serving(chain.files(TAX), handlers={"Echo": echo, "Up": up}) as server,
        channel(server.port, chain.files(HUB)) as hub,
    ):
        raw = hub._current()

        async def garbage() -> AsyncIterator[bytes]:
            yield Chunk(data=b"good").SerializeToString()
            yield b"\xff\xff\xff"

        for call in (raw.unary_unary(ECHO, None, None)(b"\xff\xff\xff", timeout=5),
                     raw.stream_unary(UP, None, None)(garbage(), timeout=5)):  # fmt: skip
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert caught.value.details() == "malformed request"
    assert called == [Chunk(data=b"good")]


async def test_an_answer_of_the_wrong_type_says_nothing_to_the_client(chain: Chain) -> None:
    async def wrong(request: Chunk, context: object) -> Any:
        return {"secret": SECRET}

    async with (
        serving(chain.files(TAX), handlers={"Echo": wrong}) as server,
        channel(server.port, chain.files(HUB)) as hub,
    ):
        with pytest.raises(RemoteFailure) as caught:
            await hub.unary(ECHO, Chunk(), Chunk)
    assert SECRET not in str(caught.value.__cause__)


async def test_an_abort_of_a_handler_keeps_its_status(chain: Chain) -> None:
    async def abort(request: Chunk, context: Any) -> Chunk:
        await context.abort(grpc.StatusCode.ABORTED, "own")
        raise AssertionError

    async with (
        serving(chain.files(TAX), handlers={"Echo": abort}) as server,
        channel(server.port, chain.files(HUB)) as hub,
    ):
        with pytest.raises(RemoteFailure) as caught:
            await hub.unary(ECHO, Chunk(), Chunk)
    assert "own" in str(caught.value.__cause__)


def test_a_peer_cannot_inject_text_by_metadata() -> None:
    def status(*trailers: tuple[str, str]) -> grpc.aio.AioRpcError:
        metadata = grpc.aio.Metadata(*trailers)
        return grpc.aio.AioRpcError(
            grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), metadata, "", ""
        )

    bad = status(("yinxin-reference", "x" * 5000), ("yinxin-party", "<script>"))
    found = errors.error_of(bad, TAX)
    assert (found.party, found.reference) == (TAX, "")
    good = status(("yinxin-reference", "0011223344556677"), ("yinxin-party", str(POWER)))
    found = errors.error_of(good, HUB)
    assert (found.party, found.reference) == (POWER, "0011223344556677")


async def test_a_holder_that_fails_cannot_blame_another(chain: Chain) -> None:
    """The hub would tell the bank that the other refused, and the bank would believe it."""
    handlers = Raising(RemoteRefusal(POWER, "0011223344556677")).handlers
    async with (
        serving(chain.files(TAX), handlers=handlers) as server,
        channel(server.port, chain.files(HUB)) as hub,
    ):
        with pytest.raises(RemoteRefusal) as caught:
            await hub.unary(ECHO, Chunk(), Chunk)
    assert caught.value.party == TAX
