"""Groups of affiliated banks in the regulator's configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from federation.identity import SpiffeId
from node.config.sections import AffiliatesConfig
from node.regulator.errors import RegulatorError
from node.regulator.peers.guests import check_affiliates
from support.enrolled import DELTA, HARBOUR, HOLDERS, Homes, regulating

A, B, C = str(HARBOUR), str(DELTA), "spiffe://csj.yinxin.example/bank/quay"


def test_a_bank_and_its_group_are_one() -> None:
    found = AffiliatesConfig(groups=((A, C),))
    assert found.of(HARBOUR) == {A, C} == found.of(SpiffeId.parse(C))
    assert found.of(DELTA) == {B}
    assert AffiliatesConfig().of(HARBOUR) == {A}


@pytest.mark.parametrize(
    ("groups", "problem"),
    [
        (((A,),), "at least two"),
        (((A, "harbour"),), "no bank's SPIFFE id"),
        (((A, str(HOLDERS[0])),), "no bank's SPIFFE id"),
        (((A, B), (B, C)), "stands there twice"),
        (((A, A),), "stands there twice"),
    ],
)
def test_groups_that_would_bind_nobody_or_unclearly(
    groups: tuple[tuple[str, ...], ...], problem: str
) -> None:
    with pytest.raises(ValidationError, match=problem):
        AffiliatesConfig(groups=groups)


def test_groups_are_found_by_any_of_their_banks() -> None:
    config = AffiliatesConfig(groups=((A, C),))
    assert config.touching([SpiffeId.parse(C), DELTA]) == ((HARBOUR, SpiffeId.parse(C)),)
    assert config.touching([DELTA]) == ()


async def test_a_bank_of_a_chain_that_was_never_pinned_is_a_typing_error(tmp_path: Path) -> None:
    homes = Homes(tmp_path)
    key = "YINXIN__AFFILIATES__GROUPS"
    foreign = "spiffe://prd.yinxin.example/bank/harbour"
    async with regulating(homes, environment={key: f'[["{A}", "{B}"]]'}) as regulator:
        assert regulator.config.affiliates.of(HARBOUR) == {A, B}
        await check_affiliates(regulator)
    async with regulating(homes, environment={key: f'[["{A}", "{foreign}"]]'}) as regulator:
        with pytest.raises(RegulatorError, match="no chain that was ever pinned"):
            await check_affiliates(regulator)
