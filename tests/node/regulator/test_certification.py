"""Certification over real connections: what a bank gets, what it is refused, what is kept."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import hashlib
import secrets
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog

from federation.canonical import b64
from federation.certificate import read_certificate
from federation.entries import Kind, read_entry
from federation.envelope import EnvelopeKey, EnvelopePublicKey, seal
from federation.errors import EnvelopeError
from federation.exchange.regulator import (
    KEY_PURPOSE,
    REPORT_PURPOSE,
    SUBMISSION_BYTES,
    SUBMISSION_PURPOSE,
    PolicyVerdict,
    Submission,
    open_at_bank,
    seal_submission,
)
from federation.identity import Role, SpiffeId
from node.clock import FixedClock
from node.errors import StorageUnavailable
from node.hub import publication
from node.regulator import certification
from node.regulator.membership import Regulator
from node.rpc.chunks import Assembler
from node.rpc.client import Channel
from node.rpc.convert import signed_from_wire
from node.rpc.errors import PartyUnavailable, RemoteInvalid, RemoteRefusal
from scoring.lattice import BlindEvaluator, Decryptor, clear_table
from scoring.published import PARAMETER_SET, read_weights
from scoring.scorecard import Scorecard
from scoring.words import MODULUS, ROWS
from support.enrolled import (
    DELTA,
    DOMAIN,
    HARBOUR,
    HOLDERS,
    HUB,
    KINDS,
    REGULATOR,
    Homes,
    certifying,
    hub_serving,
    regulating,
)
from support.small import small_catalogue, small_scorecard
from yinxin.v1 import regulator_pb2

METHOD = "/yinxin.v1.Regulator/Certify"
PARTICIPANTS = [(holder, KINDS[holder.name]) for holder in HOLDERS]
Answer = tuple[regulator_pb2.CertifyResult, dict[str, bytes]]


@pytest.fixture
def homes(tmp_path: Path) -> Homes:
    return Homes(tmp_path)


def submission(**changes: Any) -> Submission:
    fields: dict[str, Any] = {
        "id": secrets.token_bytes(16),
        "bank": HARBOUR,
        "form": "sealed",
        "scorecard": small_scorecard("gamma", PARTICIPANTS).to_json(),
        "disclosed": (),
        "days": 30,
    }
    return Submission(**(fields | changes))


def sealed(homes: Homes, **changes: Any) -> bytes:
    sealing = homes.identity(REGULATOR).require_sealing()
    return seal_submission(submission(**changes), sealing.public)


async def ask(channel: Channel, raw: bytes) -> Answer:
    """What a bank does: the result, then each holder's bundle put together and checked."""
    request = regulator_pb2.CertifyRequest(submission=raw)
    result: regulator_pb2.CertifyResult | None = None
    bundles: dict[str, Assembler] = {}
    stream = channel.download(METHOD, request, regulator_pb2.CertifyReply)
    async with aclosing(stream):  # type: ignore[type-var]
        async for reply in stream:
            if reply.HasField("progress"):
                continue  # policy takes more than a moment on a busy machine
            if result is None:
                assert reply.HasField("result")
                result = reply.result
                continue
            bundles.setdefault(reply.bundle.holder, Assembler(1 << 26)).add(reply.bundle.chunk)
    assert result is not None
    return result, {holder: bundle.finish() for holder, bundle in bundles.items()}


async def call(homes: Homes, port: int, raw: bytes, bank: SpiffeId = HARBOUR) -> Answer:
    async with homes.channel(bank, REGULATOR, port) as channel:
        return await ask(channel, raw)


async def entries(regulator: Regulator, kind: Kind) -> list[dict[str, Any]]:
    found = [read_entry(one.entry) async for one in regulator.log.iterate()]
    return [one.body for one in found if one.kind is kind]


