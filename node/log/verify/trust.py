"""Whom a verifier of a log believes: members under a trust root, or keys given one by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from federation.errors import DocumentError, FederationError, SignatureInvalid
from federation.identity import Role, SpiffeId
from federation.membership import Member, Members, TrustRoot
from federation.signed import Signed
from federation.tlog.checkpoint import member_of, witnesses_of
from federation.tlog.note import COSIGNATURE, ED25519, parse_vkey
from federation.tlog.opening import LogKeys
from node.enrolment.folder import read_file
from node.enrolment.grant import Grant
from node.log.verify.source import VerifyError


def parse_log(text: str) -> SpiffeId:
    """The owner of a log from its SPIFFE id or its origin (the id without `spiffe://`).

    Raises IdentityError.
    """
    return SpiffeId.parse(text) if text.startswith("spiffe://") else member_of(text)


def keys_of_members(members: Members, log: SpiffeId) -> LogKeys:
    """The keys of a member's log. Raises VerifyError when it is none of the members."""
    for role in Role:
        for member in members.of(role):
            if member.id == log:
                return LogKeys(log, member.signing, witnesses_of(members, log))
    raise VerifyError(f"{log} is none of the members given, or its credential is not valid then")


def keys_of_vkeys(texts: Sequence[str]) -> LogKeys:
    """The keys in vkeys: one of algorithm 1 for the log, those of algorithm 4 for its witnesses.

    Raises VerifyError unless there are one log and at least one witness, and no party twice;
    DocumentError or IdentityError for a vkey that is none.
    """
    owners: dict[SpiffeId, bytes] = {}
    witnesses: dict[SpiffeId, bytes] = {}
    for text in texts:
        name, algorithm, public = parse_vkey(text)
        table = {ED25519: owners, COSIGNATURE: witnesses}[algorithm]
        party = member_of(name)
        if party in table:
            raise VerifyError(f"--vkey: two keys of {name}")
        table[party] = public
    if len(owners) != 1 or not witnesses:
        raise VerifyError("--vkey: give one key of the log and the key of every witness of it")
    ((log, public),) = owners.items()
    return LogKeys(log, public, witnesses)


def read_members(root: TrustRoot, paths: Iterable[Path], now: int) -> Members:
    """The members in files of credentials or grants, and in folders of such (`*.json`).

    Of several credentials of a member its newest that has begun at `now` (unix seconds) counts.
    Raises VerifyError naming the file that holds none, or one not of the regulator in the root.
    """
    newest: dict[SpiffeId, tuple[int, Signed]] = {}
    for path in _files(paths):
        credential = _credential(path)
        try:
            member = Member.open_(credential, root.regulator_signing)
        except (SignatureInvalid, DocumentError) as error:
            raise VerifyError(f"{path}: no credential of {root.regulator} ({error})") from error
        known = newest.get(member.id)
        if member.not_before <= now and (known is None or known[0] < member.not_before):
            newest[member.id] = (member.not_before, credential)
    return Members(root, [credential for _, credential in newest.values()], now)


def _files(paths: Iterable[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        found += sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not found:
        raise VerifyError("--members: no credential there; name files or folders of them")
    return found


def _credential(path: Path) -> Signed:
    raw = read_file(path, "credential")
    try:
        return Signed.from_json(raw)
    except DocumentError:
        pass
    try:
        return Grant.from_json(raw).credential
    except FederationError as error:
        raise VerifyError(f"{path} is neither a credential nor a grant") from error
