"""Who writes what others read: members, firms and a hub, in titles, texts, tables and files.

What is shown is text, whatever it says: it adds no element to a page, no formula to a spreadsheet,
no command to a terminal, and takes no page away from who needs it.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from jinja2 import Environment
from sqlalchemy import Column as Stored
from sqlalchemy import Integer, MetaData, create_engine, insert, select
from sqlalchemy import Table as StoredTable
from sqlalchemy import Text as StoredText
from starlette.responses import Response

from federation.canonical import canonical_json, parse_canonical
from federation.consent import clean_names
from federation.disputes.reply import DisputeReply, DisputeState, due_of
from federation.errors import DocumentError, FederationError, IdentityError
from federation.identity import Role, SpiffeId
from federation.membership import Member
from node import html
from node.bank.errors import BankError
from node.bank.lines import examine
from node.enterprise.client import ConsentClient
from node.hub.pages import members as member_page
from node.pages import parties, tables
from node.pages.charts import Stack, bar_list, stacked_bars
from node.pages.duties import Duty
from node.pages.frame import surroundings
from node.pages.parties import own_title, titles_of
from node.pages.tables import Column, Table, every, fetch, read, to_csv
from node.pages.visit import Visit, when
from scoring.documents import Text
from support.enrolled import HARBOUR, HUB
from support.pages import CSRF, browsing, open_site
from yinxin.v1 import hub_pb2

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' hx-on:load='alert(1)' hx-get='/accounts/new",
    '<div hx-get="/logout" hx-trigger="load" hx-post="/stop"></div>',
    "</title></svg></textarea></select><form action=//evil.example><input name=csrf>",
    "{{ visit.viewer.csrf }}{% include 'x' %}{0.__class__.__mro__}{csrf}%(csrf)s",
    "<style>*{display:none}</style><base href=//evil.example><meta http-equiv=refresh>",
)
HARMLESS = "a text"
ZERO, RIGHT = "\u200b", "\u202e"


class Shape(HTMLParser):
    """What a page is made of: which elements have which attributes, and how often those stand in it
    that do something. How a chart places its words depends on the words.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.made: set[tuple[str, str]] = set()
        self.acting: Counter[str] = Counter()
        self.feed(page)
        self.tokens = page.count(CSRF)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.made |= {(tag, name) for name, _ in attrs} or {(tag, "")}
        if tag not in ("text", "tspan", "rect", "line", "path", "g"):
            self.acting[tag] += 1


_STORED = StoredTable(
    "rows", MetaData(), Stored("id", Integer, primary_key=True), Stored("text", StoredText)
)


def table_of(said: Text) -> Table:
    c = _STORED.c
    return Table(
        (
            Column("text", said, lambda r, v: r.text, source=c.text),
            Column("kind", said, lambda r, v: parties.shown(r.text, {r.text: r.text}), "choice",
                   c.text, raw=lambda r: r.text, choices=dict.fromkeys(HOSTILE[:1], said)),
            Column("time", said, lambda r, v: when(r.id), "time", c.id),
        ),
        select(_STORED), c.id, "text",
    )  # fmt: skip


@asynccontextmanager
async def showing(text: str) -> AsyncIterator[httpx.AsyncClient]:
    """A site that shows a text wherever the kit can show one, in both languages."""
    engine = create_engine("sqlite://")
    _STORED.create(engine)
    said = Text(zh=text, en=text)
    with engine.begin() as connection:
        connection.execute(insert(_STORED).values(id=1, text=text))
    site = open_site({Duty.OFFICER}, title=said)
    site.add_section("/list", said, "queries", {Duty.OFFICER})

    async def page(visit: Visit) -> Response:
        with engine.begin() as connection:
            shown = fetch(connection, table_of(said), read(table_of(said), visit), "/list")
        chart = bar_list([(text, 1.0)], title=text, unit=text)
        stack = stacked_bars(
            [text], [Stack(text, [1], "a")], title=text, unit=text, language=visit.language
        )
        inner = Environment(autoescape=True).from_string(
            "{% extends layout %}{% block title %}{{ text }}{% endblock %}"
            "{% block content %}{{ parts.table(visit, shown, w, t, export='/list.csv') }}"
            "{{ parts.badge(text, 'good') }}{{ parts.stat(text, text, text) }}"
            "{{ chart }}{{ stack }}{{ t(said) }}{% endblock %}"
        )
        context = surroundings(visit, {"word": said})
        made = inner.render(
            {**context, "shown": shown, "text": text, "chart": chart, "stack": stack, "said": said}
        )
        return Response(made, media_type="text/html")

    async def export(visit: Visit) -> Response:
        with engine.begin() as connection:
            rows = every(connection, table_of(said), read(table_of(said), visit))
        return to_csv(table_of(said), rows, visit, "list")

    site.add("/list", page, duties={Duty.OFFICER})
    site.add("/list.csv", export, duties={Duty.OFFICER})
    async with browsing(site, Duty.OFFICER) as client:
        yield client
    engine.dispose()


