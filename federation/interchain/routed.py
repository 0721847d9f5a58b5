"""A query on its way to another chain: sealed to the hub there, signed by the bank.

The bank's own hub passes it on and sees which bank asks in which chain, and under which model by
the permit that comes back; firm and consent it does not learn. All routed queries have one size.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from pydantic import Field

from federation.documents import Bytes, Bytes16, Document, Id, Name, Time
from federation.entries import CLOCK_SKEW
from federation.envelope import EnvelopeKey, EnvelopePublicKey, open_, seal, sealed_size
from federation.errors import Reason, Refusal
from federation.identity import SpiffeId
from federation.signed import Signed

ROUTED_SECONDS: Final = 60
"""How long a routed query may be on its way."""
QUERY_BYTES: Final = 64 * 1024
PURPOSE: Final = "yinxin/envelope/routed-query/v1"


class RoutedQuery(Document):
    """What a bank of chain `home` signs for the hub of `chain`.

    `query` is the query's wire form, sealed to that hub and bound to everything else here.
    """

    TYPE: ClassVar[str] = "routed-query"

    id: Bytes16
    home: Name
    chain: Name
    bank: Id
    hub: Id
    issued: Time
    query: Annotated[
        Bytes, Field(min_length=sealed_size(QUERY_BYTES), max_length=sealed_size(QUERY_BYTES))
    ]


def route_query(
    query: bytes,
    *,
    request_id: bytes,
    home: str,
    chain: str,
    bank: SpiffeId,
    hub: SpiffeId,
    sealing: bytes,
    now: int,
) -> RoutedQuery:
    """A query (its wire form) for the hub of another chain, to be signed by the bank.

    `sealing` is that hub's envelope key. Raises EnvelopeError for a query over 64 KiB or a hub
    without such a key.
    """
    context = _context(request_id, home, chain, bank, hub, now)
    return RoutedQuery(
        id=request_id,
        home=home,
        chain=chain,
        bank=bank,
        hub=hub,
        issued=now,
        query=seal(EnvelopePublicKey(sealing), PURPOSE, context, query, QUERY_BYTES),
    )


def check_route(routed: RoutedQuery, home: str, bank: SpiffeId, now: int) -> None:
    """The home hub's check, before the bank's signature is looked at elsewhere.

    Raises Refusal(wrong_bank) when another bank than the caller is named, Refusal(wrong_chain)
    for another home and for a loop back to it, Refusal(expired).
    """
    if routed.bank != bank:
        raise Refusal(Reason.WRONG_BANK, "routed query names another bank")
    if routed.home != home or routed.chain == home:
        raise Refusal(Reason.WRONG_CHAIN, "routed query is not from this chain to another")
    _check_time(routed, now)


def open_routed(
    signed: Signed,
    signing: bytes,
    *,
    home: str,
    chain: str,
    bank: SpiffeId,
    hub: SpiffeId,
    key: EnvelopeKey,
    now: int,
) -> bytes:
    """The wire form of a query that `bank` of chain `home` sent to this `hub` of `chain`.

    `signing` is the guest's key. Raises SignatureInvalid, DocumentError, EnvelopeError;
    Refusal(wrong_chain) for another chain, also on the way to a third one: a hub answers for
    itself and passes nothing on; Refusal(wrong_bank), Refusal(wrong_audience), Refusal(expired).
    """
    routed = RoutedQuery.open_(signed, signing)
    if (routed.home, routed.chain) != (home, chain):
        raise Refusal(Reason.WRONG_CHAIN, f"routed query is from {routed.home} to {routed.chain}")
    if routed.bank != bank:
        raise Refusal(Reason.WRONG_BANK, "routed query names another bank")
    if routed.hub != hub:
        raise Refusal(Reason.WRONG_AUDIENCE, "routed query is for another hub")
    _check_time(routed, now)
    context = _context(routed.id, home, chain, bank, hub, routed.issued)
    return open_(key, PURPOSE, context, routed.query, QUERY_BYTES)


def _check_time(routed: RoutedQuery, now: int) -> None:
    if not routed.issued - CLOCK_SKEW <= now < routed.issued + ROUTED_SECONDS + CLOCK_SKEW:
        raise Refusal(Reason.EXPIRED, "routed query is outside its time")


def _context(
    request_id: bytes, home: str, chain: str, bank: SpiffeId, hub: SpiffeId, issued: int
) -> bytes:
    parts = (request_id, home.encode(), chain.encode(), str(bank).encode(), str(hub).encode())
    framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return framed + issued.to_bytes(8, "big")
