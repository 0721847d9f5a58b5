"""The agent's files: weight bundles, named by hash, until their holders have them."""

from __future__ import annotations

from pathlib import Path

from node.errors import NodeError
from node.files import replacing


def bundle_path(data_dir: Path, digest: bytes) -> Path:
    """Where the bundle with that SHA-256 is kept."""
    return data_dir / "models" / f"{digest.hex()}.bundle"


def write_file(path: Path, content: bytes) -> None:
    """Writes a file whole and synced, closed to others. Raises NodeError."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.touch(mode=0o600)
            temporary.write_bytes(content)
    except OSError as error:
        raise NodeError(
            f"{path}: cannot be written ({error.strerror}); check its folder"
        ) from error


def read_file(path: Path, what: str) -> bytes:
    """The content of a file. Raises NodeError naming what it was for."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise NodeError(f"{path}: {what} cannot be read ({error.strerror})") from error
