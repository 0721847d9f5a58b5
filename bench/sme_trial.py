"""The invoices of 123 real firms through a whole chain: every record against the reference.

    python -m bench.sme_trial DATA

DATA is the folder of the published data set (see `bench.sme_invoices`, which prepares holder
files, mappings, catalogue and scorecard from it). Three holders, a hub, a regulator and a bank run
as processes; every firm consents, is asked about over the bank's REST interface, and its record is
compared with one computed from the published files. Prints figures as JSON; exit code 1 unless
every record is exact. Nothing of the data stays behind.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.sme_invoices import main as prepare_files
from bench.sme_reference import reference_records
from federation.pki import SubjectAuthority
from federation.purpose import Purpose
from federation.uscc import Uscc
from node.demo import setup, starting
from node.demo.agent import AgentClient
from node.demo.layout import CHAIN, Layout, plan
from node.demo.processes import Processes
from node.enterprise.enterprise import ConsentTerms, enrol_enterprises
from scoring.catalogue import Catalogue
from scoring.record import Record
from scoring.scorecard import Scorecard

KINDS = ["invoice", "tax", "trade_partners"]
TITLES = {"trade_partners": {"zh": "交易伙伴", "en": "Trade partners"}}
EPOCH, DAYS = 1, 2


async def _trial(layout: Layout, processes: Processes, data: Path) -> dict[str, Any]:
    files = layout.sample
    scorecard = Scorecard.from_json((files / "scorecard.json").read_bytes())
    catalogue = Catalogue.from_json((files / "catalogue.json").read_bytes())
    now = int(time.time())
    licence = setup.found(layout, now)
    await setup.enrol_members(layout)
    codes = setup.enterprises(layout)
    await setup.announce(layout, codes, catalogue, DAYS)
    token = await setup.api_token(layout)
    await starting.start(processes, layout.servers, _quiet)
    await starting.load(processes, layout, EPOCH, _quiet)
    await setup.open_epoch(layout, EPOCH)
    client = AgentClient(layout.bank.extra, token)
    try:
        model = (await client.certify(scorecard.model_dump(mode="json")))["certificate"]
        await client.prepare(model, _quiet)
        asked = await _ask_all(client, model, layout, scorecard, licence, codes)
    finally:
        await client.close()
    reference = reference_records(data, files)
    words = {code: word for code, word, _ in asked}
    times = [seconds for _, _, seconds in asked]
    return {
        "firms": len(codes),
        "holders": len(layout.holders),
        "mismatches": sum(words[code] != reference[code] for code in codes),
        "query_ms": round(1000 * statistics.median(times), 1),
        "scorecard": json.loads((files / "report.json").read_text(encoding="utf-8")),
    }


async def _ask_all(
    client: AgentClient,
    model: str,
    layout: Layout,
    scorecard: Scorecard,
    licence: SubjectAuthority,
    codes: list[Uscc],
) -> list[tuple[Uscc, int, float]]:
    """Code, record word and seconds of every firm."""
    now = int(time.time())
    terms = ConsentTerms(
        bank=layout.bank.id,
        purpose=Purpose.LOAN_APPROVAL,
        fields=tuple(field.name for field in scorecard.fields),
        disclosed=scorecard.disclosed,
        chains=(CHAIN,),
        days=DAYS,
    )
    found = []
    for firm in enrol_enterprises(licence, codes, now, DAYS):
        begin = time.monotonic()
        result = await client.query(model, firm.consent(terms, now), terms.purpose)
        record = Record(result["record"]["fields"], result["record"]["coverage"])
        found.append((firm.uscc, scorecard.layout().pack(record), time.monotonic() - begin))
    return found


def _quiet(done: int, of: int) -> None:
    """Progress that nobody looks at."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if len(given) != 1:
        sys.stderr.write("usage: python -m bench.sme_trial DATA\n")
        return 2
    data = Path(given[0])
    with tempfile.TemporaryDirectory(prefix="yinxin-trial-") as name:
        layout = plan(Path(name), KINDS, titles=TITLES)
        if prepare_files([str(data), str(layout.sample)]):
            return 1
        with Processes(layout.root / "logs") as processes:
            result = asyncio.run(_trial(layout, processes, data))
    sys.stdout.write(json.dumps(result, indent=2) + "\n")
    return 0 if result["mismatches"] == 0 else 1


if __name__ == "__main__":
    raise SystemExit(main())
