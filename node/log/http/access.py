"""Who may read what of a log: PROTOCOL section 6.

Hash tiles and checkpoints are for members of the chain, a bank's for its witnesses alone: their
number is the bank's volume. Entries, and what they name by hash, are for the regulator alone. Any
member may ask a witness for its cosignature: the checkpoint's own signature says whose log it is.
"""

from __future__ import annotations

from enum import Enum, auto

from federation.errors import Reason, Refusal
from federation.identity import Role, SpiffeId
from federation.membership import Members
from federation.tlog.checkpoint import WITNESS_ROLES


class Resource(Enum):
    """What of a log server is asked for."""

    HASHES = auto()
    ENTRIES = auto()
    COSIGNATURE = auto()


def require_reader(caller: SpiffeId, own: SpiffeId, members: Members, resource: Resource) -> None:
    """Raises Refusal(foreign_certificate) unless `caller` may ask `own`'s server for it."""
    members.require(caller, caller.role)
    if resource is Resource.ENTRIES:
        allowed = caller.role is Role.REGULATOR
    elif resource is Resource.HASHES:
        allowed = own.role is not Role.BANK or caller.role in WITNESS_ROLES or caller == own
    else:
        allowed = own.role in WITNESS_ROLES
    if not allowed:
        raise Refusal(Reason.FOREIGN_CERTIFICATE, f"{caller} may not read {resource.name.lower()}")
