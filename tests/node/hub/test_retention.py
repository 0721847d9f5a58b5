"""What a hub erases after the legal term, and what it keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from federation.auditkeys import calendar_month, month_start, months_later
from federation.entries import Kind
from node.hub import retention
from node.hub.auditkeys import put_audit_keys
from node.hub.publication import PublicationError
from node.hub.retention import Erased, erase_before
from node.hub.tables import hub_audit_keys, hub_consents, hub_permits, hub_uses
from node.rpc.errors import RemoteRefusal
from support.chain import HARBOUR, NOW, Chain
from tests.node.hub.world import World

DAY = 86_400


def kept(connection: Connection) -> tuple[list[bytes | None], list[bytes], list[bytes]]:
    columns: list[Any] = [hub_consents.c.sealed, hub_permits.c.permit, hub_uses.c.sealed]
    found = [list(connection.execute(select(column)).scalars()) for column in columns]
    return found[0], found[1], found[2]


def written(folder: Path) -> bytes:
    """All bytes of an SQLite database and its log of changes."""
    return b"".join(path.read_bytes() for path in folder.glob("node.sqlite*"))


def traced(value: bytes, content: bytes) -> bool:
    """Whether any part is there: long values are cut to fit pages."""
    return any(value[at : at + 32] in content for at in range(0, len(value) - 32, 256))


async def test_content_goes_after_the_term_and_counts_stay(
    tmp_path: Path, hub_chain: Chain, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, hub_chain, database_url)
    monkeypatch.setattr(retention, "_PAGE", 1)
    chain, model = world.chain, world.chain.alpha
    last = months_later(calendar_month(NOW), 1)
    firms, long = chain.firms[:2], month_start(months_later(last, 1)) + DAY
    consents = [chain.consent(firms[0]), chain.consent(firms[1], expires=long)]
    async with world.serving() as node, node.calling(HARBOUR) as bank:
        await node.install(model)
        for consent in consents:
            await node.query(bank, world.network.begin(model, consent))
        sealed, permits, uses = await node.hub.store.read(kept)
        assert (len(sealed), len(permits), len(uses)) == (2, 2, 2)
        before = [one.entry async for one in node.hub.log.iterate()]

        world.clock.advance(month_start(last + 500) - NOW - 1)
        with pytest.raises(PublicationError, match="5 years"):
            await erase_before(node.hub, last, "root")
        assert await node.hub.store.read(kept) == (sealed, permits, uses)
        world.clock.advance(1)
        assert await erase_before(node.hub, last, "root") == Erased(consents=1, permits=2, uses=2)
        assert await erase_before(node.hub, last, "root") == Erased(consents=0, permits=0, uses=0)

        left, gone, emptied = await node.hub.store.read(kept)
        assert (len(left), left.count(None), gone, emptied) == (2, 1, [], [b"", b""])
        after = [one.entry async for one in node.hub.log.iterate()]
        assert after[: len(before)] == before
        actions = [one.body["action"] for one in await node.entries(Kind.ADMIN)]
        assert actions[-2:] == ["retention-erase"] * 2
        assert (await node.entries(Kind.ADMIN))[-1].body["by"] == "root"
        # While the node runs: closing an SQLite database empties its log of changes by itself.
        (erased,) = set(sealed) - set(left)
        (stays,) = set(left) - {None}
        content = written(tmp_path)
        assert erased is not None and stays is not None
        assert not any(traced(one, content) for one in (erased, *uses))
        assert traced(stays, content) or database_url.startswith("postgresql")


async def test_without_an_audit_key_the_hub_permits_nothing(world: World) -> None:
    """The bank is told no more than of any refusal; the hub's own log has the reason."""
    chain, model = world.chain, world.chain.alpha
    async with world.serving() as node, node.calling(HARBOUR) as bank:
        await node.install(model)
        await node.hub.store.run(lambda c: c.execute(hub_audit_keys.delete()))
        query = world.network.begin(model, chain.consent(chain.firms[0]))
        with pytest.raises(RemoteRefusal):
            await node.query(bank, query)
        assert await node.reasons() == ["no_audit_key"]
        assert await node.entries(Kind.PERMIT) == []
        signed = [
            statement.sign(chain.signing[chain.root.regulator])
            for statement in chain.audit.statements.values()
        ]
        await node.hub.store.run(lambda c: put_audit_keys(node.hub, c, signed))
        await node.query(bank, query)