async def test_a_certified_model_is_what_the_certificate_says(homes: Homes) -> None:
    made = submission()
    async with certifying(homes) as (regulator, port):
        sealing = regulator.identity.require_sealing().public
        result, bundles = await call(homes, port, seal_submission(made, sealing))
        members = await regulator.members()
        signed = signed_from_wire(result.certificate)
        certificate = read_certificate(signed, members)
        logged = await entries(regulator, Kind.CERTIFIED)
    assert (certificate.model, certificate.bank, certificate.form) == (made.id, HARBOUR, "sealed")
    assert certificate.holders == HOLDERS
    assert certificate.not_after - certificate.not_before == 30 * 86_400
    expected = {"document": b64(certificate.hash), "model": b64(made.id), "bank": str(HARBOUR)}
    assert logged == [expected]
    for holder, bundle in bundles.items():
        party = SpiffeId.parse(holder)
        certificate.require_material(party, result.public_key, bundle)

    key = homes.identity(HARBOUR).require_sealing()
    secret = open_at_bank(KEY_PURPOSE, made.id, result.secret_key, key)
    report = open_at_bank(REPORT_PURPOSE, made.id, result.report, key)
    verdict = PolicyVerdict.parse(report)
    assert verdict.passed and verdict.hash == certificate.report
    check_material(result.public_key, secret, bundles, made)
    others = [homes.identity(party).require_sealing() for party in (DELTA, REGULATOR)]
    for other in (*others, EnvelopeKey.generate()):
        for purpose, content in ((KEY_PURPOSE, result.secret_key), (REPORT_PURPOSE, result.report)):
            with pytest.raises(EnvelopeError):
                open_at_bank(purpose, made.id, content, other)


def check_material(
    public: bytes, secret: bytes, bundles: dict[str, bytes], made: Submission
) -> None:
    """The keys work, and each bundle holds that holder's weights."""
    catalogue, scorecard = small_catalogue(), Scorecard.from_json(made.scorecard)
    rng = np.random.default_rng(1)
    for holder, kind in PARTICIPANTS:
        counts = catalogue.bins_per_feature(kind)
        bins = np.array([rng.integers(0, n, ROWS) for n in counts], dtype=np.uint16)
        clear = rng.integers(0, MODULUS, ROWS, dtype=np.uint64)
        answer = BlindEvaluator(public, bundles[str(holder)], counts).evaluate(bins, clear)
        expected = clear_table(scorecard.weights(catalogue, str(holder)), counts, bins, clear)
        assert np.array_equal(Decryptor(secret).decrypt(answer), expected)


async def test_the_same_submission_has_one_result(homes: Homes) -> None:
    async with certifying(homes) as (regulator, port):
        raw, other = sealed(homes), sealed(homes)
        first, second = await asyncio.gather(call(homes, port, raw), call(homes, port, raw))
        assert first == second
        assert len(await entries(regulator, Kind.CERTIFIED)) == 1
        fresh = await call(homes, port, other)
        assert fresh[0].public_key != first[0].public_key
        assert len(await entries(regulator, Kind.CERTIFIED)) == 2
    async with certifying(homes) as (regulator, port):
        assert await call(homes, port, raw) == first
        assert len(await entries(regulator, Kind.CERTIFIED)) == 2


async def test_a_published_scorecard_has_no_keys(homes: Homes) -> None:
    made = submission(form="open")
    async with certifying(homes) as (regulator, port):
        sealing = regulator.identity.require_sealing().public
        result, bundles = await call(homes, port, seal_submission(made, sealing))
        members = await regulator.members()
        certificate = read_certificate(signed_from_wire(result.certificate), members)
    assert (certificate.form, certificate.parameter_set) == ("open", PARAMETER_SET)
    assert (result.secret_key, result.public_key) == (b"", b"")
    assert certificate.public_key == hashlib.sha256(b"").digest()
    scorecard, catalogue = Scorecard.from_json(made.scorecard), small_catalogue()
    for holder in HOLDERS:
        certificate.require_material(holder, b"", bundles[str(holder)])
        assert read_weights(bundles[str(holder)]) == scorecard.weights(catalogue, str(holder))


