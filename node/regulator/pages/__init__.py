"""The pages that an inspector works on."""

from __future__ import annotations

from collections.abc import Callable

from federation.identity import SpiffeId
from node.pages.duties import Duty
from node.pages.site import Site
from node.regulator.membership import Regulator
from node.regulator.pages.certification import Certification
from node.regulator.pages.chains import Chains
from node.regulator.pages.entries import Entries
from node.regulator.pages.findings import Findings
from node.regulator.pages.members import MemberPages
from node.regulator.pages.overview import Overview
from node.regulator.pages.queries import Queries
from node.regulator.pages.query import QueryPages
from node.regulator.pages.texts import SECTIONS


def add_pages(
    site: Site, regulator: Regulator, waiting: Callable[[], tuple[SpiffeId, ...]] = tuple
) -> None:
    """Adds the regulator's pages; `waiting` tells whose submissions are at the desk, the one that
    is judged first.
    """
    for path, (title, icon) in SECTIONS.items():
        site.add_section(path, title, icon, {Duty.INSPECTOR})
    for part in (
        Overview(regulator),
        Queries(regulator),
        QueryPages(regulator),
        Entries(regulator),
        Findings(regulator),
        Certification(regulator, waiting),
        Chains(regulator),
        MemberPages(regulator),
    ):
        part.add(site)
