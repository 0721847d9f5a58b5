"""History between regulators: who is asked, what stays, and two that judge at the same time."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from federation.certificate import ModelCertificate
from federation.entries import Kind
from federation.errors import Reason, Refusal, SignatureInvalid
from federation.exchange.regulator import Submission, seal_submission
from federation.identity import Role, SpiffeId
from federation.interchain.guest import open_guest
from federation.interchain.voucher import Vouched, read_voucher
from federation.policy import PolicyReport
from federation.signed import Signed
from node.chain.store import GUEST
from node.enrolment.home import read_request_file
from node.regulator import membership
from node.regulator.certification import CertificationDesk
from node.regulator.decisions import Decision
from node.regulator.development.ground import find_ground
from node.regulator.errors import DeskBusy
from node.regulator.judging import MOST_OF_A_BANK, Past
from node.regulator.membership import Regulator
from node.regulator.peers import history as asking
from node.regulator.peers.forwarding import Forwarding
from node.regulator.peers.guests import admit, check_affiliates
from node.regulator.peers.history import PeerHistory
from node.regulator.peers.pinning import withdraw_chain
from node.rpc.convert import signed_from_wire, signed_to_wire
from node.rpc.errors import PartyUnavailable, RemoteFailure
from scoring.scorecard import Scorecard
from support.small import small_scorecard
from tests.node.regulator.peers.test_across import one_more
from tests.node.regulator.peers.world import Chain, Wire, entries, pin
from yinxin.v1 import regulator_pb2

NAMES = ("csj", "jjj", "zsj")


@dataclass
class Network:
    """Chains that pinned each other, and their desks; policy is not applied but recorded."""

    chains: dict[str, Chain] = field(default_factory=dict)
    regulators: dict[str, Regulator] = field(default_factory=dict)
    desks: dict[str, CertificationDesk] = field(default_factory=dict)
    wire: Wire = field(default_factory=Wire)
    judged: list[tuple[str, list[Past]]] = field(default_factory=list)
    """Of each judgement, the chain and the history that it was made with."""

    async def certify(self, name: str, card: Scorecard, bank: SpiffeId | None = None) -> Decision:
        """A scorecard of the chain's own bank."""
        bank = bank or self.chains[name].bank
        sealing = self.regulators[name].identity.require_sealing().public
        return await self.desks[name].certify(bank, seal_submission(made(bank, card), sealing))

    async def certify_across(self, home: str, name: str, card: Scorecard) -> Decision:
        """A scorecard of the bank of `home`, in another chain."""
        submission = made(self.chains[home].bank, card)
        vouched = await self.vouched(home, name, submission)
        return await self.desks[name].certify_vouched(vouched, submission.payload())

    async def vouched(self, home: str, name: str, submission: Submission) -> Vouched:
        """What the other regulator has on the word of the one at home."""
        forwarding = Forwarding(self.regulators[home], self.wire.reach(self.chains[home]))
        pinned, request = await forwarding._vouch(
            submission.bank, name, "certify", submission.payload()
        )
        root, there = self.regulators[name].identity.root, self.regulators[name]
        now, caller = there.clock.now(), pinned.chain
        trusted = await there.store.read(lambda c: asking.trusted(there, c, caller))
        return read_voucher(
            signed_from_wire(request.voucher),
            trusted,
            root,
            self.chains[home].regulator,
            "certify",
            now,
        )

    def card(self, name: str) -> Scorecard:
        return small_scorecard("gamma", self.chains[name].participants)


def made(bank: SpiffeId, card: Scorecard) -> Submission:
    return Submission(
        id=secrets.token_bytes(16),
        bank=bank,
        form="open",  # no lattice work
        scorecard=card.to_json(),
        disclosed=(),
        days=30,
    )


