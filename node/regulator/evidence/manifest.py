"""The list of an evidence folder's files, signed by the regulator that exported it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from federation.documents import Array, Bytes32, Document, Name, Part, Time


class ListedFile(Part):
    """One file: its path within the folder, its length in bytes and its SHA-256."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$", max_length=256)]
    bytes: Annotated[int, Field(ge=0)]
    sha256: Bytes32


class EvidenceManifest(Document):
    """What an evidence folder holds, and about which query (the permit's hash) it is."""

    TYPE: ClassVar[str] = "evidence-manifest"

    chain: Name
    query: Bytes32
    made: Time
    files: Annotated[tuple[ListedFile, ...], Array]


def list_files(chain: str, query: bytes, made: int, files: Mapping[str, bytes]) -> EvidenceManifest:
    """The manifest of these files, in order of their names."""
    listed = tuple(
        ListedFile(name=name, bytes=len(body), sha256=hashlib.sha256(body).digest())
        for name, body in sorted(files.items())
    )
    return EvidenceManifest(chain=chain, query=query, made=made, files=listed)
