"""What commands print of texts that other members wrote."""

from __future__ import annotations

import pytest

from node.cli.enterprise_asked import _table
from node.cli.output import emit


def test_no_text_of_others_commands_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    emit({"evidence": {"where": "entry 4\x1b[2J\x1b[31m\x9b1m\r", "problem": "坏 [bold]"}}, False)
    printed = capsys.readouterr().out
    assert not {"\x1b", "\x9b", "\r"} & set(printed)
    assert "坏 [bold]" in printed


def test_markup_in_a_field_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    use = {
        "time": "2027-01-15T08:00:00+08:00",
        "bank": "spiffe://csj.yinxin.example/bank/harbour",
        "purpose_en": "approval",
        "fields": ["[/odd]"],
        "consent": "00",
        "cancelled": None,
    }
    emit({}, False, _table([use], "en"))
    assert "[/odd]" in capsys.readouterr().out
