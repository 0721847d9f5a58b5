"""What a holder must forget: an epoch's secrets, in one folder under one root.

    DIR/epochs/<n>/root.key            32 random bytes, made when first needed, in no backup
    DIR/epochs/<n>/<ctx>/pads-<b>      pads of a bucket, computed ahead
    DIR/epochs/<n>/<ctx>/table-<b>-<h> the table of a bucket, by its hash

Everything but the root is sealed under a key derived from the root, so that erasing 32 bytes
erases all of it, whatever a file system keeps of deleted files. Nothing here is cached: a root
that another process erased is gone for this one at its next call. Overwriting in place reaches the
medium on ordinary disks; on a copy-on-write file system or a worn flash block an old copy may
outlive it, so such a folder belongs on an encrypted volume whose key is not kept for longer.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from node.errors import SealError, SecretFileError
from node.files import replacing
from node.holder.errors import HolderError, RootMissing
from node.keys import KeyEncryptionKey, read_secret, write_secret
from scoring.oprf import KeyPair, derive_key_pair

ROOT_BYTES: Final = 32
_ROOT: Final = "root.key"
_GONE: Final = ".gone"
_STORE_LABEL: Final = b"yinxin/holder/store/v1"
_EMPTY_LABEL: Final = b"yinxin/holder/empty-rows/v1"
_ERASED: Final = ".erased-"
_NAME: Final = re.compile(r"(pads)-(\d+)|(table)-(\d+)-[0-9a-f]{64}")


@dataclass(frozen=True)
class EpochSecrets:
    """Everything that follows from an epoch's root. Not to be kept beyond one piece of work."""

    root: bytes = field(repr=False)

    def keys(self, ctx: bytes) -> KeyPair:
        """The OPRF key of a ctx: RFC 9497 DeriveKeyPair(root, ctx)."""
        return derive_key_pair(self.root, ctx)

    def empty_rows(self) -> bytes:
        """The secret behind coefficients that have no roster row:

        HKDF-SHA256(root, no salt, "yinxin/holder/empty-rows/v1"), 32 bytes.
        """
        return _derive(self.root, _EMPTY_LABEL)

    def store_key(self) -> KeyEncryptionKey:
        """The key of the files: HKDF-SHA256(root, no salt, "yinxin/holder/store/v1")."""
        return KeyEncryptionKey(_derive(self.root, _STORE_LABEL))


