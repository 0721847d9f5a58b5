"""At home: vouching for a bank of the own chain, and handing on what it asks of another one.

Nothing of it is decided or kept here but the entry that says what was vouched for: the same
submission is handed on again under a new voucher, and the other regulator knows it by its content.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import Final, TypeVar

import structlog
from sqlalchemy import Connection

from federation.certificate import ModelCertificate, open_certificate
from federation.entries import Kind
from federation.errors import FederationError
from federation.exchange.regulator import open_submission
from federation.identity import SpiffeId
from federation.interchain.pin import Pin
from federation.interchain.voucher import Purpose, Voucher, seal_content, vouch, voucher_entry
from federation.membership import TrustRoot
from federation.signed import Signed
from federation.withdrawal import ModelWithdrawal, open_withdrawal
from node.regulator.errors import DeskBusy
from node.regulator.judging import MOST_OF_A_BANK
from node.regulator.membership import Regulator
from node.regulator.peers.history import Reach
from node.regulator.peers.pinning import trusted
from node.rpc.convert import signed_from_wire, signed_to_wire
from node.rpc.errors import RemoteFailure
from yinxin.v1 import peers_pb2, regulator_pb2

D = TypeVar("D", ModelCertificate, ModelWithdrawal)

_log = structlog.get_logger(__name__)

CERTIFY: Final = "/yinxin.v1.RegulatorPeers/Certify"
WITHDRAW: Final = "/yinxin.v1.RegulatorPeers/WithdrawModel"
CERTIFY_SECONDS: Final = 3600.0
"""As long as a bank waits for a decision: others may be judged first."""


@dataclass
class Forwarding:
    """Hands requests of the chain's own banks on to the regulators of trusted chains."""

    regulator: Regulator
    reach: Reach
    _of: Counter[SpiffeId] = field(default_factory=Counter)

    async def certify(
        self, bank: SpiffeId, sealed: bytes, chain: str
    ) -> AsyncGenerator[regulator_pb2.CertifyReply, None]:
        """What the regulator of `chain` replies to a sealed submission of `bank`.

        Raises DeskBusy when too many of the bank are on their way; EnvelopeError, DocumentError
        or Refusal(wrong_bank) as `open_submission`; Refusal(unknown_chain);
        Refusal(foreign_certificate) for a bank that is no member now; RemoteError that names the
        other regulator, also for a certificate that is not its own.
        """
        with self._waiting(bank):
            submission = open_submission(sealed, bank, self.regulator.identity.require_sealing())
            pin, request = await self._vouch(bank, chain, "certify", submission.payload())
            channel = await self.reach(chain)
            replies = channel.download(
                CERTIFY, request, regulator_pb2.CertifyReply, CERTIFY_SECONDS
            )
            async with aclosing(replies):
                async for reply in replies:
                    if reply.HasField("result") and reply.result.HasField("certificate"):
                        signed = signed_from_wire(reply.result.certificate)
                        certificate = _opened(open_certificate, signed, pin)
                        if (certificate.bank, certificate.model) != (bank, submission.id):
                            raise _wrong(pin, "the certificate is of another model")
                    yield reply

    async def withdraw(
        self, bank: SpiffeId, certificate: bytes, chain: str
    ) -> regulator_pb2.WithdrawReply:
        """What the regulator of `chain` replies to the withdrawal of a model of `bank`, by the
        payload hash of its certificate. Raises as `certify`.
        """
        pin, request = await self._vouch(bank, chain, "withdraw", certificate)
        channel = await self.reach(chain)
        reply = await channel.unary(WITHDRAW, request, regulator_pb2.WithdrawReply)
        withdrawal = _opened(open_withdrawal, signed_from_wire(reply.withdrawal), pin)
        if (withdrawal.bank, withdrawal.certificate) != (bank, certificate):
            raise _wrong(pin, "the withdrawal is of another model")
        return reply

    @contextmanager
    def _waiting(self, bank: SpiffeId) -> Iterator[None]:
        """As many of one bank at once as a desk takes of it: more would be refused elsewhere."""
        if self._of[bank] >= MOST_OF_A_BANK:
            raise DeskBusy(f"{self._of[bank]} submissions of {bank} are on their way; try later")
        self._of[bank] += 1
        try:
            yield
        finally:
            self._of[bank] -= 1
            if not self._of[bank]:
                del self._of[bank]

    async def _vouch(
        self, bank: SpiffeId, chain: str, purpose: Purpose, content: bytes
    ) -> tuple[Pin, peers_pb2.VouchedRequest]:
        """A voucher, durable in the log before it leaves, with its sealed content."""
        regulator, now = self.regulator, self.regulator.clock.now()
        names = regulator.config.affiliates.of(bank) - {str(bank)}

        def unit(connection: Connection) -> tuple[Pin, Voucher]:
            pin = trusted(regulator, connection, chain)
            members = regulator.chain.members(connection, now)
            voucher = vouch(
                voucher_id=secrets.token_bytes(16),
                root=regulator.identity.root,
                pin=pin,
                credential=members.credential(bank),
                purpose=purpose,
                content=content,
                affiliates=[SpiffeId.parse(name) for name in names],
                now=now,
            )
            regulator.append(connection, Kind.VOUCHED, voucher_entry(voucher, now))
            return pin, voucher

        pin, voucher = await regulator.store.run(unit)
        return pin, peers_pb2.VouchedRequest(
            voucher=signed_to_wire(voucher.sign(regulator.identity.signing)),
            sealed=seal_content(voucher, content, pin),
        )


def _opened(open_: Callable[[Signed, TrustRoot], D], signed: Signed, pin: Pin) -> D:
    """A document of the other chain's regulator. Raises RemoteFailure for anybody else's."""
    try:
        return open_(signed, pin.trust().root())
    except FederationError as error:
        raise _wrong(pin, getattr(error, "detail", "") or str(error)) from error


def _wrong(pin: Pin, problem: str) -> RemoteFailure:
    _log.warning("a peer chain's regulator answered wrongly", chain=pin.peer, problem=problem)
    return RemoteFailure(pin.trust().yinxin_regulator)
