from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from grpc_health.v1 import health_pb2
from structlog.testing import capture_logs

from federation.errors import IdentityError, Reason, Refusal
from federation.identity import Role, SpiffeId, dns_name
from federation.pki import CertificateAuthority, make_csr, new_tls_key, tls_key_to_pem
from node.errors import NodeError
from node.rpc.errors import PartyUnavailable, RemoteRefusal
from node.rpc.identity import IdentityInterceptor, peer
from node.rpc.tls import TlsFiles
from tests.node.rpc.parties import (
    BANK,
    DOMAIN,
    DOWN,
    ECHO,
    HIDDEN,
    HUB,
    POWER,
    ROLES,
    TAX,
    UP,
    Chain,
    channel,
    serving,
)
from yinxin.v1.common_pb2 import Chunk

FOREIGN_HUB = SpiffeId("prd.yinxin.example", Role.HUB, "hub")
HEALTH = "/grpc.health.v1.Health/Check"


async def say_peer(request: Chunk, context: object) -> Chunk:
    return Chunk(data=str(peer()).encode())


async def test_a_handler_learns_who_calls(chain: Chain) -> None:
    async with serving(chain.files(TAX), handlers={"Echo": say_peer}) as server:
        for caller in (HUB, BANK):
            async with channel(server.port, chain.files(caller)) as to:
                assert (await to.unary(ECHO, Chunk(), Chunk)).data.decode() == str(caller)


def test_there_is_no_caller_outside_of_a_call() -> None:
    with pytest.raises(NodeError, match="no caller"):
        peer()


@pytest.mark.parametrize(
    ("uris", "detail"),
    [
        ([str(HUB), str(BANK)], "no identity"),
        ([str(HUB), "https://hub.example"], "no identity"),
        ([], "no identity"),
        (["spiffe://csj.yinxin.example/hub"], "no identity"),
        (["spiffe://csj.yinxin.example/admin/hub"], "no identity"),
        ([str(FOREIGN_HUB)], "foreign trust domain"),
        ([str(POWER)], "role holder may not call"),
    ],
)
async def test_a_certificate_of_the_authority_with_other_names_is_refused(
    chain: Chain, uris: Sequence[str], detail: str
) -> None:
    """TLS accepts every one of these; only the identity check stands in the way."""
    called: list[str] = []

    async def count(request: Chunk, context: object) -> Chunk:
        called.append(str(peer()))
        return request

    async with serving(chain.files(TAX), handlers={"Echo": count}) as server:
        chain.files(HUB)
        caller = chain.issue("caller", uris)
        status, trailers, logs = await _raw_call(server.port, caller, chain)
        assert (status, called) == ("PERMISSION_DENIED refused", [])
        assert [key for key, _ in trailers] == ["yinxin-reference"]
        (log,) = [entry for entry in logs if entry["event"] == "call refused"]
        assert log["reason"] == Reason.FOREIGN_CERTIFICATE
        assert detail in log["detail"]
        assert log["reference"] == trailers[0][1]
        status, _, _ = await _raw_call(server.port, chain.issue("caller", [str(HUB)]), chain)
        assert (status, called) == ("OK", [str(HUB)])


async def _raw_call(port: int, files: TlsFiles, chain: Chain) -> tuple[str, list[Any], list[Any]]:
    """One Echo with a certificate that no `Channel` of ours would load."""
    import grpc

    credentials = grpc.ssl_channel_credentials(
        chain.authorities.read_bytes(),
        files.private_key.read_bytes(),
        files.certificates.read_bytes(),
    )
    options = [("grpc.ssl_target_name_override", dns_name(TAX))]
    with capture_logs() as logs:
        async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options) as raw:
            try:
                await raw.unary_unary(ECHO)(b"", timeout=5)
            except grpc.aio.AioRpcError as error:
                trailers = list(error.trailing_metadata() or ())
                return f"{error.code().name} {error.details()}", trailers, logs
    return "OK", [], logs


async def test_streams_are_checked_before_their_first_message(chain: Chain) -> None:
    async with serving(chain.files(TAX)) as server:
        async with channel(server.port, chain.files(BANK)) as bank:
            with pytest.raises(RemoteRefusal):
                await bank.upload(UP, _chunks(b"a"), Chunk)
            with pytest.raises(RemoteRefusal):
                _ = [one async for one in bank.download(DOWN, Chunk(total=2), Chunk)]
        async with channel(server.port, chain.files(HUB)) as hub:
            assert (await hub.upload(UP, _chunks(b"a"), Chunk)).data == b"a"
            assert len([one async for one in hub.download(DOWN, Chunk(total=2), Chunk)]) == 2


async def _chunks(*data: bytes) -> Any:
    for one in data:
        yield Chunk(data=one)


async def test_a_method_that_the_table_forgets_is_denied(chain: Chain) -> None:
    async with (
        serving(chain.files(TAX)) as server,
        channel(server.port, chain.files(HUB)) as hub,
    ):
        with pytest.raises(RemoteRefusal):
            await hub.unary(HIDDEN, Chunk(), Chunk)


