"""Certifying for banks of peer chains, whose regulators vouch for them and hand everything on.

The scorecard goes over the same desk as those of the chain's own banks, with the same limits and
the same policy. What leaves is signed here, or sealed to the bank: who hands it on can only keep it
back. The guest credential is durable before the certificate leaves; the hub is told at once where
it is there, and else as soon as it is: until then it refuses the bank, which tries again.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from sqlalchemy import Connection

from federation.entries import Kind
from federation.errors import FederationError
from federation.interchain.voucher import (
    HASH_BYTES,
    Purpose,
    Vouched,
    open_content,
    read_voucher,
    voucher_entry,
)
from federation.signed import Signed
from node.errors import NodeError
from node.peers import home_chain
from node.regulator.certification import CertificationDesk
from node.regulator.decisions import Decision
from node.regulator.judging import Ahead
from node.regulator.membership import Regulator
from node.regulator.peers.guests import admit
from node.regulator.peers.pinning import trusted
from node.regulator.peers.told import use_voucher
from node.regulator.replies import stream_decision
from node.regulator.withdrawals import withdraw
from node.rpc.convert import exactly, signed_to_wire
from node.rpc.identity import peer
from yinxin.v1 import regulator_pb2

Tell = Callable[[], Awaitable[None]]
"""Tells the hub what it has not heard. Raises NodeError, FederationError."""


@dataclass
class VouchedDesk:
    """What the regulator does on the word of another one; the caller is `peer()`, of chain
    `home_chain()`. `tell` has one for guests and one for withdrawals.
    """

    regulator: Regulator
    desk: CertificationDesk
    tell: tuple[Tell, ...] = ()

    async def certify(
        self, voucher: Signed, sealed: bytes
    ) -> AsyncGenerator[regulator_pb2.CertifyReply, None]:
        """The decision about a scorecard, streamed. Raises as `read_voucher`, `open_content` and
        `CertificationDesk.certify_vouched`, and Refusal(conflict) for a voucher that was used.
        """
        vouched, content = await self._admit(voucher, sealed, "certify")
        replies = stream_decision(lambda ahead: self._decide(vouched, content, ahead))
        async with aclosing(replies):
            async for reply in replies:
                yield reply

    async def withdraw(self, voucher: Signed, sealed: bytes) -> regulator_pb2.WithdrawReply:
        """Withdraws a model of the bank that is vouched for. Raises as `certify` and `withdraw`."""
        vouched, content = await self._admit(voucher, sealed, "withdraw")
        digest = exactly(content, HASH_BYTES, "certificate_hash")
        signed = await withdraw(self.regulator, digest, vouched.voucher.bank)
        await self._tell()
        done = await self.regulator.store.read(self.regulator.chain.receipts)
        return regulator_pb2.WithdrawReply(
            withdrawal=signed_to_wire(signed), delivered=digest in done
        )

    async def history(self, request: Signed) -> bytes:
        """What was certified here for the banks that the request names, sealed to the caller."""
        return await self.desk.history.answer(request, home_chain())

    async def _admit(
        self, signed: Signed, sealed: bytes, purpose: Purpose
    ) -> tuple[Vouched, bytes]:
        """A voucher and its content, verified, marked as used and logged."""
        regulator, home = self.regulator, home_chain()
        now, root = regulator.clock.now(), regulator.identity.root
        pin = await regulator.store.read(lambda c: trusted(regulator, c, home))
        vouched = read_voucher(signed, pin, root, peer(), purpose, now)
        voucher = vouched.voucher
        content = open_content(voucher, sealed, regulator.identity.require_sealing())

        def unit(connection: Connection) -> None:
            use_voucher(connection, voucher, now)
            if purpose == "certify":
                group = (voucher.bank, *voucher.affiliates)
                self.desk.history.put_groups(connection, home, [voucher.bank], [group])
            regulator.append(connection, Kind.VOUCHED, voucher_entry(voucher, now))

        await regulator.store.run(unit)
        return vouched, content

    async def _decide(self, vouched: Vouched, content: bytes, ahead: Ahead) -> Decision:
        decision = await self.desk.certify_vouched(vouched, content, ahead)
        if decision.certificate is not None:
            # One that was decided before may be asked for with a newer credential.
            await self.regulator.store.run(lambda c: admit(self.regulator, c, vouched))
            await self._tell()
        return decision

    async def _tell(self) -> None:
        for tell in self.tell:
            with contextlib.suppress(NodeError, FederationError):  # it is tried again
                await tell()
