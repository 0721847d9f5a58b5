"""The bank's pages: officers ask about firms, developers look after models."""

from __future__ import annotations

from node.bank.pages.asking import add_asking
from node.bank.pages.batches import add_batches
from node.bank.pages.desk import Desk
from node.bank.pages.listing import add_listing
from node.bank.pages.profile import add_profile
from node.bank.pages.texts import ASK, BATCH
from node.pages.duties import Duty
from node.pages.site import Site


def add_pages(site: Site, desk: Desk) -> None:
    """Adds every page of the bank."""
    site.add_section("/ask", ASK["title"], "profile", {Duty.OFFICER})
    add_asking(site, desk)
    add_listing(site, desk)
    add_profile(site, desk)
    site.add_section("/batches", BATCH["title"], "batch", {Duty.OFFICER})
    add_batches(site, desk)
