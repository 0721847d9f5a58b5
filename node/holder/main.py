"""Builds a holder's node: its parts, its server, and what runs beside it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from federation.identity import Role
from node.chain import ChainSync
from node.config import HolderConfig
from node.holder.closing import Closer
from node.holder.contexts import Contexts
from node.holder.development.counts import Counts
from node.holder.development.labels import Labels
from node.holder.disputes.desk import DisputeDesk
from node.holder.loading import EpochLoader
from node.holder.models import Models
from node.holder.pads import Pads
from node.holder.pages import TITLE, add_pages
from node.holder.preparation import Preparation
from node.holder.service import ROLES, HolderService
from node.holder.snapshots import Snapshots
from node.holder.submission import Submission
from node.holder.unlocking import Unlocking
from node.holder.vault import EpochVault
from node.pages.serving import add_site
from node.rpc.client import Channel
from node.runtime import Runtime
from yinxin.v1.holder_pb2_grpc import add_HolderServicer_to_server


@dataclass(frozen=True)
class Parts:
    """The parts of a holder over one runtime."""

    vault: EpochVault
    contexts: Contexts
    models: Models
    snapshots: Snapshots
    pads: Pads
    preparation: Preparation
    unlocking: Unlocking
    labels: Labels
    counts: Counts
    closer: Closer
    submission: Submission
    loader: EpochLoader
    disputes: DisputeDesk


def assemble(runtime: Runtime[HolderConfig], sync: ChainSync, hub: Channel) -> Parts:
    """Puts the parts together; nothing runs yet."""
    vault = EpochVault(runtime.config.data_dir)
    contexts = Contexts(runtime, vault, sync)
    models = Models(runtime, contexts)
    snapshots = Snapshots(runtime)
    pads = Pads(runtime, contexts, vault)
    preparation = Preparation(runtime, contexts, models, snapshots, pads, vault)
    labels = Labels(runtime, contexts)
    submission = Submission(runtime, hub)
    return Parts(
        vault=vault,
        contexts=contexts,
        models=models,
        snapshots=snapshots,
        pads=pads,
        preparation=preparation,
        unlocking=Unlocking(runtime, contexts),
        labels=labels,
        counts=Counts(runtime, contexts, labels, snapshots),
        closer=Closer(runtime, vault),
        submission=submission,
        loader=EpochLoader(runtime, sync, submission),
        disputes=DisputeDesk(runtime),
    )


async def build(runtime: Runtime[HolderConfig]) -> None:
    """Adds server and tasks to the runtime, after closing what ended while the node was down."""
    runtime.identity.require_agreement()
    hub = runtime.peer_channel(Role.HUB, runtime.config.hub)
    parts = assemble(runtime, runtime.follow_chain(hub), hub)
    await parts.closer.close_overdue()
    # What lies there may also be on its way to a replica.
    await parts.labels.tidy(started=await runtime.processes.alone())
    service = HolderService(
        parts.contexts,
        parts.models,
        parts.pads,
        parts.preparation,
        parts.unlocking,
        parts.labels,
        parts.counts,
        parts.disputes,
        runtime.metrics,
    )
    runtime.add_server(runtime.config.listen, ROLES, partial(add_HolderServicer_to_server, service))
    runtime.tasks += [
        parts.closer.keep(),
        parts.pads.keep(),
        parts.submission.keep(),
        parts.disputes.keep(),
    ]
    add_site(runtime, TITLE, lambda site: add_pages(site, runtime))
    _watch(runtime, parts)


def _watch(runtime: Runtime[HolderConfig], parts: Parts) -> None:
    metrics, progress = runtime.metrics, parts.pads.progress
    metrics.watch("pads_done", "Buckets whose pads are ready", lambda: progress.done)
    metrics.watch("pads_total", "Buckets of the open contexts", lambda: progress.total)
    metrics.watch(
        "buckets_prepared", "Buckets prepared since the start", lambda: parts.preparation.prepared
    )