@asynccontextmanager
async def network(folder: Path, *names: str, **groups: str) -> AsyncIterator[Network]:
    found = Network()
    async with AsyncExitStack() as stack:
        for name in names:
            chain = found.chains[name] = Chain(folder, name, groups.get(name, "[]"))
            regulator = await stack.enter_async_context(chain.running())
            regulator.pool.run = _inline  # type: ignore[method-assign,assignment]
            found.regulators[name] = regulator
            desk = found.desks[name] = found.wire.add(chain, regulator)
            desk.worker.judge = judging(found, name)  # type: ignore[method-assign]
        for name, regulator in found.regulators.items():
            for peer in names:
                if peer != name:
                    await pin(regulator, found.chains[peer])
        yield found
        await found.wire.stop()


async def _inline(job: Callable[..., Any], *arguments: Any) -> Any:
    """What a worker would do, without starting one."""
    return job(*arguments)


def judging(found: Network, name: str) -> Callable[..., Any]:
    async def judge(card: Scorecard, catalogue: Any, past: list[Past]) -> PolicyReport:
        found.judged.append((name, list(past)))
        await asyncio.sleep(0.05)
        # Any history of the bank fails: what was told is what these tests look at.
        return PASSED if not past else FAILED

    return judge


def _report(passed: bool) -> PolicyReport:
    item = {
        "rule": "c",
        "field": "*",
        "figure": 0,
        "limit": 0,
        "passed": passed,
        "text": {"zh": "甲", "en": "a"},
    }
    return PolicyReport.build({"items": [item]})


PASSED, FAILED = _report(passed=True), _report(passed=False)


async def test_what_a_chain_told_stays_in_use_when_it_is_silent_or_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with network(tmp_path, "csj", "zsj") as found:
        home, zsj = found.regulators["csj"], found.chains["zsj"]
        assert (await found.certify_across("csj", "zsj", found.card("zsj"))).certificate
        await found.certify("csj", found.card("csj"))
        assert [(p.chain, p.valid) for p in found.judged[-1][1]] == [("zsj", True)]

        # What it leaves out later, it does not take back.
        with monkeypatch.context() as patched:
            patched.setattr(found.desks["zsj"].history, "_known", lambda *_: [])
            await found.certify("csj", found.card("csj"))
        assert [(p.chain, p.valid) for p in found.judged[-1][1]] == [("zsj", True)]

        # A trusted chain that does not answer stops the certification by its regulator's name.
        found.wire.down.add("zsj")
        with pytest.raises(PartyUnavailable) as away:
            await found.certify("csj", found.card("csj"))
        assert away.value.party == zsj.regulator
        assert len(found.judged) == 3

        # One whose pin has expired is not passed over, either.
        found.wire.down.clear()
        with monkeypatch.context() as patched:
            patched.setattr(found.desks["csj"].history, "_reach", _expired)
            with pytest.raises(PartyUnavailable) as away:
                await found.certify("csj", found.card("csj"))
        assert away.value.party == zsj.regulator

        # Withdrawn, it is not asked; what it told counts, until it is 24 months old.
        await withdraw_chain(home, "zsj", "test")
        await found.certify("csj", found.card("csj"))
        assert [(p.chain, p.valid) for p in found.judged[-1][1]] == [("zsj", True)]
        with pytest.raises(Refusal) as refusal:
            await found.certify_across("csj", "zsj", found.card("zsj"))
        assert refusal.value.reason is Reason.UNKNOWN_CHAIN


async def _expired(chain: str) -> Any:
    raise Refusal(Reason.UNKNOWN_CHAIN, f"chain {chain} is not trusted here")


