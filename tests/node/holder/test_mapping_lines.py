"""In which line a key of a mapping stands, and that every fault of a mapping is found at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.holder.mapping import MappingError, examine, load_mapping
from node.holder.mapping_lines import line_of
from node.holder.pages.faults import in_language
from support.small import small_catalogue

TEXT = '''format = "yinxin-mapping/1"
kind = "tax"
as_of = 2026-05-31
key = "code"

[source]
type = "sql"
url = "sqlite:///x"
query = """
select
[features.f1]
column = 1
"""

[features.f0]   # a comment
column = "a"
[features."f1"]
column = "b"
convert = { type = "factor", factor = 2.0 }
'''
CASES = (
    ("kind", 2),
    ("source.query", 9),
    ("source.sql.url", 8),
    ("features.f0", 15),
    ("features.f0.column", 16),
    ("features.f0.range", 15),
    ("features.f1.convert.factor.factor", 19),
    ("features.f1.column", 18),
    ("features", 1),
    ("none", 1),
    ("(file)", 1),
)


@pytest.mark.parametrize(("key", "line"), CASES, ids=[key for key, _ in CASES])
def test_a_key_is_found_where_it_stands(key: str, line: int) -> None:
    assert line_of(TEXT, key) == line


def test_what_is_no_toml_says_its_line_itself() -> None:
    for text, line in (("a = 1\nb = \n", 2), ('a = 1\nb = "x', 2)):
        _, (fault,) = examine(text, Path("m.toml"))
        assert line_of(text, fault.key, fault.problem) == line


def test_every_fault_is_named_and_loading_stops_at_the_first(tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    text = TEXT.replace("[features.f0]", "[features.none]").replace(
        '"f1"]', '"f1"]\nmissing = [""]'
    )
    text += '[features.f2]\ncolumn = "c"\nconvert = { type = "categories", values = { x = "y" } }\n'
    mapping, faults = examine(text, path, small_catalogue())
    assert mapping is not None
    assert [fault.key for fault in faults] == ["features.none", "features.f2.convert"]
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MappingError, match=r"features\.none") as error:
        load_mapping(path, small_catalogue())
    assert str(error.value) == str(faults[0])
    nothing, unread = examine(text.replace('key = "code"', "more = 1"), path)
    assert nothing is None and [fault.key for fault in unread] == ["key", "more"]


def test_faults_are_told_in_chinese_where_there_are_words_for_them() -> None:
    for english, chinese in (
        ("use 25, 26", "可用：25, 26"),
        ("Field required", "缺少该项"),
        ("is power, this holder's is tax", "为 power，本方的数据类别是 tax"),
        ("Invalid value (at line 3, column 7)", "第3行第7列写法有误（Invalid value）"),
    ):
        assert in_language(english, "zh") == chinese
        assert in_language(english, "en") == english
    assert in_language("Value error, odd", "zh") == "odd"
