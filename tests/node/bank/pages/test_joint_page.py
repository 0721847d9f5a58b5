"""A question to several chains on the pages: asked in the form, shown side by side."""

from __future__ import annotations

from pathlib import Path

from node.pages.duties import Duty
from support.chain import CHAIN, Chain
from tests.node.bank.pages.desk import bank_site, key_of
from tests.node.bank.second import ZSJ, second_chain, two_chains
from tests.node.bank.test_joint import both, jointly


async def test_several_chains_side_by_side_and_what_is_missing(
    tmp_path: Path, bank_chain: Chain
) -> None:
    async with two_chains(tmp_path, bank_chain, second_chain(bank_chain)) as place:
        world, crossing = place
        async with bank_site(world) as made, made.as_(Duty.OFFICER) as client:
            own, _ = await both(place, made.bank, across="lowest")
            form = {
                "consent": jointly(world, uses=3).consent,
                "purpose": "02",
                "scope": "all",
                "model": own.hash.hex(),
                "reference": "loan-1",
            }

            async def ask(**more: str) -> tuple[int, str, str]:
                page = (await client.get("/ask")).text
                assert "In every chain that the consent names" in page
                answer = await client.post("/ask", data={"key": key_of(page), **form, **more})
                return answer.status_code, answer.headers.get("location", ""), answer.text

            status, address, _ = await ask()
            assert status == 303
            result = await made.bank.joint.result(bytes.fromhex(address[-32:]))
            page = (await client.get(address)).text
            for record in result["records"]:
                assert f">{record['profile']['score']}<" in page
                assert f"/queries/{record['id']}" in page
                part = (await client.get(f"/queries/{record['id']}")).text
                assert "Part of a query in several chains" in part
            assert "rule: lowest" in page and "Whole result" in page
            assert (await client.get(f"{address}/evidence")).json()["evidence"].keys() == {
                CHAIN,
                ZSJ,
            }
            listed = (await client.get("/queries")).text
            assert address in listed and "1 in all" in listed  # its parts stand behind it
            crossing.hub.down = set(crossing.chain.holders)
            status, _, text = await ask()
            assert status == 503 and ZSJ in text
            status, address, text = await ask(partial="yes")
            assert status == 303, text
            page = (await client.get(address)).text
            assert "Partial result" in page and ZSJ in page
