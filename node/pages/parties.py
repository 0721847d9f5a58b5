"""How members are shown: by their title in the viewer's language, with the id to hand."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping
from typing import Final

from markupsafe import Markup

from federation.identity import Role
from federation.membership import Members

MOST_TITLE: Final = 80
"""Characters of a title that are shown."""


def own_title(title: Mapping[str, str], language: str, name: str) -> str:
    """What a member calls itself, on one line and without what is not seen; `name` where nothing
    is left.

    A member chooses its title: characters without width would make it look like another's, and
    those that turn the direction would move what stands beside it.
    """
    given = title.get(language, "")
    seen = "".join(" " if one.isspace() else one for one in given if _is_seen(one))
    text = " ".join(seen.split())
    if len(text) > MOST_TITLE:
        text = f"{text[:MOST_TITLE]}…"
    return text or name


def titles_of(members: Members, language: str) -> dict[str, str]:
    """The titles of a chain's members by their ids. Those that look like one another's have their
    names beside it.
    """
    found = {
        str(member.id): own_title(member.title, language, member.id.name)
        for role in Role
        for member in members.of(role)
    }
    seen = Counter(_look(title) for title in found.values())
    return {
        party: title if seen[_look(title)] == 1 else f"{title} · {name_of(party)}"
        for party, title in found.items()
    }


def _is_seen(character: str) -> bool:
    """Neither control, format, private nor unassigned; a space is seen."""
    return character.isspace() or unicodedata.category(character)[0] != "C"


def _look(title: str) -> str:
    """The same for titles of full and half width, of either case, and whatever their spaces."""
    return "".join(unicodedata.normalize("NFKC", title).casefold().split())


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
