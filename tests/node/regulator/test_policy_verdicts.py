"""The regulator's own copy of policy's verdicts, and the report that it writes from one."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from typer.testing import CliRunner

import node.runtime
from federation.certificate import ModelCertificate
from node.cli.regulator import app
from node.clock import FixedClock
from node.errors import SealError
from node.regulator.errors import RegulatorError
from node.regulator.tables import regulator_verdicts
from node.regulator.verdicts import Verdicts
from scoring.scorecard import Scorecard
from support.enrolled import HOLDERS, KINDS, REGULATOR, Homes, certifying
from support.small import small_scorecard
from tests.node.regulator.test_certification import call, sealed

PARTICIPANTS = [(holder, KINDS[holder.name]) for holder in HOLDERS]


def refused_card() -> str:
    card = small_scorecard("gamma", PARTICIPANTS)
    wide = card.points[0].model_copy(update={"points": (0, 1, 7)})
    return Scorecard.build({**dict(card), "points": (wide, *card.points[1:])}).to_json()


@pytest.fixture
def homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Homes]:
    made = Homes(tmp_path)
    monkeypatch.setattr(node.runtime, "SystemClock", lambda: FixedClock(made.now))
    yield made


def report(homes: Homes, reference: str, out: Path) -> Any:
    config = str(homes.folder(REGULATOR) / "node.toml")
    arguments = ["model", "report", reference, "--out", str(out), "--config", config, "--json"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


async def test_a_report_is_written_of_a_pass_and_of_a_refusal(homes: Homes, tmp_path: Path) -> None:
    good, bad = sealed(homes), sealed(homes, scorecard=refused_card())
    async with certifying(homes) as (regulator, port):
        result, _ = await call(homes, port, good)
        refused, _ = await call(homes, port, bad)
        assert not refused.HasField("certificate")
        verdicts = Verdicts(regulator.identity.storage)
        digest = hashlib.sha256(good).hexdigest()
        found = await regulator.store.read(lambda c: verdicts.find(c, digest))
        certificate = ModelCertificate.parse(result.certificate.payload)
        assert found.verdict.hash == certificate.report, "the salted hash of the certificate"
        for name in (certificate.hash.hex()[:12], certificate.model.hex().upper(), digest[:8]):
            again = await regulator.store.read(lambda c, name=name: verdicts.find(c, name))
            assert again == found
    written = await asyncio.to_thread(report, homes, certificate.hash.hex(), tmp_path / "good")
    assert written["passed"] is True and written["certificate"] == certificate.hash.hex()
    names = ["policy.en.pdf", "policy.html", "policy.zh.pdf"]
    assert [Path(path).name for path in written["files"]] == names
    html = await asyncio.to_thread((tmp_path / "good" / "policy.html").read_text)
    assert certificate.report.hex() in html and "评分卡认证报告" in html
    name = hashlib.sha256(bad).hexdigest()[:16]
    told = await asyncio.to_thread(report, homes, name, tmp_path / "bad")
    assert told["passed"] is False and told["failures"] and told["certificate"] is None


async def test_what_is_not_kept_or_was_changed_is_said(homes: Homes) -> None:
    raw = sealed(homes, scorecard=refused_card())
    async with certifying(homes) as (regulator, port):
        await call(homes, port, raw)
        digest = hashlib.sha256(raw).digest()
        verdicts = Verdicts(regulator.identity.storage)
        kept = await regulator.store.read(
            lambda c: c.execute(select(regulator_verdicts.c.verdict)).scalar_one()
        )
        assert b"spiffe" not in bytes(kept)
        for reference in ("", digest.hex()[:7], "00" * 32):
            with pytest.raises(RegulatorError, match="is no decision"):
                await regulator.store.read(lambda c, r=reference: verdicts.find(c, r))
        spoilt = bytes(kept[:-1]) + bytes([kept[-1] ^ 1])
        await regulator.store.run(
            lambda c: c.execute(update(regulator_verdicts).values(verdict=spoilt))
        )
        with pytest.raises(SealError):
            await regulator.store.read(lambda c: verdicts.find(c, digest.hex()))
        await regulator.store.run(lambda c: c.execute(delete(regulator_verdicts)))
        with pytest.raises(RegulatorError, match="before verdicts were kept"):
            await regulator.store.read(lambda c: verdicts.find(c, digest.hex()))
