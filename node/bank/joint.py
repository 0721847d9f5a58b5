"""One question about one firm to several chains: one record a chain, or an error that names who is
missing.

Under one key and one consent each chain is asked an ordinary query. Before any is sent, everything
that the bank can see by itself is looked at for all of them, so that a question that cannot be
answered whole costs no use anywhere. A chain that is away or refuses is named; what the others
answered is kept, and the same key asks again only the rest. A partial result is given to who asks
for one, says so itself, and is replaced by the whole one when the same key is asked again later.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from weakref import WeakValueDictionary

from sqlalchemy import Connection, insert, select, update

from federation.errors import FederationError
from node.bank.agent import Agent
from node.bank.asked import Asked, AskedKind
from node.bank.asking import Ask, purpose_of, read_consent
from node.bank.chosen import Choice, Chosen
from node.bank.errors import BankError, JointIncomplete
from node.bank.ledger import ID_BYTES
from node.bank.problems import Problem, problem_of
from node.bank.queries import Queries
from node.bank.results import Answer
from node.bank.sideways import joint_result
from node.bank.tables import bank_joint
from node.bank.targets import Target
from node.bank.texts import Code
from node.errors import NodeError
from scoring.errors import ScoringError

_OPEN, _DONE = "open", "answered"
_FAILURES: Final = (NodeError, FederationError, ScoringError)


@dataclass(frozen=True)
class JointRow:
    """A question to several chains as it is kept. `content` has the plan, and the result there is:
    the last one of a question that is not settled yet.
    """

    id: bytes
    body: bytes
    settled: bool
    content: dict[str, Any] = field(repr=False)


class Joint:
    """Asks several chains, and keeps what they answered."""

    def __init__(self, agent: Agent, queries: Queries) -> None:
        self._agent = agent
        self._queries = queries
        self._choice = Choice(agent, queries.targets)
        self._key = agent.runtime.identity.storage
        self._locks: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()

    async def ask(self, ask: Ask, key: str, *, anew: bool = True) -> dict[str, Any]:
        """The result document of a question (`ask.joint`) under a key; `anew` as in `Queries.ask`.

        Raises JointIncomplete naming the chains without a result unless `ask.partial`, and
        BankError for a question that no chain can be asked.
        """
        # Who could not have the whole may ask for a part under the same key, at no further use.
        whole = replace(ask, partial=False).to_json()
        body, tag = self._key.tag(b"bank/joint-body", whole), self._tag(key)
        async with self._locks.setdefault(tag, asyncio.Lock()):
            row = await self._agent.read(lambda c: self._one(c, bank_joint.c.key == tag))
            if row is not None and row.body != body:
                raise BankError(Code.KEY_REUSED, "Idempotency-Key")
            if row is not None and row.settled:
                return self._result(row)
            if row is None:
                chosen = await self._choice.of(ask)
                if chosen.missing and not (ask.partial and chosen.targets):
                    raise JointIncomplete(chosen.missing)
                row = await self._begin(tag, body, ask, chosen)
                if row.body != body:
                    raise BankError(Code.KEY_REUSED, "Idempotency-Key")
            return await self._all(row, ask, await self._planned(row, ask), anew=anew)

    async def result(self, identifier: bytes) -> dict[str, Any]:
        """A kept result. Raises BankError for one that is unknown, or not there yet."""
        row = await self._agent.read(lambda c: self._one(c, bank_joint.c.id == identifier))
        if row is None:
            raise BankError(Code.QUERY_UNKNOWN, "query")
        return self._result(row)

    def some(
        self, connection: Connection, identifiers: Sequence[bytes]
    ) -> dict[bytes, dict[str, Any]]:
        """The results of the questions with these ids, a page of them, that have one."""
        rows = connection.execute(select(bank_joint).where(bank_joint.c.id.in_(identifiers)))
        found = map(self._opened, rows)
        return {row.id: row.content["result"] for row in found if "result" in row.content}

    async def knows(self, identifier: bytes) -> bool:
        """Whether a question has that id."""
        row = await self._agent.read(lambda c: self._one(c, bank_joint.c.id == identifier))
        return row is not None

    def kept(self, connection: Connection, key: str) -> dict[str, Any] | None:
        """The result that is kept under a key, a partial one too."""
        row = self._one(connection, bank_joint.c.key == self._tag(key))
        return None if row is None else row.content.get("result")

    async def _planned(self, row: JointRow, ask: Ask) -> Chosen:
        """What was chosen when the question was first asked: a chain that has answered since is
        not asked under another model. Those that were missing then are looked at again.
        """
        plan = row.content["plan"]
        targets = {name: await self._target(name, model) for name, model in plan["models"].items()}
        if not plan["missing"]:
            return Chosen(targets, {}, tuple(plan["not_enrolled"]))
        try:
            late = await self._choice.of(replace(ask, chains=tuple(plan["missing"])))
        except BankError as error:
            missing = dict.fromkeys(plan["missing"], problem_of(error))
            return Chosen(targets, missing, tuple(plan["not_enrolled"]))
        not_enrolled = (*plan["not_enrolled"], *late.not_enrolled)
        return Chosen({**targets, **late.targets}, late.missing, not_enrolled)

    async def _target(self, name: str, model: str) -> Target:
        view = await self._agent.chains.view(name)
        return Target(view, await self._agent.model_of(bytes.fromhex(model)))

    async def _all(self, row: JointRow, ask: Ask, chosen: Chosen, *, anew: bool) -> dict[str, Any]:
        """Asks every chain that was chosen, all at the same time."""
        calls = {
            name: self._chain(row, ask, name, target.model.hash, anew=anew)
            for name, target in chosen.targets.items()
        }
        found = dict(zip(calls, await asyncio.gather(*calls.values()), strict=True))
        answers = {name: one for name, one in found.items() if isinstance(one, Answer)}
        missing = dict(chosen.missing)
        missing |= {name: one for name, one in found.items() if isinstance(one, Problem)}
        if missing and (not ask.partial or not answers):
            raise JointIncomplete(missing)
        cards = {name: target.model.scorecard for name, target in chosen.targets.items()}
        result = joint_result(row.id, ask, answers, cards, missing, chosen.not_enrolled)
        await self._keep(row, chosen, result, settled=not missing)
        return result

    async def _chain(
        self, row: JointRow, ask: Ask, name: str, model: bytes, *, anew: bool
    ) -> Answer | Problem:
        """One chain's answer, or what was the matter there."""
        one = Ask(ask.consent, ask.purpose, ask.officer, ask.reference, model.hex())
        try:
            key = f"joint {row.id.hex()} {name}"
            return await self._queries.ask(one, key, anew=anew, part_of=row.id)
        except _FAILURES as error:
            return problem_of(error)

    async def _begin(self, tag: bytes, body: bytes, ask: Ask, chosen: Chosen) -> JointRow:
        identifier, now = secrets.token_bytes(ID_BYTES), self._agent.now()
        content = {"plan": _plan(chosen)}
        asked = self._asked(ask, chosen)

        def unit(connection: Connection) -> JointRow:
            kept = self._one(connection, bank_joint.c.key == tag)
            if kept is not None:
                return kept
            connection.execute(
                insert(bank_joint).values(
                    id=identifier,
                    key=tag,
                    body=body,
                    state=_OPEN,
                    created=now,
                    sealed=self._seal(identifier, content),
                )
            )
            self._queries.ledger.index.put(connection, identifier, asked, now)
            return JointRow(identifier, body, settled=False, content=content)

        return await self._agent.write(unit)

    def _asked(self, ask: Ask, chosen: Chosen) -> Asked:
        """By what the question is found. Each of the chains has read the consent."""
        index = self._queries.ledger.index
        targets = [chosen.targets[name] for name in sorted(chosen.targets)]
        consent = read_consent(ask.consent, targets[0].view.root, self._agent.now())
        return Asked(
            kind=AskedKind.JOINT,
            officer=index.officer(ask.officer),
            reference=ask.reference,
            purpose=purpose_of(ask.purpose),
            chain=", ".join(sorted({*chosen.targets, *chosen.missing})),
            model=", ".join(sorted({target.model.name for target in targets})),
            epoch=None,
            firm=index.firm(ask.officer, consent.uscc),
            consent=index.consent(ask.consent),
        )

    async def _keep(
        self, row: JointRow, chosen: Chosen, result: Mapping[str, Any], *, settled: bool
    ) -> None:
        content = {"plan": _plan(chosen), "result": result}
        values = {
            "state": _DONE if settled else _OPEN,
            "sealed": self._seal(row.id, content),
        }

        def unit(connection: Connection) -> None:
            changed = connection.execute(
                update(bank_joint)
                .where(bank_joint.c.id == row.id, bank_joint.c.state == _OPEN)
                .values(**values)
            )
            if changed.rowcount == 1:
                # A partial result is a result: that it is partial is shown beside it.
                self._queries.ledger.index.settle(connection, row.id, _DONE)

        await self._agent.write(unit)

    def _result(self, row: JointRow) -> dict[str, Any]:
        if "result" not in row.content:
            raise BankError(Code.QUERY_OPEN, "query")
        result: dict[str, Any] = row.content["result"]
        return result

    def _one(self, connection: Connection, condition: Any) -> JointRow | None:
        row = connection.execute(select(bank_joint).where(condition)).one_or_none()
        return None if row is None else self._opened(row)

    def _opened(self, row: Any) -> JointRow:
        identifier = bytes(row.id)
        content = json.loads(self._key.open(bytes(row.sealed), _aad(identifier)))
        return JointRow(identifier, bytes(row.body), row.state == _DONE, content)

    def _tag(self, key: str) -> bytes:
        return self._key.tag(b"bank/joint-key", key.encode())

    def _seal(self, identifier: bytes, content: Mapping[str, Any]) -> bytes:
        raw = json.dumps(content, ensure_ascii=False).encode()
        return self._key.seal(raw, _aad(identifier))


def _plan(chosen: Chosen) -> dict[str, Any]:
    return {
        "models": {name: target.model.hash.hex() for name, target in chosen.targets.items()},
        "missing": sorted(chosen.missing),
        "not_enrolled": list(chosen.not_enrolled),
    }


def _aad(identifier: bytes) -> bytes:
    return b"yinxin/bank/joint/v1\x00" + identifier
