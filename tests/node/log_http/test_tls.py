"""The log's HTTPS: who is let in, whom a client accepts, and certificates that are replaced."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from federation.identity import SpiffeId, dns_name
from node.log.http.client import LogClient
from node.log.http.protocol import CALLER
from node.log.http.server import LogServer
from node.log.http.tls import client_context
from node.rpc.errors import PartyUnavailable, RemoteFailure
from node.rpc.tls import TlsError, TlsFiles
from tests.node.rpc.parties import BANK, HUB, POWER, TAX, Chain


async def tell(request: Request) -> Response:
    return PlainTextResponse(str(request.scope["state"].get(CALLER, "nobody")))


@asynccontextmanager
async def serving(tls: TlsFiles, own: SpiffeId = TAX) -> AsyncIterator[int]:
    """A server that answers the caller's id for its checkpoint; yields its port."""
    server = LogServer(Starlette(routes=[Route("/checkpoint", tell)]), "127.0.0.1:0", tls, own, 1.0)
    task = asyncio.create_task(server.serve())
    try:
        yield server.port
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def ask(port: int, tls: TlsFiles, party: SpiffeId = TAX) -> str:
    async with LogClient(party, f"127.0.0.1:{port}", tls, 5.0) as client:
        return (await client.checkpoint()).decode()


async def test_server_knows_who_calls(authority: Chain) -> None:
    async with serving(authority.files(TAX)) as port:
        assert await ask(port, authority.files(HUB)) == str(HUB)
        assert await ask(port, authority.files(BANK)) == str(BANK)


async def test_certificate_without_exactly_one_id_is_nobody(authority: Chain) -> None:
    """Such a client cannot be one of ours, whose files are checked: it speaks TLS by itself."""
    for stem, uris in (("two", [str(HUB), str(BANK)]), ("none", []), ("web", ["https://hub"])):
        files = authority.issue(stem, uris, ["client.example"])
        async with serving(authority.files(TAX)) as port:
            answer = await raw_get(port, client_context(files), dns_name(TAX))
        assert answer.endswith(b"nobody")


async def raw_get(port: int, context: ssl.SSLContext, host: str) -> bytes:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname=host
    )
    try:
        writer.write(b"GET /checkpoint HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()


async def is_refused(port: int, context: ssl.SSLContext) -> bool:
    """Whether the connection ends before an answer: in TLS 1.3 a client may hear of it late."""
    try:
        return await raw_get(port, context, dns_name(TAX)) == b""
    except (ssl.SSLError, ConnectionError):
        return True


async def test_client_accepts_no_other_partys_server(authority: Chain) -> None:
    async with serving(authority.files(POWER), POWER) as port:
        assert await ask(port, authority.files(HUB), POWER) == str(HUB)
        with pytest.raises(PartyUnavailable):
            await ask(port, authority.files(HUB), TAX)


async def test_other_authoritys_certificates_are_refused_both_ways(
    authority: Chain, tmp_path: Path
) -> None:
    other = Chain(tmp_path / "other")
    async with serving(authority.files(TAX)) as port:
        theirs = other.files(HUB)
        with pytest.raises(PartyUnavailable):
            await ask(port, theirs)  # trusts neither side
        mixed = TlsFiles(theirs.certificates, theirs.private_key, authority.authorities)
        with pytest.raises(PartyUnavailable):
            await ask(port, mixed)


async def test_client_without_certificate_is_refused(authority: Chain) -> None:
    context = ssl.create_default_context(cafile=str(authority.authorities))
    async with serving(authority.files(TAX)) as port:
        assert await is_refused(port, context)


async def test_tls_1_2_is_refused(authority: Chain) -> None:
    files = authority.files(HUB)
    context = ssl.create_default_context(cafile=str(authority.authorities))
    context.load_cert_chain(files.certificates, files.private_key)
    async with serving(authority.files(TAX)) as port:
        assert (await raw_get(port, context, dns_name(TAX))).endswith(str(HUB).encode())
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        assert await is_refused(port, context)


async def test_replaced_certificate_serves_new_connections(authority: Chain) -> None:
    files = authority.files(TAX)

    async def shown(port: int) -> bytes:
        context = client_context(authority.files(HUB))
        _, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname=dns_name(TAX)
        )
        session: ssl.SSLObject = writer.get_extra_info("ssl_object")
        raw = session.getpeercert(binary_form=True)
        writer.close()
        assert raw is not None
        return raw

    async with serving(files) as port:
        before = await shown(port)
        assert await shown(port) == before
        authority.files(TAX)  # issued anew over the old files
        assert await shown(port) != before


