"""Models, epochs and the node's state as command line and REST interface show them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from federation.certificate import ModelCertificate
from federation.exchange.regulator import CLOCK_SKEW, HISTORY_SECONDS
from node.bank.bank import Bank
from node.bank.chains import ChainView
from node.bank.records import Model


async def model_view(bank: Bank, model: Model) -> dict[str, Any]:
    """A model: what is certified, where it is installed, what is prepared. No points, no key."""
    agent = bank.agent
    view = await agent.chains.view(model.chain)
    certificate = await view.certified(model.hash)
    withdrawal = await view.read(lambda c: view.chain.withdrawal(c, model.hash))
    installed = await agent.read(lambda c: agent.records.installed(c, model.hash))
    now, certified_at = agent.now(), certificate.not_before + CLOCK_SKEW
    prepared = await view.read(lambda c: _prepared(bank, view, c, certificate))
    return {
        "certificate": model.hash.hex(),
        "chain": view.name,
        "name": model.scorecard.name,
        "version": model.scorecard.version,
        "form": certificate.form,
        "catalogue": model.scorecard.catalogue_version,
        "fields": [f.name for f in certificate.fields],
        "disclosed": list(certificate.disclosed),
        "participants": [
            {
                "holder": str(p.holder),
                "kind": p.kind,
                "named": p.named,
                "installed": str(p.holder) in installed,
            }
            for p in certificate.participants
        ],
        "not_before": certificate.not_before,
        "not_after": certificate.not_after,
        "state": _state(certificate, withdrawal is not None, now),
        "withdrawn": None if withdrawal is None else withdrawal.withdrawn,
        "counted": now < certified_at + HISTORY_SECONDS,
        "counted_until": certified_at + HISTORY_SECONDS,
        "prepared": prepared,
    }


def _state(certificate: ModelCertificate, withdrawn: bool, now: int) -> str:
    if withdrawn:
        return "withdrawn"
    return "valid" if certificate.not_before <= now < certificate.not_after else "expired"


async def model_views(bank: Bank) -> list[dict[str, Any]]:
    """Every model, the newest first."""
    agent = bank.agent
    listed = await agent.read(agent.records.models)
    models = [await agent.model_of(digest) for digest, *_ in listed]
    return [await model_view(bank, model) for model in models]


async def status_view(bank: Bank) -> dict[str, Any]:
    """The node: chain, epochs, models, queries, log."""
    agent, now = bank.agent, bank.agent.now()

    def look(connection: Connection) -> dict[str, Any]:
        chain = agent.chain
        epochs = []
        for number in chain.epoch_numbers(connection):
            descriptor = chain.descriptor(connection, number)
            if descriptor is None:
                continue
            state = "closed"
            if now < descriptor.closes:
                opened = chain.epoch(connection, number, now)
                state = "announced" if opened is None else "open"
            epochs.append(
                {
                    "epoch": number,
                    "state": state,
                    "opens": descriptor.opens,
                    "closes": descriptor.closes,
                    "enterprises": descriptor.roster_rows,
                }
            )
        return {
            "bank": str(agent.id),
            "chain": agent.root.chain,
            "enterprises": chain.roster(connection, now).size,
            "epochs": epochs,
            "models": len(agent.records.models(connection)),
            "queries": bank.queries.ledger.count(connection),
        }

    return {**await agent.read(look), "log_entries": await agent.runtime.log.count_by_kind()}


def _prepared(
    bank: Bank, view: ChainView, connection: Connection, certificate: ModelCertificate
) -> list[dict[str, int]]:
    """The open epochs, the newest first, and how many buckets are prepared in each."""
    agent, now = bank.agent, bank.agent.now()
    found = []
    for number in reversed(view.chain.epoch_numbers(connection)):
        descriptor = view.chain.descriptor(connection, number)
        if descriptor is None or now >= descriptor.closes:
            continue
        epoch = view.chain.epoch(connection, number, now)
        if epoch is None or epoch.descriptor.catalogue != certificate.catalogue:
            continue
        if set(certificate.holders) - set(epoch.manifests):
            continue
        kept = agent.records.prepared(connection, certificate.context(epoch))
        buckets = view.chain.roster(connection, now).buckets(epoch.descriptor.roster_rows)
        found.append({"epoch": number, "buckets": buckets, "prepared": len(kept)})
    return found
