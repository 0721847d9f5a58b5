"""The bank's side: tables of a bucket, and one query from blinding to score record.

Everything that comes back through the hub is checked against keys that the regulator certified
or that a holder logged, before it is used. A record is accepted only when every signature, every
DLEQ proof and every context verifies and the checks of the record itself hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from federation.answers import UnlockAnswer, check_table
from federation.certificate import ModelCertificate
from federation.consent import Consent
from federation.entries import Kind, check_logged
from federation.epoch import OpenEpoch
from federation.errors import FederationError, Reason, Refusal
from federation.exchange.evidence import knowledge_context
from federation.exchange.messages import Blinding, QueryReply, QueryRequest
from federation.identity import SpiffeId
from federation.membership import Members
from federation.permit import Permit
from federation.signed import Signed
from scoring.errors import OprfError, RecordError
from scoring.oprf import blind, finalize, hash_to_group, prove_knowledge, verify
from scoring.pads import pad_word
from scoring.record import Record, RecordLayout
from scoring.words import MODULUS, ROWS


class AnswerRejected(FederationError):
    """An answer does not verify. `party` signed it, or should have.

    The bank tells nobody but the regulator: anyone else would have a decryption oracle.
    """

    def __init__(self, party: SpiffeId, problem: str) -> None:
        self.party = party
        super().__init__(f"{party}: {problem}")


@dataclass(frozen=True)
class Session:
    """A certified model in an open epoch, with the holders' logged keys (32 bytes each)."""

    certificate: ModelCertificate
    epoch: OpenEpoch
    keys: Mapping[SpiffeId, bytes]

    @cached_property
    def ctx(self) -> bytes:
        """The context of model and epoch; hashed once, a query needs it for every answer."""
        return self.certificate.context(self.epoch)


@dataclass(frozen=True)
class OpenQuery:
    """A query on its way: the request, and the scalar of every blinding, which never leave.

    It is kept until the answer came, so that a repetition sends the same elements and costs no
    second use of the consent.
    """

    request: QueryRequest
    code: bytes
    scalars: tuple[bytes, ...]


def table_is_signed(
    session: Session, holder: SpiffeId, bucket: int, answer: Signed, table: bytes
) -> None:
    """Raises AnswerRejected unless the holder signed this table for this bucket and ctx."""
    signing = session.certificate.participant(holder).signing
    try:
        check_table(answer, table, holder, bucket, signing, session.ctx)
    except FederationError as error:
        raise AnswerRejected(holder, str(error)) from error


def combine_tables(
    tables: Mapping[SpiffeId, NDArray[np.uint64]],
    weight_sums: Mapping[SpiffeId, int],
    session: Session,
) -> NDArray[np.uint64]:
    """The bucket's padded table: the sum of every participant's, less Σ w_c, mod 2^48.

    `tables` are the decrypted tables, shape (8192,); `weight_sums` the sum of all packed weights
    of each holder's columns, which columns of ones and twos add to every row. Masks cancel in
    the sum and only there. Raises AnswerRejected when a participant's table is missing.
    """
    total = np.zeros(ROWS, dtype=np.uint64)
    for holder in session.certificate.holders:
        if holder not in tables:
            raise AnswerRejected(holder, "its table of the bucket is missing")
        # Unsigned arithmetic wraps at 2^64, a multiple of 2^48, so one mask at the end is enough.
        total += tables[holder] - np.uint64(weight_sums[holder] % MODULUS)
    return total & np.uint64(MODULUS - 1)


