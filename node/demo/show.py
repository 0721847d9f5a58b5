"""The demo on a terminal: steps, the profile's card, who saw what, refusals, the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from time import monotonic
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from federation.audit.findings import FindingKind
from federation.identity import Role
from node.demo.layout import Layout
from node.demo.people import Login
from node.demo.texts import Language, text

STEP_WIDTH = 48
Tell = Callable[[int, int], None]
"""Told how much is done of how much."""


class Screen:
    """Writes to standard error, so that a result on standard output stays clean."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self.console = Console(stderr=True)

    def say(self, key: str, **values: object) -> str:
        """A text in the chosen language."""
        return text(key, self.language, **values)

    def party(self, spiffe_id: str) -> str:
        """A member of the chain, by role and name."""
        return spiffe_id.removeprefix("spiffe://").partition("/")[2]

    def head(self, **values: object) -> None:
        """The title."""
        self.console.print()
        self.console.print(Text(f"  {self.say('title', **values)}", style="bold cyan"))
        self.console.print()

    @contextmanager
    def step(self, key: str, **values: object) -> Iterator[Tell]:
        """A step with a bar while it runs and, at its end, the time it took."""
        columns = (
            TextColumn("  {task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[count]}"),
            TimeElapsedColumn(),
        )
        begin = monotonic()
        with Progress(*columns, console=self.console, transient=True) as bar:
            said = self.say(key, **values)
            task = bar.add_task(said, total=None, count="")

            def tell(done: int, of: int) -> None:
                bar.update(task, completed=done, total=of, count=f"{done}/{of}")

            yield tell
        line = Text("  ✓ ", style="green")
        line.append(said + " " * max(2, STEP_WIDTH - cell_len(said)), style="default")
        line.append(f"{monotonic() - begin:5.1f} s", style="dim")
        self.console.print(line)

    def show(self, renderable: RenderableType) -> None:
        """Anything, with room around it."""
        self.console.print()
        self.console.print(renderable)

    def who_saw_what(
        self, layout: Layout, traffic: Mapping[str, tuple[int, int]], log: Mapping[str, int]
    ) -> None:
        """A row a role: what it learned, what it never did, its bytes and log entries.

        The holders share a row, with the figures of the busiest: they all learn the same.
        """
        table = Table(box=SIMPLE_HEAD, title=self.say("saw"), title_style="bold", pad_edge=False)
        for key in ("party", "learned", "never"):
            table.add_column(self.say(key), ratio=2 if key == "party" else 3, overflow="fold")
        table.add_column(self.say("bytes"), justify="right", no_wrap=True)
        table.add_column(self.say("log"), justify="right", no_wrap=True)
        holders = list(layout.holders.values())
        rows = [
            (layout.hub, layout.hub.title[self.language]),
            (layout.regulator, layout.regulator.title[self.language]),
            (layout.bank, layout.bank.title[self.language]),
            (max(holders, key=lambda p: traffic[p.name]), self.say("each", count=len(holders))),
        ]
        for party, title in rows:
            role = party.id.role
            received, sent = traffic[party.name]
            table.add_row(
                Text(title, style=_COLOURS[role]),
                self.say(f"{role.value}_learned"),
                self.say(f"{role.value}_never"),
                f"{_size(received)}\n{_size(sent)}",
                f"{log[party.name]:,}",
            )
        self.show(table)

    def logins(self, logins: Sequence[Login], audit: Mapping[str, Any]) -> None:
        """Where the pages are, and who may sign in there: nothing else has the passwords. A node
        whose log the audit found edited answers nothing, and is marked.
        """
        edited = {name for name, log in audit["logs"].items() if not log["consistent"]}
        table = Table(box=SIMPLE_HEAD, title=self.say("logins"), title_style="bold", pad_edge=False)
        for key in ("party", "account", "password"):
            table.add_column(self.say(key), no_wrap=key != "party", overflow="fold")
        for party, group in groupby(logins, key=lambda login: login.party):
            accounts = list(group)
            place = Text(accounts[0].title[self.language], style="bold")
            place.append(f"\n{accounts[0].address}", style="not bold cyan")
            if party in edited:
                place.append(f"\n{self.say('edited')}", style="not bold red")
            table.add_row(
                place,
                "\n".join(login.account for login in accounts),
                "\n".join(login.password for login in accounts),
            )
        self.show(table)
        self.console.print(Text(f"  {self.say('logins_note')}", style="dim"))

    def what_a_holder_received(self, permit: Mapping[str, Any]) -> None:
        """The fields of one permit, as they are: nothing in them tells of the firm."""
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in permit.items():
            table.add_row(name, str(value))
        self.show(Panel(table, title=self.say("permit"), border_style="dim", padding=(1, 2)))

    def refusals(self, counted: Mapping[str, int]) -> None:
        """Reasons and how often they stand in the refusers' logs."""
        table = Table(box=SIMPLE_HEAD, title=self.say("refused"), title_style="bold")
        for _ in range(2):
            table.add_column("", no_wrap=True)
            table.add_column("", justify="right")
        cells = [(reason, str(count)) for reason, count in counted.items()]
        half = -(-len(cells) // 2)
        for left, right in zip(cells[:half], [*cells[half:], ("", "")][:half], strict=True):
            table.add_row(*left, *right)
        table.show_header = False
        self.show(table)

    def audit(self, audit: Mapping[str, Any]) -> None:
        """What the regulator found, a row a finding; a planted one that was found is green."""
        table = Table(
            box=SIMPLE_HEAD,
            title=self.say("audited", **{**audit, "planted": len(audit["planted"])}),
            title_style="bold",
        )
        for key in ("kind", "subject", "query"):
            table.add_column(self.say(key), overflow="fold")
        for found in audit["found"]:
            good = found in audit["planted"]
            table.add_row(
                Text(
                    FindingKind(found["kind"]).titles[self.language],
                    style="green" if good else "red",
                ),
                self.party(found["subject"]),
                found["id"][:16] or "–",
            )
        self.show(table)

    def result(self, result: Mapping[str, Any], folder: str) -> None:
        """The figures, green only when every record was exact."""
        good = result["mismatches"] == 0
        lines = Text()
        lines.append(
            self.say("exact", queries=result["queries"], mismatches=result["mismatches"]),
            style="bold green" if good else "bold red",
        )
        lines.append(
            "\n"
            + self.say(
                "timing",
                p50=result["query_ms"]["p50"],
                p95=result["query_ms"]["p95"],
                up=result["query_bytes"]["up"],
                down=result["query_bytes"]["down"],
            )
        )
        if folder:
            lines.append("\n" + self.say("more", folder=folder), style="dim")
        style = "green" if good else "red"
        self.show(Panel(lines, title=self.say("result"), border_style=style, padding=(1, 2)))


_COLOURS = {
    Role.HUB: "cyan",
    Role.REGULATOR: "magenta",
    Role.BANK: "yellow",
    Role.HOLDER: "green",
}


def _size(count: int) -> str:
    for unit, power in (("GB", 3), ("MB", 2), ("kB", 1)):
        if count >= 1000**power:
            return f"{count / 1000**power:.1f} {unit}"
    return f"{count} B"
