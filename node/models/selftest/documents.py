"""Random PMML scorecards, and a Java engine (PMML4S) that scores them: the peer of our reader.

The documents use what PMML has for scorecards, also where tools do not: open and closed ends,
sets and their complements, compound predicates in three-valued logic, surrogates, missing value
replacement, attributes that overlap, so that their order counts.

Left out is what PMML4S 1.5.8 does against the standard: `xor` is never true, a surrogate that is
`isMissing` is not asked, and `\\"` in an Array ends the string. The tests hold our reader to the
standard's truth tables there.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any, Final
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray

from node.models.selftest.tools import ToolMissing, quietly

_WORDS: Final = ("retail", "food", "metal works", 'a "quoted" one', "it's", "餐饮", "<&>")
_ORDERS: Final = ("lessThan", "lessOrEqual", "greaterThan", "greaterOrEqual", "equal", "notEqual")


def engine_scores(
    document: str, table: Mapping[str, Sequence[Any]], outputs: Sequence[str]
) -> NDArray[np.float64]:
    """What PMML4S makes of records, shape (outputs, records); NaN where it gives no number.

    Raises ToolMissing where pypmml or Java is not installed.
    """
    with quietly("pmml"):
        from pypmml import Model
        from pypmml.jvm import PMMLError

    try:
        model = Model.fromString(document)
    except (FileNotFoundError, PMMLError, OSError) as failure:
        raise ToolMissing(f"pmml: the Java engine: {failure}; install Java: make java") from None
    rows = zip(*table.values(), strict=True)
    made = [model.predict(dict(zip(table, row, strict=True))) for row in rows]
    return np.array(
        [
            [math.nan if row.get(name) is None else float(row[name]) for row in made]
            for name in outputs
        ]
    )


def random_document(seed: int) -> tuple[str, dict[str, list[Any]]]:
    """A seeded random scorecard, and records for it: values at, beside and between its cuts."""
    rng = random.Random(seed)  # noqa: S311 (a reproducible document, no secret)
    names = [f"n{i}" for i in range(3)] + [f"c{i}" for i in range(2)]
    characteristics, table, dictionary, schema = [], {}, [], []
    for name in names:
        numeric = name.startswith("n")
        cuts = sorted(
            {round(rng.uniform(-50, 50), rng.randrange(4)) for _ in range(rng.randint(2, 6))}
        )
        constants = [repr(cut) for cut in cuts] if numeric else rng.sample(_WORDS, 4)
        kind = ("continuous", "double") if numeric else ("categorical", "string")
        dictionary.append(f'<DataField name="{name}" optype="{kind[0]}" dataType="{kind[1]}"/>')
        replaced = rng.random() < 0.25
        replacement = f" missingValueReplacement={quoteattr(rng.choice(constants))}" * replaced
        schema.append(f'<MiningField name="{name}"{replacement}/>')
        characteristics.append(_characteristic(rng, name, numeric, constants))
        if numeric:
            beside = [math.nextafter(c, s) for c in cuts for s in (-math.inf, math.inf)]
            values: list[Any] = [*cuts, *beside, *(rng.uniform(-60, 60) for _ in range(40))]
        else:
            values = list(_WORDS)
        table[name] = [rng.choice(values) if rng.random() > 0.15 else None for _ in range(200)]
    initial = round(rng.uniform(-100, 500), 3)
    document = (
        '<PMML version="4.4" xmlns="http://www.dmg.org/PMML-4_4"><Header/><DataDictionary>'
        f'{"".join(dictionary)}</DataDictionary><Scorecard modelName="r{seed}" '
        f'functionName="regression" initialScore="{initial!r}" useReasonCodes="false">'
        f'<MiningSchema>{"".join(schema)}</MiningSchema><Output><OutputField name="total" '
        'feature="predictedValue" optype="continuous" dataType="double"/></Output>'
        f"<Characteristics>{''.join(characteristics)}</Characteristics></Scorecard></PMML>"
    )
    return document, table


def _characteristic(rng: random.Random, name: str, numeric: bool, constants: list[str]) -> str:
    rows = [_predicate(rng, name, numeric, constants, depth=2) for _ in range(rng.randint(2, 5))]
    rows.append("<True/>")
    attributes = "".join(
        f'<Attribute partialScore="{round(rng.uniform(-40, 60), 3)!r}">{row}</Attribute>'
        for row in rows
    )
    return f'<Characteristic name="{name} points">{attributes}</Characteristic>'


def _predicate(
    rng: random.Random,
    name: str,
    numeric: bool,
    constants: list[str],
    depth: int,
    surrogate: bool = False,
) -> str:
    drawn = rng.random()
    if depth and drawn < 0.35:
        operation = rng.choice(("and", "or", "surrogate"))
        inner = "".join(
            _predicate(
                rng, name, numeric, constants, depth - 1, surrogate or operation == "surrogate"
            )
            for _ in range(2)
        )
        return f'<CompoundPredicate booleanOperator="{operation}">{inner}</CompoundPredicate>'
    if drawn < 0.45 and not surrogate:
        operation = rng.choice(("isMissing", "isNotMissing"))
        return f'<SimplePredicate field="{name}" operator="{operation}"/>'
    if not numeric and drawn < 0.8:
        chosen = rng.sample([word for word in constants if '"' not in word], 2)
        listed = " ".join(f'"{word}"' for word in chosen)
        text = listed.replace("&", "&amp;").replace("<", "&lt;")
        operation = rng.choice(("isIn", "isNotIn"))
        return (
            f'<SimpleSetPredicate field="{name}" booleanOperator="{operation}">'
            f'<Array type="string" n="2">{text}</Array></SimpleSetPredicate>'
        )
    operation = rng.choice(_ORDERS if numeric else _ORDERS[-2:])
    value = quoteattr(rng.choice(constants))
    return f'<SimplePredicate field="{name}" operator="{operation}" value={value}/>'
