"""The verifier finds what is wrong by itself: here the regulator signs whatever it is given.

Each case is an evidence folder with one thing changed and a manifest made anew over it, so that
only the cryptography of the thing itself can tell.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from federation.canonical import b64, canonical_json, parse_canonical
from federation.certificate import ModelCertificate
from federation.permit import Permit
from federation.signed import Signed, SigningKey
from node.regulator.evidence.export import export
from node.regulator.evidence.manifest import list_files
from support.chain import CHAIN, DAY, HUB, NOW, REGULATOR, standard_chain
from support.mirrored import Mirrored, asked, supervising

Files = dict[str, bytes]
LIMIT = 1 << 20


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """The files of the evidence of one honest query, manifest excluded."""
    return asyncio.run(_export(tmp_path_factory.mktemp("whole")))


async def _export(base: Path) -> Files:
    chain = standard_chain()
    network = asked(chain, chain.alpha, chain.firms[5], officer="clerk-7")
    async with supervising(base, chain) as regulator:
        mirrored = Mirrored.after(chain, network)
        await mirrored.keep(regulator)
        query = network.hub_log[0][2].payload_hash
        done = await export(regulator, query, mirrored.opener, base / "evidence", "inspector")
    paths = [path for path in done.path.rglob("*") if path.is_file()]
    files = {path.relative_to(done.path).as_posix(): path.read_bytes() for path in paths}
    del files["manifest.json"]
    return files


def failing(files: Files, folder: Path) -> tuple[int, set[str]]:
    """Exit code and failing steps of a folder with these files and a proper manifest."""
    query = bytes.fromhex(json.loads(files["case.json"])["query"])
    manifest = list_files(CHAIN, query, NOW, files)
    signed = manifest.sign(standard_chain().signing[REGULATOR]).to_json()
    for name, body in {**files, "manifest.json": signed}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    command = [sys.executable, "-I", str(folder / "verify.py"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    steps = {one["step"] for one in json.loads(done.stdout) if one["faults"]}
    shutil.rmtree(folder)
    return done.returncode, steps


def evidence(files: Files, **changes: Any) -> Files:
    opened = parse_canonical(files["evidence.json"], LIMIT)
    return files | {"evidence.json": canonical_json(opened | changes)}


def consent(files: Files, **changes: Any) -> Files:
    """Another consent of the same firm in the evidence."""
    chain = standard_chain()
    given = chain.consent(chain.firms[5], **changes)
    return evidence(files, consent=given.compact)


def named(files: Files, log: object, kind: str) -> str:
    """Where the entry of that kind in a log is, without suffix."""
    case = json.loads(files["case.json"])
    (found,) = [
        item["entry"]
        for one in case["logs"]
        for item in one["entries"]
        if one["log"] == str(log) and item["kind"] == kind
    ]
    return str(found).removesuffix(".entry")


def forged_consent(files: Files) -> Files:
    """Signed by another firm's key, under the right firm's name and certificate."""
    opened = parse_canonical(files["evidence.json"], LIMIT)
    head, _, signature = opened["consent"].rpartition(".")
    other = SigningKey.generate().sign(head.encode())
    assert len(b64(other)) == len(signature)
    return evidence(files, consent=f"{head}.{b64(other)}")


def resigned_permit(files: Files) -> Files:
    permit = Permit.parse(Signed.from_json(files["permit.json"]).payload)
    return files | {"permit.json": permit.sign(SigningKey.generate()).to_json()}


def resigned_certificate(files: Files) -> Files:
    signed = Signed.from_json(files["model-certificate.json"])
    certificate = ModelCertificate.parse(signed.payload)
    return files | {"model-certificate.json": certificate.sign(SigningKey.generate()).to_json()}


def edited_entry(files: Files) -> Files:
    name = f"{named(files, HUB, 'permit')}.entry"
    return files | {name: files[name].replace(str(NOW).encode(), str(NOW - 1).encode())}


def fewer_cosignatures(files: Files) -> Files:
    name = f"{named(files, HUB, 'permit')}.proof"
    lines = files[name].decode().splitlines(keepends=True)
    signatures = [line for line in lines if line.startswith("—")]
    return files | {name: "".join(x for x in lines if x not in signatures[2:]).encode()}


def false_cosignatures(files: Files, count: int) -> Files:
    """The last witnesses' lines with another signature each."""
    name = f"{named(files, HUB, 'permit')}.proof"
    lines = files[name].decode().split("\n")
    places = [i for i, line in enumerate(lines) if line.startswith("—")]
    for place in places[-count:]:
        letter = "A" if lines[place][-10] != "A" else "B"
        lines[place] = lines[place][:-10] + letter + lines[place][-9:]
    return files | {name: "\n".join(lines).encode()}