async def test_authority_that_was_replaced_is_no_longer_believed(
    authority: Chain, tmp_path: Path
) -> None:
    """The whole of the server's files are another chain's: clients of the old one are out."""
    files, old = authority.files(TAX), authority.files(HUB)
    async with serving(files) as port:
        assert await ask(port, old) == str(HUB)
        other = Chain(tmp_path / "other")
        new = other.files(TAX)
        for mine, theirs in (
            (files.private_key, new.private_key),
            (files.certificates, new.certificates),
            (files.authorities, new.authorities),
        ):
            os.replace(theirs, mine)  # noqa: PTH105
        assert await ask(port, TlsFiles(*_swapped(other, authority))) == str(HUB)
        trusting = client_context(old)
        trusting.load_verify_locations(other_root(other, tmp_path))
        assert await is_refused(port, trusting)


def _swapped(other: Chain, authority: Chain) -> tuple[Path, Path, Path]:
    """The other chain's hub; its authorities file was moved to where the server's was."""
    client = other.issue("hub", [str(HUB)], [dns_name(HUB)])
    return client.certificates, client.private_key, authority.authorities


def other_root(other: Chain, folder: Path) -> Path:
    from cryptography.hazmat.primitives.serialization import Encoding

    path = folder / "root.pem"
    path.write_bytes(other.root.public_bytes(Encoding.PEM))
    return path


async def test_server_of_another_party_does_not_start(authority: Chain) -> None:
    with pytest.raises(TlsError, match="certificate is for"):
        async with serving(authority.files(POWER), TAX):
            pass


async def test_what_no_node_answers_is_a_failure_of_the_party(authority: Chain) -> None:
    async with (
        serving(authority.files(TAX)) as port,
        LogClient(TAX, f"127.0.0.1:{port}", authority.files(HUB), 5.0) as client,
    ):
        with pytest.raises(RemoteFailure) as caught:
            await client.tile(0, 0)
        assert caught.value.party == TAX
    with pytest.raises(PartyUnavailable):
        await ask(port, authority.files(HUB))  # nobody listens there now


@asynccontextmanager
async def idle(
    port: int, tls: TlsFiles, count: int
) -> AsyncIterator[list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]:
    """Connections of one caller that ask for nothing."""
    context = client_context(tls)
    held = [
        await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=dns_name(TAX))
        for _ in range(count)
    ]
    try:
        yield held
    finally:
        for _, writer in held:
            writer.transport.abort()


async def test_connections_of_one_caller_leave_room_for_the_others(
    authority: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.log.http.server.MAX_REQUESTS_AT_ONCE", 12)
    monkeypatch.setattr("node.log.http.protocol.MAX_CONNECTIONS_OF_ONE", 4)
    bank = authority.files(BANK)
    async with serving(authority.files(TAX)) as port, idle(port, bank, 16) as held:
        for reader, _ in held[4:]:
            with suppress(ConnectionError):
                async with asyncio.timeout(10):
                    assert await reader.read() == b""  # ended by the server
        assert await ask(port, authority.files(HUB)) == str(HUB)


async def test_a_connection_without_a_request_is_ended(
    authority: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.log.http.protocol.REQUEST_SECONDS", 0.1)
    bank = authority.files(BANK)
    async with serving(authority.files(TAX)) as port, idle(port, bank, 1) as [(reader, _)]:
        with suppress(ConnectionError):
            async with asyncio.timeout(10):
                assert await reader.read() == b""


async def test_an_answer_that_drips_is_given_up(authority: Chain) -> None:
    async def endless(request: Request) -> Response:
        async def drip() -> AsyncIterator[bytes]:
            while True:
                yield b"x"
                await asyncio.sleep(0.05)

        return StreamingResponse(drip())

    server = LogServer(
        Starlette(routes=[Route("/checkpoint", endless)]),
        "127.0.0.1:0",
        authority.files(TAX),
        TAX,
        1.0,
    )
    task = asyncio.create_task(server.serve())
    async with LogClient(TAX, f"127.0.0.1:{server.port}", authority.files(HUB), 0.5) as client:
        with pytest.raises(PartyUnavailable):
            async with asyncio.timeout(20):
                await client.checkpoint()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
