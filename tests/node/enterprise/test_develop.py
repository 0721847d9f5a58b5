"""`yinxin enterprise consent develop`: one firm's consent, and those of a whole sample."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from federation.development.consent import verify_development_consent
from federation.identity import Role, SpiffeId
from federation.uscc import Uscc
from node.bank.development.lines import read_labels
from node.cli.enterprise import app
from node.enterprise.home import EnterpriseHome
from node.errors import NodeError
from node.licence import LicenceAuthority

BANK = SpiffeId("csj.yinxin.example", Role.BANK, "harbour")


@pytest.fixture
def office(tmp_path: Path) -> LicenceAuthority:
    return LicenceAuthority.create(tmp_path / "licence", "licence.example", int(time.time()), 365)


def develop(*arguments: object) -> dict[str, Any]:
    common = ["consent", "develop", "--bank", BANK, "--chains", "csj, zsj", "--json"]
    result = CliRunner().invoke(app, list(map(str, [*common, *arguments])))
    if isinstance(result.exception, NodeError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)  # type: ignore[no-any-return]


def test_a_firm_signs_for_itself(tmp_path: Path, office: LicenceAuthority) -> None:
    firm, now = Uscc.generate(7), int(time.time())
    pem = office.authority.certificate_pem
    home = EnterpriseHome.create(tmp_path / "firm", firm, "甲", pem)
    (grant,) = office.issue([home.request()], now=now, days=30)
    home.join(grant, now)
    out = tmp_path / "consent.jsonl"
    told = develop("--dir", tmp_path / "firm", "--out", out, "--days", 9)
    assert (told["consents"], told["chains"]) == (1, ["csj", "zsj"])
    assert out.stat().st_mode & 0o777 == 0o600
    (line,) = out.read_text().splitlines()
    consent = verify_development_consent(json.loads(line)["consent"], pem, BANK, "zsj", now + 60)
    assert (consent.uscc, consent.expires - consent.issued_at) == (firm, 9 * 86_400)
    with pytest.raises(AssertionError, match="exists and is not overwritten"):
        develop("--dir", tmp_path / "firm", "--out", out)


def test_a_sample_signs_at_once_and_its_files_are_those_that_labels_takes(
    tmp_path: Path, office: LicenceAuthority
) -> None:
    codes = [Uscc.generate(number) for number in range(5)]
    (tmp_path / "enterprises.csv").write_text(
        "uscc,name,sector,default\n" + "".join(f"{c},甲,A,{n % 2}\n" for n, c in enumerate(codes))
    )
    out, labels = tmp_path / "consents.jsonl", tmp_path / "labels.csv"
    told = develop(
        *("--sample", tmp_path, "--licence", tmp_path / "licence"),
        *("--labels", labels, "--out", out),
    )
    assert told["consents"] == len(codes)
    found = read_labels(labels, out)
    assert (found.good, found.bad) == (3, 2)
    pem, now = office.authority.certificate_pem, int(time.time())
    for line, code in zip(found.lines, codes, strict=True):
        compact = line.decode().split()[1]
        assert verify_development_consent(compact, pem, BANK, "csj", now).uscc == code
