"""The pages of the hub's operators."""

from __future__ import annotations

from node.hub.pages.catalogue import add as add_catalogue
from node.hub.pages.chains import add as add_chains
from node.hub.pages.consents import add as add_consents
from node.hub.pages.members import add as add_members
from node.hub.pages.overview import add as add_overview
from node.hub.pages.retention import add as add_retention
from node.hub.pages.roster import add as add_roster
from node.hub.pages.usage import add as add_usage
from node.hub.publication import Hub
from node.pages.site import Site


def add_pages(site: Site, hub: Hub) -> None:
    """Adds them to the hub's site."""
    for add in (
        add_overview,
        add_members,
        add_roster,
        add_catalogue,
        add_consents,
        add_chains,
        add_usage,
        add_retention,
    ):
        add(site, hub)