async def test_only_allowed_names_call_where_there_is_a_list(chain: Chain) -> None:
    async with serving(chain.files(TAX), allowed=[HUB]) as server:
        async with channel(server.port, chain.files(BANK)) as bank:
            with pytest.raises(RemoteRefusal):
                await bank.unary(ECHO, Chunk(), Chunk)
        async with channel(server.port, chain.files(HUB)) as hub:
            await hub.unary(ECHO, Chunk(), Chunk)


async def test_health_is_open_to_every_role_but_not_to_other_domains(chain: Chain) -> None:
    request = health_pb2.HealthCheckRequest(service="test.v1.Echo")
    async with serving(chain.files(TAX)) as server:
        for caller in (HUB, BANK, POWER):
            async with channel(server.port, chain.files(caller)) as to:
                answer = await to.unary(HEALTH, request, health_pb2.HealthCheckResponse)
                assert answer.status == answer.SERVING
        async with channel(server.port, chain.files(FOREIGN_HUB)) as to:
            with pytest.raises(RemoteRefusal):
                await to.unary(HEALTH, request, health_pb2.HealthCheckResponse)


async def test_an_authentic_bank_posing_as_a_holder_is_refused_by_the_client(chain: Chain) -> None:
    called: list[Chunk] = []

    async def steal(request: Chunk, context: object) -> Chunk:
        called.append(request)
        return request

    async with serving(chain.files(BANK), own=BANK, handlers={"Echo": steal}) as fake:
        async with channel(fake.port, chain.files(HUB), party=TAX) as to:
            with pytest.raises(PartyUnavailable) as caught:
                await to.unary(ECHO, Chunk(data=b"for the tax bureau only"), Chunk)
            assert caught.value.party == TAX
        assert called == []
        async with channel(fake.port, chain.files(HUB), party=BANK) as to:
            await to.unary(ECHO, Chunk(), Chunk)
        assert len(called) == 1


async def test_a_host_name_without_the_identity_does_not_make_a_holder(chain: Chain) -> None:
    """Only authorities that break their rule could help an impostor: the rule is load-bearing."""
    hosts = ["localhost", "127.0.0.1", dns_name(BANK)]
    localhost = chain.issue("localhost", [str(BANK)], hosts)
    async with (
        serving(localhost, own=BANK) as fake,
        channel(fake.port, chain.files(HUB), party=TAX) as to,
    ):
        with pytest.raises(PartyUnavailable):
            await to.unary(ECHO, Chunk(), Chunk)


async def test_certificates_of_a_real_authority_work(tmp_path: Path) -> None:
    now = int(time.time())
    authority = CertificateAuthority.create(DOMAIN, now)
    (tmp_path / "ca.pem").write_bytes(authority.certificate_pem)

    def issue(party: SpiffeId) -> TlsFiles:
        key = new_tls_key()
        files = TlsFiles(
            tmp_path / f"{party.name}.pem", tmp_path / f"{party.name}.key", tmp_path / "ca.pem"
        )
        pem = authority.issue_tls(make_csr(key), party, now, 30, [dns_name(party)])
        files.certificates.write_bytes(pem)
        files.private_key.touch(mode=0o600)
        files.private_key.write_bytes(tls_key_to_pem(key))
        return files

    async with serving(issue(TAX)) as server, channel(server.port, issue(HUB)) as hub:
        assert await hub.unary(ECHO, Chunk(total=7), Chunk) == Chunk(total=7)


def test_a_connection_without_tls_has_no_identity() -> None:
    interceptor = IdentityInterceptor(trust_domains=[DOMAIN], roles=ROLES)
    for auth_context in ({}, {"transport_security_type": [b"insecure"]},
                         {"transport_security_type": [b"ssl"]}):  # fmt: skip
        with pytest.raises(Refusal):
            interceptor.authorise(ECHO, auth_context)


def test_the_detail_of_a_refusal_does_not_name_an_enterprise(chain: Chain) -> None:
    firm = SpiffeId("licence.example", Role.ENTERPRISE, "91100000100003962T")
    interceptor = IdentityInterceptor(trust_domains=[DOMAIN], roles=ROLES)
    pem = chain.issue("firm", [str(firm)]).certificates.read_bytes()
    context = {"transport_security_type": [b"ssl"], "x509_pem_cert": [pem]}
    with pytest.raises(Refusal) as caught:
        interceptor.authorise(ECHO, context)
    assert firm.name not in caught.value.detail


@pytest.mark.parametrize("name", ["Tax", "tax_1", "-tax", "x" * 64])
def test_parties_without_a_host_name_cannot_be_called(name: str) -> None:
    with pytest.raises(IdentityError, match="cannot serve"):
        dns_name(SpiffeId(DOMAIN, Role.HOLDER, name))
