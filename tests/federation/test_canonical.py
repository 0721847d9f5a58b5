"""Canonical JSON: RFC 8785 vectors without floats, and everything that is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.canonical import b64, canonical_json, parse_canonical, unb64
from federation.errors import DocumentError

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


def test_keys_sort_by_utf16_code_units() -> None:
    # RFC 8785 section 3.2.3; U+1F600 is D83D DE00 and so sorts before U+FB33.
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    wanted = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    written = canonical_json(dict.fromkeys(keys, 0))
    assert list(json.loads(written)) == wanted


def test_strings_are_escaped_as_rfc_8785_escapes() -> None:
    text = "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/\b\f\t\x7f\u2028"
    expected = '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/\\b\\f\\t\x7f\u2028"'.encode()
    assert canonical_json(text) == expected


def test_literals_and_nesting() -> None:
    assert canonical_json([None, True, False, -1, (), {}]) == b"[null,true,false,-1,[],{}]"


@given(values)
def test_a_value_survives_the_round_trip(value: object) -> None:
    raw = canonical_json(value)
    assert parse_canonical(raw, len(raw)) == value
    assert canonical_json(json.loads(raw)) == raw


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (1.0, "$"),
        ({"a": [0, 2.5]}, "$.a[1]"),
        ({"a": 2**53 + 1}, "$.a"),
        ({"a": {1: 2}}, "$.a"),
        ({"a": b"x"}, "$.a"),
        ("\ud800", "$"),
        ({"\ud800": 1}, "$"),
    ],
)
def test_values_without_a_canonical_form_are_named(value: object, field: str) -> None:
    with pytest.raises(DocumentError) as caught:
        canonical_json(value)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1,"a":1}',
        b'{"a": 1}',
        b'{"b":1,"a":2}',
        b"1.0",
        b"1e2",
        b"-0",
        b"NaN",
        b"Infinity",
        b"9007199254740993",
        b'"\\u0041"',
        b'"\\/"',
        b'"\\ud800"',
        b'"\xff"',
        b'\xef\xbb\xbf"a"',
        b"1 ",
        b"1\n",
        b"",
        b"[1,]",
        b"[" * 100_000,
        b"[" * 40 + b"]" * 40,
        b"9" * 10_000,
    ],
)
def test_other_spellings_are_refused(raw: bytes) -> None:
    with pytest.raises(DocumentError):
        parse_canonical(raw, 1_000_000)


def test_size_is_checked_before_parsing() -> None:
    with pytest.raises(DocumentError, match="at most 4"):
        parse_canonical(b"[1,2]", 4)


@given(st.binary(max_size=100))
def test_base64url_round_trip(raw: bytes) -> None:
    assert unb64(b64(raw)) == raw


@pytest.mark.parametrize(
    "text", ["AA==", "AA=", "A", "AB", "A+", "A/", "AA\n", " AAA", "AA A", "AAA\u0410", "A.AA"]
)
def test_other_forms_of_base64url_are_refused(text: str) -> None:
    with pytest.raises(DocumentError) as caught:
        unb64(text, "nonce")
    assert caught.value.field == "nonce"