def another_checkpoint(files: Files) -> Files:
    """A size that the log's owner never signed."""
    name = f"{named(files, HUB, 'permit')}.proof"
    size = files[name].decode().split("\n\n")[1].split("\n")[1]
    return files | {name: files[name].replace(f"\n{size}\n".encode(), b"\n999\n")}


def forged_credential(files: Files) -> Files:
    name = next(n for n in files if n.startswith("members/bank-harbour"))
    signed = Signed.from_json(files[name])
    other = SigningKey.generate()
    forged = Signed(signed.payload_type, signed.payload, other.key_id, other.sign(b"x"))
    return files | {name: forged.to_json()}


def no_unlock(files: Files) -> Files:
    """The case without the entry of one holder."""
    case = json.loads(files["case.json"])
    holder = str(standard_chain().alpha.certificate.holders[0])
    for one in case["logs"]:
        if one["log"] == holder:
            one["entries"] = [e for e in one["entries"] if e["kind"] != "unlock"]
    return files | {"case.json": canonical_json(case)}


def another_query(files: Files) -> Files:
    case = json.loads(files["case.json"])
    return files | {"case.json": canonical_json(case | {"query": "11" * 32})}


CONSENT = {"consent", "coverage", "tag", "knowledge"}
WHOLE, BROKEN = 3, 1
CASES: dict[str, tuple[Callable[[Files], Files], int, set[str]]] = {
    "nothing": (lambda files: files, 0, set()),
    "consent forged": (forged_consent, WHOLE, {"consent", "coverage", "tag", "knowledge"}),
    "consent of another time": (
        lambda files: consent(files, issued_at=NOW - 1),
        WHOLE,
        {"tag", "knowledge"},
    ),
    "consent to another bank": (
        lambda files: consent(files, bank=standard_chain().rival.certificate.bank),
        WHOLE,
        {"coverage", "tag", "knowledge"},
    ),
    "consent with fewer fields": (
        lambda files: consent(files, fields=("money",)),
        WHOLE,
        {"coverage", "tag", "knowledge"},
    ),
    "consent that began later": (
        lambda files: consent(files, at=NOW + DAY, not_before=NOW + 9, expires=NOW + 2 * DAY),
        WHOLE,
        CONSENT,
    ),
    "another firm": (
        lambda files: evidence(files, uscc=str(standard_chain().firms[6].uscc)),
        WHOLE,
        {"consent", "knowledge"},
    ),
    "another proof": (lambda files: evidence(files, proof=b64(bytes(64))), WHOLE, {"knowledge"}),
    "another tag key": (lambda files: evidence(files, tag_key=b64(bytes(32))), WHOLE, {"tag"}),
    "permit signed by another": (resigned_permit, WHOLE, {"permit"}),
    "certificate signed by another": (resigned_certificate, WHOLE, {"model"}),
    "envelope of another query": (
        lambda files: files | {"envelope.bin": b"another"},
        WHOLE,
        {"permit"},
    ),
    "unlock kept back": (no_unlock, WHOLE, {"counterparts"}),
    "finding kept back": (
        lambda files: files | {"findings.json": b"[{}]"},
        WHOLE,
        {"verdict"},
    ),
    "another query": (another_query, WHOLE, {"permit"}),
    "entry edited": (edited_entry, BROKEN, {"inclusion", "permit"}),
    "too few cosignatures": (fewer_cosignatures, BROKEN, {"cosignatures"}),
    "cosignatures false": (
        lambda files: false_cosignatures(files, 3),
        BROKEN,
        {"cosignatures"},
    ),
    "one false cosignature among many": (lambda files: false_cosignatures(files, 1), 0, set()),
    "checkpoint made up": (another_checkpoint, BROKEN, {"checkpoints", "cosignatures"}),
    "credential forged": (forged_credential, BROKEN, {"trust"}),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_is_found_by_its_own_step(name: str, whole: Files, tmp_path: Path) -> None:
    change, code, steps = CASES[name]
    changed = change(whole)
    assert name == "nothing" or changed != whole
    found, failed = failing(changed, tmp_path / "copy")
    assert found == code
    assert steps <= failed
    if code != BROKEN:
        assert failed == steps
