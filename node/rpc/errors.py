"""The one mapping between this project's errors and gRPC statuses, in both directions.

A handler raises          → status               details              the client raises
Refusal closed, not_open  → FAILED_PRECONDITION  "closed"/"not open"  RemoteClosed
other Refusal, bad
  signature or envelope   → PERMISSION_DENIED    "refused"            RemoteRefusal
DocumentError,
  IdentityError,
  unreadable message,
  ScoringError, ChunkError            → INVALID_ARGUMENT     "malformed request"  RemoteInvalid
StorageUnavailable, Busy,
  Unwitnessed             → UNAVAILABLE          "unavailable"        PartyUnavailable (this node)
PartyUnavailable          → UNAVAILABLE          "unavailable"        PartyUnavailable (that party)
RemoteRefusal,
  RemoteClosed            → as at that party, with its reference and name
anything else             → INTERNAL             "internal error"     RemoteFailure

The other side learns no reason: the reference, random and without meaning, stands in this node's
own log beside the reason, and is what two operators talk about. Deadlines and broken connections
are the unavailability of the party called.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from federation.errors import DocumentError, FederationError, IdentityError, Reason, Refusal
from federation.identity import Role, SpiffeId
from node.errors import Busy, NodeError, StorageUnavailable, Unwitnessed
from scoring.errors import ScoringError

REFERENCE_KEY = "yinxin-reference"
PARTY_KEY = "yinxin-party"
REFERENCE_BYTES = 8

_OWN_LIBRARY = "Internal error from Core"
"""What gRPC puts in the place of a status that it could not receive."""

_CLOSED = {Reason.CLOSED: "closed", Reason.NOT_OPEN: "not open"}


class RemoteError(NodeError):
    """A call to another node failed. `party` is the node that failed, as far as it is known.

    `reference` finds the entry in that node's log; empty when it gave none. `chain` is set by who
    called about a peer chain, whose name it is.
    """

    chain = ""

    def __init__(self, party: SpiffeId, what: str, reference: str = "") -> None:
        self.party = party
        self.reference = reference
        suffix = f" (reference {reference})" if reference else ""
        super().__init__(f"{party} {what}{suffix}")

    def __str__(self) -> str:
        said = super().__str__()
        return f"chain {self.chain}: {said}" if self.chain else said


class RemoteRefusal(RemoteError):
    """The party refused; it tells nobody why. Its operator can look the reference up."""

    def __init__(self, party: SpiffeId, reference: str = "") -> None:
        super().__init__(party, "refused", reference)


class RemoteClosed(RemoteError):
    """The epoch asked about is over at the party, or not open yet (`state` says which)."""

    def __init__(self, party: SpiffeId, state: str = "closed", reference: str = "") -> None:
        self.state = state
        super().__init__(party, f"answers that the epoch is {state}", reference)


class RemoteInvalid(RemoteError):
    """The party could not read the request, or it or the answer exceeds a size limit."""

    def __init__(self, party: SpiffeId, reference: str = "") -> None:
        super().__init__(party, "found the request malformed or too large", reference)


class RemoteFailure(RemoteError):
    """The party had an internal error, or answered what no node of this version answers."""

    def __init__(self, party: SpiffeId, reference: str = "") -> None:
        super().__init__(party, "had an internal error", reference)


class PartyUnavailable(RemoteError):
    """The party cannot be reached, did not answer in time, or cannot work now. Try again later."""

    def __init__(self, party: SpiffeId, reference: str = "") -> None:
        super().__init__(party, "is unavailable", reference)


class MalformedMessage(NodeError):
    """A received message is not the protobuf message that the method takes."""


class ChunkError(NodeError):
    """A chunked transfer breaks its own announcement or a limit."""


@dataclass(frozen=True)
class Failure:
    """How one error is told: `reason` is for the own log and metrics, the rest for the client."""

    code: grpc.StatusCode
    details: str
    reason: str
    reference: str
    party: SpiffeId | None = None

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Trailing metadata of the status."""
        found = [(REFERENCE_KEY, self.reference)]
        if self.party is not None:
            found.append((PARTY_KEY, str(self.party)))
        return tuple(found)


