"""What a log's owner had this regulator cosign, against what it serves to it.

The regulator is a witness, too. A log that is served with another history than the one that was
submitted for its cosignature, by whichever caller, is a second view, and both notes prove it.
"""

from __future__ import annotations

from sqlalchemy import Connection

from federation.audit.findings import FindingKind
from federation.identity import SpiffeId
from federation.tlog.checkpoint import Checkpoint, origin_of
from federation.tlog.witness import Seen
from node.log.witnessing import last_seen
from node.regulator.mirror.history import ServedTree
from node.regulator.mirror.suspicion import Suspicion


def cosigned_here(connection: Connection, member: SpiffeId) -> Seen | None:
    """The largest tree of the member's log that this node cosigned."""
    return last_seen(connection, origin_of(member))


async def check_witnessed(
    seen: Seen | None, tree: ServedTree, served: Checkpoint, raw: bytes
) -> None:
    """Raises Suspicion unless the served tree begins with the one that was cosigned.

    A tree that is larger than the served one says nothing yet: what is served needs a quorum.
    """
    if seen is None or seen.size > served.size or await tree.extends(seen.size, seen.root):
        return
    if fault := await tree.fault():
        raise Suspicion(FindingKind.LOG_BROKEN, fault, "does not lead to the checkpoint", raw)
    where = f"checkpoint of size {served.size}"
    problem = f"the log that was cosigned with {seen.size} entries is another one"
    raise Suspicion(FindingKind.LOG_FORK, where, problem, seen.note, raw)
