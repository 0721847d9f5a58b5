"""A bank's scorecard in another chain, over real connections between two regulators."""

from __future__ import annotations

import secrets
from contextlib import aclosing
from pathlib import Path

import pytest

from federation.certificate import open_certificate, read_certificate
from federation.entries import Kind
from federation.errors import FederationError
from federation.exchange.regulator import (
    KEY_PURPOSE,
    REPORT_PURPOSE,
    PolicyVerdict,
    Submission,
    open_at_bank,
    seal_submission,
)
from federation.identity import SpiffeId
from federation.policy import PolicyReport
from federation.withdrawal import open_withdrawal
from node.regulator.peers.history import PeerHistory
from node.rpc.chunks import Assembler
from node.rpc.client import Channel
from node.rpc.convert import signed_from_wire
from node.rpc.errors import RemoteRefusal
from scoring.scorecard import Scorecard
from support.small import small_scorecard
from tests.node.regulator.peers.world import Chain, entries, pin
from yinxin.v1 import regulator_pb2

CERTIFY = "/yinxin.v1.Regulator/Certify"
WITHDRAW = "/yinxin.v1.Regulator/WithdrawModel"
Answer = tuple[regulator_pb2.CertifyResult, dict[str, bytes]]


def submission(bank: SpiffeId, card: Scorecard) -> Submission:
    return Submission(
        id=secrets.token_bytes(16),
        bank=bank,
        form="sealed",
        scorecard=card.to_json(),
        disclosed=(),
        days=30,
    )


async def ask(channel: Channel, sealed: bytes, chain: str = "") -> Answer:
    request = regulator_pb2.CertifyRequest(submission=sealed, chain=chain)
    results, bundles = [], dict[str, Assembler]()
    stream = channel.download(CERTIFY, request, regulator_pb2.CertifyReply)
    async with aclosing(stream):
        async for reply in stream:
            if reply.HasField("result"):
                results.append(reply.result)
            elif reply.HasField("bundle"):
                assembler = bundles.setdefault(reply.bundle.holder, Assembler(1 << 26))
                assembler.add(reply.bundle.chunk)
    (result,) = results
    return result, {holder: bundle.finish() for holder, bundle in bundles.items()}


def one_more(card: Scorecard) -> Scorecard:
    """The scorecard with other points of one feature."""
    first, *rest = card.points
    turned = first.model_copy(update={"points": tuple(reversed(first.points))})
    return card.model_copy(update={"points": (turned, *rest)})


async def test_a_scorecard_is_certified_in_another_chain_and_counts_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    csj, zsj = Chain(tmp_path, "csj"), Chain(tmp_path, "zsj")
    async with csj.serving() as home, zsj.serving() as other, csj.channel(home) as channel:
        key = csj.identity(csj.bank).require_sealing()
        sealing = home.identity.require_sealing().public
        made = submission(csj.bank, small_scorecard("gamma", zsj.participants))
        sealed = seal_submission(made, sealing)
        with pytest.raises(RemoteRefusal):  # nobody is trusted by itself
            await ask(channel, sealed, "zsj")
        await pin(home, zsj)
        await pin(other, csj)
        result, bundles = await ask(channel, sealed, "zsj")

        # The certificate is of the other chain's regulator and of nobody else's.
        signed = signed_from_wire(result.certificate)
        members = await other.members()
        certificate = read_certificate(signed, members)
        assert (certificate.bank, certificate.chain, certificate.model) == (
            csj.bank,
            "zsj",
            made.id,
        )
        with pytest.raises(FederationError):
            open_certificate(signed, csj.root)
        with pytest.raises(FederationError):
            open_certificate(certificate.sign(home.identity.signing), zsj.root)
        for holder, bundle in bundles.items():
            certificate.require_material(SpiffeId.parse(holder), result.public_key, bundle)
        assert open_at_bank(KEY_PURPOSE, made.id, result.secret_key, key)

        # The same again is the same, under another voucher that both logs have.
        again, _ = await ask(channel, sealed, "zsj")
        assert again == result
        for regulator in (home, other):
            vouched = await entries(regulator, Kind.VOUCHED)
            assert len({str(e.body["document"]) for e in vouched}) == 2
        assert len(await entries(other, Kind.GUEST)) == 1
        assert len(await entries(other, Kind.CERTIFIED)) == 1
        asked = [e.body for e in await entries(other, Kind.HISTORY)]
        assert asked == [e.body for e in await entries(home, Kind.HISTORY)]

        # At home a scorecard that differs from it in one feature is refused for what it was told.
        near = submission(csj.bank, one_more(small_scorecard("gamma", csj.participants)))
        refused, _ = await ask(channel, seal_submission(near, sealing))
        assert not refused.HasField("certificate")
        raw = open_at_bank(REPORT_PURPOSE, near.id, refused.report, key)
        failures = PolicyReport.from_json(PolicyVerdict.parse(raw).report).failures
        assert "c" in {item.rule for item in failures}
        assert {i.about for i in failures if i.rule == "c"} == {(f"{csj.holders[0]} f0",)}

        # It is withdrawn by way of the bank's own regulator.
        withdrawing = regulator_pb2.WithdrawRequest(certificate_hash=certificate.hash, chain="zsj")
        reply = await channel.unary(WITHDRAW, withdrawing, regulator_pb2.WithdrawReply)
        withdrawal = open_withdrawal(signed_from_wire(reply.withdrawal), zsj.root)
        assert (withdrawal.certificate, withdrawal.by) == (certificate.hash, csj.bank)
        assert len(await entries(other, Kind.WITHDRAWN)) == 1

        # Without the shared history the same scorecard would be certified at home.
        monkeypatch.setattr(PeerHistory, "past", lambda *_: [])
        attack = submission(csj.bank, one_more(small_scorecard("gamma", csj.participants)))
        accepted, _ = await ask(channel, seal_submission(attack, sealing))
        assert accepted.HasField("certificate")