async def shape_of(text: str, language: str = "en") -> Shape:
    async with showing(text) as client:
        client.cookies.set("lang", language)
        # What an address asks for comes back in the filter's fields.
        found = await client.get("/list", params={"text": text, "size": text, "sort": text})
        assert found.status_code == 200
        return Shape(found.text)


def is_the_same(found: Shape, harmless: Shape) -> bool:
    placed = {("text", "text-anchor"), ("text", "transform"), ("tspan", "x"), ("tspan", "dy")}
    return (
        found.made <= harmless.made | placed
        and found.acting == harmless.acting
        and found.tokens == harmless.tokens
    )


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_a_text_adds_nothing_to_a_page(language: str) -> None:
    harmless = await shape_of(HARMLESS, language)
    for text in HOSTILE:
        assert is_the_same(await shape_of(text, language), harmless), text


async def test_it_would_without_escaping(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unescaped(Environment):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**{**settings, "autoescape": False})

    harmless = await shape_of(HARMLESS)
    html.template.cache_clear()
    monkeypatch.setattr(html, "Environment", Unescaped)
    try:
        assert not is_the_same(await shape_of(HOSTILE[0]), harmless)
    finally:
        html.template.cache_clear()


@pytest.mark.parametrize(
    "address",
    [
        "page=%C2%B2",
        "size=%C2%B2%C2%B5",
        "page=" + "9" * 5000,
        "time_to=9999-12-31",
        "time_from=0001-01-01",
        "sort=--text",
        "sort=__class__",
        "text=%25%5C_",
        "kind=nothing",
    ],
)
async def test_no_address_breaks_a_table(address: str) -> None:
    async with showing(HARMLESS) as client:
        assert (await client.get(f"/list?{address}")).status_code == 200


