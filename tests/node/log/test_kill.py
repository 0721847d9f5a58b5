"""A log whose processes are killed: nothing acknowledged is lost, and no size has two roots."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from pathlib import Path

import pytest

from federation.merkle import root
from federation.signed import SigningKey
from federation.tlog.checkpoint import open_checkpoint, origin_of
from node.log import QueryLog
from node.log.fsck import fsck
from node.log.tree import LogTree
from node.storage import Store
from tests.node.log.logs import LOG, NOW

ROOT = Path(__file__).resolve().parents[3]
SEED = bytes(range(32))
KILLS = 3


def start(url: str, name: str) -> subprocess.Popen[str]:
    script = Path(__file__).with_name("checkpointer.py")
    return subprocess.Popen(
        [sys.executable, str(script), url, SEED.hex(), name],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )


class Heard:
    """What processes said that they had kept."""

    def __init__(self) -> None:
        self.entries: dict[int, bytes] = {}
        self.notes: dict[int, bytes] = {}

    def hear(self, output: str) -> None:
        """Takes the complete lines; nobody may contradict what was said before."""
        for line in output.split("\n")[:-1]:
            what, number, value = line.split(" ")
            known = self.entries if what == "entry" else self.notes
            assert known.setdefault(int(number), bytes.fromhex(value)) == bytes.fromhex(value)


@pytest.mark.parametrize("processes", [1, 2])
async def test_attack_no_kill_gives_two_trees(database_url: str, processes: int) -> None:
    random_, heard, key = random.Random(processes), Heard(), SigningKey.from_bytes(SEED)
    for turn in range(KILLS):
        running = [start(database_url, f"{turn}{number}") for number in range(processes)]
        first = []
        for process in running:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, "it ended before it kept anything"
            first.append(line)
        await asyncio.sleep(random_.uniform(0.0, 0.3))
        for process in running:
            process.kill()
        for process, line in zip(running, first, strict=True):
            assert process.stdout is not None
            heard.hear(line + process.stdout.read())
            process.stdout.close()
            assert process.wait(20) == -9
    store = Store.open(database_url)
    try:
        signed = await LogTree(store).checkpoint(key, LOG, NOW)
        leaves = [entry.leaf_hash async for entry in QueryLog(store).iterate()]
        assert heard.entries
        assert max(heard.notes) <= signed.size == len(leaves)
        for index, leaf in heard.entries.items():
            assert leaves[index] == leaf
        for size, note in heard.notes.items():
            checkpoint, _ = open_checkpoint(note, origin_of(LOG), key.public)
            assert (checkpoint.size, checkpoint.root) == (size, root(leaves[:size]))
        report = await fsck(store, LOG, {LOG: {key.public}}, lambda *_: None)
        assert report.fault is None
        assert report.checkpoints >= len(heard.notes)
        await LogTree(store).patrol(LOG, key.public)
    finally:
        store.close()
