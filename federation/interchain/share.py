"""What one regulator tells another of queries between their two chains, so that both reconcile.

Of such a query the chain that was asked has permit and unlocks, the chain that the bank is at home
in has the routing and the bank's own entry. A share is a numbered page of these: the entries of the
answering chain's logs that are about the asking chain, within a span of each log, and findings
about members of the asking chain. Each share names the one before it by hash, its spans begin where
those ended, and `until` says up to which time it is complete: one cannot be left out, put in or
changed unnoticed, and two that contradict each other convict whoever signed them.

An entry is told by its log, index, kind, time and permit, and of a permit in addition for whom,
until when, by which holders, and which holders take part in the model. Nothing of consent, firm,
purpose or model is in a share. Of a bank's log only those entries are told that are about a permit
of the asking chain, or of no chain that the answering one knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, model_validator

from federation.documents import Array, Bytes, Bytes16, Bytes32, Document, Id, Name, Part, Time
from federation.entries import Kind, entry
from federation.envelope import EnvelopeKey, EnvelopePublicKey, open_, seal
from federation.errors import Reason, Refusal
from federation.identity import Role, SpiffeId
from federation.interchain.bundle import TrustBundle
from federation.signed import Signed

SHARE_BYTES: Final = 256 * 1024
"""Every share's content has this size: how much two chains ask each other is theirs to know."""
MAX_LOGS: Final = 4_096
REQUEST_SECONDS: Final = 300
DAY: Final = 86_400
NONE: Final = bytes(32)
"""The hash that stands for no share."""
PURPOSE: Final = "yinxin/envelope/audit-share/v1"

Index = Annotated[int, Field(ge=0)]
EntryKind = Literal["unlock", "query-routed", "query", "record-failure"]
_WRITERS: Final = {
    Kind.UNLOCK.value: Role.HOLDER,
    Kind.ROUTED.value: Role.HUB,
    Kind.QUERY.value: Role.BANK,
    Kind.FAILURE.value: Role.BANK,
}


class ShareRequest(Document):
    """The regulator of `chain` asks that of `audience` for what follows share `number`, of hash
    `last`; 0 and zeros for the first.
    """

    TYPE: ClassVar[str] = "audit-share-request"

    id: Bytes16
    chain: Name
    audience: Name
    regulator: Id
    number: Annotated[int, Field(ge=0)]
    last: Bytes32
    issued: Time


class SharedLog(Part):
    """The span of a log that a share stands on: its entries from `start` to before `stop`.

    `size` and `root` are of the tree that the answering regulator had mirrored by then.
    """

    log: Id
    start: Index
    stop: Index
    size: Index
    root: Bytes32

    @model_validator(mode="after")
    def _in_order(self) -> SharedLog:
        if not self.start <= self.stop <= self.size:
            raise ValueError("start, stop and size are not in order")
        return self


class Share(Document):
    """One page. Times in unix seconds; `begin` is 0 for the first.

    `content` is the payload hash of the `ShareContent`, which is sealed beside it; `hub_signing`
    the key with which the answering chain's hub signs permits now.
    """

    TYPE: ClassVar[str] = "audit-share"

    chain: Name
    audience: Name
    regulator: Id
    number: Annotated[int, Field(ge=1)]
    previous: Bytes32
    issued: Time
    begin: Annotated[int, Field(ge=0)]
    until: Time
    hub_signing: Bytes32
    logs: Annotated[tuple[SharedLog, ...], Array, Field(max_length=MAX_LOGS)]
    content: Bytes32

    @model_validator(mode="after")
    def _in_order(self) -> Share:
        if not self.begin <= self.until <= self.issued:
            raise ValueError("begin, until and issued are not in order")
        if len({span.log for span in self.logs}) != len(self.logs):
            raise ValueError("a log has two spans")
        return self


class SharedPermit(Part):
    """A `permit` entry of the hub's log: `index` there, and what the permit says. `time` is that of
    the entry and of issue. Where the permit itself is not to be had, `audience` is empty.
    """

    index: Index
    time: Time
    permit: Bytes32
    bank: Id
    ctx: Bytes32
    expires: Time
    audience: Annotated[tuple[Id, ...], Array]
    participants: Annotated[tuple[Id, ...], Array]


class SharedEntry(Part):
    """Another entry. `document` is, of a `query-routed` entry, the permit that the hub received, as
    its signer made it (DSSE JSON); else empty.
    """

    log: Id
    index: Index
    kind: EntryKind
    time: Time
    permit: Bytes32
    document: Bytes


class SharedFinding(Part):
    """A finding about a member of the asking chain; `query` is empty or a permit's hash."""

    kind: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
    subject: Id
    query: Bytes
    key: Annotated[str, Field(max_length=512)]
    evidence: dict[str, str | int]
    found: Time


class ShareContent(Document):
    """What is sealed. `salt` keeps the hash of an empty one from telling that it is empty."""

    TYPE: ClassVar[str] = "audit-share-content"

    salt: Bytes16
    permits: Annotated[tuple[SharedPermit, ...], Array]
    entries: Annotated[tuple[SharedEntry, ...], Array]
    findings: Annotated[tuple[SharedFinding, ...], Array]