async def test_affiliates_that_any_chain_knows_are_judged_as_one(tmp_path: Path) -> None:
    """The groups csj (a bank of jjj) and jjj (that bank, and one of zsj) meet in one question."""
    banks = [f"spiffe://{name}.yinxin.example/bank/harbour" for name in NAMES]
    groups = {"csj": f'[["{banks[0]}", "{banks[1]}"]]', "jjj": f'[["{banks[1]}", "{banks[2]}"]]'}
    async with network(tmp_path, *NAMES, **groups) as found:
        await check_affiliates(found.regulators["csj"])
        assert (await found.certify("zsj", found.card("zsj"))).certificate
        assert not (await found.certify("csj", found.card("csj"))).certificate
        name, past = found.judged[-1]
        assert (name, [p.chain for p in past]) == ("csj", ["zsj"])
        logged = [e.body for e in await entries(found.regulators["zsj"], Kind.HISTORY)]
        assert [e["banks"] for e in logged if e["home"] == "csj"][-1] == 3


async def _race(found: Network) -> list[Decision | BaseException]:
    """The bank of csj has two halves of an attack judged at the same time."""
    return await asyncio.gather(
        found.certify("csj", found.card("csj")),
        found.certify_across("csj", "zsj", one_more(found.card("zsj"))),
        return_exceptions=True,
    )


async def test_two_chains_do_not_judge_for_one_bank_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "AGAIN_SECONDS", 0.02)
    async with network(tmp_path, "csj", "zsj") as found:
        results = await _race(found)
        certified = [r for r in results if isinstance(r, Decision) and r.certificate]
        assert len(certified) == 1
        # Whoever let go comes again, and is judged beside what was certified.
        again = await found.certify_across("csj", "zsj", one_more(found.card("zsj")))
        assert not again.certificate


async def test_two_that_judge_at_once_would_each_certify_a_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unannounced(history: PeerHistory, bank: SpiffeId) -> Any:
        return contextlib.nullcontext({str(bank)})

    monkeypatch.setattr(PeerHistory, "judging", unannounced)
    async with network(tmp_path, "csj", "zsj") as found:
        results = await _race(found)
        assert all(isinstance(r, Decision) and r.certificate for r in results)


async def test_without_pins_nobody_is_asked_and_nothing_logged(tmp_path: Path) -> None:
    async with network(tmp_path, "csj") as found:
        assert (await found.certify("csj", found.card("csj"))).certificate
        assert await entries(found.regulators["csj"], Kind.HISTORY) == []


async def test_labels_are_certified_for_the_own_chain_only(tmp_path: Path) -> None:
    async with network(tmp_path, "csj") as found:
        labels: Any = SimpleNamespace(chain="zsj")
        nothing: Any = None
        with pytest.raises(Refusal) as refusal:
            await find_ground(found.regulators["csj"], None, nothing, labels)
        assert refusal.value.reason is Reason.WRONG_CHAIN


async def test_a_guest_is_renewed_with_its_credential_at_home(tmp_path: Path) -> None:
    async with network(tmp_path, "csj", "zsj") as found:
        csj, zsj, there = found.chains["csj"], found.chains["zsj"], found.regulators["zsj"]
        submission = made(csj.bank, found.card("zsj"))

        async def admitted() -> list[int]:
            vouched = await found.vouched("csj", "zsj", submission)
            await there.store.run(lambda c: admit(there, c, vouched))
            kept = await there.store.read(lambda c: there.chain.documents(c, GUEST))
            return [open_guest(one, zsj.root).not_after for one in kept]

        first = await admitted()
        assert await admitted() == first
        csj.clock.advance(20)
        zsj.clock.advance(20)
        request = read_request_file(csj.folder(csj.bank) / "request.json")
        await membership.enrol(found.regulators["csj"], request, days=360)
        (kept, renewed) = await admitted()
        assert [kept] == first and renewed > kept
        assert len(await entries(there, Kind.GUEST)) == 2
        members = await there.members()
        assert members.require(csj.bank, Role.BANK).id == csj.bank
        await withdraw_chain(there, "csj", "test")
        with pytest.raises(Refusal) as refusal:
            (await there.members()).require(csj.bank, Role.BANK)
        assert refusal.value.reason is Reason.FOREIGN_CERTIFICATE


