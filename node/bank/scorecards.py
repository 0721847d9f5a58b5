"""Whether a scorecard fits the chain: its catalogue, and the members it names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

from sqlalchemy import Connection

from federation.errors import FederationError
from federation.identity import Role, SpiffeId
from node.bank.agent import reason_of
from node.bank.chains import ChainView
from node.bank.errors import BankError
from node.bank.texts import Code
from scoring.catalogue import Catalogue
from scoring.errors import ScoringError
from scoring.scorecard import Scorecard

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


async def check_scorecard(
    view: ChainView, raw: str, disclosed: Sequence[str]
) -> tuple[Scorecard, Catalogue]:
    """The scorecard with `disclosed` added, and its catalogue, once both and the members fit.

    Raises BankError saying what does not fit the chain.
    """
    try:
        scorecard = Scorecard.from_json(raw)
        merged = sorted({*scorecard.disclosed, *disclosed})
        scorecard = Scorecard.build({**scorecard.model_dump(), "disclosed": merged})
    except ScoringError as error:
        raise invalid(str(error)) from error
    if not _NAME.fullmatch(scorecard.name):
        raise invalid("name: use up to 64 letters, digits, '.', '_' and '-'")
    catalogues = await view.read(partial(_catalogues, view))
    catalogue = catalogues.get(scorecard.catalogue_version)
    if catalogue is None:
        raise BankError(
            Code.CATALOGUE_UNKNOWN,
            "scorecard.catalogue_version",
            version=scorecard.catalogue_version,
            known=", ".join(catalogues) or "–",
            chain=view.name,
        )
    members = await view.members()
    try:
        scorecard.check(catalogue)
        for participant in scorecard.participants:
            member = members.require(SpiffeId.parse(participant.holder), Role.HOLDER)
            if member.kind != participant.kind:
                raise invalid(f"participants: {member.id} is of kind {member.kind}")
    except (ScoringError, FederationError) as error:
        text = reason_of(error) if isinstance(error, FederationError) else str(error)
        raise invalid(text) from error
    return scorecard, catalogue


def invalid(reason: str) -> BankError:
    """A scorecard that the chain cannot have."""
    return BankError(Code.SCORECARD_INVALID, "scorecard", reason=reason)


async def published_catalogue(view: ChainView, version: str = "") -> Catalogue:
    """The catalogue of that version, or of the newest epoch; raises BankError for one unknown."""
    found = await view.read(partial(_catalogue, view, version))
    if found is None:
        known = ", ".join(await view.read(partial(_catalogues, view))) or "–"
        raise BankError(
            Code.CATALOGUE_UNKNOWN,
            "version",
            version=version or "–",
            known=known,
            chain=view.name,
        )
    return found


def _catalogue(view: ChainView, version: str, connection: Connection) -> Catalogue | None:
    if version:
        return _catalogues(view, connection).get(version)
    numbers = view.chain.epoch_numbers(connection)
    newest = view.chain.descriptor(connection, max(numbers)) if numbers else None
    return view.chain.catalogue(connection, newest.catalogue) if newest else None


def _catalogues(view: ChainView, connection: Connection) -> dict[str, Catalogue]:
    """The chain's catalogues by version."""
    return {found.version: found for found in view.chain.catalogues(connection)}
