"""Development without data over real processes: labels to the regulator, noisy counts to the bank.

The commands run as the bank's administrator runs them, beside the serving node.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select

from federation.audit.development import DEVELOPMENT_KINDS
from federation.canonical import b64
from federation.development.consent import read_unverified
from federation.entries import Kind, read_entry
from node.chain.development import DEVELOPMENT
from node.chain.tables import chain_documents
from node.demo.layout import CHAIN, Party
from node.enterprise.enterprise import Enterprise
from node.log.tables import log_attachments
from node.regulator.tables import mirror_entries, mirror_logs
from node.sample.develop import loaded
from node.storage.schema import log_entries
from scoring.development.counts import Counts
from support.running import KINDS, RunningChain

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

GOOD, BAD = 200, 100
"""What a regulator demands at least."""


@pytest.fixture(scope="module")
def labelled(chain: RunningChain) -> dict[str, int]:
    """Outcomes of some firms of the sample, asked about or not. Not the true ones."""
    codes = [firm.uscc for firm in chain.firms[: GOOD + BAD]]
    return {code: int(number >= GOOD) for number, code in enumerate(codes)}


@pytest.fixture(scope="module")
def files(
    chain: RunningChain, labelled: dict[str, int], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """The bank's table of labels and its file of consents."""
    folder = tmp_path_factory.mktemp("labels")
    firms = {firm.uscc: firm for firm in chain.firms}
    table = folder / "labels.csv"
    table.write_text("uscc,outcome\n" + "".join(f"{c},{o}\n" for c, o in labelled.items()))
    consents = folder / "consents.jsonl"
    consents.write_text("".join(_consent(chain, firms[code]) for code in labelled))
    return table, consents


def _consent(chain: RunningChain, firm: Enterprise) -> str:
    bank = chain.layout.bank.id
    consent = firm.development_consent(bank, [CHAIN], 20, int(time.time()))
    assert read_unverified(consent).uscc == firm.uscc
    return json.dumps({"consent": consent}) + "\n"


async def yinxin(*arguments: str) -> tuple[int, str, str]:
    """The command in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "node.cli", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


def labels(chain: RunningChain, files: Sequence[Path], name: str) -> list[str]:
    holders = ",".join(holder.id.name for holder in chain.layout.holders.values())
    table, consents = map(str, files)
    return [
        *("model", "develop", "labels", table, "--consents", consents, "--json"),
        *("--participants", holders, "--name", name, "--config", str(chain.layout.bank.config)),
    ]


async def test_a_bank_gets_counts_of_its_labels_with_noise_and_nothing_else(
    chain: RunningChain, files: tuple[Path, Path], labelled: dict[str, int]
) -> None:
    status, out, err = await yinxin(*labels(chain, files, "spring"))
    assert status == 0, err
    made = json.loads(out)
    assert (made["good"], made["bad"]) == (GOOD, BAD)

    counting = ["model", "develop", "counts", "--name", "spring", "--json"]
    counting += ["--config", str(chain.layout.bank.config)]
    status, out, err = await yinxin(*counting)
    assert status == 0, err
    counts = Counts.build(json.loads(out))
    counts.check(chain.catalogue)
    assert counts.certificate == made["certificate"]

    differences = np.array([*_differences(chain, counts, labelled)])
    assert len(differences) == 2 * sum(
        sum(chain.catalogue.bins_per_feature(kind)) - len(chain.catalogue.features_of(kind))
        for kind in KINDS
    )
    assert np.abs(differences).max() < 6 * counts.sigma
    assert 0.75 * counts.sigma < differences.std() < 1.25 * counts.sigma
    assert abs(differences.mean()) < 4 * counts.sigma / len(differences) ** 0.5

    _check_logs(chain, made["certificate"])
    await _check_audit(chain)


def _differences(chain: RunningChain, counts: Counts, labelled: dict[str, int]) -> Iterator[int]:
    """Noisy less true, of every count: the truth from the holders' original files."""
    import polars as pl

    months = loaded(chain.layout.sample, chain.catalogue)
    roster = pl.read_csv(chain.layout.sample / "enterprises.csv")["uscc"].to_list()
    outcome = np.array([labelled.get(code, -1) for code in roster])
    for entry in counts.features:
        kind = counts.kind_of(entry.holder)
        names = [feature.name for feature in chain.catalogue.features_of(kind)]
        bins = months[kind].bins[names.index(entry.feature)]
        for index, (good, bad) in enumerate(zip(entry.good, entry.bad, strict=True), 1):
            yield good - int(((bins == index) & (outcome == 0)).sum())
            yield bad - int(((bins == index) & (outcome == 1)).sum())


def _check_logs(chain: RunningChain, certificate: str) -> None:
    """Every party logged its part, once; no log names a firm or says how many there are."""
    digest = b64(bytes.fromhex(certificate))
    layout = chain.layout
    (certified,) = _entries(chain, layout.regulator, Kind.LABELS)
    assert certified["document"] == digest
    released = {}
    for holder in layout.holders.values():
        (installed,) = _entries(chain, holder, Kind.LABELS_INSTALLED)
        (counted,) = _entries(chain, holder, Kind.COUNTS)
        assert (installed["document"], counted["certificate"]) == (digest, digest)
        released[str(holder.id)] = counted["document"]
        with chain.database(holder) as connection:
            kept = set(connection.execute(log_attachments.select()).scalars())
        assert {bytes(one) for one in kept} >= {bytes.fromhex(certificate)}
    received = _entries(chain, layout.bank, Kind.COUNTS_RECEIVED)
    assert {entry["holder"]: entry["document"] for entry in received} == released
    with chain.database(layout.hub) as connection:
        documents = connection.execute(chain_documents.select()).all()
    assert [bytes(d.hash).hex() for d in documents if d.kind == DEVELOPMENT] == [certificate]
    assert sum(int(str(entry["rho"])) for entry in _holders(chain)) == certified["rho"]


async def _check_audit(chain: RunningChain) -> None:
    """The regulator has all of it in its mirror, and its audit finds nothing wrong with it."""
    regulator = chain.layout.regulator

    def mirrored() -> int:
        """Entries about developments that are established in the mirror."""
        entry, log = mirror_entries.c, mirror_logs.c
        query = (
            select(func.count())
            .select_from(mirror_entries.join(mirror_logs, entry.log == log.log))
            .where(entry.kind.in_(kind.value for kind in DEVELOPMENT_KINDS))
            .where(entry.index < log.size)
        )
        with chain.database(regulator) as connection:
            return int(connection.execute(query).scalar_one())

    # Certified at regulator and bank; at every holder installed and counted, and at the bank
    # installed and received; installed at the hub.
    await chain.until(lambda: mirrored() == 2 + 4 * len(KINDS) + 1, 60.0)
    arguments = ("--once", "--settle", "0", "--finish", "--workers", "1", "--json")
    config = str(regulator.config)
    status, out, err = await yinxin("regulator", "audit", *arguments, "--config", config)
    assert status == 0, err
    about = ("labels-", "counts-", "development-")
    assert not [kind for kind in json.loads(out)["findings"] if kind.startswith(about)]


def _holders(chain: RunningChain) -> Iterator[dict[str, Any]]:
    for holder in chain.layout.holders.values():
        yield from _entries(chain, holder, Kind.COUNTS)


def _entries(chain: RunningChain, party: Party, kind: Kind) -> list[dict[str, Any]]:
    with chain.database(party) as connection:
        rows = connection.execute(log_entries.select()).all()
    return [read_entry(bytes(row.entry)).body for row in rows if row.kind == kind.value]
