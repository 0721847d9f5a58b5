"""The files of an epoch: columns that anybody can rebuild, secrets that nobody can."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from node.holder import vault as module
from node.holder.columns import ColumnFile, ColumnHeader, column_parts, write_columns
from node.holder.errors import HolderError, RootMissing
from node.holder.vault import EpochVault
from scoring.words import ROWS
from support.chain import TAX

CTX = bytes(range(32))


def header(rows: int, bins: tuple[int, ...]) -> ColumnHeader:
    return ColumnHeader(TAX, "tax", 7, bytes(32), rows, bins)


@pytest.mark.parametrize("rows", [1, 7, ROWS - 1, ROWS, ROWS + 1, 2 * ROWS + 13])
def test_buckets_are_read_back_as_they_were_written(tmp_path: Path, rows: int) -> None:
    random = np.random.default_rng(rows)
    counts = (3, 256, 257, 40_000)
    bins = np.stack([random.integers(0, n, rows).astype(np.uint16) for n in counts])
    bins[:, 0] = [n - 1 for n in counts]
    known = random.random(rows) < 0.5
    path = tmp_path / "columns"
    digest = write_columns(path, header(rows, counts), bins, known, bytes(32))
    file = ColumnFile(path, bytes(32), digest)
    for bucket in range(-(-rows // ROWS)):
        start, end = bucket * ROWS, min(rows, (bucket + 1) * ROWS)
        found, covered = file.bucket(bucket)
        assert (found[:, : end - start] == bins[:, start:end]).all()
        assert (covered[: end - start] == known[start:end]).all()
        assert not found[:, end - start :].any() and not covered[end - start :].any()
    assert path.read_bytes() == b"".join(column_parts(header(rows, counts), bins, known))


def test_a_column_file_of_another_salt_or_content_is_refused(tmp_path: Path) -> None:
    bins, known = np.zeros((1, 5), dtype=np.uint16), np.ones(5, dtype=np.bool_)
    path = tmp_path / "columns"
    digest = write_columns(path, header(5, (3,)), bins, known, bytes(32))
    ColumnFile(path, bytes(32), digest)
    with pytest.raises(HolderError, match="commits to"):
        ColumnFile(path, b"\x01" * 32, digest)
    path.write_bytes(path.read_bytes() + b"\x00")
    with pytest.raises(HolderError, match="commits to"):
        ColumnFile(path, bytes(32), digest)
    with pytest.raises(HolderError, match="cannot be read"):
        ColumnFile(tmp_path / "none", bytes(32), digest)


def test_of_roots_made_at_once_there_is_one(tmp_path: Path) -> None:
    start = threading.Barrier(8)
    roots: list[bytes] = []

    def make() -> None:
        start.wait()
        roots.append(EpochVault(tmp_path).secrets(3, create=True).root)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(roots) == 8 and len(set(roots)) == 1
    path = tmp_path / "epochs" / "3" / "root.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert EpochVault(tmp_path).secrets(4, create=True).root != roots[0]


def test_what_is_put_is_sealed_and_bound_to_its_place(tmp_path: Path) -> None:
    vault = EpochVault(tmp_path)
    vault.secrets(3, create=True)
    vault.put(3, CTX, "pads-0", b"forty-eight bits a row")
    vault.put(3, CTX, "pads-1", b"other")
    assert vault.get(3, CTX, "pads-0") == b"forty-eight bits a row"
    assert vault.get(3, CTX, "pads-2") is None
    assert vault.buckets(3, CTX, "pads") == {0, 1} and vault.buckets(3, CTX, "table") == set()
    folder = tmp_path / "epochs" / "3" / CTX.hex()
    assert b"forty-eight" not in (folder / "pads-0").read_bytes()
    (folder / "pads-1").write_bytes((folder / "pads-0").read_bytes())
    with pytest.raises(HolderError, match="cannot be read"):
        vault.get(3, CTX, "pads-1")


def test_an_erased_epoch_takes_and_gives_nothing(tmp_path: Path) -> None:
    vault = EpochVault(tmp_path)
    root = vault.secrets(3, create=True).root
    vault.put(3, CTX, "pads-0", b"pads")
    vault.erase(3)
    vault.erase(3)
    for call in (
        lambda: vault.secrets(3),
        lambda: vault.put(3, CTX, "pads-0", b"late"),
        lambda: vault.get(3, CTX, "pads-0"),
    ):
        with pytest.raises(RootMissing):
            call()
    assert not vault.exists(3)
    assert list((tmp_path / "epochs").iterdir()) == []
    assert vault.secrets(3, create=True).root != root


def test_the_root_is_overwritten_in_place_before_its_name_goes(tmp_path: Path) -> None:
    """A second name of the same file, as a snapshot tool may hold, keeps nothing of it."""
    vault = EpochVault(tmp_path)
    root = vault.secrets(3, create=True).root
    kept = tmp_path / "second-name"
    kept.hardlink_to(tmp_path / "epochs" / "3" / "root.key")
    assert kept.read_bytes() == root
    vault.erase(3)
    assert len(kept.read_bytes()) == 32 and kept.read_bytes() != root


def test_erasing_at_once_from_many_sides_is_no_failure(tmp_path: Path) -> None:
    """A node obeys the command that closes an epoch while the command itself erases it."""
    vault = EpochVault(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        for epoch in range(20):
            vault.secrets(epoch, create=True)
            for number in range(5):
                vault.put(epoch, CTX, f"pads-{number}", b"pads")
            list(pool.map(vault.erase, [epoch] * 8))
            assert not vault.exists(epoch)


def test_a_root_that_is_being_overwritten_is_gone_already(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a reader takes the random bytes for the root, and its key for a wrong one."""
    vault, looks = EpochVault(tmp_path), list[Path]()
    vault.secrets(3, create=True)
    overwrite = module._overwrite

    def slowly(path: Path) -> None:
        with pytest.raises(RootMissing):
            vault.secrets(3)
        looks.append(path)
        overwrite(path)

    monkeypatch.setattr(module, "_overwrite", slowly)
    vault.erase(3)
    assert len(looks) == 1
    assert not vault.exists(3)
