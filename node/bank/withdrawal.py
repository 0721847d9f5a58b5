"""Withdrawing a model: the regulator signs it, and from then on nobody answers under it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from federation.entries import Kind
from federation.errors import FederationError
from federation.withdrawal import ModelWithdrawal, open_withdrawal, withdrawal_entry
from node.bank.administration import AGENT, record_action
from node.bank.agent import Agent
from node.bank.certified import wrong
from node.bank.records import Model
from node.rpc.convert import signed_from_wire
from yinxin.v1 import regulator_pb2

WITHDRAW = "/yinxin.v1.Regulator/WithdrawModel"


@dataclass(frozen=True)
class Withdrawn:
    """A withdrawal; until it is `delivered` to the hub, the model counts as valid there."""

    withdrawal: ModelWithdrawal
    delivered: bool


class Withdrawal:
    """Has models withdrawn."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    async def withdraw(self, model: Model, by: str = AGENT) -> Withdrawn:
        """The withdrawal of a model; the same again tells whether the hub has it by now.

        `by` is the account that asks, for the log. Raises RemoteError, and BankError for an answer
        that is no withdrawal of this model.
        """
        agent = self._agent
        view = await agent.chains.view(model.chain)
        request = regulator_pb2.WithdrawRequest(certificate_hash=model.hash, chain=view.scope)
        reply = await agent.regulator.unary(WITHDRAW, request, regulator_pb2.WithdrawReply)
        signed = signed_from_wire(reply.withdrawal)
        try:
            withdrawal = open_withdrawal(signed, view.root)
        except FederationError as error:
            raise wrong(f"the withdrawal does not verify ({error})") from error
        if (withdrawal.certificate, withdrawal.bank) != (model.hash, agent.id):
            raise wrong("the withdrawal is of another model")

        def unit(connection: Connection) -> None:
            if view.chain.put_withdrawal(connection, signed) is None:
                return
            recorded = withdrawal_entry(withdrawal, agent.now())
            agent.runtime.append(connection, Kind.WITHDRAWN, recorded)
            record_action(agent.runtime, connection, "withdraw", by, document=model.hash)

        await agent.write(unit)
        return Withdrawn(withdrawal, reply.delivered)
