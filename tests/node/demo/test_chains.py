"""What chains of the demo have in common, and what each has for itself."""

from __future__ import annotations

from collections import Counter
from itertools import chain, combinations
from pathlib import Path

import pytest

from federation.policy import PolicyThresholds, certify_policy
from node.demo.chains.main import run_chains_demo
from node.demo.chains.model import ACROSS, catalogue_of, scorecard_of
from node.demo.chains.network import plan_network, settle
from node.demo.chains.texts import CHAIN_TEXTS, chain_text
from node.demo.errors import DemoError
from node.demo.layout import CHAINS

NAMES = list(CHAINS)


@pytest.mark.parametrize("count", [2, 3])
def test_every_chain_has_its_number_of_firms_and_shares_some_with_every_other(count: int) -> None:
    names = NAMES[:count]
    country = settle(names, 400)
    rows = {name: set(country.rows[name]) for name in names}
    assert {len(found) for found in rows.values()} == {len(country.rows[NAMES[0]])} == {400}
    assert set().union(*rows.values()) == set(range(country.size))
    for one, other in combinations(names, 2):
        assert len(rows[one] & rows[other]) >= 20
    everywhere = set.intersection(*rows.values())
    seen = Counter(chain.from_iterable(rows.values()))
    assert everywhere == {row for row, times in seen.items() if times == count}
    assert len(everywhere) >= 20


def test_the_last_firm_of_a_chain_is_in_no_other(tmp_path: Path) -> None:
    """It is the one that the chain does not enrol."""
    country = settle(NAMES, 401)
    for name in NAMES:
        others = chain.from_iterable(country.rows[other] for other in NAMES if other != name)
        assert country.rows[name][-1] not in set(others)


def test_chains_have_nobody_and_no_address_in_common(tmp_path: Path) -> None:
    network = plan_network(tmp_path, 3)
    for of in (lambda p: p.name, lambda p: p.id, lambda p: p.address, lambda p: p.folder):
        found = [of(party) for party in network.servers]
        assert len(set(found)) == len(found) == 3 * 7
    meeting = [party.peers for party in network.servers if party.peers is not None]
    assert len(set(meeting)) == len(meeting) == 6


def test_a_chains_scorecard_is_of_its_own_holders_and_passes_the_policy(tmp_path: Path) -> None:
    layout = plan_network(tmp_path, 2).chains["zsj"]
    catalogue, card = catalogue_of(layout), scorecard_of(layout)
    assert card.across == ACROSS
    assert {p.holder for p in card.participants} == {str(p.id) for p in layout.holders.values()}
    report = certify_policy(card, catalogue, PolicyThresholds())
    assert [item for item in report.items if not item.passed] == []


def test_every_text_is_there_in_both_languages() -> None:
    for key, texts in CHAIN_TEXTS.items():
        assert set(texts) == {"zh", "en"}, key
    assert chain_text("stop", "en") == "stopping every process"
    assert "3" in chain_text("title", "zh", count=3)


def test_too_few_enterprises_are_told_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="ask for 400 or more"):
        run_chains_demo(
            chains=3,
            enterprises=300,
            queries=300,
            seed=1,
            language="en",
            once=True,
            result_file=None,
            folder=tmp_path / "chains",
        )
    assert not (tmp_path / "chains").exists()
