"""docs/log.md says of every kind what the nodes' code writes, and its example is what it says."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

from federation.entries import Kind, read_entry
from federation.merkle import leaf_hash

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "log.md").read_text(encoding="utf-8")
TYPES = {"hash", "bytes", "id", "time", "number", "text"}
ROW = re.compile(r"^\| `([a-z-]+)` \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
MEMBER = re.compile(r"`([a-z_]+)` (hash|bytes|id|time|number|text)\b")
EPOCHS = (Kind.DESCRIPTOR, Kind.MANIFEST, Kind.OPENING)

# Where the code decides at run time which kind it writes, or with which members.
KINDS: dict[str, tuple[Kind, ...]] = {
    "node/chain/sync.py": EPOCHS,
    "node/hub/publication.py": (Kind.DESCRIPTOR, Kind.OPENING),
    "node/hub/consents.py": (Kind.CONSENT, Kind.CANCELLED),
    "federation/interchain/pin.py": (Kind.PINNED, Kind.UNPINNED),
    "node/bank/business.py": (
        Kind.APPLICATION_OPENED,
        Kind.APPLICATION_CLOSED,
        Kind.LOAN_OPENED,
        Kind.LOAN_CLOSED,
    ),
}
SPREAD: dict[str, dict[Kind, set[str]]] = {
    "node/bank/administration.py": {Kind.ADMIN: {"document", "name"}},
    "node/bank/business.py": {
        kind: {"reference", "officer"} for kind in KINDS["node/bank/business.py"]
    },
    "node/bank/certification.py": {Kind.CERTIFIED: {"chain"}},
    "node/bank/installation.py": {Kind.INSTALLED: {"chain"}},
    "node/chain/sync.py": {Kind.MANIFEST: {"holder"}},
    "node/holder/banks.py": {Kind.ADMIN: {"budget"}},
    "node/pages/accounts/journal.py": {Kind.ADMIN: {"name", "duties", "failures"}},
    "node/runtime.py": {Kind.REFUSAL: {"log", "checkpoint"}},
}
WRITTEN_OTHERWISE = {
    Kind.BATCH: {"batch", "officer", "purpose", "from", "until", "size"},  # node/bank/business.py
}


def documented() -> dict[Kind, set[str]]:
    """The kinds of the page with the members of their bodies."""
    found = {}
    for name, writers, body, proves in ROW.findall(PAGE):
        if name not in set(Kind):
            continue
        assert writers and proves
        members = {member for member, _ in MEMBER.findall(body)}
        assert members, name
        assert Kind(name) not in found, f"{name} stands there twice"
        found[Kind(name)] = members
    return found


@cache
def written() -> dict[Kind, set[str]]:
    """The kinds with the members that calls of `entry` in the nodes' code give them."""
    found: dict[Kind, set[str]] = defaultdict(set)
    for kind, members in WRITTEN_OTHERWISE.items():
        found[kind] |= members
    paths = [*(ROOT / "federation").rglob("*.py"), *(ROOT / "node").rglob("*.py")]
    for path in paths:
        name = str(path.relative_to(ROOT))
        if name.startswith(("node/bench/", "node/demo/")):
            continue  # what they write they write as nodes do, or as dishonest ones
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call) or ast.unparse(call.func) != "entry":
                continue
            first = call.args[0]
            known = isinstance(first, ast.Attribute) and ast.unparse(first.value) == "Kind"
            kinds = (Kind[first.attr],) if known else KINDS.get(name)  # type: ignore[attr-defined]
            assert kinds is not None, f"{name}:{call.lineno} is to be put into KINDS"
            members = {keyword.arg for keyword in call.keywords if keyword.arg is not None}
            spread = any(keyword.arg is None for keyword in call.keywords)
            assert not spread or name in SPREAD, f"{name}:{call.lineno} is to be put into SPREAD"
            for kind in kinds:
                found[kind] |= members | (SPREAD[name].get(kind, set()) if spread else set())
    return found


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.OPAQUE])
def test_the_page_has_every_kind_with_the_members_that_nodes_write(kind: Kind) -> None:
    assert documented()[kind] == written()[kind]


def test_the_page_names_no_other_type_or_kind() -> None:
    assert set(documented()) == set(Kind) - {Kind.OPAQUE}
    defined = set(re.findall(r"\*\*([a-z]+)\*\*: ", PAGE)) | {"time", "number", "text"}
    assert defined >= TYPES


def test_the_page_has_every_action_of_an_administrator() -> None:
    """As they stand in the code: a constant of the call, or of the one that makes it."""
    actions = set()
    for path in (ROOT / "node").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call):
                continue
            called = ast.unparse(call.func)
            if called == "entry" and ast.unparse(call.args[0]) == "Kind.ADMIN":
                given = [k.value for k in call.keywords if k.arg == "action"]
            elif called in {"record_action", "_record"} and len(call.args) > 3:
                given = call.args[2:4]  # the action stands third, or fourth after who did it
            else:
                continue
            for value in given:
                names = [value] if not isinstance(value, ast.IfExp) else [value.body, value.orelse]
                actions |= {n.value for n in names if isinstance(n, ast.Constant)}
    table = PAGE[PAGE.index("| `action` |") :].partition("\n\n")[0]
    rows = re.findall(r"^\| (`.+?) \| (?:\w+) \|", table, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([a-z-]+)`", row)}
    assert {"certify", "token", "catalogue", "bank-stop"} <= actions
    assert actions == named - {"action"}


def test_the_example_is_an_entry_with_that_leaf_hash() -> None:
    (raw,) = re.findall(r"^```json\n(.+?)\n```$", PAGE, re.MULTILINE)
    example = read_entry(raw.encode())
    assert set(example.body) == documented()[example.kind]
    (leaf,) = re.findall(r"^Leaf hash: `([0-9a-f]{64})`\.$", PAGE, re.MULTILINE)
    assert leaf_hash(raw.encode()).hex() == leaf
    assert f"An entry of {len(raw.encode())} bytes" in PAGE
