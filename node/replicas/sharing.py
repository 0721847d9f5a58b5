"""What the processes of one node have in common, and how each names what it has."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Final

from federation.identity import Role
from node.config import NodeConfig
from node.errors import SecretFileError
from node.identity import NodeIdentity
from node.keys import read_secret, write_secret

REPLICATED: Final = frozenset({Role.HUB, Role.HOLDER})
"""Roles of which several processes may serve."""
FOLDER_ID: Final = "node.id"

SHARED: Final = (
    "name",
    "data_dir",
    "key_encryption_key",
    "signing_key",
    "agreement_key",
    "sealing_key",
    "tlog.advertise",
    "tlog.permit_policy",
)
"""By the keys of the configuration; the order is part of the locks' numbers."""


def shared_by_replicas(config: NodeConfig, identity: NodeIdentity) -> dict[str, bytes]:
    """What this process has of what replicas share; public, or a tag that tells nothing."""
    member, tlog = identity.member, config.tlog
    found = {
        "name": str(identity.id).encode(),
        "key_encryption_key": identity.storage.tag(b"replicas", b""),
        "signing_key": member.signing,
        "agreement_key": member.agreement,
        "sealing_key": member.sealing,
        "tlog.permit_policy": str(getattr(tlog, "permit_policy", "")).encode(),
    }
    if config.role is Role.HOLDER:
        found["data_dir"] = _folder_id(config.data_dir)
    address = tlog.advertise or tlog.listen
    # At port 0 every process has another address, so that no two can be one node.
    unique = address if not address.endswith(":0") else secrets.token_hex(16)
    found["tlog.advertise"] = unique.encode()
    return found


def _folder_id(folder: Path) -> bytes:
    """The name that a folder was given when it was first used."""
    path = folder / FOLDER_ID
    try:
        write_secret(path, secrets.token_hex(16).encode())
    except SecretFileError:
        if not path.exists():
            raise
    return read_secret(path)
