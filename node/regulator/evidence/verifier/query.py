"""Whether the query was in order: permit, model, epoch, consent, proof, counterparts, verdict."""

from __future__ import annotations

import hashlib
import hmac
import json

from consent import check_coverage, consent_hash
from folder import Folder, naming
from formats import Bad, Document, b64, unb64
from ristretto255 import hash_to_group, knows

PERMIT_SECONDS = 3600


def permit(folder: Folder, faults: list[str]) -> None:
    """The hub signed the permit for this query, and logged it with its envelope."""
    body, hub = folder.permit.body, folder.hub(folder.at)
    with naming("permit.json"):
        folder.permit.verify(folder.members.key(hub, folder.at))
        if folder.permit.hash.hex() != folder.case["query"]:
            raise Bad("is of another query")
        if body["chain"] != folder.root["chain"] or body["expires"] - body["issued"] > (
            PERMIT_SECONDS
        ):
            raise Bad("is of another chain, or for too long")
        folder.members.key(body["bank"], folder.at)
        envelope = b64(hashlib.sha256(folder.read("envelope.bin")).digest())
        recorded = folder.logged("permit", folder.permit.hash, hub)
        if [(one["time"], one["body"].get("envelope")) for one in recorded] != [
            (folder.at, envelope)
        ]:
            raise Bad("the hub's log does not record it once, with this time and envelope")


def model(folder: Folder, faults: list[str]) -> None:
    """The regulator certified the model, for this bank and these holders with these keys."""
    certificate, granted = folder.model, folder.permit.body
    body, members = certificate.body, folder.members.at(folder.at)
    with naming("model-certificate.json"):
        certificate.verify(unb64(folder.root["regulator_signing"]))
        if (b64(certificate.hash), body["bank"]) != (granted["certificate"], granted["bank"]):
            raise Bad("is of another model or bank than the permit's")
        if not body["not_before"] <= folder.at < body["not_after"]:
            raise Bad("was not valid at the time of the query")
        for one in body["participants"]:
            holder = members.get(one["holder"])
            if holder is None or (holder["signing"], holder["agreement"], holder["named"]) != (
                one["signing"],
                one["agreement"],
                one["named"],
            ):
                raise Bad(f"keys of {one['holder']} are not those of its credential")
        named = [[p["holder"]] for p in body["participants"] if p["named"]]
        others = [p["holder"] for p in body["participants"] if not p["named"]]
        if granted["audience"] not in [others, *named]:
            raise Bad("the permit's audience is not the model's")
        if not folder.logged("model-certified", certificate.hash, folder.root["regulator"]):
            raise Bad("the regulator's log does not record it")


def epoch(folder: Folder, faults: list[str]) -> None:
    """The state of the data: descriptor, manifests and opening, and the context they give."""
    granted = folder.permit.body
    descriptor = folder.document("epoch/descriptor.json", "epoch-descriptor")
    opening = folder.document("epoch/opening.json", "epoch-opening")
    opens: int = descriptor.body["opens"]
    for name, one in (("epoch/descriptor.json", descriptor), ("epoch/opening.json", opening)):
        with naming(name):
            _signed(folder, one, folder.hub(folder.at), opens)
            if one.body["epoch"] != granted["epoch"]:
                raise Bad("is of another epoch")
            if not folder.logged(one.kind, one.hash, folder.hub(folder.at)):
                raise Bad("the hub's log does not record it")
    with naming("epoch/opening.json"):
        if opening.body["descriptor"] != b64(descriptor.hash):
            raise Bad("is over another descriptor")
        if not opens <= folder.at < descriptor.body["closes"]:
            raise Bad("the epoch was not open at the time of the query")
        manifests = {one["holder"]: one["hash"] for one in opening.body["manifests"]}
        parts = (
            folder.model.hash,
            granted["bank"].encode(),
            granted["chain"].encode(),
            opening.hash,
        )
        digest = hashlib.sha256(b"yinxin/ctx/v1")
        for part in parts:
            digest.update(len(part).to_bytes(4, "big") + part)
        if b64(digest.digest()) != granted["ctx"]:
            raise Bad("the permit's context is not that of model and epoch")
    for one in folder.model.body["participants"]:
        name = f"epoch/manifest-{one['holder'].rpartition('/')[2]}.json"
        with naming(name):
            manifest = folder.document(name, "manifest")
            _signed(folder, manifest, one["holder"], opens)
            if b64(manifest.hash) != manifests.get(one["holder"]):
                raise Bad("is not the one in the opening")
            if not folder.logged("manifest", manifest.hash, one["holder"]):
                raise Bad("the holder's log does not record it")


def _signed(folder: Folder, document: Document, member: str, earlier: int) -> None:
    """Signed with the member's key at the time of the query, or of the epoch's beginning."""
    try:
        document.verify(folder.members.key(member, folder.at))
    except Bad:
        document.verify(folder.members.key(member, earlier))


def consent(folder: Folder, faults: list[str]) -> None:
    """The enterprise signed the consent, with a key of the licence authority, before the query."""
    with naming("evidence.json"):
        if folder.evidence["uscc"] != folder.claims["sub"]:
            raise Bad("names another enterprise than the consent")


def coverage(folder: Folder, faults: list[str]) -> None:
    """The consent covers the query."""
    with naming("evidence.json"):
        check_coverage(folder.claims, folder.permit.body, folder.model.body)


def tag(folder: Folder, faults: list[str]) -> None:
    """The permit is bound to that consent: HMAC-SHA256 under the tag key."""
    with naming("evidence.json"):
        digest = consent_hash(folder.evidence["consent"])
        computed = hmac.digest(unb64(folder.evidence["tag_key"]), digest, "sha256")
        if folder.evidence["permit"] != b64(folder.permit.hash):
            raise Bad("is of another permit")
        if not hmac.compare_digest(computed, unb64(folder.permit.body["consent_tag"])):
            raise Bad("the permit's tag is not of this consent")


def knowledge(folder: Folder, faults: list[str]) -> None:
    """The blinded element is of that enterprise: Schnorr's proof on ristretto255."""
    with naming("evidence.json"):
        body = folder.permit.body
        statement = (
            body["chain"].encode(),
            body["bank"].encode(),
            consent_hash(folder.evidence["consent"]),
            unb64(body["ctx"]),
        )
        base = hash_to_group(folder.evidence["uscc"].encode())
        if not knows(base, unb64(body["blinded"]), statement, unb64(folder.evidence["proof"])):
            raise Bad("the proof is not of this enterprise, bank and permit")


def counterparts(folder: Folder, faults: list[str]) -> None:
    """What holders and bank logged agrees with the permit."""
    body, digest = folder.permit.body, folder.permit.hash
    unlocked = [h for h in body["audience"] if folder.logged("unlock", digest, h)]
    if folder.logged("query", digest, body["bank"]):
        faults += [
            f"{holder}: logged no unlock, and the bank has a result"
            for holder in body["audience"]
            if holder not in unlocked
        ]


def verdict(folder: Folder, faults: list[str]) -> None:
    """The audit's own verdict: its findings about this query."""
    with naming("findings.json"):
        found = [
            one for one in json.loads(folder.read("findings.json")) if one["state"] != "explained"
        ]
        faults += [f"{one['kind']}: {one['subject']} ({one['state']})" for one in found]
        if bool(found) == folder.case["verified"]:
            raise Bad("the findings do not fit the case")
