"""No code, weight or score of a query in any encoding anywhere at the hub or at a holder.

Real nodes answer real queries; the test then knows all that the bank knows (codes, consents,
scalars, OPRF outputs, pads, records, weights, secret key) and looks for it in every byte they
keep. Left out, because they are public or the holder's own: the roster's documents, a holder's
elements H(code) of the whole roster. The hub's consent registry is searched: it is encrypted.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import secrets
import sqlite3
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from sqlalchemy import MetaData, select

from federation.canonical import b64
from node.chain.store import BATCH
from node.chain.tables import chain_documents
from node.demo.layout import Party
from support.privacy import Known, files, metrics, rows
from support.running import KINDS, Asked, RunningChain
from support.tap import tapped

pytestmark = pytest.mark.timeout(300)

QUERIES = 16
NODES = ("hub", *KINDS, "bank", "regulator")
RANDOM = {
    "holder_permits": {"id", "blinded", "hash", "consent_tag"},
    "log_entries": {"leaf_hash", "entry.document"},
    "log_attachments": {"hash", "body"},
    "holder_answer_days": set[str](),
}
"""Columns that may differ in value between two queries, and fields of a log entry."""
COUNTED = {
    "holder_permits": {"answered_at"},
    "log_entries": {"index", "time", "entry.time"},
    "holder_answer_days": {"day", "count"},
}
"""Columns that differ because one query came after the other."""

PUBLISHED = {"log_nodes", "log_checkpoints", "log_cosignatures", "witness_logs"}
"""Tables that follow from the entries and from the times of checkpoints."""

Rows = dict[str, Counter[tuple[tuple[str, Any], ...]]]


@pytest.fixture(scope="module")
def known(chain: RunningChain) -> Known:
    """Queries about firms that every holder knows, and about some that not every one does."""
    asked = [chain.asking(chain.firm(known=bool(i % 4))) for i in range(QUERIES)]
    return asyncio.run(_answered(chain, asked))


async def _answered(chain: RunningChain, asked: list[Asked]) -> Known:
    results = await asyncio.gather(*(chain.ask(question) for question in asked))
    for result, question in zip(results, asked, strict=True):
        assert result["record"]["fields"] == dict(question.record.values)
    return await Known.of(chain, asked)


# --- the search finds what is there --------------------------------------------------------------


def test_every_spelling_of_every_secret_is_found_in_a_database(
    known: Known, tmp_path: Path
) -> None:
    forms = known.needles.forms
    assert len(forms) > 10_000
    with sqlite3.connect(tmp_path / "planted.sqlite") as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE planted (id INTEGER PRIMARY KEY, value BLOB)")
        database.executemany(
            "INSERT INTO planted (value) VALUES (?)",
            ((secrets.token_bytes(7) + form + secrets.token_bytes(5),) for form in forms),
        )
        database.commit()
        found: Counter[tuple[str, str]] = Counter()
        # Before the checkpoint all of it is in the -wal file alone.
        for place, data, _ in files(tmp_path):
            found.update((hit.name, hit.encoding) for hit in known.needles.find(data, place))
    database.close()
    # A row may lie across two pages, and SQLite puts a page's number in between: hence the rows.
    for form, label in forms.items():
        if label not in found:
            assert label in {(h.name, h.encoding) for h in known.needles.find(b"-" + form, "row")}
    assert len(found) > 0.99 * len(set(forms.values()))


@pytest.mark.parametrize("wrap", ["zlib", "gzip", "zstd", "json in base64", "zlib in base64"])
def test_secrets_are_found_in_what_is_compressed_or_encoded(known: Known, wrap: str) -> None:
    wraps: dict[str, Callable[[bytes], bytes]] = {
        "zlib": zlib.compress,
        "gzip": gzip.compress,
        "zstd": zstandard.ZstdCompressor().compress,
        "json in base64": lambda raw: json.dumps({"a": b64(b'{"b":"' + raw + b'"}')}).encode(),
        "zlib in base64": lambda raw: b'{"c":"' + b64(zlib.compress(raw)).encode() + b'"}',
    }
    one_of_each: dict[str, bytes] = {}
    for form, (name, encoding) in known.needles.forms.items():
        if encoding in {"raw", "text", "big endian, raw", "6-byte big endian", "json"}:
            one_of_each.setdefault(name, form)
    assert len(one_of_each) > 10 * QUERIES
    for name, form in one_of_each.items():
        planted = b"before" + wraps[wrap](b"x" * 9 + form + b"y" * 9) + b"after"
        assert name in {hit.name for hit in known.hits("planted", planted, deep=True)}


@pytest.mark.parametrize("form", ["6 bytes", "8 bytes", "6 reversed", "8 reversed", "text"])
def test_records_are_found_as_numbers(known: Known, form: str) -> None:
    words = [asked.word for asked in known.asked if asked.word > 999]
    forms = {
        "6 bytes": [w.to_bytes(6, "big") for w in words],
        "8 bytes": [w.to_bytes(8, "big") for w in words],
        "6 reversed": [w.to_bytes(6, "little") for w in words],
        "8 reversed": [w.to_bytes(8, "little") for w in words],
        "text": [f'"word":{w},'.encode() for w in words],
    }
    planted = secrets.token_bytes(99) + b"-".join(forms[form]) + secrets.token_bytes(99)
    assert known.hits("planted", planted, deep=True)


def test_a_code_is_found_in_the_roster_and_nowhere_else_excused(known: Known) -> None:
    """What is left out of the search is the roster's own documents, not whatever is like them."""
    code = known.asked[0].firm.uscc.encode()
    with known.chain.database(known.chain.layout.hub) as connection:
        query = select(chain_documents.c.body).where(chain_documents.c.kind == BATCH)
        (body,) = connection.execute(query).scalars()
    assert list(known.needles.find(known.roster[1], "roster"))
    assert not known.hits("roster", bytes(body), deep=True)
    assert known.hits("elsewhere", b'{"uscc":"' + code + b'"}', deep=True)
    assert known.hits("elsewhere", b64(b"some words " + code + b" more words").encode(), deep=False)


