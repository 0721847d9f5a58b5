"""The pages of the hub's operators."""

from __future__ import annotations

from node.hub.publication import Hub
from node.pages.site import Site


def add_pages(site: Site, hub: Hub) -> None:
    """Adds them to the hub's site."""
