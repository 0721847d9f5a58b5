"""What a hub publishes of a chain, read and verified before any of it is kept."""

from __future__ import annotations

from collections.abc import Sized

from federation.epoch import read_descriptor, read_epoch, read_manifest
from federation.errors import DocumentError, Reason, Refusal
from federation.identity import SpiffeId
from federation.membership import Members, TrustRoot
from federation.signed import Signed
from node.chain.store import DESCRIPTOR, MANIFEST, OPENING
from node.rpc.convert import identifier, signed_from_wire
from scoring.catalogue import Catalogue
from scoring.errors import ScoringError
from yinxin.v1 import common_pb2, hub_pb2

MAX_MEMBERS = 10_000
MAX_EPOCHS = 64
MAX_WITHDRAWALS = 100_000
MAX_PEERS = 10_000


def read_members(state: hub_pb2.ChainState, root: TrustRoot, hub: SpiffeId, now: int) -> Members:
    """The members of a state. Raises SignatureInvalid, DocumentError; Refusal, also for a chain
    whose hub is not `hub`.
    """
    check_count(state.members, "members", MAX_MEMBERS)
    credentials = [signed_from_wire(member) for member in state.members]
    members = Members(root, credentials, now)
    if members.hub.id != hub:
        raise Refusal(Reason.FOREIGN_CERTIFICATE, "the chain has another hub")
    return members


def check_counts(state: hub_pb2.ChainState) -> None:
    """Raises DocumentError for more of anything than a chain has."""
    check_count(state.catalogues, "catalogues", MAX_EPOCHS)
    check_count(state.epochs, "epochs", MAX_EPOCHS)
    check_count(state.withdrawals, "withdrawals", MAX_WITHDRAWALS)
    check_count(state.pins, "pins", MAX_PEERS)
    check_count(state.guests, "guests", MAX_PEERS)


def read_logs(state: hub_pb2.ChainState) -> dict[SpiffeId, str]:
    """The addresses are the hub's word: who connects demands the member's certificate."""
    check_count(state.logs, "logs", MAX_MEMBERS)
    return {identifier(log.member, "logs"): log.address for log in state.logs}


def check_count(found: Sized, name: str, most: int) -> None:
    """Raises DocumentError for more than `most`."""
    if len(found) > most:
        raise DocumentError(name, f"are more than {most}")


def check_catalogue(raw: bytes) -> None:
    """Raises DocumentError for what is no catalogue in canonical form."""
    try:
        canonical = Catalogue.from_json(raw).to_json().encode()
    except ScoringError as error:
        raise DocumentError("catalogue", str(error)) from error
    if canonical != raw:
        raise DocumentError("catalogue", "is not in canonical form")


def digests(epoch: common_pb2.Epoch) -> list[bytes]:
    """Payload hashes of what binds: manifests do with the opening."""
    bound = [epoch.opening, *epoch.manifests] if epoch.HasField("opening") else []
    return [signed_from_wire(document).payload_hash for document in (epoch.descriptor, *bound)]


def verify_epoch(
    epoch: common_pb2.Epoch, members: Members
) -> tuple[int, list[tuple[str, str, Signed]]]:
    """The documents of an epoch to keep: kind, name, document; all of them verified."""
    signed = signed_from_wire(epoch.descriptor)
    descriptor = read_descriptor(signed, members)
    documents = [(DESCRIPTOR, "", signed)]
    if not epoch.HasField("opening"):
        # Manifests without an opening bind nobody yet.
        return descriptor.epoch, documents
    manifests = [signed_from_wire(manifest) for manifest in epoch.manifests]
    opening = signed_from_wire(epoch.opening)
    opened = read_epoch(signed, manifests, opening, members)
    by_hash = {manifest.payload_hash: manifest for manifest in manifests}
    for holder, manifest in opened.manifests.items():
        read_manifest(by_hash[manifest.hash], holder, members)
        documents.append((MANIFEST, str(holder), by_hash[manifest.hash]))
    documents.append((OPENING, "", opening))
    return descriptor.epoch, documents
