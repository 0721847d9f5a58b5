from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from node.rpc.errors import PartyUnavailable
from node.rpc.server import ServerError, build_server
from node.rpc.tls import Reloader, TlsError, TlsFiles
from tests.node.rpc.parties import BANK, DOMAIN, ECHO, HUB, TAX, Chain, channel, serving
from yinxin.v1.common_pb2 import Chunk

ROOT = Path(__file__).parents[3]


async def handshake(port: int, *options: str) -> tuple[int, str]:
    """What `openssl s_client` reports for one connection."""
    process = await asyncio.create_subprocess_exec(
        "openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-alpn", "h2", "-brief", *options,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode(errors="replace")


async def test_tls_1_2_is_refused_and_1_3_accepted(chain: Chain) -> None:
    hub = chain.files(HUB)
    own = ("-cert", str(hub.certificates), "-key", str(hub.private_key))
    async with serving(chain.files(TAX)) as server:
        code, report = await handshake(server.port, "-tls1_2", *own)
        assert code != 0, report
        assert "ESTABLISHED" not in report
        code, report = await handshake(server.port, "-tls1_3", *own)
        assert code == 0, report
        assert "ESTABLISHED" in report and "TLSv1.3" in report


async def test_a_server_with_tls_1_2_alone_is_not_called(chain: Chain) -> None:
    """The same key and certificate: what the client objects to is the version."""
    tax = chain.files(TAX)
    for version, established in (("-tls1_2", False), ("-tls1_3", True)):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        process = await asyncio.create_subprocess_exec(
            "openssl", "s_server", "-accept", f"127.0.0.1:{port}", version, "-alpn", "h2",
            "-cert", str(tax.certificates), "-key", str(tax.private_key),
            "-CAfile", str(chain.authorities), "-Verify", "1", "-brief",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        async with channel(port, chain.files(HUB)) as hub:
            with pytest.raises(PartyUnavailable):
                await hub.ready(2)
        process.kill()
        report, _ = await process.communicate()
        assert (b"Protocol version: TLSv1" in report) == established, report


def test_without_the_cipher_rule_tls_1_2_succeeds(chain: Chain) -> None:
    """The rule is what refuses 1.2: the same server without it accepts 1.2."""
    tax, hub = chain.files(TAX), chain.files(HUB)
    code = (
        "import sys, asyncio, subprocess, grpc, grpc.aio\n"
        "cert, key, ca, hub_cert, hub_key = (open(p,'rb').read() for p in sys.argv[1:6])\n"
        "async def main():\n"
        "    s = grpc.aio.server()\n"
        "    c = grpc.ssl_server_credentials([(key, cert)], ca, True)\n"
        "    port = s.add_secure_port('127.0.0.1:0', c)\n"
        "    await s.start()\n"
        "    p = await asyncio.create_subprocess_exec('openssl', 's_client', '-connect',\n"
        "        f'127.0.0.1:{port}', '-alpn', 'h2', '-brief', '-tls1_2', '-cert', sys.argv[4],\n"
        "        '-key', sys.argv[5], stdin=subprocess.DEVNULL)\n"
        "    code = await p.wait()\n"
        "    await s.stop(0)\n"
        "    sys.exit(code)\n"
        "asyncio.run(main())\n"
    )
    paths = [tax.certificates, tax.private_key, chain.authorities, hub.certificates,
             hub.private_key]  # fmt: skip
    environment = {k: v for k, v in os.environ.items() if k != "GRPC_SSL_CIPHER_SUITES"}
    done = subprocess.run([sys.executable, "-c", code, *map(str, paths)], env=environment)
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("variables", "before", "found"),
    [
        ({"GRPC_SSL_CIPHER_SUITES": "HIGH"}, "", "GRPC_SSL_CIPHER_SUITES is set"),
        ({"GRPC_TRACE": "all"}, "", "GRPC_TRACE writes message bytes"),
        ({}, "import grpc; ", "grpc was imported before node.rpc"),
    ],
)
def test_a_weakening_environment_stops_the_process(
    variables: dict[str, str], before: str, found: str
) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GRPC_")}
    done = subprocess.run(
        [sys.executable, "-c", f"{before}import node.rpc.server"],
        env=environment | variables, cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode != 0
    assert found in done.stderr


async def test_a_client_without_a_certificate_is_refused(chain: Chain) -> None:
    import grpc

    credentials = grpc.ssl_channel_credentials(chain.authorities.read_bytes())
    options = [("grpc.ssl_target_name_override", "tax.holder.csj.yinxin.example")]
    async with (
        serving(chain.files(TAX)) as server,
        grpc.aio.secure_channel(f"127.0.0.1:{server.port}", credentials, options) as raw,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await raw.unary_unary(ECHO)(b"", timeout=5)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_certificate_of_a_foreign_authority_is_refused(
    chain: Chain, tmp_path: Path
) -> None:
    foreign = Chain(tmp_path / "foreign").files(HUB)
    mixed = TlsFiles(foreign.certificates, foreign.private_key, chain.authorities)
    async with serving(chain.files(TAX)) as server:
        async with channel(server.port, mixed) as hub:
            with pytest.raises(PartyUnavailable):
                await hub.unary(ECHO, Chunk(), Chunk)
        async with channel(server.port, chain.files(HUB)) as hub:
            assert await hub.unary(ECHO, Chunk(total=3), Chunk) == Chunk(total=3)


async def test_replaced_files_are_used_without_a_restart(chain: Chain) -> None:
    tax, hub = chain.files(TAX), chain.files(HUB)
    async with serving(tax) as server, channel(server.port, hub) as caller:
        await caller.unary(ECHO, Chunk(), Chunk)
        # The new authority signs both new certificates; neither side accepts the old one any more.
        renewed = Chain(chain.folder / "renewed")
        for old, party in ((tax, TAX), (hub, HUB)):
            fresh = renewed.files(party)
            old.certificates.write_bytes(fresh.certificates.read_bytes())
            old.private_key.write_bytes(fresh.private_key.read_bytes())
        chain.authorities.write_bytes(renewed.authorities.read_bytes())
        assert await caller.unary(ECHO, Chunk(total=1), Chunk) == Chunk(total=1)


def test_half_a_replacement_keeps_the_old_material(chain: Chain) -> None:
    files = chain.files(TAX)
    told: list[TlsError] = []
    reloader = Reloader(files, told.append)
    before = reloader.material
    fresh = chain.issue("fresh", [str(TAX)])
    files.private_key.write_bytes(fresh.private_key.read_bytes())
    assert reloader.changed() is None
    assert "not for the key" in str(told[0])
    assert reloader.material == before
    files.certificates.write_bytes(fresh.certificates.read_bytes())
    assert reloader.changed() == reloader.material != before
    assert reloader.changed() is None


def test_material_that_cannot_serve_is_refused_by_name(chain: Chain) -> None:
    with pytest.raises(TlsError, match="2 URI names"):
        chain.issue("two", [str(TAX), str(HUB)]).load()
    with pytest.raises(TlsError, match="absent"):
        TlsFiles(chain.folder / "absent", chain.folder / "absent", chain.authorities).load()
    files = chain.files(TAX)
    files.private_key.chmod(0o640)
    with pytest.raises(TlsError, match="chmod 600"):
        files.load()
    files.private_key.chmod(0o600)
    files.private_key.write_bytes(
        ed25519.Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    with pytest.raises(TlsError, match="P-256"):
        files.load()
    assert "PRIVATE" not in repr(chain.files(HUB).load())


async def test_a_server_does_not_start_with_anothers_certificate_or_a_taken_port(
    chain: Chain,
) -> None:
    with pytest.raises(TlsError, match="certificate is for"):
        async with serving(chain.files(BANK), own=TAX):
            pass
    with pytest.raises(TlsError, match=r"lacks the DNS name tax\.holder\.csj"):
        async with serving(chain.issue("nameless", [str(TAX)], ["localhost"])):
            pass
    async with serving(chain.files(TAX)) as server:
        with pytest.raises(ServerError, match="cannot listen"):
            async with serving(chain.files(TAX), address=f"127.0.0.1:{server.port}"):
                pass
    with pytest.raises(ServerError, match=r"/other.Service/X"):
        build_server(
            address="127.0.0.1:0", tls=chain.files(TAX), own=TAX, trust_domains=[DOMAIN],
            roles={"/other.Service/X": frozenset()}, register=[], services=[],
        )  # fmt: skip