def begin_query(
    session: Session,
    consent: Consent,
    *,
    purpose: str,
    officer: str = "",
    reference: str = "",
) -> OpenQuery:
    """Blinds the consent's subject, freshly for every holder that must see it and once for the
    others, and proves knowledge of each scalar.
    """
    certificate = session.certificate
    named = certificate.named_holders
    unnamed = tuple(h for h in certificate.holders if h not in named)
    audiences = ((unnamed,) if unnamed else ()) + tuple((h,) for h in named)
    code = consent.uscc.encode()
    base = hash_to_group(code)
    statement = knowledge_context(certificate.chain, certificate.bank, consent.hash, session.ctx)
    blindings, scalars = [], []
    for audience in audiences:
        blinded = blind(code)
        proof = prove_knowledge(blinded.scalar, base, blinded.element, statement)
        blindings.append(Blinding(audience, blinded.element, proof))
        scalars.append(blinded.scalar)
    request = QueryRequest(
        certificate_hash=certificate.hash,
        epoch=session.epoch.number,
        ctx=session.ctx,
        purpose=purpose,
        consent=consent.compact,
        blindings=tuple(blindings),
        officer=officer,
        reference=reference,
    )
    return OpenQuery(request, code, tuple(scalars))


def open_record(
    query: OpenQuery,
    reply: QueryReply,
    session: Session,
    members: Members,
    layout: RecordLayout,
    table_word: int,
    now: int,
) -> Record:
    """The score record of the query's subject.

    `table_word` is the subject's word of the bucket's padded table. Raises AnswerRejected naming
    the party whose part does not verify; the record's own checks (check bits, maxima, coverage)
    name the hub's chain, as no single party is at fault for what does not add up.
    """
    permits = _check_permits(query, reply, members, now)
    if len(reply.answers) != len(session.certificate.holders):
        raise AnswerRejected(members.hub.id, "answers are not one a participant")
    word = table_word
    for holder, answer in zip(session.certificate.holders, reply.answers, strict=True):
        index = next(i for i, p in enumerate(permits) if holder in p.audience)
        y = _unblind(holder, answer, permits[index], query, index, session)
        word -= pad_word(y, session.ctx, session.epoch.manifests[holder].hash)
    try:
        return layout.unpack(word % MODULUS)
    except RecordError as error:
        raise AnswerRejected(members.hub.id, f"record fails its checks: {error}") from error


def _check_permits(query: OpenQuery, reply: QueryReply, members: Members, now: int) -> list[Permit]:
    """The permits, once they are the hub's, logged, and for exactly what was asked."""
    hub = members.hub
    if len(reply.permits) != len(query.request.blindings):
        raise AnswerRejected(hub.id, "permits are not one a blinding")
    permits = []
    for logged, blinding in zip(reply.permits, query.request.blindings, strict=True):
        try:
            permit = Permit.open_(logged.document, hub.signing)
            check_logged(logged, Kind.PERMIT, hub.id, hub.signing, now)
        except FederationError as error:
            raise AnswerRejected(hub.id, str(error)) from error
        asked = (
            blinding.audience,
            blinding.blinded,
            query.request.ctx,
            query.request.certificate_hash,
            query.request.purpose,
        )
        if asked != (
            permit.audience,
            permit.blinded,
            permit.ctx,
            permit.certificate,
            permit.purpose,
        ):
            raise AnswerRejected(hub.id, "permit is not for what was asked")
        permits.append(permit)
    return permits


def _unblind(
    holder: SpiffeId,
    answer: Signed,
    permit: Permit,
    query: OpenQuery,
    index: int,
    session: Session,
) -> bytes:
    """The OPRF output y (64 bytes) of one holder's verified answer."""
    try:
        unlocked = UnlockAnswer.open_(answer, session.certificate.participant(holder).signing)
        if (unlocked.holder, unlocked.ctx, unlocked.permit) != (holder, session.ctx, permit.hash):
            raise Refusal(Reason.WRONG_CONTEXT, "answer is for another permit or context")
        if holder not in session.keys:
            raise Refusal(Reason.WRONG_CONTEXT, "holder has stated no key in this context")
        verify(session.keys[holder], [permit.blinded], [unlocked.evaluated], unlocked.proof)
        return finalize(query.code, query.scalars[index], unlocked.evaluated)
    except (FederationError, OprfError) as error:
        raise AnswerRejected(holder, str(error)) from error
