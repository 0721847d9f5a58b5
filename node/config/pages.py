"""The section of the web pages that people work on."""

from __future__ import annotations

import re
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from node.config.fields import Address, ReadableFile, SecretFile
from node.config.sections import ANY_HOST, Section

LOOPBACK: Final = frozenset({"127.0.0.1", "[::1]", "localhost"})


class OidcConfig(Section):
    """Sign-in at an OpenID provider; off unless an issuer is given."""

    issuer: str = ""
    """Its issuer, an https URL: the metadata is at ISSUER/.well-known/openid-configuration."""
    client_id: str = ""
    client_secret: SecretFile | None = None
    """A file with the secret; without one the client is public (PKCE alone)."""
    ca: ReadableFile | None = None
    """The authority behind its TLS certificate, PEM; those of the system unless given."""
    scopes: tuple[str, ...] = ("openid", "profile")
    claim: str = "groups"
    """The claim of the ID token whose values give duties."""
    duties: tuple[str, ...] = ()
    """`VALUE=DUTY` for each value of the claim that gives a duty."""
    name_claim: str = ""
    """The claim with the account's name, a pseudonym: the log names accounts by it. Unless given
    the name is made of a tag of the subject. Take one that people cannot change by themselves: an
    account of a bank sees the queries that were asked under its name."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.issuer:
            if self.client_id or self.client_secret or self.duties:
                raise ValueError("has no issuer; give issuer, client_id and duties, or none")
            return self
        url = urlsplit(self.issuer)
        loopback = url.hostname in {"127.0.0.1", "::1", "localhost"}
        if url.scheme != "https" and not (url.scheme == "http" and loopback):
            raise ValueError("issuer is no https URL; write it as the provider's metadata does")
        if url.query or url.fragment or not url.hostname:
            raise ValueError("issuer is no URL of a provider; write it without ? and #")
        if not self.client_id or not self.duties:
            raise ValueError("lacks client_id or duties; nobody could sign in")
        for one in self.duties:
            if not all(one.rpartition("=")[::2]):
                raise ValueError(f"duties: {one!r} is no VALUE=DUTY; write clerks=officer")
        if "openid" not in self.scopes:
            raise ValueError("scopes lack openid; without it there is no ID token")
        return self

    @property
    def mapping(self) -> dict[str, tuple[str, ...]]:
        """Values of the claim to names of duties."""
        found: dict[str, tuple[str, ...]] = {}
        for one in self.duties:
            value, _, duty = one.rpartition("=")
            found[value] = (*found.get(value, ()), duty)
        return found


class PagesConfig(Section):
    """The web pages; there are none unless an address is given."""

    listen: Address | None = None
    url: str | None = None
    """Where browsers find them, such as https://pages.bank.example; `listen` unless given."""
    certificate: ReadableFile | None = None
    key: SecretFile | None = None
    idle_minutes: Annotated[int, Field(ge=5, le=120)] = 30
    """A session without requests ends after so long."""
    session_hours: Annotated[int, Field(ge=1, le=24)] = 12
    """Every session ends after so long."""
    oidc: OidcConfig = OidcConfig()

    @model_validator(mode="after")
    def _tls(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together; give both or neither")
        if self.listen is None:
            return self
        host = self.listen.rpartition(":")[0]
        if self.certificate is None and host not in LOOPBACK:
            raise ValueError("the pages leave this machine without TLS; give certificate and key")
        if self.url is None:
            if host in ANY_HOST:
                raise ValueError(f"nobody finds {host}; say in url where browsers find the pages")
            return self
        url = urlsplit(self.url)
        if url.scheme != "https" and not (url.scheme == "http" and _is_own(url.hostname)):
            raise ValueError("url is no https URL; browsers send no session without TLS")
        if not url.hostname or url.path.strip("/") or url.query or url.fragment:
            raise ValueError("url has more than scheme and host; write https://HOST or …:PORT")
        return self

    def address(self, port: int) -> str:
        """Where browsers find the pages, given the port they got, without a slash at its end."""
        if self.url is not None:
            return self.url.rstrip("/")
        host = (self.listen or "").rpartition(":")[0]
        return f"{'http' if self.certificate is None else 'https'}://{host}:{port}"

    def hosts(self) -> frozenset[str]:
        """The names that a request may be for, without port."""
        names = {"127.0.0.1", "[::1]", "localhost"} if self._is_local() else set()
        for address in (self.listen or "", urlsplit(self.url or "").netloc.rpartition("@")[2]):
            host = re.sub(r":\d*$", "", address)
            if host and host not in ANY_HOST:
                names.add(host.lower())
        return frozenset(names)

    def _is_local(self) -> bool:
        return self.listen is not None and self.listen.rpartition(":")[0] in LOOPBACK


def _is_own(host: str | None) -> bool:
    """Whether a browser finds that name on its own machine (RFC 6761, 6.3). Names below localhost
    keep apart the sessions of several nodes of one machine: cookies know no ports.
    """
    return host in {"127.0.0.1", "::1", "localhost"} or (host or "").endswith(".localhost")
