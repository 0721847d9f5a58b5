"""Labels from the bank's files: a table of outcomes, and a file of consents, put side by side.

LABELS.csv has the columns `uscc` and `outcome` (0 paid, 1 defaulted). The file of consents has one
JSON object a line with the member `consent`, as `yinxin enterprise consent develop` writes it.
Errors name lines and no firm. The regulator judges all of it again.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, field
from pathlib import Path

from federation.development.consent import read_unverified
from federation.development.submission import label_line
from federation.errors import DocumentError
from federation.uscc import Uscc
from node.bank.development.errors import LabelsInvalid
from node.bank.files import read_file
from node.bank.texts import Said

HEADER = ("uscc", "outcome")
_NO_CONSENT = (
    ValueError,
    RecursionError,
    LookupError,
    TypeError,
    AttributeError,
    DocumentError,
)
"""What a line that is no JSON, or JSON of another form, leads to."""


@dataclass(frozen=True)
class Labels:
    """Lines as they are submitted, and how many firms paid and defaulted.

    Line n of the submission is line n + 1 of the table, which has a header.
    """

    lines: tuple[bytes, ...] = field(repr=False)
    good: int
    bad: int


def read_labels(labels: Path, consents: Path) -> Labels:
    """What the two files say. Raises LabelsInvalid naming a line, NodeError for no such file."""
    given = _consents(consents)
    outcomes = _outcomes(labels)
    missing = [number for number, (firm, _) in enumerate(outcomes, 2) if firm not in given]
    if missing:
        zh = f"{len(missing)} 家企业没有建模授权（标签文件第 {missing[0]} 行起）"
        en = f"no development consent for {len(missing)} of the firms, from line {missing[0]} on"
        raise LabelsInvalid("consents", Said(zh, en))
    bad = sum(outcome for _, outcome in outcomes)
    lines = tuple(label_line(outcome, given[firm]) for firm, outcome in outcomes)
    return Labels(lines, len(lines) - bad, bad)


def _outcomes(path: Path) -> list[tuple[Uscc, int]]:
    text = read_file(path, "the table of labels").decode("utf-8-sig", errors="replace")
    try:
        rows = list(csv.reader(io.StringIO(text)))
    except csv.Error as error:
        raise LabelsInvalid("labels", Said(f"不是 CSV（{error}）", f"no CSV ({error})")) from error
    if not rows or tuple(cell.strip() for cell in rows[0]) != HEADER:
        raise LabelsInvalid(
            "labels", Said("第 1 行不是 uscc,outcome", "line 1 is not uscc,outcome")
        )
    found: dict[Uscc, int] = {}
    for number, row in enumerate(rows[1:], 2):
        cells = [cell.strip() for cell in row]
        try:
            firm = Uscc.parse(cells[0])
        except (IndexError, DocumentError) as error:
            raise _wrong_line(number, "没有有效的信用代码", "has no credit code") from error
        if len(cells) != len(HEADER) or cells[1] not in ("0", "1"):
            raise _wrong_line(number, "的标签不是 0 或 1", "has an outcome that is not 0 or 1")
        if firm in found:
            raise _wrong_line(number, "的企业重复", "is of a firm that an earlier line is of")
        found[firm] = int(cells[1])
    if not found:
        raise LabelsInvalid("labels", Said("没有标签", "there is no label"))
    return list(found.items())


def _consents(path: Path) -> dict[Uscc, str]:
    """The last consent of each firm."""
    found = {}
    for number, line in enumerate(read_file(path, "the file of consents").splitlines(), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
            compact = value["consent"]
            found[read_unverified(compact).uscc] = compact
        except _NO_CONSENT as error:
            raise _wrong_line(
                number, "不是建模授权", "is no development consent", "consents"
            ) from error
    return found


def _wrong_line(number: int, zh: str, en: str, field_name: str = "labels") -> LabelsInvalid:
    return LabelsInvalid(field_name, Said(f"第 {number} 行{zh}", f"line {number} {en}"))
