"""Credit codes against the vectors of the protocol, section 2."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federation.errors import DocumentError
from federation.uscc import ALPHABET, EXCEPTIONS, TEST_REGION, Uscc, check_character

GOOD = ["914403001922038216", "91100000100003962T", "911000001000013428", "91512081MA62K0260E"]


@pytest.mark.parametrize("code", [*GOOD, *sorted(EXCEPTIONS)])
def test_real_codes_are_accepted(code: str) -> None:
    assert Uscc.parse(code) == code


@pytest.mark.parametrize("code", sorted(EXCEPTIONS))
def test_the_exceptions_really_break_the_check(code: str) -> None:
    assert check_character(code[:-1]) != code[-1]


def test_exceptions_are_whole_codes_not_prefixes() -> None:
    for code in EXCEPTIONS:
        for last in set(ALPHABET) - {code[-1], check_character(code[:-1])}:
            with pytest.raises(DocumentError):
                Uscc.parse(code[:-1] + last)


def test_case_and_whitespace_do_not_matter() -> None:
    assert Uscc.parse(" 91512081 ma62k0260e\n") == "91512081MA62K0260E"


def test_parsing_is_idempotent() -> None:
    assert Uscc.parse(Uscc.parse(GOOD[0])) == GOOD[0]
    assert isinstance(Uscc.parse(GOOD[0]), str)


@pytest.mark.parametrize("letter", [*"IOSVZ", "中", "-", "\x00"])
def test_a_foreign_character_is_named_with_its_position(letter: str) -> None:
    with pytest.raises(DocumentError) as caught:
        Uscc.parse("9144" + letter + "3001922038216")
    assert caught.value.field == "uscc"
    assert f"position 5 holds {letter!r}" in str(caught.value)


def test_a_wrong_check_character_is_named_with_the_expected_one() -> None:
    with pytest.raises(DocumentError, match="position 18 holds '7', the check character is '6'"):
        Uscc.parse("914403001922038217")


@pytest.mark.parametrize("code", ["", "91440300192203821", "9144030019220382166"])
def test_a_wrong_length_is_refused(code: str) -> None:
    with pytest.raises(DocumentError, match="not 18"):
        Uscc.parse(code)


@given(
    serial=st.integers(0, 31**8 - 1),
    position=st.integers(0, 17),
    shift=st.integers(1, 30),
)
def test_any_single_substitution_is_detected(serial: int, position: int, shift: int) -> None:
    code = Uscc.generate(serial)
    changed = ALPHABET[(ALPHABET.index(code[position]) + shift) % 31]
    with pytest.raises(DocumentError):
        Uscc.parse(code[:position] + changed + code[position + 1 :])


@given(serial=st.integers(0, 31**8 - 1), position=st.integers(0, 15))
@settings(max_examples=50)
def test_a_swap_of_unequal_neighbours_is_detected(serial: int, position: int) -> None:
    code = Uscc.generate(serial)
    swapped = code[:position] + code[position + 1] + code[position] + code[position + 2 :]
    if swapped != code:
        with pytest.raises(DocumentError):
            Uscc.parse(swapped)


def test_generated_codes_are_valid_distinct_and_of_no_real_region() -> None:
    codes = {Uscc.generate(serial) for serial in range(2000)}
    assert len(codes) == 2000
    assert all(code[2:8] == TEST_REGION == "999999" for code in codes)
    assert Uscc.generate(5, region="310000")[2:8] == "310000"


@pytest.mark.parametrize(("serial", "region"), [(-1, "999999"), (31**8, "999999"), (1, "99999")])
def test_generation_out_of_range_is_refused(serial: int, region: str) -> None:
    with pytest.raises(DocumentError):
        Uscc.generate(serial, region)


def test_real_codes_have_the_organisation_check_that_generation_writes() -> None:
    # The same organisation part, once from a real firm and once generated.
    real = "91512081MA62K0260E"
    serial = sum(ALPHABET.index(c) * 31 ** (7 - i) for i, c in enumerate(real[8:16]))
    assert Uscc.generate(serial, region=real[2:8]) == real