# --- the nodes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NODES)
def test_nothing_of_a_query_stands_in_a_nodes_storage(known: Known, name: str) -> None:
    """Every table and every file of the node, the -wal of its database and its keys included.

    Bank and regulator are allowed to know: with them it shows that they keep it encrypted.
    """
    party = known.chain.party(name)
    hits = []
    for table, data in rows(known.chain, party):
        hits += known.hits(table, data, deep=True)
    searched = 0
    for place, data, deep in files(party.folder):
        hits += known.hits(place, data, deep=deep)
        searched += len(data)
    assert hits == []
    assert searched > 100_000


def test_nothing_of_a_query_stands_in_logs_metrics_or_traces(known: Known) -> None:
    root, chain = known.chain.layout.root, known.chain
    places = [*files(root / "logs"), *files(chain.spans)]
    places += [(place, data, True) for place, data in asyncio.run(metrics(chain))]
    hits = []
    for place, data, deep in places:
        hits += known.hits(place, data, deep=deep)
    assert hits == []
    pages = [data for place, data, _ in places if place.startswith("metrics of ")]
    assert len(pages) == len(NODES)
    assert all(b"yinxin_" in page for page in pages)


def test_spans_have_names_and_numbers_only(known: Known) -> None:
    """The exporter of the nodes was the tests' own, so these are all spans that left a node."""
    spans = []
    for _, data, _ in files(known.chain.spans):
        spans += [json.loads(line) for line in data.splitlines()]
    methods = {span["attributes"].get("rpc.method") for span in spans}
    assert {"Query", "Unlock", "Prepare", "Certify", "InstallModel"} <= methods
    for span in spans:
        assert span["events"] == [] and span["links"] == []
        texts = {k for k, v in span["attributes"].items() if not isinstance(v, int | float)}
        assert texts <= {"rpc.system", "rpc.service", "rpc.method"}