async def test_a_voucher_is_used_once_and_a_model_is_its_own_banks(tmp_path: Path) -> None:
    async with network(tmp_path, "csj", "zsj", "jjj") as found:
        decision = await found.certify_across("csj", "zsj", found.card("zsj"))
        assert decision.certificate is not None
        digest = decision.certificate.payload_hash
        other = Forwarding(found.regulators["jjj"], found.wire.reach(found.chains["jjj"]))
        with pytest.raises(Refusal) as refusal:  # another chain's bank cannot withdraw it
            await other.withdraw(found.chains["jjj"].bank, digest, "zsj")
        assert refusal.value.reason is Reason.FOREIGN_CERTIFICATE
        with pytest.raises(Refusal) as refusal:  # nor is a bank of another chain vouched for
            await other.withdraw(found.chains["csj"].bank, digest, "zsj")
        assert refusal.value.reason is Reason.FOREIGN_CERTIFICATE

        home = Forwarding(found.regulators["csj"], found.wire.reach(found.chains["csj"]))
        _, request = await home._vouch(found.chains["csj"].bank, "zsj", "withdraw", digest)
        line = await found.wire.reach(found.chains["csj"])("zsj")
        reply = await line.unary("", request, regulator_pb2.WithdrawReply)
        assert reply.HasField("withdrawal")
        with pytest.raises(Refusal) as refusal:
            await line.unary("", request, regulator_pb2.WithdrawReply)
        assert (refusal.value.reason, refusal.value.detail) == (
            Reason.CONFLICT,
            "voucher was used before",
        )
        # Nor can a third regulator hand it in.
        stolen = await found.wire.reach(found.chains["jjj"])("zsj")
        _, fresh = await home._vouch(found.chains["csj"].bank, "zsj", "withdraw", digest)
        with pytest.raises(SignatureInvalid):
            await stolen.unary("", fresh, regulator_pb2.WithdrawReply)


@dataclass
class Liar:
    """A regulator that answers with some certificate, or that it refuses to give one."""

    certificate: Signed | None

    async def reach(self, chain: str) -> Any:
        return self

    async def download(self, *_: Any) -> AsyncIterator[regulator_pb2.CertifyReply]:
        given = self.certificate
        result = regulator_pb2.CertifyResult(certificate=given and signed_to_wire(given))
        yield regulator_pb2.CertifyReply(result=result)


async def test_a_certificate_that_is_not_the_other_regulators_is_not_handed_on(
    tmp_path: Path,
) -> None:
    async with network(tmp_path, "csj", "zsj") as found:
        bank, home = found.chains["csj"].bank, found.regulators["csj"]
        decision = await found.certify_across("csj", "zsj", found.card("zsj"))
        assert decision.certificate is not None
        genuine = decision.certificate
        forged = ModelCertificate.parse(genuine.payload).sign(home.identity.signing)
        sealing = home.identity.require_sealing().public
        for certificate in (forged, genuine):  # the other one is of another model
            forwarding = Forwarding(home, Liar(certificate).reach)
            sealed = seal_submission(made(bank, found.card("zsj")), sealing)
            with pytest.raises(RemoteFailure) as failure:
                async for _ in forwarding.certify(bank, sealed, "zsj"):
                    pass
            assert failure.value.party == found.chains["zsj"].regulator

        # No more of one bank are on their way than a desk takes.
        vouched = len(await entries(home, Kind.VOUCHED))
        waiting = [forwarding.certify(bank, sealed, "zsj") for _ in range(MOST_OF_A_BANK)]
        forwarding.reach = Liar(None).reach
        for one in waiting:
            assert (await anext(one)).HasField("result")
        with pytest.raises(DeskBusy):
            await anext(forwarding.certify(bank, sealed, "zsj"))
        for one in waiting:
            await one.aclose()
        assert len(await entries(home, Kind.VOUCHED)) == vouched + MOST_OF_A_BANK
