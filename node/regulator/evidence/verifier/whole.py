"""Whether the evidence is whole: its files, and that the logs hold what it shows of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from folder import Folder, naming
from formats import Bad, Members, Proof, b64, parse, quorum, unb64


def files(folder: Folder, faults: list[str]) -> None:
    """The manifest is the regulator's; each file is as it lists it, and there is no other."""
    manifest = folder.document("manifest.json", "evidence-manifest")
    with naming("manifest.json"):
        manifest.verify(unb64(folder.root["regulator_signing"]))
        listed = {one["name"]: unb64(one["sha256"]) for one in manifest.body["files"]}
    for name, digest in listed.items():
        try:
            if hashlib.sha256(folder.read(name)).digest() != digest:
                faults.append(f"{name}: is not the file that was exported")
        except Bad as error:
            faults.append(str(error))
    for path in sorted(folder.path.rglob("*")):
        name = path.relative_to(folder.path).as_posix()
        if not path.is_dir() and name not in listed and name != "manifest.json":
            faults.append(f"{name}: is not listed in the manifest")
    with naming("case.json"):
        if (manifest.body["query"], manifest.body["chain"]) != (
            b64(bytes.fromhex(folder.case["query"])),
            folder.case["chain"],
        ):
            faults.append("case.json: is of another query or chain than the manifest")


def trust(folder: Folder, faults: list[str]) -> None:
    """The trust root is the one given, and the regulator signed every credential."""
    if folder.trust and folder.trust_hash != folder.trust:
        faults.append("trust-root.json: is not the trust root given by --trust")
    key = unb64(folder.root["regulator_signing"])
    found = []
    for kind in ("member", "guest"):
        for path in sorted((folder.path / f"{kind}s").glob("*.json")):
            name = f"{kind}s/{path.name}"
            with naming(name):
                body = folder.document(name, kind).verify(key).body
                if body["chain"] != folder.root["chain"]:
                    raise Bad("is of another chain")
                found.append(body)
    folder.members = Members(tuple(found))


def _proofs(folder: Folder) -> Iterator[tuple[str, int, dict[str, Any], Proof]]:
    with naming("case.json"):
        rows = [
            (one["log"], one["checked"], item)
            for one in folder.case["logs"]
            for item in one["entries"]
        ]
    for log, checked, item in rows:
        with naming(item["proof"]):
            yield log, checked, item, Proof.read(folder.read(item["proof"]))


def checkpoints(folder: Folder, faults: list[str]) -> None:
    """Every checkpoint is signed by the log's owner."""
    for log, checked, item, proof in _proofs(folder):
        with naming(item["proof"]):
            proof.check_owner(log, folder.members.key(log, checked))


def cosignatures(folder: Folder, faults: list[str]) -> None:
    """A majority of the log's witnesses cosigned every checkpoint."""
    for log, checked, item, proof in _proofs(folder):
        with naming(item["proof"]):
            members = folder.members.at(checked)
            found, needed = len(proof.cosigners(members)), quorum(members, log)
            if found < needed:
                raise Bad(f"{found} of {needed} witnesses cosigned the checkpoint")


def inclusion(folder: Folder, faults: list[str]) -> None:
    """Every entry is in its log."""
    for log, _, item, proof in _proofs(folder):
        raw = folder.read(item["entry"])
        with naming(item["entry"]):
            if proof.index != item["index"]:
                raise Bad("the proof is of another index")
            proof.check_inclusion(raw)
            entry = parse(raw)
            if entry["kind"] != item["kind"]:
                raise Bad("the entry is of another kind")
            folder.entries.append((log, entry))
