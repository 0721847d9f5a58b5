"""The hub's work for one query: the consent, the sealed evidence, the permit."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cryptography import x509
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from federation.envelope import EnvelopePublicKey, seal
from federation.exchange.evidence import knowledge_context
from federation.permit import AUDIT_PURPOSE, EVIDENCE_BYTES, Evidence, seal_to_regulator
from node.bench.chain import BANK, NAME, Chain
from node.bench.measure import Pair, Row, Side, Unit
from node.bench.setting import HOLDERS, Group, Pairs, Setting
from scoring.oprf import hash_to_group, verify_knowledge

ROWS_OF_GROUP = (
    Row(
        "permit.seal",
        Unit.MICROSECONDS,
        f"sealing the evidence to the regulator ({EVIDENCE_BYTES} bytes, ML-KEM-768 and X25519)",
        "HPKE with X25519 alone, same length",
    ),
    Row(
        "permit.consent",
        Unit.MICROSECONDS,
        "verifying an enterprise's consent",
        "its two signatures alone: ECDSA P-256, Ed25519",
    ),
    Row(
        "permit.issue",
        Unit.MICROSECONDS,
        f"issuing a permit for {HOLDERS} holders, all checks",
        "its cryptography alone: two signatures, proof, sealing, signing",
    ),
)


@asynccontextmanager
async def prepare(setting: Setting) -> AsyncIterator[Pairs]:
    """A chain in memory, one consent and one query."""
    chain = Chain()
    query = chain.query()
    (draft,) = chain.issue(query)
    consent = chain.consent()
    evidence = Evidence(
        permit=draft.permit.hash,
        consent=chain.compact,
        uscc=chain.firm,
        proof=query.request.blindings[0].proof,
        tag_key=secrets.token_bytes(32),
        officer="officer-1",
        reference="case-1",
    )
    ctx = chain.ctx
    padded = evidence.payload().ljust(EVIDENCE_BYTES, b"\0")
    classical = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
    recipient = X25519PrivateKey.generate().public_key()
    authority = x509.load_pem_x509_certificate(chain.root.licence_authority.encode())
    certificate = x509.load_der_x509_certificate(chain.certified)
    key = Ed25519PrivateKey.generate()
    public, message = key.public_key(), chain.compact.encode()
    signature = key.sign(message)
    audit = EnvelopePublicKey(chain.audit.public)
    payload = draft.permit.payload()
    base = hash_to_group(chain.firm.encode())
    blinding = query.request.blindings[0]
    statement = knowledge_context(NAME, BANK, consent.hash, ctx)

    def signatures() -> None:
        certificate.verify_directly_issued_by(authority)
        public.verify(signature, message)

    def cryptography() -> None:
        signatures()
        verify_knowledge(base, blinding.blinded, statement, blinding.proof)
        seal(audit, AUDIT_PURPOSE, ctx, padded, EVIDENCE_BYTES)
        key.sign(payload)

    yield {
        "permit.seal": Pair(
            Side(lambda: seal_to_regulator(evidence, chain.audit)),
            Side(lambda: classical.encrypt(padded, recipient, info=ctx)),
        ),
        "permit.consent": Pair(Side(chain.consent), Side(signatures)),
        "permit.issue": Pair(Side(lambda: chain.issue(query)), Side(cryptography)),
    }


GROUP = Group("permit", ROWS_OF_GROUP, prepare)
