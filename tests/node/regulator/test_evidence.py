"""Evidence folders: whole ones of clean and of faulty queries, and every file tampered with."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from federation.audit.findings import Finding, FindingKind
from federation.auditkeys import KeyErased
from federation.canonical import b64
from federation.entries import Kind, read_entry
from federation.permit import Evidence
from node.regulator.errors import RegulatorError
from node.regulator.evidence.export import Exported, export
from node.regulator.evidence.report import Verdict
from support.chain import HARBOUR, HUB, Chain, standard_chain
from support.mirrored import Mirrored, asked, supervising
from support.network import Network

OFFICER, REFERENCE = "clerk-7", "LOAN-2027-0115"
STEPS = 14


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The folder's own verifier, with nothing of this project on its path."""
    command = [sys.executable, "-I", str(folder / "verify.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd="/", timeout=60)


async def exported(
    base: Path, chain: Chain, network: Network, findings: tuple[Finding, ...] = ()
) -> Exported:
    async with supervising(base, chain) as regulator:
        mirrored = Mirrored.after(chain, network)
        await mirrored.keep(regulator, findings)
        query = network.hub_log[0][2].payload_hash
        return await export(regulator, query, mirrored.opener, base / "evidence", "inspector")


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The evidence of one honest query."""
    chain = standard_chain()
    network = asked(chain, chain.alpha, chain.firms[0], officer=OFFICER, reference=REFERENCE)
    done = asyncio.run(exported(tmp_path_factory.mktemp("clean"), chain, network))
    assert done.verdict is Verdict.IN_ORDER, [check for check in done.checks if check.faults]
    return done.path


def test_a_clean_query_verifies_without_this_project(clean: Path) -> None:
    done = run(clean, "--trust", standard_chain().root.hash.hex())
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("ok / 通过") == STEPS
    assert f"1/{STEPS} " in done.stdout


def test_the_folder_holds_everything(clean: Path) -> None:
    names = {path.relative_to(clean).as_posix() for path in clean.rglob("*") if path.is_file()}
    for expected in (
        "README.md", "manifest.json", "trust-root.json", "permit.json", "envelope.bin",
        "evidence.json", "consent.jws", "model-certificate.json", "findings.json", "verify.py",
        "certificates/enterprise.pem", "certificates/licence-authority.pem",
        "epoch/descriptor.json", "epoch/opening.json", "epoch/manifest-tax-1.json",
        *(f"report.{language}.{form}" for language in ("zh", "en") for form in ("html", "pdf")),
    ):  # fmt: skip
        assert expected in names
    case = json.loads((clean / "case.json").read_text())
    kinds = {(one["log"], item["kind"]) for one in case["logs"] for item in one["entries"]}
    holders = standard_chain().alpha.certificate.holders
    assert {(str(holder), "unlock") for holder in holders} <= kinds
    assert {(str(HUB), "permit"), (str(HARBOUR), "query")} <= kinds
    modes = {path.stat().st_mode & 0o077 for path in clean.rglob("*")}
    assert modes == {0}


def flipped(raw: bytes) -> bytes:
    """With one bit in the middle changed."""
    middle = len(raw) // 2
    return raw[:middle] + bytes([raw[middle] ^ 1]) + raw[middle + 1 :]


def test_every_file_that_is_changed_or_missing_is_named(clean: Path, tmp_path: Path) -> None:
    names = {p.relative_to(clean).as_posix() for p in clean.rglob("*") if p.is_file()}
    program = {"verify.py", *(name for name in names if name.startswith("verifier/"))}
    # The lists on which the comparison itself rests, each alone; all others at once.
    lists = {"manifest.json", "trust-root.json", "case.json"}
    copy = tmp_path / "copy"
    shutil.copytree(clean, copy)
    for changed in ({name} for name in (*lists, *program)):
        (name,) = changed
        whole = (clean / name).read_bytes()
        # A program that is changed must still run to tell: a comment at its end.
        (copy / name).write_bytes(whole + b"# \n" if name in program else flipped(whole))
        done = run(copy)
        assert done.returncode == 1, name
        assert name in done.stdout
        (copy / name).write_bytes(whole)
    others = names - lists - program
    for name in others:
        (copy / name).write_bytes(flipped((clean / name).read_bytes()))
    done = run(copy)
    assert done.returncode == 1
    for name in others:
        assert f"{name}: is not the file that was exported" in done.stdout
    for name in others:
        (copy / name).write_bytes((clean / name).read_bytes())
    (copy / "consent.jws").unlink()
    (copy / "logs" / "more.txt").write_text("one more")
    done = run(copy)
    assert done.returncode == 1
    assert "consent.jws: is missing" in done.stdout
    assert "logs/more.txt: is not listed" in done.stdout


def test_another_trust_root_is_refused(clean: Path) -> None:
    done = run(clean, "--trust", "00" * 32)
    assert done.returncode == 1
    assert "trust-root.json: is not the trust root given" in done.stdout


async def test_a_query_with_a_finding_is_whole_and_not_in_order(tmp_path: Path) -> None:
    chain = standard_chain()
    network = asked(chain, chain.alpha, chain.firms[1])
    query = network.hub_log[0][2].payload_hash
    finding = Finding(kind=FindingKind.QUIET_HOURS, subject=str(HARBOUR), query=query)
    done = await exported(tmp_path, chain, network, (finding,))
    assert done.verdict is Verdict.NOT_IN_ORDER
    shown = run(done.path)
    assert shown.returncode == 3
    assert f"quiet-hours: {HARBOUR} (open)" in shown.stdout
    assert FindingKind.QUIET_HOURS.titles["zh"] in (done.path / "report.zh.html").read_text()


async def test_a_holder_that_logged_no_unlock_is_named(tmp_path: Path) -> None:
    chain = standard_chain()
    network = asked(chain, chain.alpha, chain.firms[2])
    silent = chain.alpha.certificate.holders[1]
    del network.holder_logs[silent]
    done = await exported(tmp_path, chain, network)
    failed = [check for check in done.checks if check.faults]
    assert [check.step for check in failed] == ["counterparts"]
    assert failed[0].faults == (f"{silent}: logged no unlock, and the bank has a result",)


async def test_erased_evidence_keeps_the_proof(tmp_path: Path) -> None:
    chain = standard_chain()
    network = asked(chain, chain.alpha, chain.firms[7])

    def erased(envelope: bytes, permit_hash: bytes, issued: int) -> Evidence:
        raise KeyErased("the audit key of 202701 was erased")

    async with supervising(tmp_path, chain) as regulator:
        mirrored = Mirrored.after(chain, network)
        await mirrored.keep(regulator)
        query = network.hub_log[0][2].payload_hash
        done = await export(regulator, query, erased, tmp_path / "evidence", "inspector")
    assert done.verdict is Verdict.ERASED
    gone = [check.step for check in done.checks if check.gone]
    assert gone == ["consent", "coverage", "tag", "knowledge"]
    shown = run(done.path)
    assert shown.returncode == 4
    assert "202701 was erased" in shown.stdout
    written = b"".join(path.read_bytes() for path in done.path.rglob("*.json"))
    assert chain.firms[7].uscc.encode() not in written


async def test_without_a_quorum_there_is_no_folder(tmp_path: Path) -> None:
    chain = standard_chain()
    network = asked(chain, chain.alpha, chain.firms[3])
    async with supervising(tmp_path, chain) as regulator:
        mirrored = Mirrored.after(chain, network)
        await mirrored.keep(regulator, cosigners=1)
        query = network.hub_log[0][2].payload_hash
        with pytest.raises(RegulatorError, match="witnesses cosigned"):
            await export(regulator, query, mirrored.opener, tmp_path / "evidence", "inspector")
        with pytest.raises(RegulatorError, match="no query"):
            await export(regulator, bytes(32), mirrored.opener, tmp_path / "evidence", "inspector")
    left = list(tmp_path.glob("*evidence*")) + list(tmp_path.glob(".*evidence*"))  # noqa: ASYNC240
    assert not left


async def test_an_export_is_logged_and_never_overwrites(tmp_path: Path) -> None:
    chain = standard_chain()
    network = asked(chain, chain.with_court, chain.firms[4])
    async with supervising(tmp_path, chain) as regulator:
        mirrored = Mirrored.after(chain, network)
        await mirrored.keep(regulator)
        for number, (_, _, permit) in enumerate(network.hub_log):
            out = tmp_path / f"evidence-{number}"
            done = await export(regulator, permit.payload_hash, mirrored.opener, out, "inspector")
            assert done.verdict is Verdict.IN_ORDER, [
                check for check in done.checks if check.faults
            ]
        with pytest.raises(RegulatorError, match="exists already"):
            await export(regulator, permit.payload_hash, mirrored.opener, out, "inspector")
        logged = [read_entry(one.entry) async for one in regulator.log.iterate()]
    actions = [one.body for one in logged if one.kind is Kind.ADMIN]
    documents = [b64(permit.payload_hash) for _, _, permit in network.hub_log]
    assert len(documents) == 2
    assert [one["document"] for one in actions] == documents
    assert {one["action"] for one in actions} == {"evidence-exported"}
