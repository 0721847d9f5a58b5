"""Groups of affiliated banks in the regulator's configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from federation.identity import SpiffeId
from node.config import RegulatorConfig, load
from node.config.sections import AffiliatesConfig
from node.errors import ConfigError
from support.enrolled import DELTA, HARBOUR, HOLDERS, REGULATOR, Homes

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


def test_a_bank_of_another_trust_domain_is_a_typing_error(tmp_path: Path) -> None:
    homes = Homes(tmp_path)
    path = homes.folder(REGULATOR) / "node.toml"
    foreign = "spiffe://prd.yinxin.example/bank/harbour"
    key = "YINXIN__AFFILIATES__GROUPS"
    assert load(RegulatorConfig, path, {key: f'[["{A}", "{B}"]]'}).affiliates.of(HARBOUR) == {A, B}
    with pytest.raises(ConfigError, match="another trust domain"):
        load(RegulatorConfig, path, {key: f'[["{A}", "{foreign}"]]'})
