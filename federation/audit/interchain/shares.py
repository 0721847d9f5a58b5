"""A peer's share as the reconciliation takes it."""

from __future__ import annotations

from federation.audit.findings import Finding
from federation.audit.interchain.cases import PermitFacts, Seen
from federation.audit.interchain.reconciliation import Interchain
from federation.entries import Kind
from federation.interchain.share import Share, ShareContent, SharedPermit


def feed_share(interchain: Interchain, share: Share, content: ShareContent) -> list[Finding]:
    """Feeds a share that was opened and follows the ones before it; what it contradicts."""
    findings: list[Finding] = []
    for permit in content.permits:
        findings += interchain.shared_permit(share.chain, _facts(permit))
    for entry in content.entries:
        seen = Seen(str(entry.log), entry.index, entry.time, entry.document)
        interchain.shared_entry(share.chain, Kind(entry.kind), entry.permit, seen)
    interchain.covered(share.chain, share.until, share.hub_signing)
    return findings


def _facts(permit: SharedPermit) -> PermitFacts:
    return PermitFacts(
        id=permit.permit,
        time=permit.time,
        expires=permit.expires,
        bank=str(permit.bank),
        ctx=permit.ctx,
        audience=tuple(map(str, permit.audience)),
        participants=tuple(map(str, permit.participants)),
    )
