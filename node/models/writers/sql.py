"""A card as one SQL query, for SQLite and PostgreSQL: a CASE expression a characteristic.

The table has a column for each characteristic, NULL where a value is missing. The query gives
the table's columns, `total`, and with `chain_score` also `score`. A value that no attribute takes
makes `total` NULL. Identifiers are quoted and text is escaped, whatever the names hold. SQLite
needs its mathematical functions for the score (FLOOR: on by default since 3.35).
"""

from __future__ import annotations

from scoring.cards.card import Attribute, Characteristic, Interval, ToolCard
from scoring.errors import ScorecardError
from scoring.profile import HIGHEST, LOWEST


def sql(card: ToolCard, table: str, *, chain_score: bool = False) -> str:
    """The query over a table; raises ScorecardError for a name or text that SQL cannot hold."""
    terms = [_number(card.initial), *(_case(made) for made in card.characteristics)]
    total = "\n    + ".join(terms)
    inner = f'SELECT s.*,\n    {total} AS "total"\nFROM {_name(table)} AS s'
    if not chain_score:
        return inner + "\n"
    return (
        # Names are quoted and text is escaped: nothing of the card is taken as SQL.
        "SELECT t.*, CASE\n"
        f'    WHEN "total" < {LOWEST} THEN {LOWEST} WHEN "total" > {HIGHEST} THEN {HIGHEST}\n'
        '    ELSE CAST(FLOOR("total" + 0.5) AS INTEGER) END AS "score"\n'
        f"FROM (\n{inner}\n) AS t\n"
    )


def _case(made: Characteristic) -> str:
    name = f"s.{_name(made.name)}"
    named_blank = any("" in attribute.values for attribute in made.attributes)
    blank = made.type == "category" and not named_blank
    lines = []
    for attribute in sorted(made.attributes, key=lambda a: a.default):
        condition = _condition(name, attribute, blank)
        if condition:
            lines.append(f"        WHEN {condition} THEN {_number(attribute.points)}")
    return "CASE\n" + "\n".join(lines) + "\n      END"


def _condition(name: str, attribute: Attribute, blank: bool) -> str:
    parts = []
    if attribute.missing:
        parts.append(f"{name} IS NULL")
        if blank:
            parts.append(f"{name} = ''")
    if attribute.default:
        # An empty text is missing: whoever takes that has taken it further up, or nobody does.
        parts.append(f"{name} <> ''" if blank else f"{name} IS NOT NULL")
    if attribute.values and not attribute.default:
        literals = ", ".join(
            _text(v) if isinstance(v, str) else _number(v) for v in attribute.values
        )
        parts.append(f"{name} IN ({literals})")
    if not attribute.default:
        parts += [_within(name, span) for span in attribute.intervals]
    return " OR ".join(parts)


def _within(name: str, span: Interval) -> str:
    parts = []
    if span.low is not None:
        parts.append(f"{name} {'>=' if span.low_closed else '>'} {_number(span.low)}")
    if span.high is not None:
        parts.append(f"{name} {'<=' if span.high_closed else '<'} {_number(span.high)}")
    return "(" + " AND ".join(parts or [f"{name} IS NOT NULL"]) + ")"


def _number(value: float) -> str:
    return f"CAST({value!r} AS DOUBLE PRECISION)"


def _text(value: str) -> str:
    return "'" + _clean(value).replace("'", "''") + "'"


def _name(value: str) -> str:
    return '"' + _clean(value).replace('"', '""') + '"'


def _clean(value: str) -> str:
    if "\0" in value:
        raise ScorecardError(f"{value!r}: SQL cannot hold a zero byte; rename it")
    return value
