"""The score record: packing is exact, and whatever is no record is an error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.errors import RecordError
from scoring.record import COVERAGE, RECORD_BITS, FieldLayout, Record, RecordLayout
from scoring.words import MODULUS


@st.composite
def layouts(draw: st.DrawFn) -> RecordLayout:
    coverage = draw(st.integers(3, 18))
    room = RECORD_BITS - coverage.bit_length()
    fields: list[FieldLayout] = []
    offset = 0
    while offset < room and (not fields or draw(st.booleans())):
        width = draw(st.integers(1, room - offset))
        maximum = draw(st.integers(1 << (width - 1), (1 << width) - 1))
        name = f"field_{len(fields)}"
        fields.append(FieldLayout(name=name, offset=offset, width=width, maximum=maximum))
        offset += width
    last = FieldLayout(name=COVERAGE, offset=offset, width=coverage.bit_length(), maximum=coverage)
    return RecordLayout(fields=tuple(fields), coverage=last)


@st.composite
def records(draw: st.DrawFn) -> tuple[RecordLayout, Record]:
    layout = draw(layouts())
    values = {field.name: draw(st.integers(0, field.maximum)) for field in layout.fields}
    return layout, Record(values, draw(st.integers(0, layout.coverage.maximum)))


@given(records())
def test_unpack_undoes_pack(case: tuple[RecordLayout, Record]) -> None:
    layout, record = case
    word = layout.pack(record)
    assert word < 1 << RECORD_BITS
    assert layout.unpack(word) == record


@given(records(), st.data())
def test_any_bit_outside_the_fields_is_an_error(
    case: tuple[RecordLayout, Record], data: st.DataObject
) -> None:
    layout, record = case
    used = sum(field.mask for field in layout.everything)
    bit = data.draw(st.sampled_from([b for b in range(48) if not used >> b & 1]))
    with pytest.raises(RecordError, match="check bit"):
        layout.unpack(layout.pack(record) | 1 << bit)


@given(layouts(), st.data())
def test_a_word_opens_exactly_when_every_field_is_within_its_maximum(
    layout: RecordLayout, data: st.DataObject
) -> None:
    word = data.draw(st.integers(0, (1 << RECORD_BITS) - 1))
    word &= sum(field.mask for field in layout.everything)
    honest = all(
        word >> field.offset & ((1 << field.width) - 1) <= field.maximum
        for field in layout.everything
    )
    if honest:
        assert layout.pack(layout.unpack(word)) == word
    else:
        with pytest.raises(RecordError, match="exceeds its certified maximum"):
            layout.unpack(word)


SIMPLE = RecordLayout(
    fields=(FieldLayout(name="tax", offset=0, width=3, maximum=5),),
    coverage=FieldLayout(name=COVERAGE, offset=3, width=2, maximum=3),
)


def test_coverage_above_the_number_of_participants_is_an_error() -> None:
    small = RecordLayout(
        fields=SIMPLE.fields, coverage=FieldLayout(name=COVERAGE, offset=3, width=3, maximum=4)
    )
    assert small.unpack(4 << 3).coverage == 4
    with pytest.raises(RecordError, match="coverage exceeds its certified maximum of 4"):
        small.unpack(5 << 3)


@pytest.mark.parametrize("word", [-1, MODULUS, MODULUS + 1])
def test_what_is_no_word_is_an_error(word: int) -> None:
    with pytest.raises(RecordError, match="48 bits"):
        SIMPLE.unpack(word)


def test_errors_do_not_show_the_word() -> None:
    with pytest.raises(RecordError) as caught:
        SIMPLE.unpack(0x8123_4567_89AB)
    shown = str(caught.value).lower()
    assert str(0x8123_4567_89AB) not in shown and "812345" not in shown


@pytest.mark.parametrize(
    "record",
    [
        Record({}, 1),
        Record({"tax": 1, "water": 1}, 1),
        Record({"tax": 6}, 1),
        Record({"tax": -1}, 1),
        Record({"tax": 1}, 4),
        Record({"tax": 1, COVERAGE: 1}, 1),
    ],
)
def test_pack_refuses_records_of_another_layout(record: Record) -> None:
    with pytest.raises(RecordError):
        SIMPLE.pack(record)


def test_layouts_that_overlap_or_overflow_are_refused() -> None:
    tax = {"name": "tax", "offset": 0, "width": 3, "maximum": 5}
    coverage = {"name": COVERAGE, "offset": 3, "width": 2, "maximum": 3}
    assert RecordLayout.build({"fields": [tax], "coverage": coverage}) == SIMPLE
    wrong = [
        ([tax], coverage | {"offset": 2}, "overlaps"),
        ([tax | {"maximum": 8}], coverage, "does not fit in 3 bits"),
        ([tax], coverage | {"offset": 39}, "ends at bit 41"),
        ([tax], coverage | {"name": "cover"}, "only coverage is named"),
        ([tax, tax | {"offset": 8}], coverage, "names must differ"),
        ([], coverage, "fields"),
    ]
    for fields, last, said in wrong:
        with pytest.raises(RecordError, match=said):
            RecordLayout.build({"fields": fields, "coverage": last})
