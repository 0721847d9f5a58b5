"""An enterprise's folder, its consents, and their way to the hub."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from federation.consent import verify_cancellation, verify_consent
from federation.entries import Kind, read_entry
from federation.errors import DocumentError, FederationError, Reason
from federation.identity import Role, SpiffeId
from federation.pki import SubjectAuthority
from federation.purpose import Purpose
from federation.uscc import Uscc
from node.cli import enterprise as commands
from node.enrolment import EnrolmentError
from node.enterprise import (
    ConsentTerms,
    Enterprise,
    EnterpriseError,
    EnterpriseGrant,
    enrol_enterprises,
)
from node.enterprise.client import ConsentClient
from node.enterprise.home import EnterpriseHome
from node.errors import NodeError
from node.licence import LicenceAuthority
from node.rpc.errors import PartyUnavailable, RemoteRefusal
from support.checks import refused
from support.enrolled import HARBOUR, HUB, Homes, hub_serving, regulating

NOW = 1_790_000_000
FIRM, OTHER = Uscc.generate(7), Uscc.generate(8)
TERMS = ConsentTerms(
    bank=HARBOUR,
    purpose=Purpose.LOAN_APPROVAL,
    fields=("money", "conduct"),
    chains=("csj",),
    days=30,
    uses=3,
    disclosed=("court.f0",),
    named=(SpiffeId(HARBOUR.trust_domain, Role.HOLDER, "court-1"),),
)


@pytest.fixture(scope="module")
def authority() -> SubjectAuthority:
    return SubjectAuthority.create("licence.example", NOW)


def test_hundreds_of_enterprises_consent_without_a_file(authority: SubjectAuthority) -> None:
    codes = [Uscc.generate(number) for number in range(300)]
    started = time.monotonic()
    firms = enrol_enterprises(authority, codes, NOW, 365)
    consents = [firm.consent(TERMS, NOW) for firm in firms]
    assert time.monotonic() - started < 10
    assert [firm.uscc for firm in firms] == codes
    assert len({firm.signing.public for firm in firms}) == 300
    for code, compact in list(zip(codes, consents, strict=True))[::50]:
        consent = verify_consent(compact, authority.certificate_pem, NOW)
        assert (consent.uscc, consent.bank, consent.uses) == (code, HARBOUR, 3)
        assert (consent.not_before, consent.expires) == (NOW - 60, NOW + 30 * 86_400)
        assert (consent.fields, consent.disclosed) == (("conduct", "money"), ("court.f0",))


def test_a_cancellation_is_of_one_consent(authority: SubjectAuthority) -> None:
    firm, other = enrol_enterprises(authority, [FIRM, OTHER], NOW, 365)
    first, second = firm.consent(TERMS, NOW), firm.consent(TERMS, NOW)
    pem = authority.certificate_pem
    cancelled = verify_cancellation(firm.cancellation(first, NOW), pem, NOW)
    assert cancelled.cancels(verify_consent(first, pem, NOW))
    assert not cancelled.cancels(verify_consent(second, pem, NOW))
    stolen = other.cancellation(first, NOW)
    refused(Reason.NO_CONSENT, lambda: verify_cancellation(stolen, pem, NOW))


def test_impossible_terms_are_refused_where_they_are_written(authority: SubjectAuthority) -> None:
    (firm,) = enrol_enterprises(authority, [FIRM], NOW, 365)
    for changes in ({"days": 0}, {"uses": 0}, {"fields": ()}, {"bank": TERMS.named[0]}):
        with pytest.raises(DocumentError):
            firm.consent(dataclasses.replace(TERMS, **changes), NOW)


def grant_of(firm: Enterprise) -> EnterpriseGrant:
    return EnterpriseGrant(firm.certificate, firm.tls_certificate)


def test_a_folder_joins_with_its_own_certificates_only(
    authority: SubjectAuthority, tmp_path: Path
) -> None:
    home = EnterpriseHome.create(tmp_path / "firm", FIRM, "甲", authority.certificate_pem)
    with pytest.raises(EnterpriseError, match="no certificates"):
        home.load(NOW)
    office = LicenceAuthority(tmp_path, authority)
    (good,) = office.issue([home.request()], now=NOW, days=365)
    foreign = LicenceAuthority.create(tmp_path / "b", "licence.example", NOW, 3650)
    (forged,) = foreign.issue([home.request()], now=NOW, days=365)
    (other,) = enrol_enterprises(authority, [FIRM], NOW, 365)
    expired = office.issue([home.request()], now=NOW - 40 * 86_400, days=30)[0]
    before = sorted(home.folder.rglob("*"))
    for bad in (
        forged,
        grant_of(other),
        expired,
        dataclasses.replace(good, tls_certificate=other.tls_certificate),
        dataclasses.replace(good, tls_certificate=forged.tls_certificate),
        dataclasses.replace(good, tls_certificate=b"nonsense"),
        dataclasses.replace(good, certificate=b"nonsense"),
    ):
        with pytest.raises(EnterpriseError, match="grant"):
            home.join(bad, NOW)
    assert sorted(home.folder.rglob("*")) == before
    joined = home.join(good, NOW)
    assert (joined.uscc, joined.issuer) == (FIRM, "licence.example")
    assert home.load(NOW).signing.public == joined.signing.public
    with pytest.raises(EnterpriseError):
        home.load(NOW + 400 * 86_400)


def test_keys_are_closed_to_others_and_never_overwritten(
    authority: SubjectAuthority, tmp_path: Path
) -> None:
    home = EnterpriseHome.create(tmp_path / "firm", FIRM, "甲", authority.certificate_pem)
    keys = sorted(home.folder.glob("keys/*.key"))
    assert [path.name for path in keys] == ["consent.key", "tls.key"]
    assert {path.stat().st_mode & 0o777 for path in keys} == {0o600}
    with pytest.raises(EnrolmentError, match="not empty"):
        EnterpriseHome.create(tmp_path / "firm", FIRM, "甲", authority.certificate_pem)
    with pytest.raises(FederationError):
        EnterpriseHome.create(tmp_path / "none", FIRM, "甲", b"no certificate")
    assert not (tmp_path / "none").exists()


def test_a_firm_enrolled_in_memory_can_be_written(
    authority: SubjectAuthority, tmp_path: Path
) -> None:
    (firm,) = enrol_enterprises(authority, [FIRM], NOW, 365)
    home = EnterpriseHome.store(tmp_path / "firm", firm, authority.certificate_pem)
    assert home.load(NOW).certificate == firm.certificate


async def test_consents_are_registered_and_cancelled_at_the_hub(tmp_path: Path) -> None:
    homes = Homes(tmp_path)
    async with regulating(homes) as regulator:
        await homes.enrol(regulator, HUB)
    firm, other = enrol_enterprises(homes.licence, [FIRM, OTHER], homes.now, 365)
    consent = firm.consent(TERMS, homes.now)
    root = homes.root.authority.encode()
    async with hub_serving(homes) as hub:
        address = f"127.0.0.1:{hub.servers[1].port}"
        async with ConsentClient.connect(firm, HUB, address, root) as client:
            registered = await client.register(consent)
            cancelled = await client.cancel(firm.cancellation(consent, homes.now))
        kinds = [read_entry(receipt.entry).kind for receipt in (registered, cancelled)]
        assert kinds == [Kind.CONSENT, Kind.CANCELLED]
        logged = [one.entry async for one in hub.log.iterate()]
        assert registered.entry in logged and cancelled.entry in logged
        assert json.loads(cancelled.to_json())["entry"].encode() == cancelled.entry
        # Another firm neither registers nor cancels what is not its own.
        async with ConsentClient.connect(other, HUB, address, root) as client:
            for compact in (firm.consent(TERMS, homes.now), consent):
                with pytest.raises(RemoteRefusal):
                    await client.register(compact)
            with pytest.raises(RemoteRefusal):
                await client.cancel(other.cancellation(consent, homes.now))
        await strangers(homes, firm, address)


async def strangers(homes: Homes, firm: Enterprise, address: str) -> None:
    """A firm of another authority, and a hub that is not the one asked for."""
    consent = firm.consent(TERMS, homes.now)
    root = homes.root.authority.encode()
    foreign = SubjectAuthority.create("licence.example", homes.now)
    (impostor,) = enrol_enterprises(foreign, [FIRM], homes.now, 365)
    async with ConsentClient.connect(impostor, HUB, address, root) as client:
        with pytest.raises(PartyUnavailable):
            await client.register(consent)
    elsewhere = dataclasses.replace(HUB, name="other")
    async with ConsentClient.connect(firm, elsewhere, address, root) as client:
        with pytest.raises(PartyUnavailable):
            await client.register(consent)
    with pytest.raises(EnterpriseError, match="no hub"):
        async with ConsentClient.connect(firm, HARBOUR, address, root):
            pass


def run(*arguments: object) -> Any:
    result = CliRunner().invoke(commands.app, list(map(str, arguments)))
    if isinstance(result.exception, NodeError | FederationError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout) if "--json" in arguments else result.stdout


def test_the_commands_give_show_and_cancel_a_consent(tmp_path: Path) -> None:
    homes = Homes(tmp_path)
    office = LicenceAuthority(tmp_path, homes.licence)
    pem = tmp_path / "authority.pem"
    pem.write_bytes(homes.licence.certificate_pem)
    folder = tmp_path / "firm"
    run("init", "--uscc", FIRM.lower(), "--out", folder, "--licence-authority", pem)
    (grant,) = office.issue([EnterpriseHome(folder).request()], now=homes.now, days=30)
    (tmp_path / "grant.json").write_bytes(grant.to_json())
    run("join", tmp_path / "grant.json", "--dir", folder)
    file = tmp_path / "consent.jws"
    give: list[object] = [
        "consent", "give", "--dir", folder, "--bank", HARBOUR, "--purpose", "02",
        "--fields", "money, conduct", "--chains", "csj", "--uses", 2, "--out", file,
    ]  # fmt: skip
    given = run(*give, "--json")
    assert (given["purpose_zh"], given["purpose_en"]) == ("贷款审批", "loan approval")
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(NodeError, match="not overwritten"):
        run(*give)
    with pytest.raises(EnterpriseError, match="02 贷款审批 loan approval"):
        run(*[*give[:7], "77", *give[8:]])
    shown = run("consent", "show", file, "--licence-authority", pem, "--json")
    assert (shown["status"], shown["uses"], shown["uscc"]) == ("valid", 2, FIRM)
    other = SubjectAuthority.create("licence.example", homes.now)
    pem.write_bytes(other.certificate_pem)
    shown = run("consent", "show", file, "--licence-authority", pem, "--json")
    assert shown["status"] == "no_consent"
    assert run("consent", "show", file, "--json")["status"] == "not verified"
    assert "贷款审批" in run("consent", "show", file)
    asyncio.run(_at_hub(homes, folder, file))


def receipts(file: Path) -> list[Path]:
    return list(file.parent.glob(f"{file.name}.*.json"))


async def _at_hub(homes: Homes, folder: Path, file: Path) -> None:
    async with regulating(homes) as regulator:
        await homes.enrol(regulator, HUB)
    trust = homes.folder(HUB) / "trust.json"
    async with hub_serving(homes) as hub:
        options: list[object] = [
            file, "--dir", folder, "--hub", f"127.0.0.1:{hub.servers[1].port}", "--trust", trust,
        ]  # fmt: skip
        for command in ("register", "cancel"):
            told = await asyncio.to_thread(
                run, "consent", command, *options, "--hub-id", HUB, "--json"
            )
            assert told["hub"] == str(HUB)
            assert told["receipt"] in {str(path) for path in receipts(file)}
        foreign = "spiffe://zsj.example/hub/hub"
        with pytest.raises(EnterpriseError, match="hub-id"):
            await asyncio.to_thread(run, "consent", "cancel", *options, "--hub-id", foreign)
