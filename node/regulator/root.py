"""The root of trust of a chain, made once by its regulator."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from federation.authority import authority_domain, load_certificate
from federation.identity import Role, SpiffeId
from federation.membership import TrustRoot
from federation.pki import CertificateAuthority
from node.enrolment import EnrolmentError, HomeSettings, grant_member, load_config
from node.enrolment import folder as files
from node.enrolment.folder import building, write_public
from node.enrolment.home import install_grant, write_home
from node.enrolment.keys import NodeKeys
from node.enrolment.request import make_request
from node.identity import load_identity
from node.keys import KEY_BYTES, write_secret

ROOT_DAYS = 3650


def init_regulator(
    folder: Path,
    *,
    chain: str,
    trust_domain: str,
    name: str,
    licence_authority: bytes,
    title: Mapping[str, str],
    settings: HomeSettings,
    now: int,
    days: int,
    addresses: Sequence[str] = (),
) -> TrustRoot:
    """Makes a chain's root of trust, and the regulator's own node with it.

    `licence_authority` is that authority's certificate (PEM), `days` the validity of the
    regulator's own credential; the authority behind it lasts ten years. Nothing is left behind
    on an error: EnrolmentError, ConfigError, SecretFileError, or a FederationError about a name.
    """
    certificate = load_certificate(licence_authority)
    licence_domain = authority_domain(certificate)
    if licence_domain == trust_domain:
        raise EnrolmentError(
            f"trust_domain: {trust_domain} is the licence authority's; a chain needs its own, or "
            "members could certify the keys of enterprises"
        )
    party = SpiffeId(trust_domain, Role.REGULATOR, name)
    authority = CertificateAuthority.create(trust_domain, now, ROOT_DAYS)
    keys = NodeKeys.generate(Role.REGULATOR)
    root = TrustRoot(
        chain=chain,
        trust_domain=trust_domain,
        regulator=party,
        regulator_signing=keys.signing.public,
        authority=authority.certificate_pem.decode("ascii"),
        licence_domain=licence_domain,
        licence_authority=certificate.public_bytes(Encoding.PEM).decode("ascii"),
    )
    request = make_request(party, keys, title=title, addresses=addresses)
    with building(folder) as home:
        write_secret(home / files.AUTHORITY_KEY, authority.key_to_pem())
        write_secret(home / files.AUDIT_KEY, secrets.token_bytes(KEY_BYTES))
        write_public(home / files.AUTHORITY, authority.certificate_pem)
        checked = write_home(home, keys, request, root, settings)
        grant = grant_member(
            checked, root=root, authority=authority, signing=keys.signing, now=now, days=days
        )
        install_grant(home, grant, root)
        load_identity(load_config(Role.REGULATOR, home), now)
    return root
