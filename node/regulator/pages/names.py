"""Names of members for people, and what several of the regulator's pages need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup
from starlette.exceptions import HTTPException

from federation.errors import IdentityError
from federation.identity import SpiffeId
from federation.membership import Members
from federation.purpose import PURPOSE_TITLES, Purpose
from node.pages.parties import titles_of
from node.pages.visit import Visit
from scoring.documents import Text

HASH_BYTES = 32


@dataclass(frozen=True)
class Names:
    """Titles of the members that are valid, guests included."""

    domain: str
    titles: Mapping[str, Mapping[str, str]]
    """Of each language, the titles by SPIFFE id."""

    @classmethod
    def of(cls, members: Members) -> Names:
        """Of a chain's members."""
        titles = {language: titles_of(members, language) for language in ("zh", "en")}
        return cls(members.root.trust_domain, titles)

    def title(self, member: str, language: str) -> str:
        """What a member calls itself; role and name where it is no member any more."""
        return self.titles[language].get(member) or self.short(member)

    def text(self, member: str) -> Text:
        """The same in both languages."""
        return Text(zh=self.title(member, "zh"), en=self.title(member, "en"))

    def short(self, member: str) -> str:
        """Role and name; of another chain's member with its trust domain."""
        try:
            id_ = SpiffeId.parse(member)
        except IdentityError:
            return member or "–"
        own = f"{id_.role.value}/{id_.name}"
        return own if id_.trust_domain == self.domain else f"{own} ({id_.trust_domain})"


def purpose(code: str, language: str) -> str:
    """A purpose with its code; the code alone where nobody knows it."""
    if code not in set(Purpose):
        return code or "–"
    return f"{code} {PURPOSE_TITLES[Purpose(code)][language]}"


def purposes() -> dict[str, Text]:
    """Every purpose by its code."""
    return {
        one.value: Text(zh=purpose(one.value, "zh"), en=purpose(one.value, "en")) for one in Purpose
    }


def link(address: str, text: object) -> Markup:
    """A link of the site."""
    return Markup('<a href="{}">{}</a>').format(address, text)


def badge(text: str, tone: str = "") -> Markup:
    """A state in words."""
    return Markup('<span class="badge {}">{}</span>').format(tone, text)


def hash_of(visit: Visit, name: str = "id", size: int = HASH_BYTES) -> bytes:
    """A hash in the address, in hex. Raises HTTPException(404) for anything else."""
    try:
        raw = bytes.fromhex(visit.request.path_params[name])
    except ValueError:
        raw = b""
    if len(raw) != size:
        raise HTTPException(404)
    return raw
