"""`yinxin enterprise consent develop`: consents of class model development, one or a sample's."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from federation.identity import SpiffeId
from federation.uscc import Uscc
from node.cli.enterprise_shared import HERE, Directory
from node.cli.output import AsJson, emit, guard
from node.clock import SystemClock
from node.enrolment.folder import read_file
from node.enterprise import Enterprise, EnterpriseError
from node.enterprise.enterprise import enrol_enterprises
from node.enterprise.home import EnterpriseHome
from node.keys import write_secret


def develop(
    bank: Annotated[str, typer.Option(help="SPIFFE id of the bank. / 银行标识")],
    chains: Annotated[str, typer.Option(help="Chains, comma-separated. / 征信链")],
    out: Annotated[Path, typer.Option(help="File for the consents. / 输出文件")],
    days: Annotated[int, typer.Option(min=1, max=365, help="How long. / 有效天数")] = 30,
    sample: Annotated[
        Path | None,
        typer.Option(help="Sign for every firm of a generated sample instead. / 示例数据目录"),
    ] = None,
    licence: Annotated[
        Path | None,
        typer.Option(help="With --sample: the authority that certifies them. / 登记机关目录"),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="With --sample: file for uscc,outcome of its firms. / 标签输出文件"),
    ] = None,
    directory: Directory = HERE,
    as_json: AsJson = False,
) -> None:
    """Let a bank learn from how the firm's loan went, in counts over many. / 签署建模授权"""
    now = SystemClock().now()
    to = SpiffeId.parse(bank)
    names = tuple(part for part in (raw.strip() for raw in chains.split(",")) if part)
    with guard():
        if sample is None:
            if licence is not None or labels is not None:
                raise EnterpriseError("licence, labels: go with --sample; leave them out")
            firms: list[Enterprise] = [EnterpriseHome(directory).load(now)]
        else:
            rows = _rows(sample)
            firms = _sample_firms(rows, licence, now)
            if labels is not None:
                _write_labels(labels, rows)
        # It names firms: closed to others, and never written over other consents.
        write_secret(out, b"".join(_lines(firms, to, names, days, now)))
    emit({"consents": len(firms), "bank": bank, "chains": list(names), "file": str(out)}, as_json)


def _lines(
    firms: Iterable[Enterprise], bank: SpiffeId, chains: tuple[str, ...], days: int, now: int
) -> Iterator[bytes]:
    for firm in firms:
        consent = firm.development_consent(bank, chains, days, now)
        yield json.dumps({"consent": consent}).encode() + b"\n"


def _sample_firms(rows: list[dict[str, Any]], licence: Path | None, now: int) -> list[Enterprise]:
    """The firms of a sample, with keys that are made for this once."""
    from node.licence.authority import LicenceAuthority

    if licence is None:
        raise EnterpriseError("licence: --sample needs the folder of the licence authority")
    authority = LicenceAuthority.open(licence).authority
    return enrol_enterprises(authority, [Uscc.parse(row["uscc"]) for row in rows], now, 30)


def _rows(sample: Path) -> list[dict[str, Any]]:
    raw = read_file(sample / "enterprises.csv", "the sample's firms")
    rows = list(csv.DictReader(raw.decode("utf-8-sig").splitlines()))
    if not rows or not {"uscc", "default"} <= rows[0].keys():
        raise EnterpriseError(f"{sample}: enterprises.csv lacks uscc or default; generate it anew")
    return rows


def _write_labels(path: Path, rows: list[dict[str, Any]]) -> None:
    lines = [f"{row['uscc']},{row['default']}" for row in rows]
    write_secret(path, ("\n".join(["uscc,outcome", *lines]) + "\n").encode())