def coded_scorecard() -> str:
    """Points that read out every bin: policy b refuses them."""
    scorecard = small_scorecard("gamma", PARTICIPANTS)
    coded = tuple(
        entry.model_copy(update={"points": (0, 2**index, 2 ** (index + 1))})
        for index, entry in enumerate(scorecard.points)
    )
    return scorecard.model_copy(update={"points": coded}).to_json()


async def test_policy_refuses_a_code_and_says_why_to_the_bank_alone(homes: Homes) -> None:
    made = submission(scorecard=coded_scorecard())
    async with certifying(homes) as (regulator, port):
        sealing = regulator.identity.require_sealing().public
        raw = seal_submission(made, sealing)
        result, bundles = await call(homes, port, raw)
        assert (await call(homes, port, raw))[0] == result
        refusals = await entries(regulator, Kind.REFUSAL)
        assert await entries(regulator, Kind.CERTIFIED) == []
        assert not result.HasField("certificate")
        assert (result.secret_key, result.public_key, bundles) == (b"", b"", {})
        assert [(r["reason"], r["caller"]) for r in refusals] == [("policy", str(HARBOUR))]
        key = homes.identity(HARBOUR).require_sealing()
        verdict = PolicyVerdict.parse(open_at_bank(REPORT_PURPOSE, made.id, result.report, key))
        assert not verdict.passed and '"passed":false' in verdict.report.replace(" ", "")
        # Its unmodified twin is certified, even under the same model id.
        twin = submission(id=made.id)
        result, _ = await call(homes, port, seal_submission(twin, sealing))
        assert result.HasField("certificate")


def foreign_participants() -> str:
    stranger = SpiffeId(DOMAIN, Role.HOLDER, "stranger")
    return small_scorecard("gamma", [*PARTICIPANTS[:2], (stranger, "tax")]).to_json()


def wrong_kind() -> str:
    return small_scorecard("gamma", [*PARTICIPANTS[:2], (HOLDERS[2], "court")]).to_json()


async def test_submissions_that_are_not_decided(homes: Homes) -> None:
    async with certifying(homes) as (regulator, port):
        sealing = regulator.identity.require_sealing().public
        inside = seal(
            EnvelopePublicKey(sealing), SUBMISSION_PURPOSE, str(DELTA).encode(),
            submission().payload(), SUBMISSION_BYTES,
        )  # fmt: skip
        old = submission().scorecard.replace("small-1", "small-0")
        blank = submission().scorecard.replace('"gamma"', '"gam ma"')
        refused = [
            (sealed(homes), DELTA, RemoteRefusal, "unverified"),
            (inside, DELTA, RemoteRefusal, "wrong_bank"),
            (b"nonsense", HARBOUR, RemoteRefusal, "unverified"),
            (sealed(homes)[:-1], HARBOUR, RemoteRefusal, "unverified"),
            (sealed(homes, scorecard=foreign_participants()), HARBOUR, RemoteRefusal,
             "foreign_certificate"),
            (sealed(homes, scorecard=wrong_kind()), HARBOUR, RemoteRefusal, "malformed"),
            (sealed(homes, scorecard=old), HARBOUR, RemoteRefusal, "wrong_context"),
            (sealed(homes, scorecard="{}"), HARBOUR, RemoteInvalid, "malformed"),
            (sealed(homes, scorecard=blank), HARBOUR, RemoteInvalid, "malformed"),
        ]  # fmt: skip
        for raw, bank, error, _ in refused:
            with pytest.raises(error):
                await call(homes, port, raw, bank)
        told = await entries(regulator, Kind.REFUSAL)
        assert [(r["reason"], r["caller"]) for r in told] == [
            (reason, str(bank)) for _, bank, _, reason in refused
        ]
        assert await entries(regulator, Kind.CERTIFIED) == []
        folder = homes.folder(REGULATOR) / "data/models"
        assert not folder.exists() or list(folder.iterdir()) == []
        assert (await call(homes, port, sealed(homes)))[0].HasField("certificate")


