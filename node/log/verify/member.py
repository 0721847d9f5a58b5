"""The verifier as a member of the chain: whose members it knows and whose TLS identity it has."""

from __future__ import annotations

import tomllib
from pathlib import Path

from federation.errors import FederationError
from federation.membership import Member, Members
from federation.signed import Signed
from node.config import NodeConfig, load
from node.enrolment.home import CONFIGS
from node.errors import NodeError
from node.log.verify.source import VerifyError
from node.rpc.tls import TlsFiles
from node.runtime import Runtime, running


def member_config(path: Path) -> NodeConfig:
    """The configuration of a member of whatever role: its credential names the role.

    Raises VerifyError, or ConfigError with every problem of it.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        credential = path.absolute().parent / str(document["credential"])
        payload = Signed.from_json(credential.read_bytes()).payload
        role = Member.parse(payload).id.role
        return load(CONFIGS[role], path)
    except (OSError, KeyError, ValueError, FederationError) as error:
        raise VerifyError(
            f"--config {path}: is no configuration of a member that has joined ({error})"
        ) from error


def tls_of(config: NodeConfig) -> TlsFiles:
    """The TLS identity that a configuration names."""
    return TlsFiles(config.tls.certificate, config.tls.key, config.tls.ca)


async def known_members(config: NodeConfig, at: int | None = None) -> Members:
    """The members of the chain as this member's node knows them, at a time (now if None)."""
    async with running(config) as node:
        return await members_at(node, at)


async def members_at(node: Runtime[NodeConfig], at: int | None = None) -> Members:
    """The members that a node knows at a time (now if None)."""
    moment = node.clock.now() if at is None else at
    members = await node.store.read(lambda connection: node.chain.members(connection, moment))
    if not any(True for _ in members.credentials()):
        raise NodeError("this node knows no members yet; start it, or give --trust-root, --members")
    return members
