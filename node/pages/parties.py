"""How members are shown: by their title in the viewer's language, with the id to hand."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from federation.identity import Role
from federation.membership import Members


def titles_of(members: Members, language: str) -> dict[str, str]:
    """The titles of a chain's members by their ids. Two of one title have their names beside it."""
    found = {
        str(member.id): member.title.get(language) or member.id.name
        for role in Role
        for member in members.of(role)
    }
    seen = list(found.values())
    return {
        party: title if seen.count(title) == 1 else f"{title} · {name_of(party)}"
        for party, title in found.items()
    }


def name_of(party: str) -> str:
    """The last part of a SPIFFE id; the whole text where it is none."""
    return party.rpartition("/")[2]


def title_of(party: str, titles: Mapping[str, str]) -> str:
    """A party's title; of one that is no member of the chain, its name and its chain's domain."""
    if party in titles or not party.startswith("spiffe://"):
        return titles.get(party, party)
    return f"{name_of(party)} · {party.split('/')[2]}"


def shown(party: str, titles: Mapping[str, str]) -> Markup:
    """The same for a table's cell, with the id as a hint."""
    return Markup('<span title="{}">{}</span>').format(party, title_of(party, titles))


def short(digest: bytes) -> Markup:
    """A hash, short to see and whole to copy."""
    text = digest.hex()
    return Markup('<code class="id" data-whole="{}">{}…</code>').format(text, text[:12])