@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("http://evil.example")',
        "+1+cmd|' /C calc'!A0",
        "-2+3",
        "@SUM(1)",
        "\t=1+1",
        "\n=1+1",
        "\r=1+1",
        "  =1+1",
        "＝1+1",
        "＋1+1",
        "－1+1",
        "＠SUM(1)",
    ],
)
async def test_no_cell_of_a_file_is_a_formula(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def cells() -> list[str]:
        async with showing(text) as client:
            found = await client.get("/list.csv")
            assert found.headers["content-type"] == "text/csv; charset=utf-8"
            assert found.headers["content-disposition"] == 'attachment; filename="list.csv"'
            return list(csv.reader(io.StringIO(found.text.removeprefix("\ufeff"), newline="")))[1]

    assert all(cell[0] == "'" for cell in (await cells())[:2])
    monkeypatch.setattr(tables, "_FORMULA", re.compile(r"(?!)"))
    assert (await cells())[0] == text


def member(role: Role, name: str, title: dict[str, str]) -> Member:
    own = SpiffeId("csj.example", role, name)
    holder = role is Role.HOLDER
    return Member(
        chain="csj", id=own, kind="tax" if holder else "", title=title, signing=bytes(32),
        agreement=bytes(32) if holder else b"", sealing=b"", named=False,
        not_before=1_800_000_000, not_after=1_900_000_000,
    )  # fmt: skip


class Listed:
    """Members as a chain has them."""

    def __init__(self, *found: Member) -> None:
        self._found = found

    def of(self, role: Role) -> Iterator[Member]:
        return (one for one in self._found if one.id.role is role)


@pytest.mark.parametrize(
    "title",
    ["First Bank" + ZERO, "First\u00a0 Bank", "ﬁrst bank", "Ｆｉｒｓｔ Bank", RIGHT + "First Bank",
     "First Bank\n", "First\u00ad Bank", "\u2066First Bank\x1b"],
)  # fmt: skip
def test_no_member_looks_like_another(title: str, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = member(Role.BANK, "first", {"en": "First Bank"})
    imitator = member(Role.BANK, "other", {"en": title})
    shown = titles_of(Listed(honest, imitator), "en")  # type: ignore[arg-type]
    assert shown[str(honest.id)].endswith(" · first")
    assert shown[str(imitator.id)].endswith(" · other")
    assert all(one.isprintable() for one in shown.values())
    monkeypatch.setattr(parties, "_look", lambda text: text)
    monkeypatch.setattr(parties, "_is_seen", lambda character: True)
    bare = titles_of(Listed(honest, imitator), "en")  # type: ignore[arg-type]
    assert " · " not in bare[str(honest.id)] or title.split() == ["First", "Bank"]


def test_a_title_is_bounded_and_never_empty() -> None:
    assert own_title({"en": ZERO * 9 + RIGHT + " \n"}, "en", "other") == "other"
    assert own_title({"fr": "x"}, "en", "other") == "other"
    assert len(own_title({"en": "长" * 100_000}, "en", "other")) <= 81
    assert own_title({"zh": "第一银行"}, "zh", "other") == "第一银行"


async def test_a_member_without_a_title_takes_no_page_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A credential may have any title, or one in a third language only."""
    strange = [
        member(Role.BANK, "none", {}),
        member(Role.HOLDER, "third", {"fr": "Banque"}),
        member(Role.BANK, "markup", {"en": HOSTILE[0], "zh": HOSTILE[1]}),
    ]
    rows = [member_page.MemberRow(one, "valid", HOSTILE[3], HOSTILE[4], 0) for one in strange]
    monkeypatch.setattr(member_page, "member_rows", lambda *_: rows)

    class Store:
        async def read(self, work: Any) -> Any:
            return work(None)

    clock = SimpleNamespace(now=lambda: 1_850_000_000)
    hub = SimpleNamespace(clock=clock, store=Store(), identity=SimpleNamespace(id=HUB))
    for language in ("zh", "en"):
        site = open_site({Duty.OPERATOR}, clock=clock)  # type: ignore[arg-type]
        member_page.add(site, hub)  # type: ignore[arg-type]
        async with browsing(site, Duty.OPERATOR, language=language) as client:
            found = await client.get("/members")
            assert found.status_code == 200
            assert ("script", "") not in Shape(found.text).made


def use(**changes: Any) -> hub_pb2.ConsentUse:
    values = {
        "number": 0, "bank": str(HARBOUR), "purpose": "02", "time": 1_800_000_000, "epoch": 4,
        "permits": [b"p" * 32], "certificate": b"c" * 32, "fields": ["trade"],
        "consent": b"i" * 16, "cancelled": 0,
    }  # fmt: skip
    return hub_pb2.ConsentUse(**(values | changes))


def listing(one: hub_pb2.ConsentUse) -> ConsentClient:
    class Hub:
        async def unary(self, *_: object) -> hub_pb2.ListUsesReply:
            return hub_pb2.ListUsesReply(total=1, next=1, uses=[one])

    return ConsentClient(HUB, Hub())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"time": 2**63},
        {"time": 0},
        {"epoch": 2**64 - 1},
        {"cancelled": 2**60},
        {"purpose": "\x1b]0;owned\x07"},
        {"fields": ["trade\x1b[2K"]},
        {"fields": [RIGHT + "edart"]},
        {"fields": ["x"] * 257},
        {"permits": [b"p"]},
        {"consent": b""},
        {"bank": "spiffe://csj.example/bank/<b>"},
    ],
    ids=ascii,
)
async def test_a_hub_s_list_breaks_no_firm_s_agent(changes: dict[str, Any]) -> None:
    """What the hub lists is kept, and shown for good: a number that no database takes ended the
    agent, and a time that is none took the page away.
    """
    assert len(await listing(use()).asked()) == 1
    with pytest.raises((DocumentError, IdentityError)) as refused:
        await listing(use(**changes)).asked()
    assert isinstance(refused.value, FederationError)  # as the agent takes it: not fetched


def test_a_holder_s_word_has_times_that_are_times() -> None:
    """Signed or not: what no database keeps would keep the firm from ever hearing of a dispute."""
    said = DisputeReply(
        chain="csj", holder=SpiffeId("csj.example", Role.HOLDER, "tax"), dispute=bytes(32),
        state=DisputeState.RECEIVED, received=1_800_000_000, due=due_of(1_800_000_000),
        stated=1_800_000_000,
    )  # fmt: skip
    value = parse_canonical(said.payload(), 1 << 20)
    assert isinstance(value, dict) and DisputeReply.parse(canonical_json(value)) == said
    far = 10**12
    with pytest.raises(DocumentError, match="received"):
        DisputeReply.parse(canonical_json({**value, "received": far, "due": due_of(far)}))


@pytest.mark.parametrize(
    "name", ["tax.\x9b2Kpaid", RIGHT + "tax.paid", f"tax{ZERO}.paid", "\x1b[0m"]
)
def test_a_firm_s_names_are_no_commands_of_a_terminal(name: str) -> None:
    """Fields of a consent and features of a dispute are printed by the other side's commands."""
    with pytest.raises(DocumentError, match="features"):
        clean_names("features", [name])


@pytest.mark.parametrize(
    "text",
    [
        '{"consent": ' + "[" * 100_000 + "]" * 100_000 + "}",
        "consent,purpose\n" + "x" * 200_000 + ",02\n",
        "consent,purpose\n\0,\0\n",
        "\ufffd\ufffd,\ufffd\n",
        'consent,purpose\n"unclosed,02\n',
        "PK\x03\x04 a zip file",
        "consent,consent,purpose\na,b,02\n",
    ],
    ids=["nested", "one long cell", "nuls", "not utf-8", "open quote", "zip", "twice"],
)
def test_a_batch_that_is_none_is_told_by_its_line(text: str) -> None:
    """No upload is a fault of the server, whatever is in it."""
    try:
        lines = examine(text)
    except BankError as refused:
        assert refused.details["line"] >= 1
        return
    assert all(line.number > 0 for line in lines)
