"""Writing an evidence folder: all of it, verified by its own verifier, or nothing.

The folder is written beside its place and checked there by the very `verify.py` that goes with it,
in a process of its own, before it is renamed. That somebody opened an enterprise's evidence is
itself an entry of the regulator's log, durable before the folder is there.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

from federation.canonical import canonical_json, unb64
from federation.errors import DocumentError
from node.regulator.administration import record_action
from node.regulator.errors import RegulatorError
from node.regulator.evidence.manifest import list_files
from node.regulator.evidence.material import Material, Opener, collect
from node.regulator.evidence.report import LANGUAGES, Check, Verdict, compose, verdict_of
from node.regulator.membership import Regulator

NOT_WHOLE = 1
_VERIFIER = (
    "consent.py",
    "folder.py",
    "formats.py",
    "query.py",
    "ristretto255.py",
    "steps.py",
    "whole.py",
)
_SECONDS = 120


@dataclass(frozen=True)
class Exported:
    """Where the folder is, what its verifier found, and the SHA-256 of its trust root."""

    path: Path
    verdict: Verdict
    checks: tuple[Check, ...]
    trust: bytes
    files: int


async def export(
    regulator: Regulator, query: bytes, opener: Opener, out: Path, by: str
) -> Exported:
    """Writes the evidence folder of a query (its permit's hash, 32 bytes) to `out`, for the account
    `by`.

    Raises RegulatorError when `out` exists, the query was not audited, or the evidence does not
    stand up to its verifier; then there is no folder.
    """
    _check_place(out)
    chain, now = regulator.chain, regulator.clock.now()
    material = await regulator.store.read(
        lambda connection: collect(connection, chain, query, opener)
    )
    temporary = out.with_name(f".{out.name}.{secrets.token_hex(6)}.part")
    try:
        exported = await asyncio.to_thread(_write, regulator, material, temporary, now)
        await regulator.store.run(
            lambda connection: record_action(regulator, connection, "evidence-exported", by, query)
        )
        await asyncio.to_thread(temporary.rename, out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Exported(out, *exported)


def _check_place(out: Path) -> None:
    if out.exists():
        raise RegulatorError(f"{out} exists already; name a new folder with --out")
    if not out.absolute().parent.is_dir():
        raise RegulatorError(f"{out.absolute().parent} is no folder; make it first")


def _write(
    regulator: Regulator, material: Material, folder: Path, now: int
) -> tuple[Verdict, tuple[Check, ...], bytes, int]:
    identity = regulator.identity
    root = identity.root

    def write(files: Mapping[str, bytes]) -> None:
        manifest = list_files(root.chain, material.query, now, files)
        signed = manifest.sign(identity.signing).to_json()
        for name, body in {**files, "manifest.json": signed}.items():
            path = folder / name
            for parent in reversed(Path(name).parents):  # parents=True would not give them the mode
                (folder / parent).mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())

    files = documents(material, root.payload(), now)
    write(files)
    checks = _verified(folder)
    for language in LANGUAGES:
        report = compose(material, root, checks, now, language)
        files |= _rendered(report, language)
    write(files)
    checks = _verified(folder)
    return verdict_of(checks), checks, root.hash, len(files) + 1


def _rendered(report: Any, language: str) -> dict[str, bytes]:
    # Late: a command that exports nothing loads no typesetting.
    from node.regulator.evidence.page import page
    from node.regulator.evidence.pdf import pdf

    return {f"report.{language}.html": page(report), f"report.{language}.pdf": pdf(report)}


def documents(material: Material, trust_root: bytes, now: int) -> dict[str, bytes]:
    """Every file of the folder but reports and manifest, by its path."""
    found: dict[str, bytes] = {"trust-root.json": trust_root}
    signed = {
        "permit.json": material.permit,
        "model-certificate.json": material.certificate,
        "epoch/descriptor.json": material.descriptor,
        "epoch/opening.json": material.opening,
    }
    found |= {name: one.to_json() for name, one in signed.items() if one is not None}
    for one in material.manifests:
        holder = json.loads(one.payload)["holder"].rpartition("/")[2]
        found[f"epoch/manifest-{holder}.json"] = one.to_json()
    for one in material.credentials:
        body = json.loads(one.payload)
        name = "-".join(body["id"].split("/")[-2:])
        found[f"members/{name}-{body['not_before']}.json"] = one.to_json()
    for one in material.guests:
        body = json.loads(one.payload)
        name = f"{body['home']}-{body['id'].rpartition('/')[2]}"
        found[f"guests/{name}-{body['not_before']}.json"] = one.to_json()
    if material.envelope is not None:
        found["envelope.bin"] = material.envelope
    if material.evidence is not None:
        found["evidence.json"] = material.evidence.payload()
        found["consent.jws"] = material.evidence.consent.encode()
        found["certificates/enterprise.pem"] = _enterprise(material.evidence.consent)
    authority: str = json.loads(trust_root)["licence_authority"]
    found["certificates/licence-authority.pem"] = authority.encode()
    found["findings.json"] = canonical_json([one.to_dict() for one in material.findings])
    found |= _logs(material)
    found["case.json"] = canonical_json(_case(material, json.loads(trust_root)["chain"], now))
    return found | _shipped()


def _enterprise(consent: str) -> bytes:
    """The certificate in a consent's header, in PEM; nothing where there is none."""
    try:
        header = json.loads(unb64(consent.partition(".")[0]))
        lines = "\n".join(textwrap.wrap(header["x5c"][0], 64))
    except (ValueError, KeyError, TypeError, IndexError, DocumentError):
        return b""  # not a consent; the verifier says so
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n".encode()


def _logs(material: Material) -> dict[str, bytes]:
    found = {}
    for one in material.entries:
        stem = _stem(one.log, one.index)
        decoded = one.entry.model_dump(mode="json")
        found[f"{stem}.entry"] = one.raw
        found[f"{stem}.json"] = json.dumps(decoded, ensure_ascii=False, indent=2).encode() + b"\n"
        if one.proof:
            found[f"{stem}.proof"] = one.proof
    return found


def _case(material: Material, chain: str, now: int) -> dict[str, Any]:
    logs = []
    for log in material.logs:
        entries = [
            {
                "index": one.index,
                "kind": str(one.entry.kind),
                "entry": f"{_stem(one.log, one.index)}.entry",
                "proof": f"{_stem(one.log, one.index)}.proof",
            }
            for one in material.entries
            if one.log == log.log and one.proof
        ]
        logs.append({"log": log.log, "checked": log.checked_at, "entries": entries})
    return {
        "chain": chain,
        "query": material.query.hex(),
        "made": now,
        "verified": material.verified,
        "logs": logs,
        "unproved": [_stem(one.log, one.index) for one in material.entries if not one.proof],
        "problem": material.problem,
    }


def _stem(log: str, index: int) -> str:
    return f"logs/{'-'.join(log.split('/')[-2:])}/{index}"


def _shipped() -> dict[str, bytes]:
    """The verifier and the guide to the folder, as they come with this program."""
    package = resources("node.regulator.evidence")
    found = {f"verifier/{name}": (package / "verifier" / name).read_bytes() for name in _VERIFIER}
    found["verify.py"] = (package / "verifier" / "verify.py").read_bytes()
    found["README.md"] = (package / "templates" / "README.md").read_bytes()
    return found


def _verified(folder: Path) -> tuple[Check, ...]:
    """What the folder's own verifier says. Raises RegulatorError when it is not whole."""
    command = [sys.executable, "-I", "-B", str(folder / "verify.py"), "--json"]
    done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
    try:
        checks = tuple(Check.model_validate(one) for one in json.loads(done.stdout))
    except ValueError as error:
        raise RegulatorError("the verifier did not run; is the installation complete?") from error
    if done.returncode == NOT_WHOLE:
        faults = "; ".join(fault for check in checks if check.whole for fault in check.faults)
        raise RegulatorError(f"the mirrored material does not verify: {faults}")
    return checks