async def test_a_bank_gets_nothing_by_another_banks_submission(homes: Homes) -> None:
    """The bytes are decided already: a lookup by hash alone would hand the result out."""
    async with certifying(homes) as (regulator, port):
        raw = sealed(homes)
        await call(homes, port, raw)
        with pytest.raises(RemoteRefusal):
            await call(homes, port, raw, DELTA)
        assert [r["reason"] for r in await entries(regulator, Kind.REFUSAL)] == ["wrong_bank"]


async def test_a_bank_that_hangs_up_while_it_is_certified_finds_its_model_whole(
    homes: Homes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row was kept and nobody heard of it: its bundles have to be there for the repetition."""
    async with certifying(homes) as (regulator, port):
        run = regulator.store.run

        async def unheard(unit: Any) -> Any:
            result = await run(unit)
            if await entries(regulator, Kind.CERTIFIED):
                monkeypatch.setattr(regulator.store, "run", run)
                raise StorageUnavailable("the transaction was not confirmed")
            return result

        monkeypatch.setattr(regulator.store, "run", unheard)
        raw = sealed(homes)
        with pytest.raises(PartyUnavailable):
            await call(homes, port, raw)
        result, bundles = await call(homes, port, raw)
        certificate = read_certificate(
            signed_from_wire(result.certificate), await regulator.members()
        )
        for holder, bundle in bundles.items():
            certificate.require_material(SpiffeId.parse(holder), result.public_key, bundle)
        assert len(bundles) == 3
        assert len(await entries(regulator, Kind.CERTIFIED)) == 1


async def test_a_model_id_is_certified_once(homes: Homes) -> None:
    async with certifying(homes) as (regulator, port):
        model = secrets.token_bytes(16)
        await call(homes, port, sealed(homes, id=model))
        again = sealed(homes, id=model, scorecard=small_scorecard("beta", PARTICIPANTS).to_json())
        with pytest.raises(RemoteRefusal):
            await call(homes, port, again)
        assert [r["reason"] for r in await entries(regulator, Kind.REFUSAL)] == ["conflict"]
        folders = list((homes.folder(REGULATOR) / "data/models").iterdir())
        assert len(folders) == 1, "the folder of the refused model is left behind"


@pytest.mark.parametrize("caller", [HUB, HOLDERS[0]])
async def test_only_banks_submit(homes: Homes, caller: SpiffeId) -> None:
    async with certifying(homes) as (regulator, port):
        with pytest.raises(RemoteRefusal):
            await call(homes, port, sealed(homes), caller)
        refusals = await entries(regulator, Kind.REFUSAL)
        assert [r["reason"] for r in refusals] == ["foreign_certificate"]


async def test_a_bank_of_another_authority_does_not_connect(homes: Homes, tmp_path: Path) -> None:
    """The same names under another root: neither side believes the other."""
    other = Homes(tmp_path / "other")
    async with certifying(homes) as (_, port):
        raw = sealed(homes)
        async with certifying(other) as (_, foreign):
            with pytest.raises(PartyUnavailable):
                await call(other, port, raw)
            with pytest.raises(PartyUnavailable):
                await call(homes, foreign, raw)
        mixed = dataclasses.replace(other.tls(HARBOUR), authorities=homes.tls(HARBOUR).authorities)
        async with Channel(REGULATOR, f"127.0.0.1:{port}", mixed) as channel:
            with pytest.raises(PartyUnavailable):
                await ask(channel, raw)
        assert (await call(homes, port, raw))[0].HasField("certificate")


async def test_an_expired_model_leaves_no_bundles(homes: Homes) -> None:
    clock = FixedClock(homes.now)
    async with certifying(homes, clock) as (_, port):
        raw = sealed(homes, days=1)
        await call(homes, port, raw)
        models = homes.folder(REGULATOR) / "data/models"
        (models / "crashed").mkdir()
    async with certifying(homes, clock) as (_, port):
        assert [len(list(folder.iterdir())) for folder in models.iterdir()] == [4]
        clock.advance(86_400)
    async with certifying(homes, clock) as (regulator, port):
        assert list(models.iterdir()) == []
        with pytest.raises(RemoteRefusal):
            await call(homes, port, raw)
        reasons = [r["reason"] for r in await entries(regulator, Kind.REFUSAL)]
        assert reasons == ["uncertified_model"]


def encodings(secret: bytes) -> Iterator[bytes]:
    """How a piece of `secret` could stand in a file; base64 in each of its three phases."""
    yield secret
    yield secret.hex().encode()
    for start in range(3):
        whole = secret[start : start + (len(secret) - start) // 3 * 3]
        yield base64.b64encode(whole)
        yield base64.urlsafe_b64encode(whole)


def found(folder: Path, secret: bytes) -> list[str]:
    """The files below `folder` that hold `secret` in some encoding."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [
        path.name
        for path in files
        if any(code in raw for raw in [path.read_bytes()] for code in encodings(secret))
    ]


