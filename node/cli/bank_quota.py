"""`yinxin bank quota`: what the bank's rules lend to a firm that was asked about."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node.cli.bank_shared import DEFAULT, Config, run
from node.cli.output import LANGUAGE, AsJson, Lang, emit, fail, guard, language_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from node.bank.bank import Bank
    from scoring.profile import Profile
    from scoring.quota import Quota, QuotaRules


def quota(
    rules: Annotated[Path, typer.Option(help="The bank's rules, TOML. / 额度规则文件")],
    query: Annotated[str, typer.Option(help="The query's id. / 查询编号")],
    given: Annotated[
        list[str],
        typer.Option(
            help="What the applicant states, in yuan: NAME=AMOUNT; repeatable. / 申报金额"
        ),
    ],
    config: Config = DEFAULT,
    lang: Lang = LANGUAGE,
    as_json: AsJson = False,
) -> None:
    """The quota of each product by the bank's rules, from a query's result. / 额度测算"""
    from node.bank.errors import BankError
    from node.bank.texts import Code
    from scoring.quota import quotas

    with guard():
        known, stated = read_rules(rules), dict(_stated(text) for text in given)

    async def work(bank: Bank) -> Profile:
        try:
            identifier = bytes.fromhex(query)
        except ValueError as failure:
            raise BankError(Code.QUERY_UNKNOWN, "query") from failure
        return (await bank.queries.answer(identifier)).profile

    profile = run(config, work, lang, workers=False)
    with guard():
        found = quotas(known, profile, stated)
    result = {
        "query": query,
        "score": profile.score,
        "grade": profile.grade,
        "coverage": profile.coverage,
        "participants": profile.participants,
        "currency": known.currency,
        "quotas": [item.model_dump(mode="json", exclude_none=True) for item in found],
    }
    emit(result, as_json, None if as_json else _view(profile, found, lang))


def read_rules(path: Path) -> QuotaRules:
    """The rules in a TOML file. Raises NodeError or ScorecardError naming what is wrong."""
    from node.models.reading import read_toml
    from scoring.quota import QuotaRules

    return QuotaRules.build(read_toml(path, "rules"))


def _stated(text: str) -> tuple[str, Decimal]:
    name, _, value = text.partition("=")
    try:
        return name.strip(), Decimal(value.strip().replace(",", ""))
    except InvalidOperation:
        fail(f"given: {text!r}; give NAME=AMOUNT, such as tax_paid_yearly=120000.50")


def _view(profile: Profile, found: tuple[Quota, ...], lang: str) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    from node.cli.model_tables import table

    zh = language_of(lang) == "zh"
    head = Text()
    head.append(f"{'信用分' if zh else 'score'} {profile.score} · ")
    head.append(profile.grade, style="bold")
    head.append(f" · {'数据覆盖' if zh else 'coverage'} {profile.coverage}/{profile.participants}")
    headings = (
        ("产品", "申报基数", "倍数", "额度（元）")
        if zh
        else ("Product", "Base stated", "Multiple", "Quota, yuan")
    )
    made = table(headings)
    for item in found:
        row: tuple[Any, ...] = (
            item.title.zh if zh else item.title.en,
            f"{item.base:,}",
            f"{item.multiple.normalize():f}",
            Text(f"{item.amount:,.0f}", style="bold green" if item.amount else "dim"),
        )
        made.add_row(*row)
    rules = [
        f"{item.title.zh}：{item.rule.zh}" if zh else f"{item.title.en}: {item.rule.en}"
        for item in found
    ]
    note = (
        "申报基数由企业向银行提供，平台不核验；数据方的原始数据不会到达银行。"
        if zh
        else "Bases are the applicant's own statement, unchecked here: no holder's value comes to "
        "the bank."
    )
    return Group(head, made, *(Text(rule) for rule in rules), Text(note, style="dim"))
