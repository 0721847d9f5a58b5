"""In which order the files of tests run, and which of them run in one process.

A chain of real processes costs as much as a hundred small tests, so the files that use one chain
are given to one worker, and the longest begin first: else the last file keeps one worker busy while
the others have nothing left to do.
"""

from __future__ import annotations

from typing import Final

import pytest
from xdist.scheduler import LoadScopeScheduling

TOGETHER: Final = (
    # The chain on SQLite. The last file breaks a log of it.
    (
        "tests/integration/test_privacy_bytes.py",
        "tests/integration/test_development.py",
        "tests/integration/test_killing.py",
        "tests/integration/test_log_survives.py",
    ),
    ("tests/integration/test_three_chains.py",),
    ("tests/integration/test_demo.py",),
    ("tests/integration/test_replicas.py",),
    ("tests/integration/test_readme.py",),
    # The chain under the policy `proof`. The last file breaks its logs.
    (
        "tests/integration/test_transparency.py",
        "tests/integration/test_audit_running.py",
    ),
    # The chain with PostgreSQL. The last file closes its epoch.
    (
        "tests/integration/test_postgresql.py",
        "tests/integration/test_after_close.py",
    ),
    ("tests/attack/test_dishonest_hub.py",),
    ("tests/node/test_bench.py",),
    ("tests/node/bank/test_api.py",),
    ("tests/federation/test_policy_attacks.py",),
    ("tests/federation/test_policy_remedy.py",),
    ("tests/integration/test_go_verifier.py",),
)
"""Files that share something, in order, the longest first; each other file stands by itself."""

_PLACE: Final = {
    file: (group, place) for group, files in enumerate(TOGETHER) for place, file in enumerate(files)
}


def sort(items: list[pytest.Item]) -> None:
    """Puts the files of TOGETHER first; all others, and the tests of a file, keep their order."""
    items.sort(key=lambda item: _PLACE.get(_file(item.nodeid), (len(TOGETHER), 0)))


class TogetherScheduling(LoadScopeScheduling):
    """xdist's `loadfile`, but that the files that share something go to one worker, in order."""

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)


def unit(nodeid: str) -> str:
    """What a test goes to a worker with: its file, or the first of those that stand together."""
    file = _file(nodeid)
    return TOGETHER[_PLACE[file][0]][0] if file in _PLACE else file


def _file(nodeid: str) -> str:
    return nodeid.partition("::")[0]