class EpochVault:
    """The folders of all epochs. Methods block on the disk; run them in a thread."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / "epochs"

    def secrets(self, epoch: int, *, create: bool = False) -> EpochSecrets:
        """An epoch's secrets. Raises RootMissing where there is no root, unless it may `create`.

        Of processes that create at once one wins, and all get its root.
        """
        path = self._epoch(epoch) / _ROOT
        if create and not path.exists():
            try:
                self._folder.mkdir(mode=0o700, exist_ok=True)
                path.parent.mkdir(mode=0o700, exist_ok=True)
                sync_folder(self._folder)
            except OSError as error:
                raise HolderError(
                    f"{path.parent} cannot be made ({error.strerror}); check its folder"
                ) from error
            try:
                write_secret(path, secrets.token_bytes(ROOT_BYTES))
            except SecretFileError:
                if not path.exists():
                    raise
        try:
            root = read_secret(path)
        except SecretFileError as error:
            if path.exists():
                raise
            raise RootMissing(f"epoch {epoch} has no root on this disk; close the epoch") from error
        if len(root) != ROOT_BYTES:
            raise HolderError(f"{path} is not a root of {ROOT_BYTES} bytes; close the epoch")
        return EpochSecrets(root)

    def put(self, epoch: int, ctx: bytes, name: str, content: bytes) -> None:
        """Seals `content` into a file, synced. Raises RootMissing when the epoch was erased."""
        sealed = self.secrets(epoch).store_key().seal(content, _purpose(ctx, name))
        path = self._path(epoch, ctx, name)
        try:
            # The epoch's own folder is not made again: it may be gone for good.
            path.parent.mkdir(mode=0o700, exist_ok=True)
            with replacing(path) as temporary:
                temporary.touch(mode=0o600)
                temporary.write_bytes(sealed)
            sync_folder(path.parent)
            sync_folder(path.parent.parent)
        except FileNotFoundError as error:
            raise RootMissing(f"epoch {epoch} was erased meanwhile") from error
        except OSError as error:
            raise HolderError(
                f"{path} cannot be written ({error.strerror}); make room on the disk"
            ) from error

    def get(self, epoch: int, ctx: bytes, name: str) -> bytes | None:
        """What was put, or None where nothing was.

        Raises RootMissing when the epoch was erased, HolderError for a file that was changed.
        """
        key = self.secrets(epoch).store_key()
        path = self._path(epoch, ctx, name)
        try:
            return key.open(path.read_bytes(), _purpose(ctx, name))
        except FileNotFoundError:
            return None
        except (OSError, SealError) as error:
            raise HolderError(f"{path} cannot be read; restore it, or close the epoch") from error

    def remove(self, epoch: int, ctx: bytes, name: str) -> None:
        """Removes a file, if it is there."""
        self._path(epoch, ctx, name).unlink(missing_ok=True)

    def buckets(self, epoch: int, ctx: bytes, sort: str) -> set[int]:
        """The buckets of which there are `pads`, or a `table`."""
        try:
            names = [path.name for path in (self._epoch(epoch) / ctx.hex()).iterdir()]
        except FileNotFoundError:
            return set()
        found = (_NAME.fullmatch(name) for name in names)
        return {int(m[2] or m[4]) for m in found if m is not None and sort in (m[1], m[3])}

    def erase(self, epoch: int) -> None:
        """Overwrites and removes the root, then the folder. Again and at once elsewhere: no harm.

        Raises HolderError when the disk refuses; the root is the first thing to go.
        """
        folder = self._epoch(epoch)
        try:
            with _alone(self._folder):
                if folder.exists():
                    # A crash while the root was made leaves it under a temporary name, too.
                    for path in sorted(folder.glob(f"*{_ROOT}*")):
                        # Out of sight first: random bytes are nobody's root, though they read well.
                        _overwrite(path.rename(path.with_name(f"{path.name}{_GONE}")))
                    sync_folder(folder)
                    # Renamed first: whoever still writes into it finds no folder.
                    folder.rename(self._folder / f"{_ERASED}{epoch}-{secrets.token_hex(6)}")
                    sync_folder(self._folder)
                for left in self._folder.glob(f"{_ERASED}{epoch}-*"):
                    for path in left.glob(f"*{_ROOT}*"):
                        _overwrite(path)
                    shutil.rmtree(left)
                sync_folder(self._folder)
        except OSError as error:
            if not self._folder.exists():
                return
            raise HolderError(
                f"{folder} cannot be erased ({error.strerror}); remove it by hand, root.key first"
            ) from error

    def exists(self, epoch: int) -> bool:
        """Whether anything of the epoch is left."""
        return self._epoch(epoch).exists() or any(self._folder.glob(f"{_ERASED}{epoch}-*"))

    def _epoch(self, epoch: int) -> Path:
        return self._folder / str(epoch)

    def _path(self, epoch: int, ctx: bytes, name: str) -> Path:
        return self._epoch(epoch) / ctx.hex() / name


def _purpose(ctx: bytes, name: str) -> bytes:
    return b"holder/" + ctx + name.encode()


def _derive(root: bytes, label: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=label).derive(root)


def _overwrite(path: Path) -> None:
    with path.open("rb+") as file:
        file.write(secrets.token_bytes(max(ROOT_BYTES, path.stat().st_size)))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Waits for other processes that erase in the folder: a node obeys a command at once."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Makes names in a folder durable, and their absence."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
