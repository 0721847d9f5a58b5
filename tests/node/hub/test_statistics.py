"""From two holders' data to a published catalogue: real nodes, folders and sockets."""

from __future__ import annotations

import asyncio
import csv
import sys
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from federation.errors import FederationError
from federation.identity import Role, SpiffeId
from federation.signed import Signed
from federation.uscc import Uscc
from node.chain import ChainSync
from node.cli.main import main
from node.clock import FixedClock
from node.config import HolderConfig, load
from node.holder.main import assemble
from node.holder.statistics.making import make
from node.holder.statistics.mechanism import Budget
from node.hub import publication
from node.hub.statistics import build_catalogue
from node.runtime import Runtime, running
from scoring.catalogue import Catalogue
from support.enrolled import HARBOUR, HOLDERS, HUB, KINDS, REGULATOR, Homes, hub_serving, regulating
from support.small import FEATURES, small_catalogue

FIRMS = 800
CODES = [Uscc.generate(number) for number in range(FIRMS)]
POWER, TAX = HOLDERS[1], HOLDERS[2]
LARGE = Budget(4.0, 1e-5)
"""800 firms are few: a budget at which figures can be compared with the truth."""


def sensed() -> Catalogue:
    """The small catalogue, bare, with a sense for its features."""
    return small_catalogue().model_copy(
        update={
            "recognition": None,
            "features": tuple(
                f.model_copy(update={"sense": "better", "loading": None, "transitions": None})
                for f in small_catalogue().features
            ),
        }
    )


@pytest.fixture
def homes(tmp_path: Path) -> Homes:
    homes = Homes(tmp_path)

    async def enrol() -> None:
        async with regulating(homes) as regulator:
            await homes.enrol(regulator, HARBOUR, HUB, *HOLDERS)

    asyncio.run(enrol())
    return homes


def source(homes: Homes, kind: str, seed: int, day: str) -> tuple[Path, np.ndarray]:
    """A mapping over data of half to all firms, and the bins, 0 for firms not known."""
    rng = np.random.default_rng(seed)
    known = rng.permutation(FIRMS) < (0.9 if kind == "tax" else 0.6) * FIRMS
    factor = rng.standard_normal(FIRMS)
    values = 0.8 * factor + 0.6 * rng.standard_normal((FEATURES, FIRMS))
    bins = np.where(known, 1 + (values > 0.3), 0)
    path = homes.base / f"{kind}-{day}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["code", *(f"c{n}" for n in range(FEATURES))])
        for code, row, here in zip(CODES, bins.T.tolist(), known, strict=True):
            if here:
                writer.writerow([code, *("50" if bin_ == 1 else "150" for bin_ in row)])
    mapping = path.with_suffix(".toml")
    lines = ['format = "yinxin-mapping/1"', f'kind = "{kind}"', f"as_of = {day}", 'key = "code"']
    lines += ["[source]", 'type = "csv"', f'path = "{path.name}"']
    for n in range(FEATURES):
        lines += [f"[features.f{n}]", f'column = "c{n}"']
    mapping.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return mapping, bins


@asynccontextmanager
async def holding(homes: Homes, holder: SpiffeId, port: int) -> Any:
    config = load(HolderConfig, homes.folder(holder) / "node.toml", {})
    hub = config.hub.model_copy(update={"address": f"127.0.0.1:{port}"})
    clock = FixedClock(homes.now)
    async with running(config.model_copy(update={"hub": hub}), workers=1, clock=clock) as runtime:
        yield runtime


async def statistics(
    homes: Homes, holder: SpiffeId, port: int, days: dict[int, str]
) -> tuple[Signed, np.ndarray]:
    """What a holder signs of its newest epoch, and its exact bins there."""
    async with holding(homes, holder, port) as node:
        channel = node.peer_channel(Role.HUB, node.config.hub)
        sync = ChainSync(channel, node.chain, node.store, node.log, node.clock)
        loader = assemble(node, sync, channel).loader
        bins = np.zeros(0)
        for seed, (number, day) in enumerate(days.items()):
            # The same seed, a little moved, would be closer to life; two draws test the sums.
            mapping, bins = source(homes, KINDS[holder.name], seed, day)
            await loader.load(number, mapping)
        numbers = sorted(days)
        made = await make(node, numbers[-1], numbers[0] if len(days) > 1 else None, LARGE)
        return made.signed, bins


async def chain(homes: Homes, hub: Runtime[Any]) -> None:
    def unit(connection: Any) -> None:
        for party in (REGULATOR, HUB, HARBOUR, *HOLDERS):
            credential = Signed.from_json((homes.folder(party) / "member.json").read_bytes())
            address = "127.0.0.1:7443" if party.role is Role.HOLDER else ""
            publication.add_member(hub, connection, credential, address)
        publication.publish_catalogue(hub, connection, sensed())
        publication.enrol(hub, connection, CODES)
        for _ in range(2):
            publication.announce(hub, connection, homes.now, homes.now + 86_400)

    await hub.store.run(unit)