# --- two firms look the same ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
async def test_a_holder_stores_the_same_for_two_firms(known: Known, kind: str) -> None:
    """One firm the holder knows and one it does not, row by row and column by column."""
    chain, party = known.chain, known.chain.layout.holders[kind]
    before, sizes = _rows(chain, party), _sizes(party)
    stored = []
    for firm in (chain.firm(known=True), chain.firm(known=False)):
        await chain.ask(chain.asking(firm))
        after = _rows(chain, party)
        stored.append({name: list((after[name] - before[name]).elements()) for name in after})
        assert _sizes(party) == sizes
        before = after
    first, second = ({t: found for t, found in s.items() if found} for s in stored)
    assert set(first) == set(second) == set(RANDOM)
    for table, found in first.items():
        assert len(found) == len(second[table]) == 1
        one, other = dict(found[0]), dict(second[table][0])
        assert list(one) == list(other)
        for column, value in one.items():
            assert type(value) is type(other[column]), column
            if column in RANDOM[table]:
                assert len(value) == len(other[column]) and value != other[column], column
            elif column not in COUNTED[table]:
                assert value == other[column], column


async def test_the_hub_stores_as_much_for_two_firms(known: Known) -> None:
    """It knows of whom it stores something, and yet its disk tells nobody else."""
    chain, party = known.chain, known.chain.layout.hub
    before, stored = _rows(chain, party), []
    for firm in (chain.firm(known=True), chain.firm(known=False)):
        await chain.ask(chain.asking(firm))
        after = _rows(chain, party)
        stored.append({name: list((after[name] - before[name]).elements()) for name in after})
        before = after
    first, second = stored
    kept = {"hub_consents", "hub_permits", "hub_elements", "log_attachments", "log_entries"}
    assert kept <= {table for table, found in first.items() if found}
    for table, found in first.items():
        assert [_lengths(row) for row in found] == [_lengths(row) for row in second[table]], table


async def test_what_a_holder_receives_has_one_size(known: Known) -> None:
    """A stand-in for the holder records what the hub sends, for firms known and unknown to it
    and with consents of other lengths.
    """
    chain, party = known.chain, known.chain.layout.holders["tax"]
    asked = [chain.asking(chain.firm(known=bool(i % 2)), uses=1 + 99 * i) for i in range(4)]
    async with tapped(chain, party) as tap:
        for question in asked:
            await chain.ask(question)
    assert len({len(question.consent) for question in asked}) > 1
    assert len(tap.received) == len(asked)
    assert len({len(call.message) for call in tap.received}) == 1
    sent = [{name: len(value) for name, value in call.metadata} for call in tap.received]
    assert all(metadata == sent[0] for metadata in sent)
    fresh = await Known.of(chain, asked)
    for call in tap.received:
        assert fresh.hits("received", call.message, deep=True) == []
        assert fresh.hits("metadata", repr(call.metadata).encode(), deep=True) == []


def _rows(chain: RunningChain, party: Party) -> Rows:
    """All rows of a node's tables; a log entry is taken apart."""
    metadata, found = MetaData(), {}
    with chain.database(party) as connection:
        metadata.reflect(connection)
        for table in metadata.sorted_tables:
            if table.name in PUBLISHED:
                continue
            names = table.columns.keys()
            found[table.name] = Counter(
                tuple(_fields(dict(zip(names, row, strict=True))).items())
                for row in connection.execute(select(table))
            )
    return found


def _fields(row: dict[str, Any]) -> dict[str, Any]:
    if "entry" in row and "leaf_hash" in row:
        entry = json.loads(row.pop("entry"))
        entry |= entry.pop("body")
        row |= {f"entry.{name}": json.dumps(value) for name, value in entry.items()}
    return row


def _lengths(row: tuple[tuple[str, Any], ...]) -> list[tuple[str, type, int]]:
    """What can be told from outside of a row whose values are encrypted or random."""
    return [
        (name, type(value), len(value) if isinstance(value, bytes | str) else 0)
        for name, value in row
    ]


def _sizes(party: Party) -> dict[str, int]:
    """The node's files but for the database, whose rows are compared one by one."""
    return {
        str(path.relative_to(party.folder)): path.stat().st_size
        for path in party.folder.rglob("*")
        if path.is_file() and ".sqlite" not in path.name
    }
