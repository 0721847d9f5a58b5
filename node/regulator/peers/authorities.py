"""Changing the chain's certificate authority while everyone is served, in three steps.

1. `add_authority`: a second one stands in the bundle and in the file of authorities, and every
   grant from then on brings both. The first one still issues, so nobody meets a certificate of an
   authority that it does not know.
2. `switch_authority`, once every member has such a grant and every peer chain that bundle: the
   second one issues, the first one's key is gone.
3. `retire_authority`, once every member has a certificate of the second one: the first is dropped.

Whichever authority of the file the key belongs to is the one that issues.
"""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from sqlalchemy import Connection

from federation.authority import load_certificate
from federation.interchain.bundle import TrustBundle
from federation.issuance import issued_by
from federation.pki import CertificateAuthority
from federation.signed import Signed
from federation.tlskeys import make_csr, tls_key_from_pem
from node.enrolment.folder import read_file, write_public
from node.keys import read_secret, write_secret
from node.regulator.errors import RegulatorError
from node.regulator.membership import Regulator, newest_grants, open_authority
from node.regulator.peers.own import authorities, publish
from node.regulator.peers.pinning import pins_of_us
from node.regulator.root import ROOT_DAYS


async def add_authority(regulator: Regulator) -> Signed:
    """Step 1; returns the bundle with both. Raises RegulatorError when there are two already."""
    found = authorities(regulator)
    if len(found) != 1:
        raise RegulatorError("authority: there are two already; switch to the second, retire one")
    domain, now = regulator.identity.root.trust_domain, regulator.clock.now()
    fresh = CertificateAuthority.create(domain, now, ROOT_DAYS)
    _next_key(regulator).unlink(missing_ok=True)  # of an earlier try that was cut short
    write_secret(_next_key(regulator), fresh.key_to_pem())
    _write(regulator, [*found, fresh.certificate_pem])
    return await publish(regulator)


async def switch_authority(regulator: Regulator) -> None:
    """Step 2; the regulator's own certificate is issued anew at once.

    Raises RegulatorError with who does not know the second authority yet.
    """
    found, key = authorities(regulator), _next_key(regulator)
    if len(found) != 2 or not key.exists():
        raise RegulatorError("authority: there is no second one to switch to; make one first")
    fresh = CertificateAuthority.from_pem(found[1], read_secret(key))
    behind = await regulator.store.read(lambda c: _ignorant(regulator, c, fresh.certificate))
    if behind:
        raise RegulatorError(
            f"authority: {', '.join(behind)} would meet certificates of an authority that they do "
            "not know; enrol members again and have them join, wait for peer chains"
        )
    key.replace(regulator.config.authority_key)
    _issue_own(regulator, fresh)


async def retire_authority(regulator: Regulator) -> Signed:
    """Step 3; returns the bundle without the first authority.

    Raises RegulatorError with the members whose newest certificate is of it.
    """
    found = [load_certificate(pem) for pem in authorities(regulator)]
    if len(found) != 2 or _next_key(regulator).exists():
        raise RegulatorError("authority: none is to be retired; switch to the second one first")
    left = open_authority(regulator.config)
    (old,) = (one for one in found if one != left.certificate)
    grants = await regulator.store.read(lambda c: newest_grants(c, regulator.clock.now()))
    behind = sorted(
        member
        for member, grant in grants.items()
        if issued_by(load_certificate(grant.certificate), old)
    )
    if behind:
        raise RegulatorError(
            f"authority: {', '.join(behind)} have certificates of the old one; enrol them again "
            "and have them join"
        )
    if issued_by(load_certificate(read_file(regulator.config.tls.certificate, "certificate")), old):
        _issue_own(regulator, left)
    _write(regulator, [left.certificate_pem])
    return await publish(regulator)


def _ignorant(
    regulator: Regulator, connection: Connection, authority: x509.Certificate
) -> list[str]:
    """The members whose newest grant does not bring that authority, and the peer chains whose pin
    is of an older bundle than the newest.
    """
    found = []
    for member, grant in sorted(newest_grants(connection, regulator.clock.now()).items()):
        bundle = None if grant.bundle is None else TrustBundle.parse(grant.bundle.payload)
        if bundle is None or authority not in bundle.authorities():
            found.append(member)
    for chain, pin in sorted(pins_of_us(regulator, connection).items()):
        known = pin.trust()
        if pin.holds(regulator.clock.now()) and authority not in known.authorities():
            found.append(f"{chain} (bundle {known.spiffe_sequence})")
    return found


def _issue_own(regulator: Regulator, authority: CertificateAuthority) -> None:
    """The regulator's own TLS certificate again: the same names, key and end."""
    tls = regulator.config.tls
    last = load_certificate(read_file(tls.certificate, "certificate"))
    names = last.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    now = regulator.clock.now()
    days = max(1, int(last.not_valid_after_utc.timestamp() - now) // 86_400)
    csr = make_csr(tls_key_from_pem(read_secret(tls.key)))
    hosts = names.get_values_for_type(x509.DNSName)
    addresses = [ip_address(str(a)) for a in names.get_values_for_type(x509.IPAddress)]
    fresh = authority.issue_tls(csr, regulator.identity.id, now, days, hosts, addresses)
    write_public(tls.certificate, fresh)


def _write(regulator: Regulator, found: list[bytes]) -> None:
    """The authorities, to where the node and its commands read them, and into the trust root that
    new members and enterprises are handed.
    """
    config = regulator.config
    root = regulator.identity.root.model_copy(update={"authority": b"".join(found).decode("ascii")})
    write_public(config.trust_bundle, root.payload())
    for path in {config.tls.ca, config.authority_certificate}:
        write_public(path, b"".join(found))


def _next_key(regulator: Regulator) -> Path:
    own = regulator.config.authority_key
    return own.with_name(f"{own.name}.next")