FailureObserver = Callable[[str, Failure, Exception], Awaitable[None]]
"""Awaited with method, failure and the error itself, before the client hears of it."""


def failure_of(error: Exception, own: SpiffeId) -> Failure:
    """The failure that a handler's `error` becomes at node `own`."""
    code = grpc.StatusCode
    reference = secrets.token_hex(REFERENCE_BYTES)
    match error:
        case Refusal() if error.reason in _CLOSED:
            details = _CLOSED[error.reason]
            return Failure(code.FAILED_PRECONDITION, details, error.reason.value, reference)
        case Refusal():
            return Failure(code.PERMISSION_DENIED, "refused", error.reason.value, reference)
        case DocumentError() | IdentityError() | MalformedMessage() | ChunkError():
            return Failure(code.INVALID_ARGUMENT, "malformed request", "malformed", reference)
        case FederationError():
            return Failure(code.PERMISSION_DENIED, "refused", "unverified", reference)
        case ScoringError():
            # What a caller sent made no sense; the text may quote a model, so nobody gets it.
            return Failure(code.INVALID_ARGUMENT, "malformed request", "malformed", reference)
        case StorageUnavailable():
            return Failure(code.UNAVAILABLE, "unavailable", "storage", reference, own)
        case Unwitnessed():
            return Failure(code.UNAVAILABLE, "unavailable", "unwitnessed", reference, own)
        case Busy():
            return Failure(code.UNAVAILABLE, "unavailable", "busy", reference, own)
        case RemoteError():
            return _relayed(error, error.reference or reference)
    return Failure(code.INTERNAL, "internal error", "internal", reference)


def _relayed(error: RemoteError, reference: str) -> Failure:
    code = grpc.StatusCode
    match error:
        case PartyUnavailable():
            return Failure(code.UNAVAILABLE, "unavailable", "party", reference, error.party)
        case RemoteClosed():
            state = error.state
            return Failure(code.FAILED_PRECONDITION, state, "party", reference, error.party)
        case RemoteRefusal():
            return Failure(code.PERMISSION_DENIED, "refused", "party", reference, error.party)
    # What the other node could not read was this node's message: a fault of ours, not the client's.
    return Failure(code.INTERNAL, "internal error", "party", reference, error.party)


def error_of(error: grpc.aio.AioRpcError, called: SpiffeId) -> RemoteError:
    """The typed error of a failed call to `called`."""
    reference, party = _trailers(error, called)
    details = error.details() or ""
    code = grpc.StatusCode
    match error.code():
        case code.PERMISSION_DENIED | code.UNAUTHENTICATED:
            return RemoteRefusal(party, reference)
        case code.FAILED_PRECONDITION if details in _CLOSED.values():
            return RemoteClosed(party, details, reference)
        case code.INVALID_ARGUMENT:
            return RemoteInvalid(party, reference)
        case code.RESOURCE_EXHAUSTED if "larger than max" in details:
            return RemoteInvalid(party, reference)
        case code.UNAVAILABLE | code.DEADLINE_EXCEEDED | code.CANCELLED | code.RESOURCE_EXHAUSTED:
            return PartyUnavailable(party, reference)
        case code.INTERNAL if details == _OWN_LIBRARY:
            # The connection or the call ended under a write; what ended it, gRPC does not tell.
            return PartyUnavailable(party, reference)
    return RemoteFailure(party, reference)


def _trailers(error: grpc.aio.AioRpcError, called: SpiffeId) -> tuple[str, SpiffeId]:
    """Reference and party of a status. They come from the other side: taken only if well-formed.

    A holder relays for nobody, so that one that fails cannot put the blame on another.
    """
    reference, party = "", called
    trailers: Iterable[Any] = error.trailing_metadata() or ()
    for key, value in trailers:
        if not isinstance(value, str):
            continue
        if key == REFERENCE_KEY and len(value) == 2 * REFERENCE_BYTES and value.isalnum():
            reference = value
        if key == PARTY_KEY and called.role is not Role.HOLDER:
            try:
                party = SpiffeId.parse(value)
            except IdentityError:
                continue
    return reference, party
