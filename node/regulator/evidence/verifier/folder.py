"""The files of the evidence folder, each read when a step first needs it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from consent import open_consent
from formats import Bad, Document, Gone, Members, b64, parse, role


@dataclass
class Folder:
    """The evidence folder. What an earlier step established is here for the later ones."""

    path: Path
    trust: str = ""
    members: Members = field(default_factory=Members)
    entries: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """(log, entry) of every entry that is proved to be in its log."""

    def read(self, name: str) -> bytes:
        """A file's bytes."""
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise Bad(f"{name}: is missing") from error

    def document(self, name: str, kind: str) -> Document:
        """A signed document, not verified."""
        with naming(name):
            return Document.read(self.read(name), kind)

    @cached_property
    def root(self) -> dict[str, Any]:
        """The chain's trust root."""
        with naming("trust-root.json"):
            root: dict[str, Any] = parse(self.read("trust-root.json"))
            return root

    @property
    def trust_hash(self) -> str:
        """SHA-256 of the trust root."""
        return hashlib.sha256(self.read("trust-root.json")).hexdigest()

    @cached_property
    def case(self) -> dict[str, Any]:
        """What the folder is about."""
        with naming("case.json"):
            case: dict[str, Any] = parse(self.read("case.json"))
            return case

    @cached_property
    def permit(self) -> Document:
        """The permit, not verified."""
        return self.document("permit.json", "permit")

    @property
    def at(self) -> int:
        """When the permit was issued, unix seconds."""
        issued: int = self.permit.body["issued"]
        return issued

    @cached_property
    def model(self) -> Document:
        """The model certificate, not verified."""
        return self.document("model-certificate.json", "model-certificate")

    @cached_property
    def evidence(self) -> dict[str, Any]:
        """The opened evidence: why the permit was issued. Raises Gone where it was erased."""
        if self.case["problem"] and not (self.path / "evidence.json").exists():
            raise Gone(self.case["problem"])
        with naming("evidence.json"):
            evidence: dict[str, Any] = parse(self.read("evidence.json"))
            return evidence

    @property
    def claims(self) -> dict[str, Any]:
        """The consent's claims, verified."""
        with naming("evidence.json"):
            compact = self.evidence["consent"]
            claims: dict[str, Any] = open_consent(compact, self.root, self.at)
            return claims

    def logged(self, kind: str, document: bytes, log: str) -> list[dict[str, Any]]:
        """The proved entries of a log that record a document."""
        wanted = b64(document)
        return [
            one
            for owner, one in self.entries
            if owner == log and one["kind"] == kind and one["body"].get("document") == wanted
        ]

    def hub(self, time: int) -> str:
        """The chain's hub."""
        hubs = [member for member in self.members.at(time) if role(member) == "hub"]
        if len(hubs) != 1:
            raise Bad("the chain did not have exactly one hub")
        hub: str = hubs[0]
        return hub


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Puts the file's name before whatever is wrong with it."""
    try:
        yield
    except Bad as error:
        text = str(error)
        raise Bad(text if text.startswith(f"{name}:") else f"{name}: {text}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Bad(f"{name}: is malformed ({type(error).__name__})") from error
