"""`yinxin enterprise asked`: over real sockets, for the firm whose certificate it is."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from federation.errors import DocumentError
from federation.permit import Permit
from federation.uscc import Uscc
from node.cli import enterprise as commands
from node.config import HubConfig
from node.enterprise import Enterprise, EnterpriseError, enrol_enterprises
from node.enterprise.client import ConsentClient
from node.enterprise.home import EnterpriseHome
from node.hub.uses import Uses
from node.rpc.errors import PartyUnavailable
from node.runtime import Runtime
from support.enrolled import HARBOUR, HUB, Homes, hub_serving, regulating
from yinxin.v1 import hub_pb2

FIRM, OTHER = Uscc.generate(7), Uscc.generate(8)
CONSENT = bytes(range(16))


def permit(homes: Homes, number: int) -> Permit:
    return Permit(
        id=number.to_bytes(16, "big"),
        chain="csj",
        bank=HARBOUR,
        certificate=b"\1" * 32,
        ctx=b"\2" * 32,
        epoch=4,
        purpose="02",
        audience=(HARBOUR,),
        blinded=b"\3" * 32,
        consent_tag=b"\4" * 32,
        issued=homes.now,
        expires=homes.now + 60,
    )


async def record(hub: Runtime[HubConfig], homes: Homes, firm: Enterprise, number: int) -> None:
    key = hub.identity.storage
    await hub.store.run(
        lambda c: Uses(c, key).record(firm.id, CONSENT, b"t" * 32, [permit(homes, number)])
    )


def run(*arguments: object) -> Any:
    result = CliRunner(env={"COLUMNS": "140"}).invoke(commands.app, [*map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout) if "--json" in arguments else result.stdout


async def test_each_firm_sees_its_own_list(tmp_path: Path) -> None:
    homes = Homes(tmp_path)
    async with regulating(homes) as regulator:
        await homes.enrol(regulator, HUB)
    firms = enrol_enterprises(homes.licence, [FIRM, OTHER], homes.now, 365)
    folders = [tmp_path / firm.uscc for firm in firms]
    for firm, folder in zip(firms, folders, strict=True):
        EnterpriseHome.store(folder, firm, homes.licence.certificate_pem)
    trust = homes.folder(HUB) / "trust.json"
    async with hub_serving(homes) as hub:
        for number in range(3):
            await record(hub, homes, firms[0], number)
        options: list[object] = [
            "asked", "--hub", f"127.0.0.1:{hub.servers[1].port}", "--hub-id", HUB, "--trust", trust,
        ]  # fmt: skip

        async def asked(folder: Path, *more: object) -> Any:
            return await asyncio.to_thread(run, *options, "--dir", folder, *more)

        found = await asked(folders[0], "--json")
        assert (found["uscc"], found["hub"]) == (FIRM, str(HUB))
        assert [use["permits"] for use in found["asked"]] == [
            [permit(homes, number).hash.hex()] for number in range(3)
        ]
        first = found["asked"][0]
        assert (first["bank"], first["purpose"], first["epoch"]) == (str(HARBOUR), "02", 4)
        assert (first["purpose_zh"], first["consent"]) == ("贷款审批", CONSENT.hex())
        assert (first["cancelled"], first["fields"]) == (None, [])
        assert (await asked(folders[1], "--json"))["asked"] == []
        shown = await asked(folders[0], "--lang", "zh")
        assert "银行" in shown and HARBOUR.name in shown and "贷款审批" in shown
        shown = await asked(folders[0], "--lang", "en")
        assert "Bank" in shown and "loan approval" in shown
        foreign = [*options[:4], "spiffe://zsj.example/hub/hub", *options[5:]]
        with pytest.raises(EnterpriseError, match="hub-id"):
            await asyncio.to_thread(run, *foreign, "--dir", folders[0])
        # The same code, certified by somebody else: it does not get as far as the list.
        from federation.pki import SubjectAuthority

        elsewhere = SubjectAuthority.create("licence.example", homes.now)
        (impostor,) = enrol_enterprises(elsewhere, [FIRM], homes.now, 365)
        address, root = f"127.0.0.1:{hub.servers[1].port}", homes.root.authority.encode()
        async with ConsentClient.connect(impostor, HUB, address, root) as client:
            with pytest.raises(PartyUnavailable):
                await client.asked()


@pytest.mark.parametrize(
    "reply",
    [
        hub_pb2.ListUsesReply(total=5, next=0),
        hub_pb2.ListUsesReply(total=5, next=6),
        hub_pb2.ListUsesReply(
            total=2, next=1, uses=[hub_pb2.ConsentUse(number=1, bank=str(HARBOUR))]
        ),
    ],
    ids=["without end", "beyond the end", "out of order"],
)
async def test_a_hub_cannot_keep_a_firm_asking(reply: hub_pb2.ListUsesReply) -> None:
    class Hub:
        async def unary(self, *_: object) -> hub_pb2.ListUsesReply:
            return reply

    client = ConsentClient(HUB, Hub())  # type: ignore[arg-type]
    with pytest.raises(DocumentError, match="not in order"):
        await asyncio.wait_for(client.asked(), 5)
