"""The demo of several chains on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from node.demo.chains.texts import chain_text
from node.demo.layout import CHAINS, Layout
from node.demo.show import Screen


class ChainsScreen(Screen):
    """The same screen, with what there is to say of several chains."""

    def say(self, key: str, **values: object) -> str:
        """A text in the chosen language."""
        return chain_text(key, self.language, **values)

    def place(self, layout: Layout) -> str:
        """What a chain is called."""
        return CHAINS[layout.chain][self.language]

    def party(self, spiffe_id: str) -> str:
        """A member of one of the chains, by chain, role and name."""
        domain, _, member = spiffe_id.removeprefix("spiffe://").partition("/")
        return f"{domain.partition('.')[0]} {member}"

    def complain(self, message: str) -> None:
        """Something that should not have happened."""
        self.console.print(f"  {message}", style="red", markup=False)

    def beside(self, joint: Mapping[str, Any]) -> None:
        """The records of one firm, a row a chain, and what the scorecard's rule makes of them."""
        combined = joint["combined"]
        title = self.say("beside", uscc=joint["uscc"], rule=combined["rule"])
        self.show(Text(f"  {title}", style="bold"))
        table = Table(box=SIMPLE_HEAD)
        table.add_column(self.say("chain"))
        for key in ("score", "coverage"):
            table.add_column(self.say(key), justify="right")
        for record in joint["records"]:
            profile = record["profile"]
            known = f"{profile['coverage']}/{profile['participants']}"
            table.add_row(CHAINS[record["chain"]][self.language], str(profile["score"]), known)
        table.add_section()
        table.add_row(self.say("combined"), str(combined["score"]), "")
        self.console.print(table)
        if joint["partial"]:
            self.console.print(Text(f"  {joint['notice'][self.language]}", style="yellow"))

    def chains(self, chains: Mapping[str, Mapping[str, int]]) -> None:
        """A row a chain: its size, and the queries out of it and into it."""
        table = Table(box=SIMPLE_HEAD, title=self.say("chains"), title_style="bold")
        table.add_column(self.say("chain"))
        for key in ("holders", "enterprises", "out", "in"):
            table.add_column(self.say(key), justify="right")
        for name, chain in chains.items():
            table.add_row(CHAINS[name][self.language], *(f"{n:,}" for n in chain.values()))
        self.show(table)

    def who_saw_a_query(self) -> None:
        """What each party learns of a query between two chains, and what it never does."""
        table = Table(box=SIMPLE_HEAD, title=self.say("seen"), title_style="bold", pad_edge=False)
        for key in ("party", "learned", "never"):
            table.add_column(self.say(key), ratio=2 if key == "party" else 3, overflow="fold")
        for name in ("own_hub", "other_hub", "other_holders", "own_regulator", "other_regulator"):
            table.add_row(*(self.say(f"{name}{what}") for what in ("", "_learned", "_never")))
        self.show(table)

    def crossed(self, result: Mapping[str, Any], folder: str) -> None:
        """The figures, green only when every record was exact."""
        across, audit = result["cross_chain"], result["audit"]
        good = not (result["mismatches"] or across["failures"] or across["mismatches"])
        style = "green" if good else "red"
        lines = Text()
        exact = self.say("exact", queries=result["queries"], mismatches=result["mismatches"])
        lines.append(exact, style=f"bold {style}")
        lines.append("\n" + self.say("crossed", **{**across, **across["ms"]}))
        if not (audit["missed"] or audit["false_positives"]):
            out = sum(chain["queries_out"] for chain in result["chains"].values())
            lines.append("\n" + self.say("reconciled", out=out))
        if folder:
            lines.append("\n" + self.say("more", folder=folder), style="dim")
        self.show(Panel(lines, title=self.say("result"), border_style=style, padding=(1, 2)))
