"""A node's folder: where its files are, and how it comes to be whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from node.enrolment.errors import EnrolmentError
from node.files import replacing

CONFIG: Final = "node.toml"
TRUST: Final = "trust.json"
REQUEST: Final = "request.json"
MEMBER: Final = "member.json"
TLS_KEY: Final = "keys/tls.key"
TLS_CERTIFICATE: Final = "keys/tls.pem"
AUTHORITY: Final = "keys/authority.pem"
AUTHORITY_KEY: Final = "keys/authority.key"
SIGNING_KEY: Final = "keys/signing.key"
AGREEMENT_KEY: Final = "keys/agreement.key"
SEALING_KEY: Final = "keys/sealing.key"
AUDIT_KEY: Final = "keys/audit.key"
STORAGE_KEY: Final = "keys/storage.key"
LICENCE_AUTHORITY: Final = "keys/licence-authority.pem"
DATA: Final = "data"


@contextmanager
def building(folder: Path) -> Iterator[Path]:
    """Yields a new folder beside `folder`, closed to others, that becomes `folder` at the end.

    On any exception it is removed again. Raises EnrolmentError when `folder` exists and is not
    empty (keys are never overwritten) or cannot be made.
    """
    folder = folder.absolute()
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise EnrolmentError(f"{folder} exists and is not empty; name a new folder")
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = folder.parent / f".{folder.name}.{secrets.token_hex(6)}.part"
        temporary.mkdir(mode=0o700)
    except OSError as error:
        raise EnrolmentError(f"{folder} cannot be made ({error.strerror})") from error
    try:
        (temporary / "keys").mkdir(mode=0o700)
        yield temporary
        _sync(temporary)
        # Replaces an empty folder, and fails for one that was filled meanwhile.
        temporary.rename(folder)
        _sync(folder.parent)
    except OSError as error:
        raise EnrolmentError(f"{folder} cannot be made ({error.strerror})") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_public(path: Path, content: bytes) -> None:
    """Writes a file that holds no secret, whole and synced, over an older one.

    Raises EnrolmentError when it cannot be written.
    """
    try:
        with replacing(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise EnrolmentError(f"{path} cannot be written ({error.strerror})") from error


def read_file(path: Path, what: str) -> bytes:
    """The content of a file that holds no secret. Raises EnrolmentError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise EnrolmentError(f"{path}: {what} cannot be read ({error.strerror})") from error


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
