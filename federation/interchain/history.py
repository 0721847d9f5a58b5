"""The 24-month history across chains: what regulators tell each other of certified scorecards.

A regulator that judges a scorecard asks the regulators of all pinned chains what they certified for
the bank and its affiliates, and who its affiliates are. The answer is signed, and sealed to the one
that asked: scorecards are secret. It comes in pages of one size, so that its length does not tell
how many models a bank has.

Two chains may judge for one bank at the same time, and neither has certified anything yet that the
other could count. So an answer also says whether a scorecard of these banks is being judged now.
Who asks has said so of itself before it asks; of the two, the chain whose name comes first waits
for the other's decision, and the other lets go (`must_yield`).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from pydantic import Field

from federation.documents import Array, Bytes, Bytes16, Bytes32, Document, Id, Name, Part, Time
from federation.entries import CLOCK_SKEW, Kind, entry
from federation.envelope import EnvelopeKey, EnvelopePublicKey, open_, seal
from federation.errors import DocumentError, Reason, Refusal
from federation.identity import Role, SpiffeId
from federation.interchain.pin import Pin
from federation.membership import TrustRoot
from federation.signed import Signed

REQUEST_SECONDS: Final = 60
"""How long a request may be on its way."""
MAX_BANKS: Final = 256
HISTORY_BYTES: Final = 2 << 20
"""The size that every page is padded to, sealed."""
PAGE_BYTES: Final = 1 << 20
"""Compressed scorecards and catalogues of a page, unless a single scorecard has more."""
PURPOSE: Final = "yinxin/envelope/history/v1"

Banks = Annotated[tuple[Id, ...], Array, Field(max_length=MAX_BANKS)]


class HistoryRequest(Document):
    """What the regulator of `home` signs for the regulator `audience` of `chain`.

    `banks` are those asked about; `first` is the number of the scorecard that the page begins with.
    """

    TYPE: ClassVar[str] = "history-request"

    id: Bytes16
    home: Name
    regulator: Id
    chain: Name
    audience: Id
    banks: Annotated[tuple[Id, ...], Array, Field(min_length=1, max_length=MAX_BANKS)]
    first: Annotated[int, Field(ge=0)]
    issued: Time


class ToldScorecard(Part):
    """One certified scorecard. `certificate` is DSSE JSON; `scorecard` is its JSON, compressed
    (RFC 1950); `valid` says whether it can be asked with now.
    """

    certificate: Bytes
    scorecard: Bytes
    decided: Time
    valid: bool


class History(Document):
    """One page of an answer, signed by the regulator of `chain`.

    `request` is the request's hash. `groups` are the groups of affiliates that the banks asked
    about are in there; what is told is about the banks and all of these. `catalogues` are those of
    the page's scorecards, compressed. `judging` says that one of these banks' scorecards is being
    judged now; `total` counts the scorecards of all pages.
    """

    TYPE: ClassVar[str] = "history"

    request: Bytes32
    chain: Name
    regulator: Id
    groups: Annotated[tuple[Banks, ...], Array, Field(max_length=MAX_BANKS)]
    judging: bool
    total: Annotated[int, Field(ge=0, le=10_000)]
    scorecards: Annotated[tuple[ToldScorecard, ...], Array]
    catalogues: Annotated[tuple[Bytes, ...], Array]

    def banks(self, request: HistoryRequest) -> frozenset[SpiffeId]:
        """Whom the answer is about."""
        return frozenset(request.banks).union(*self.groups)


@dataclass(frozen=True)
class Known:
    """What a regulator has of one certified scorecard: JSON texts, of its own decision."""

    certificate: Signed
    scorecard: str
    catalogue: str
    decided: int
    valid: bool


def read_request(
    signed: Signed, pin: Pin, root: TrustRoot, caller: SpiffeId, now: int
) -> HistoryRequest:
    """A request of the pinned chain's regulator to the regulator of `root`.

    Raises Refusal(unknown_chain) without a pin that holds, SignatureInvalid, DocumentError;
    Refusal(foreign_certificate) for another caller, Refusal(wrong_chain), Refusal(wrong_audience),
    Refusal(expired).
    """
    pin.require_holds(now)
    home = pin.trust()
    request = HistoryRequest.open_(signed, home.yinxin_signing)
    if (request.home, request.regulator) != (pin.peer, home.yinxin_regulator):
        raise Refusal(Reason.WRONG_CHAIN, f"history request is of chain {request.home}")
    if caller != home.yinxin_regulator:
        raise Refusal(Reason.FOREIGN_CERTIFICATE, f"{caller} hands in another regulator's request")
    if (request.chain, request.audience) != (root.chain, root.regulator):
        raise Refusal(Reason.WRONG_AUDIENCE, f"history request is for chain {request.chain}")
    if not request.issued - CLOCK_SKEW <= now < request.issued + REQUEST_SECONDS + CLOCK_SKEW:
        raise Refusal(Reason.EXPIRED, "history request is outside its time")
    return request


def make_history(
    request: HistoryRequest,
    *,
    groups: Iterable[Iterable[SpiffeId]],
    judging: bool,
    known: Sequence[Known],
) -> History:
    """The page that a request asks for. `known` is everything, the oldest first: later ones are
    added at its end, so that pages fit together.
    """
    scorecards: list[ToldScorecard] = []
    catalogues: dict[str, bytes] = {}
    size = 0
    for one in known[request.first :]:
        packed = zlib.compress(one.scorecard.encode())
        catalogue = catalogues.get(one.catalogue) or zlib.compress(one.catalogue.encode())
        size += len(packed) + (0 if one.catalogue in catalogues else len(catalogue))
        if scorecards and size > PAGE_BYTES:
            break
        catalogues[one.catalogue] = catalogue
        certificate = one.certificate.to_json()
        size += len(certificate)
        scorecards.append(
            ToldScorecard(
                certificate=certificate, scorecard=packed, decided=one.decided, valid=one.valid
            )
        )
    return History(
        request=request.hash,
        chain=request.chain,
        regulator=request.audience,
        groups=tuple(tuple(sorted(group, key=str)) for group in groups),
        judging=judging,
        total=len(known),
        scorecards=tuple(scorecards),
        catalogues=tuple(catalogues.values()),
    )


def seal_history(signed: Signed, request: HistoryRequest, pin: Pin) -> bytes:
    """A signed page for the eyes of who asked; constant size."""
    key = EnvelopePublicKey(pin.trust().yinxin_sealing)
    return seal(key, PURPOSE, request.hash, signed.to_json(), HISTORY_BYTES)


def open_history(sealed: bytes, request: HistoryRequest, pin: Pin, key: EnvelopeKey) -> History:
    """A page of the answer of the pinned chain's regulator.

    Raises EnvelopeError, SignatureInvalid, DocumentError; Refusal(conflict) for an answer to
    another request, and for a page that is empty before everything was told. A group has to have
    a bank that was asked about: nobody is made an affiliate of others behind the asker's back.
    """
    signed = Signed.from_json(open_(key, PURPOSE, request.hash, sealed, HISTORY_BYTES))
    history = History.open_(signed, pin.trust().yinxin_signing)
    told = (history.request, history.chain, history.regulator)
    if told != (request.hash, request.chain, request.audience):
        raise Refusal(Reason.CONFLICT, "history answers another request")
    if any(bank.role is not Role.BANK for group in history.groups for bank in group):
        raise DocumentError("history.groups", "name somebody who is no bank")
    if any(not set(group) & set(request.banks) for group in history.groups):
        raise DocumentError("history.groups", "have one that nobody asked about")
    after = request.first + len(history.scorecards)
    if after > history.total or (not history.scorecards and request.first < history.total):
        raise Refusal(Reason.CONFLICT, "history does not have the pages that it counts")
    return history


def must_yield(own: str, peer: str) -> bool:
    """Whether the chain `own` lets go where `peer` judges for the same banks at the same time."""
    return own > peer


def history_entry(request: HistoryRequest, history: History, now: int) -> bytes:
    """The entry of either regulator, of a page: hashes and counts."""
    return entry(
        Kind.HISTORY,
        now,
        document=history.hash,
        request=request.hash,
        home=request.home,
        chain=request.chain,
        banks=len(history.banks(request)),
        scorecards=len(history.scorecards),
    )
