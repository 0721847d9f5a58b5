"""The pages of a data holder's engineer."""

from __future__ import annotations

from typing import Final

from node.config import HolderConfig
from node.holder.pages.answers import add as add_answers
from node.holder.pages.banks import add as add_banks
from node.holder.pages.data import add as add_data
from node.holder.pages.disputes import add as add_disputes
from node.holder.pages.mapping import add as add_mapping
from node.pages.site import Site
from node.runtime import Runtime
from scoring.documents import Text

TITLE: Final = Text(zh="数据方", en="Data holder")


def add_pages(site: Site, holder: Runtime[HolderConfig]) -> None:
    """Adds them to the holder's site."""
    add_data(site, holder)
    add_mapping(site, holder)
    add_answers(site, holder)
    add_banks(site, holder)
    add_disputes(site, holder)
