"""Enrolling members: what the regulator checks, signs, and keeps of it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from federation.authority import load_certificates
from federation.entries import Kind, entry
from federation.identity import Role, SpiffeId
from federation.membership import Member, MemberRequest
from federation.pki import CertificateAuthority
from federation.rotation import rotation_entry
from federation.signed import Signed
from federation.tlskeys import tls_key_from_pem
from node.chain.store import TRUST_BUNDLE
from node.config import RegulatorConfig
from node.enrolment import Grant, grant_member, read_request
from node.enrolment.folder import read_file
from node.keys import read_secret
from node.regulator.errors import RegulatorError
from node.regulator.tables import regulator_grants
from node.runtime import Runtime

Regulator = Runtime[RegulatorConfig]

_KEYS = ("signing", "agreement", "sealing")


@dataclass(frozen=True)
class Enrolled:
    """A member as the regulator enrolled it last."""

    member: Member
    request: Signed


def open_authority(config: RegulatorConfig) -> CertificateAuthority:
    """The authority that issues the chain's TLS certificates, with its key: where the file holds
    two, the one that the key belongs to.
    """
    raw = read_file(config.authority_certificate, "authority's certificate")
    key = tls_key_from_pem(read_secret(config.authority_key))
    for certificate in load_certificates(raw):
        if certificate.public_key() == key.public_key():
            return CertificateAuthority(certificate, key)
    raise RegulatorError(
        f"{config.authority_certificate} holds no certificate for {config.authority_key}; "
        "restore both"
    )


async def enrol(regulator: Regulator, signed: Signed, *, days: int, replace: bool = False) -> Grant:
    """Signs, records and logs the grant for a request. It is durable before it is returned.

    A request of the same keys renews. Raises RegulatorError for a member that has other keys
    already unless `replace`, and for a key that another member has; else as `read_request`.
    """
    identity = regulator.identity
    request = read_request(signed, identity.root)
    if request.id == identity.id and request.signing != identity.signing.public:
        raise RegulatorError(
            f"{request.id}: the regulator's own keys are the chain's root; they are not enrolled"
        )
    now = regulator.clock.now()
    bundles = await regulator.store.read(lambda c: regulator.chain.documents(c, TRUST_BUNDLE))
    grant = grant_member(
        request,
        root=identity.root,
        authority=open_authority(regulator.config),
        signing=identity.signing,
        now=now,
        days=days,
        bundle=bundles[-1] if bundles else None,
    )

    def unit(connection: Connection) -> None:
        _check_keys(connection, request, replace)
        _record(regulator, connection, signed, grant, now)

    await regulator.store.run(unit)
    return grant


def newest_grants(connection: Connection, now: int) -> dict[str, Grant]:
    """The newest grant of every member whose credential is valid, by its id."""
    rows = connection.execute(select(regulator_grants).order_by(regulator_grants.c.not_before))
    grants = {str(row.member): Grant.from_json(bytes(row.grant)) for row in rows}
    return {
        member: grant
        for member, grant in grants.items()
        if Member.parse(grant.credential.payload).not_after > now
    }


async def record_own(regulator: Regulator) -> None:
    """Puts the regulator itself among the members that it knows, once."""
    credential = regulator.identity.credential

    def unit(connection: Connection) -> None:
        if regulator.chain.put_member(connection, credential):
            _log(regulator, connection, regulator.identity.member, regulator.clock.now())

    await regulator.store.run(unit)


async def enrolled(regulator: Regulator) -> list[Enrolled]:
    """Everyone that was ever enrolled, by the newest grant, in order of ids."""

    def look(connection: Connection) -> list[Enrolled]:
        return [newest for _, newest in sorted(_newest(connection).items())]

    return await regulator.store.read(look)


def _newest(connection: Connection) -> dict[str, Enrolled]:
    rows = connection.execute(select(regulator_grants).order_by(regulator_grants.c.not_before))
    found = {}
    for row in rows:
        # Parsed, not verified: this is the regulator's own record of what it signed.
        member = Member.parse(Grant.from_json(bytes(row.grant)).credential.payload)
        found[str(row.member)] = Enrolled(member, Signed.from_json(bytes(row.request)))
    return found


def _check_keys(connection: Connection, request: MemberRequest, replace: bool) -> None:
    for name, known in _newest(connection).items():
        same = [key for key in _KEYS if getattr(known.member, key) == getattr(request, key)]
        if name == str(request.id):
            if len(same) < len(_KEYS) and not replace:
                raise RegulatorError(
                    f"{request.id} is a member with other keys; if they were lost or changed, and "
                    "you are sure who asks, enrol it with --replace"
                )
            continue
        shared = [key for key in same if getattr(request, key)]
        if shared:
            raise RegulatorError(
                f"{request.id}: its {shared[0]} key is {name}'s; every member makes its own keys"
            )
    hub = [n for n in _newest(connection) if SpiffeId.parse(n).role is Role.HUB]
    if request.id.role is Role.HUB and hub and hub != [str(request.id)]:
        raise RegulatorError(f"{request.id}: the chain's hub is {hub[0]}, and a chain has one")


def _record(
    regulator: Regulator, connection: Connection, request: Signed, grant: Grant, now: int
) -> None:
    member = Member.parse(grant.credential.payload)
    before = _newest(connection).get(str(member.id))
    regulator.chain.put_member(connection, grant.credential)
    connection.execute(
        insert(regulator_grants).values(
            member=str(member.id),
            not_before=member.not_before,
            request=request.to_json(),
            grant=grant.to_json(),
        )
    )
    _log(regulator, connection, member, now)
    rotated = None if before is None else rotation_entry(before.member, member, now)
    if rotated is not None:
        regulator.append(connection, Kind.KEY_ROTATED, rotated)


def _log(regulator: Regulator, connection: Connection, member: Member, now: int) -> None:
    raw = entry(
        Kind.MEMBER,
        now,
        document=member.hash,
        member=member.id,
        not_before=member.not_before,
        not_after=member.not_after,
    )
    regulator.append(connection, Kind.MEMBER, raw)