def check_request(
    request: ShareRequest, chain: str, home: str, regulator: SpiffeId, now: int
) -> None:
    """The answering regulator of `chain`, asked by `regulator` of chain `home`.

    Raises Refusal(wrong_chain) for one that another chain asks, Refusal(wrong_audience) for one to
    another chain, Refusal(expired).
    """
    if request.chain != home or request.regulator != regulator:
        raise Refusal(Reason.WRONG_CHAIN, f"share request is of {request.regulator}")
    if request.audience != chain:
        raise Refusal(Reason.WRONG_AUDIENCE, f"share request is to chain {request.audience}")
    if abs(now - request.issued) > REQUEST_SECONDS:
        raise Refusal(Reason.EXPIRED, "share request is outside its time")


def seal_share(share: Share, content: ShareContent, public: bytes) -> bytes:
    """The content for the asking regulator, whose envelope key is `public`, bound to its share.

    Raises EnvelopeError for one over 256 KiB.
    """
    key = EnvelopePublicKey(public)
    return seal(key, PURPOSE, share.hash, content.payload(), SHARE_BYTES)


def open_share(
    signed: Signed,
    sealed: bytes,
    bundle: TrustBundle,
    audience: str,
    domain: str,
    key: EnvelopeKey,
    now: int,
) -> tuple[Share, ShareContent]:
    """A share of the chain of `bundle` for chain `audience` of trust domain `domain`, opened.

    Raises SignatureInvalid, DocumentError, EnvelopeError; Refusal(wrong_chain) or
    Refusal(wrong_audience) for a share of or for another chain, Refusal(not_yet_valid) for one of
    the future, Refusal(conflict) when the content is not what it names or lies outside its spans.
    """
    share = Share.open_(signed, bundle.yinxin_signing)
    if share.chain != bundle.yinxin_chain or share.regulator != bundle.yinxin_regulator:
        raise Refusal(Reason.WRONG_CHAIN, f"share is of chain {share.chain}")
    if share.audience != audience:
        raise Refusal(Reason.WRONG_AUDIENCE, f"share is for chain {share.audience}")
    if share.issued > now + REQUEST_SECONDS:
        raise Refusal(Reason.NOT_YET_VALID, "share is dated in the future")
    content = ShareContent.parse(open_(key, PURPOSE, share.hash, sealed, SHARE_BYTES))
    if content.hash != share.content:
        raise Refusal(Reason.CONFLICT, "the content is not the one that the share names")
    problem = next(_problems(share, content, bundle, domain), None)
    if problem is not None:
        raise Refusal(Reason.CONFLICT, problem)
    return share, content


def _problems(
    share: Share, content: ShareContent, bundle: TrustBundle, domain: str
) -> Iterator[str]:
    """What in a share is not the answering chain's to tell."""
    own = bundle.yinxin_trust_domain
    spans = {span.log: span for span in share.logs}
    told: set[tuple[SpiffeId, int]] = set()
    places = [(bundle.yinxin_hub, permit.index) for permit in content.permits]
    places += [(one.log, one.index) for one in content.entries]
    for log, index in places:
        span = spans.get(log)
        if span is None or not span.start <= index < span.stop:
            yield f"entry {index} of {log} is outside the span"
        if (log, index) in told:
            yield f"entry {index} of {log} is told twice"
        told.add((log, index))
    if any(log.trust_domain != own for log in spans):
        yield "a log is of another trust domain"
    for one in content.entries:
        if one.log.role is not _WRITERS[one.kind]:
            yield f"{one.log} writes no {one.kind}"
    if any(permit.bank.trust_domain != domain for permit in content.permits):
        yield "a permit is of a bank of another chain"
    if any(finding.subject.trust_domain != domain for finding in content.findings):
        yield "a finding is about a member of another chain"


def check_follows(share: Share, last: Share | None) -> None:
    """Raises Refusal(conflict) unless the share is the one after `last`, or the first.

    Every log of `last` goes on where it ended, its tree has grown or is the same.
    """
    number, previous, begin = (0, NONE, 0) if last is None else (last.number, last.hash, last.until)
    if share.number != number + 1:
        raise Refusal(Reason.CONFLICT, f"share {share.number} follows {number}")
    if share.previous != previous or share.begin != begin:
        raise Refusal(Reason.CONFLICT, f"share {share.number} does not join the one before it")
    spans = {span.log: span for span in share.logs}
    for before in () if last is None else last.logs:
        span = spans.get(before.log)
        if span is None or span.start != before.stop:
            raise Refusal(Reason.CONFLICT, f"the span of {before.log} does not join the last one")
        if span.size < before.size or (span.size == before.size and span.root != before.root):
            raise Refusal(Reason.CONFLICT, f"the log of {before.log} is not what it was")


def overdue(covered: int, since: int, now: int) -> bool:
    """Whether a peer's shares are complete up to a time (`covered`, 0 for none) that is more than a
    day ago, and have been waited for (from `since` on) for as long.
    """
    return now - max(covered, since) > DAY


def share_entry(share: Share, content: ShareContent, now: int) -> bytes:
    """The entry of whoever gave or received a share: the span, and how much is in it."""
    return entry(
        Kind.SHARE,
        now,
        document=share.hash,
        chain=share.chain,
        peer=share.audience,
        number=share.number,
        begin=share.begin,
        until=share.until,
        entries=len(content.permits) + len(content.entries),
        findings=len(content.findings),
    )
