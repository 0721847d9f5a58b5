"""The processes that are one node: one where its state is in SQLite, several on PostgreSQL.

All of them answer. What a node does by itself and only once is the work of the one that leads:
publishing checkpoints, and a holder's pads ahead of their use. Leading is a lock of PostgreSQL that
ends with the process, so that another one leads a moment later. Nothing is wrong while two believe
that they lead: what they write is decided under the writers' lock. They would only ask each witness
twice, and one with a checkpoint that is older than what the witness has seen.

Replicas are one node only where they share what the node is: keys, the address of its log, its
policy, a holder's `data_dir`. Each holds a shared lock on what it has of these; a process that has
something else does not serve. Banks and regulators keep work in memory and are one process each.
"""

from __future__ import annotations

from pathlib import Path

from node.config import NodeConfig
from node.identity import NodeIdentity
from node.replicas.processes import NotShared, Processes
from node.replicas.several import Replicas
from node.replicas.sharing import REPLICATED, shared_by_replicas
from node.replicas.sole import SoleProcess
from node.storage.session import LockSession
from node.storage.store import Store

__all__ = ["NotShared", "Processes", "Replicas", "SoleProcess", "processes_of"]


def processes_of(config: NodeConfig, identity: NodeIdentity, store: Store) -> Processes:
    """The processes of the node whose state is in `store`; joined to none yet.

    Raises SecretFileError when the name of a holder's `data_dir` can be neither read nor written.
    """
    if store.engine.dialect.name == "sqlite":
        return SoleProcess(Path(str(store.engine.url.database)))
    replicated = config.role in REPLICATED
    shared = shared_by_replicas(config, identity) if replicated else {}
    return Replicas(LockSession(store.engine), shared, sole=not replicated)