@pytest.fixture
def signed(homes: Homes) -> Iterator[tuple[dict[SpiffeId, Signed], dict[SpiffeId, np.ndarray]]]:
    """Statistics of two holders, one of them with a month before; the hub is away afterwards."""

    async def work() -> tuple[dict[SpiffeId, Signed], dict[SpiffeId, np.ndarray]]:
        documents, bins = {}, {}
        async with hub_serving(homes) as hub:
            await chain(homes, hub)
            port = hub.servers[0].port
            for holder, days in (
                (TAX, {1: "2026-05-31", 2: "2026-06-30"}),
                (POWER, {2: "2026-06-30"}),
            ):
                documents[holder], bins[holder] = await statistics(homes, holder, port, days)
        return documents, bins

    yield asyncio.run(work())


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code: object = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["yinxin", "hub", *map(str, words)])
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    told = capsys.readouterr()
    return (code if isinstance(code, int) else 0), told.out, told.err


def test_holders_data_become_the_next_catalogue(
    homes: Homes,
    signed: tuple[dict[SpiffeId, Signed], dict[SpiffeId, np.ndarray]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    documents, bins = signed
    config = ("--config", homes.folder(HUB) / "node.toml")
    files = []
    for holder, document in documents.items():
        files.append(homes.base / f"{holder.name}.json")
        files[-1].write_bytes(document.to_json())
    begin, out = homes.base / "small-1.json", homes.base / "small-2.json"
    begin.write_text(sensed().to_json(), encoding="utf-8")
    build = ("catalogue", "build", "--from", begin, "--out", out, *config)

    code, told, err = run(capsys, *build, "--version", "small-2", *files, "--json")
    assert (code, err) == (0, "")
    made = Catalogue.from_json(out.read_bytes())
    assert made.version == "small-2"
    assert '"unchanged": [\n    "insurance",\n    "court"\n  ]' in told
    for holder, exact in bins.items():
        known = float((exact[0] > 0).mean())
        assert made.recognition_of(str(holder)) == pytest.approx(known, abs=0.04)
        kind = KINDS[holder.name]
        for feature, row in zip(made.features_of(kind), exact, strict=True):
            shares = np.bincount(row, minlength=3) / FIRMS
            assert feature.frequencies == pytest.approx(shares.tolist(), abs=0.05)
            assert feature.loading is not None and 0.4 < feature.loading <= 1
            assert (feature.transitions is not None) is (holder == TAX)
    untouched = made.features_of("court")[0]
    assert untouched == sensed().features_of("court")[0]

    code, told, err = run(capsys, "catalogue", "publish", out, *config, "--json")
    assert (code, err) == (0, "")
    assert made.digest().hex() in told

    for words, remedy in (
        (("--version", "small-2", files[0], files[0]), "stands twice"),
        (("--version", "small-1", files[0]), "give the next one"),
        (("--version", "small-2", homes.base / "none.json"), "cannot be read"),
    ):
        code, told, err = run(capsys, *build, *words)
        assert code != 0 and remedy in err and "Traceback" not in err


def test_statistics_that_are_not_the_holders_are_refused(
    homes: Homes, signed: tuple[dict[SpiffeId, Signed], dict[SpiffeId, np.ndarray]]
) -> None:
    from federation.statistics import HolderStatistics

    document = HolderStatistics.parse(signed[0][TAX].payload)
    tax, bank = (homes.identity(party).signing for party in (TAX, HARBOUR))
    other = small_catalogue().model_copy(
        update={"features": tuple(reversed(sensed().features)), "recognition": None}
    )
    wrong = [
        (sensed(), document.sign(bank), "key"),
        (sensed(), document.model_copy(update={"holder": POWER}).sign(tax), "key"),
        (sensed(), document.model_copy(update={"holder": HARBOUR}).sign(bank), "no holder"),
        (sensed(), document.model_copy(update={"kind": "power"}).sign(tax), "kind"),
        (sensed(), document.model_copy(update={"chain": "other"}).sign(tax), "chain"),
        (sensed(), document.model_copy(update={"rows": 7}).sign(tax), "another roster"),
        (sensed(), document.model_copy(update={"epoch": 3}).sign(tax), "not at all"),
        (sensed(), document.model_copy(update={"catalogue": bytes(32)}).sign(tax), "catalogue"),
        (other, document.sign(tax), "features and bins"),
    ]

    async def work() -> None:
        async with hub_serving(homes) as hub:
            for catalogue, one, reason in wrong:
                with pytest.raises(FederationError, match=reason):
                    await hub.store.read(
                        lambda c, k=catalogue, s=one: build_catalogue(hub, c, k, "2", [s])
                    )

    asyncio.run(work())
