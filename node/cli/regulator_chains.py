"""`yinxin regulator chains`: the chain's own bundle, and the chains that it trusts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from federation.errors import Refusal
from federation.interchain.bundle import TrustBundle, read_bundle
from federation.signed import Signed
from node.cli.chains_shared import STATES, described, of_pin, table, time_text
from node.cli.output import LANGUAGE, AsJson, Lang, emit, language_of
from node.cli.regulator_shared import DEFAULT, Config, run
from node.enrolment.folder import read_file, write_public
from node.regulator.errors import RegulatorError
from node.regulator.membership import Regulator
from node.regulator.peers.authorities import add_authority, retire_authority, switch_authority
from node.regulator.peers.listing import PeerView, peer_views
from node.regulator.peers.own import publish
from node.regulator.peers.pinning import pin_chain, withdraw_chain

T = TypeVar("T")

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Other chains: the own bundle, and whom this chain trusts. / 跨链信任",
)


@app.command("bundle")
def bundle_command(
    out: Annotated[
        Path | None, typer.Option(help="File for the signed bundle. / 信任包输出文件")
    ] = None,
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """This chain's trust bundle and its fingerprint, to be read out. / 本链信任包与指纹"""
    signed = _run(config, publish)
    if out is not None:
        write_public(out, signed.to_json())
    _emit_own(signed, out, as_json)


@app.command("pin")
def pin(
    file: Annotated[Path, typer.Argument(help="The other chain's signed bundle. / 对方信任包")],
    fingerprint: Annotated[
        str, typer.Option(help="As its regulator read it out. / 对方监管方口头告知的指纹")
    ],
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Trust another chain, by its bundle and its regulator's fingerprint. / 信任另一条链"""
    signed = Signed.from_json(read_file(file, "bundle"))

    async def work(regulator: Regulator) -> dict[str, Any]:
        now = regulator.clock.now()
        asked = read_bundle(signed, now)
        if not as_json:
            _show(described(asked))
        return of_pin(await pin_chain(regulator, signed, fingerprint), now)

    emit(_run(config, work), as_json)


@app.command("list")
def list_command(config: Config = DEFAULT, lang: Lang = LANGUAGE, as_json: AsJson = False) -> None:
    """Every chain that was ever trusted, and what is known of it. / 已信任链清单"""

    async def work(regulator: Regulator) -> list[dict[str, Any]]:
        now = regulator.clock.now()
        views = await regulator.store.read(lambda c: peer_views(regulator, c))
        return [_row(view, now) for view in views]

    found = _run(config, work)
    emit({"chains": found}, as_json, _table(found, language_of(lang)))


@app.command("rotate")
def rotate(
    authority: Annotated[
        bool, typer.Option("--authority", help="Step 1: make a second authority. / 新增签发机构")
    ] = False,
    switch: Annotated[
        bool, typer.Option("--switch", help="Step 2: issue by the second one. / 切换签发机构")
    ] = False,
    retire: Annotated[
        bool, typer.Option("--retire", help="Step 3: drop the first one. / 停用旧签发机构")
    ] = False,
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """A new bundle now; or one step of changing the certificate authority. / 更新信任包"""
    if authority + switch + retire > 1:
        raise RegulatorError("--authority, --switch and --retire are steps; take one at a time")

    async def work(regulator: Regulator) -> Signed:
        if authority:
            return await add_authority(regulator)
        if switch:
            await switch_authority(regulator)
            return await publish(regulator)
        if retire:
            return await retire_authority(regulator)
        return await publish(regulator, anew=True)

    _emit_own(_run(config, work), None, as_json)


@app.command("withdraw")
def withdraw(
    chain: Annotated[str, typer.Argument(help="The chain's name. / 链名")],
    reason: Annotated[str, typer.Option(help="Why, for all to read. / 原因（公开）")],
    config: Config = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Trust a chain no more: its calls end, its banks are shut out. / 撤销信任"""
    if not 1 <= len(reason) <= 400:
        raise RegulatorError("--reason: write 1 to 400 characters; all members read them")

    async def work(regulator: Regulator) -> dict[str, Any]:
        pinned = await withdraw_chain(regulator, chain, reason)
        return of_pin(pinned, regulator.clock.now())

    emit(_run(config, work), as_json)


def _run(config: Path, work: Callable[[Regulator], Coroutine[Any, Any, T]]) -> T:
    """Runs `work`; the operator is told why, as no other side is. Raises RegulatorError."""
    try:
        return run(config, work)
    except Refusal as error:
        raise RegulatorError(error.detail or str(error)) from error


def _emit_own(signed: Signed, out: Path | None, as_json: bool) -> None:
    bundle = TrustBundle.parse(signed.payload)
    found = {**described(bundle), "fingerprint": bundle.fingerprint()}
    emit({**found, "file": str(out)} if out is not None else found, as_json)


def _show(asked: dict[str, Any]) -> None:
    sys.stderr.write("To be trusted / 拟信任:\n")
    for name, value in asked.items():
        sys.stderr.write(f"  {name:<18} {value}\n")


def _row(view: PeerView, now: int) -> dict[str, Any]:
    theirs = view.theirs
    return {
        **of_pin(view.pin, now),
        "heard": time_text(view.heard),
        "problem": view.problem,
        "hub_has_it": view.delivered,
        "trusts_us": theirs is not None and theirs.holds(now),
        "our_sequence_there": None if theirs is None else theirs.trust().spiffe_sequence,
    }


def _table(found: list[dict[str, Any]], lang: str) -> Any:
    zh = lang == "zh"
    yes, no = ("是", "否") if zh else ("yes", "no")
    headings = (
        ("链", "状态", "序号", "有效期至", "最近联系", "平台已收", "对方信任本链")
        if zh
        else ("chain", "state", "bundle", "until", "heard", "hub has it", "trusts us")
    )
    rows = [
        {
            "chain": one["chain"],
            "state": STATES[one["state"]][lang],
            "sequence": one["sequence"],
            "until": one["until"][:10],
            "heard": one["problem"] or (one["heard"] or "")[5:16].replace("T", " "),
            "hub": yes if one["hub_has_it"] else no,
            "trusts_us": yes if one["trusts_us"] else no,
        }
        for one in found
    ]
    return table("其他链（北京时间）" if zh else "Other chains (China time)", headings, rows)
