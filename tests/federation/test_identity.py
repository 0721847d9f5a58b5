"""SPIFFE ids: the one accepted spelling, and every other one refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.errors import IdentityError
from federation.identity import Role, SpiffeId, peer_identity

GOOD = "spiffe://csj.yinxin.example/holder/tax-sh"


def test_an_id_is_read_and_written() -> None:
    spiffe_id = SpiffeId.parse(GOOD)
    assert spiffe_id == SpiffeId("csj.yinxin.example", Role.HOLDER, "tax-sh")
    assert str(spiffe_id) == f"{spiffe_id}" == GOOD


@given(
    st.from_regex(r"[a-z0-9._-]{1,40}", fullmatch=True),
    st.sampled_from(list(Role)),
    st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,40}", fullmatch=True).filter(
        lambda name: name not in {".", ".."}
    ),
)
def test_round_trip(domain: str, role: Role, name: str) -> None:
    spiffe_id = SpiffeId(domain, role, name)
    assert SpiffeId.parse(str(spiffe_id)) == spiffe_id


@pytest.mark.parametrize(
    "text",
    [
        "",
        "csj.yinxin.example/holder/tax",
        "https://csj.yinxin.example/holder/tax",
        "SPIFFE://csj.yinxin.example/holder/tax",
        "spiffe:/csj.yinxin.example/holder/tax",
        "spiffe:///holder/tax",
        "spiffe://CSJ.yinxin.example/holder/tax",
        "spiffe://csj.yinxin.example:443/holder/tax",
        "spiffe://user@csj.yinxin.example/holder/tax",
        "spiffe://csj.yinxin.example",
        "spiffe://csj.yinxin.example/",
        "spiffe://csj.yinxin.example/holder",
        "spiffe://csj.yinxin.example/holder/",
        "spiffe://csj.yinxin.example/holder/tax/",
        "spiffe://csj.yinxin.example/holder/tax/x",
        "spiffe://csj.yinxin.example//holder/tax",
        "spiffe://csj.yinxin.example/holder//tax",
        "spiffe://csj.yinxin.example/holder/.",
        "spiffe://csj.yinxin.example/holder/..",
        "spiffe://csj.yinxin.example/holder/tax?x=1",
        "spiffe://csj.yinxin.example/holder/tax#x",
        "spiffe://csj.yinxin.example/holder/t%61x",
        "spiffe://csj.yinxin.example/holder/税务",
        "spiffe://csj.yinxin.example/holder/tax\n",
        "spiffe://csj.yinxin.example/holder/tax\x00",
        " spiffe://csj.yinxin.example/holder/tax",
        "spiffe://csj.yinxin.example/Holder/tax",
        "spiffe://csj.yinxin.example/admin/tax",
        "spiffe://" + "a" * 256 + "/holder/tax",
        "spiffe://csj.yinxin.example/holder/" + "t" * 2048,
    ],
)
def test_other_spellings_are_refused(text: str) -> None:
    with pytest.raises(IdentityError):
        SpiffeId.parse(text)


def test_a_longest_id_is_accepted() -> None:
    prefix = "spiffe://csj.yinxin.example/holder/"
    assert SpiffeId.parse(prefix + "t" * (2048 - len(prefix)))
    with pytest.raises(IdentityError):
        SpiffeId("csj.yinxin.example", Role.HOLDER, "t" * (2049 - len(prefix)))


def test_a_peer_has_exactly_one_uri_name() -> None:
    assert str(peer_identity([GOOD])) == GOOD
    for uris in ([], [GOOD, GOOD], [GOOD, "https://example.com/"], ["https://example.com/"]):
        with pytest.raises(IdentityError):
            peer_identity(uris)