async def test_nothing_of_a_scorecard_or_model_key_is_kept_in_the_clear(homes: Homes) -> None:
    made = submission()
    with structlog.testing.capture_logs() as logs:
        async with certifying(homes) as (regulator, port):
            sealing = regulator.identity.require_sealing().public
            result, _ = await call(homes, port, seal_submission(made, sealing))
            with pytest.raises(RemoteInvalid):
                await call(homes, port, sealed(homes, scorecard=made.scorecard[:-1]))
            digest = (await regulator.store.read(_decided))[0]
            desk = certification.CertificationDesk(regulator, None)
            again = await regulator.store.read(
                lambda connection: desk.decisions.submission(connection, digest)
            )
            assert again == made, "the regulator cannot read back what it has to judge with"
            key = homes.identity(HARBOUR).require_sealing()
            secret = open_at_bank(KEY_PURPOSE, made.id, result.secret_key, key)
            verdict = open_at_bank(REPORT_PURPOSE, made.id, result.report, key)
            data = homes.folder(REGULATOR) / "data"
            middle = len(secret) // 2
            points = made.scorecard[made.scorecard.index('"points"') :][:60].encode()
            for piece in (secret[middle : middle + 24], points, verdict[200:230], b'"scale"'):
                assert found(data, piece) == []
            # The search does find what is there.
            assert found(data, result.certificate.payload[100:130]) != []
            assert found(data, result.public_key[middle : middle + 24]) == ["public.key"]
    assert "points" not in str(logs) and "scale" not in str(logs)
    assert any("call refused" in str(event) for event in logs)


def _decided(connection: Any) -> list[bytes]:
    from sqlalchemy import select

    from node.regulator.tables import regulator_decisions

    rows = connection.execute(select(regulator_decisions.c.submission)).scalars()
    return [bytes(row) for row in rows]


async def test_the_catalogue_comes_from_the_hub(homes: Homes) -> None:
    """The regulator has none of its own; a bank that is quicker than the mirror waits for it."""
    parties = (HARBOUR, HUB, *HOLDERS)
    async with regulating(homes) as regulator:
        await homes.enrol(regulator, *parties)
    async with hub_serving(homes) as hub:

        def publish(connection: Any) -> None:
            for party in parties:
                publication.add_member(hub, connection, homes.identity(party).credential, "h:1")
            publication.publish_catalogue(hub, connection, small_catalogue())

        await hub.store.run(publish)
        address = f"127.0.0.1:{hub.servers[0].port}"
        environment = {"YINXIN__HUB__NAME": HUB.name, "YINXIN__HUB__ADDRESS": address}
        async with certifying(homes, environment=environment) as (_, port):
            result, bundles = await call(homes, port, sealed(homes))
            assert result.HasField("certificate") and len(bundles) == len(HOLDERS)
            other = submission().scorecard.replace("small-1", "small-2")
            with pytest.raises(RemoteRefusal):
                await call(homes, port, sealed(homes, scorecard=other))
