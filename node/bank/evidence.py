"""Evidence of a query, put together so that anyone with the trust root can verify it.

The plain form names no subject and tells no score: it shows that what was asked was permitted and
answered. The full form adds the bank's own part: the subject, the consent, and the record as the
bank states it (`node.bank.verification`); it is as secret as they are.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from federation.canonical import unb64
from federation.identity import SpiffeId
from federation.signed import Signed
from node.bank.agent import Agent
from node.bank.chains import ChainView
from node.bank.documents import logged_value, signed_value
from node.bank.errors import BankError, Rejected
from node.bank.joint import Joint
from node.bank.ledger import State
from node.bank.queries import Queries
from node.bank.texts import Code
from node.bank.verification import FORMAT
from node.bank.verifying import JOINT_FORMAT
from node.chain.store import CERTIFICATE, DESCRIPTOR, MANIFEST, OPENING


class EvidenceFiles:
    """Exports the evidence of answered queries."""

    def __init__(self, agent: Agent, queries: Queries, joint: Joint) -> None:
        self._agent = agent
        self._queries = queries
        self._joint = joint

    async def of(self, identifier: bytes, *, full: bool = False) -> dict[str, Any]:
        """The evidence of a query, or of a question to several chains, whichever has that id."""
        if await self._joint.knows(identifier):
            return await self.export_joint(identifier, full=full)
        return await self.export(identifier, full=full)

    async def export(self, identifier: bytes, *, full: bool = False) -> dict[str, Any]:
        """The evidence of a query; `full` adds subject, scalars and record.

        Raises BankError for a query that is unknown or has no answer, Rejected.
        """
        row = await self._queries.row(identifier)
        if row.state is State.REJECTED:
            raise Rejected("query", row.content["party"], row.content["problem"])
        if row.state is not State.ANSWERED:
            raise BankError(Code.QUERY_OPEN, "query")
        kept = row.content["evidence"]
        view = await self._agent.view_of(unb64(kept["open"]["certificate"]))
        value = await self._agent.read(lambda c: self._chain_part(c, view, kept))
        value |= {name: kept[name] for name in ("permits", "answers", "tables", "bucket", "time")}
        if full:
            record = row.content["result"]["record"]
            value["opening"] = {"open": kept["open"], "word": kept["word"], "record": record}
        return value

    async def export_joint(self, identifier: bytes, *, full: bool = False) -> dict[str, Any]:
        """The evidence of a question to several chains: that of each chain's query, by chain, and
        which chains are missing.
        """
        result = await self._joint.result(identifier)
        evidence = {
            record["chain"]: await self.export(bytes.fromhex(record["id"]), full=full)
            for record in result["records"]
        }
        found = {name: result[name] for name in ("partial", "missing", "not_enrolled")}
        if result["partial"]:
            found["notice"] = result["notice"]
        return {"format": JOINT_FORMAT, **found, "evidence": evidence}

    def _chain_part(
        self, connection: Connection, view: ChainView, kept: dict[str, Any]
    ) -> dict[str, Any]:
        """Members, certificate, epoch and keys: what the chain's documents say."""
        agent, chain = self._agent, view.chain
        number, time = kept["open"]["epoch"], kept["time"]
        members = view.members_at(connection, time)
        certificate = next(
            signed
            for signed in chain.documents(connection, CERTIFICATE)
            if signed.payload_hash == unb64(kept["open"]["certificate"])
        )
        model = chain.certified(connection, certificate.payload_hash)
        opened = chain.epoch(connection, number, time)
        if model is None or opened is None:
            raise BankError(Code.QUERY_UNKNOWN, "query")
        # Of then: a model may be withdrawn since, and what it answered stays evidence.
        model.require_members(members)
        concerned = {members.hub.id, model.bank, *model.holders}
        concerned |= set(opened.manifests)
        credentials = [c for c in members.credentials() if _subject(c) in concerned]
        named = {manifest.hash for manifest in opened.manifests.values()}
        manifests = [
            signed
            for signed in chain.documents(connection, MANIFEST, number)
            if signed.payload_hash in named
        ]
        (descriptor,) = chain.documents(connection, DESCRIPTOR, number)
        (opening,) = chain.documents(connection, OPENING, number)
        statements = agent.records.statements(connection, unb64(kept["open"]["ctx"]))
        return {
            "format": FORMAT,
            "chain": view.name,
            **view.guest_at(connection, time),
            "members": [signed_value(credential) for credential in credentials],
            "certificate": signed_value(certificate),
            "epoch": {
                "descriptor": signed_value(descriptor),
                "manifests": [signed_value(manifest) for manifest in manifests],
                "opening": signed_value(opening),
            },
            "keys": [logged_value(statements[str(holder)]) for holder in model.holders],
        }


def _subject(credential: Signed) -> SpiffeId:
    """Whom a credential is of; verified when it was kept."""
    from federation.membership import Member

    return Member.parse(credential.payload).id
