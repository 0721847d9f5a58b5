"""One enterprise's folder: keys that stay in it, the request, and what the authority granted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from federation.authority import as_time, authority_domain, load_certificate
from federation.errors import DocumentError, FederationError
from federation.identity import Role, SpiffeId, peer_identity
from federation.pki import TlsKey, new_tls_key, tls_key_from_pem, tls_key_to_pem, verify_subject
from federation.signed import Signed, SigningKey
from federation.uscc import Uscc
from node.enrolment.folder import building, read_file, write_public
from node.enterprise.enterprise import Enterprise
from node.enterprise.errors import EnterpriseError
from node.enterprise.request import EnterpriseGrant, make_request, read_request
from node.keys import read_secret, write_secret

REQUEST = "request.json"
GRANT = "grant.json"
AUTHORITY = "licence-authority.pem"
CONSENT_KEY = "keys/consent.key"
TLS_KEY = "keys/tls.key"
TLS_CERTIFICATE = "keys/tls.pem"


@dataclass(frozen=True)
class EnterpriseHome:
    """An enterprise's folder."""

    folder: Path

    @classmethod
    def create(cls, folder: Path, uscc: Uscc, title: str, authority: bytes) -> EnterpriseHome:
        """Makes the folder with fresh keys and request.json; nothing is left on an error.

        `authority` is the licence authority's certificate (PEM). Raises EnrolmentError,
        SecretFileError, IdentityError or DocumentError.
        """
        authority_domain(load_certificate(authority))
        signing, tls = SigningKey.generate(), new_tls_key()
        request = make_request(uscc, title, signing, tls)
        read_request(request)
        with building(folder) as made:
            write_secret(made / CONSENT_KEY, signing.to_pem())
            write_secret(made / TLS_KEY, tls_key_to_pem(tls))
            write_public(made / AUTHORITY, authority)
            write_public(made / REQUEST, request.to_json())
        return cls(folder)

    @classmethod
    def store(cls, folder: Path, enterprise: Enterprise, authority: bytes) -> EnterpriseHome:
        """Writes an enterprise that was enrolled in memory into a new folder."""
        request = make_request(enterprise.uscc, enterprise.uscc, enterprise.signing, enterprise.tls)
        with building(folder) as made:
            write_secret(made / CONSENT_KEY, enterprise.signing.to_pem())
            write_secret(made / TLS_KEY, tls_key_to_pem(enterprise.tls))
            write_public(made / AUTHORITY, authority)
            write_public(made / REQUEST, request.to_json())
            grant = EnterpriseGrant(enterprise.certificate, enterprise.tls_certificate)
            write_public(made / TLS_CERTIFICATE, grant.tls_certificate)
            write_public(made / GRANT, grant.to_json())
        return cls(folder)

    @property
    def authority(self) -> bytes:
        """The licence authority's certificate (PEM)."""
        return read_file(self.folder / AUTHORITY, "licence authority's certificate")

    def request(self) -> Signed:
        """The request, as it goes to the authority."""
        return _signed(self.folder / REQUEST)

    def join(self, grant: EnterpriseGrant, now: int) -> Enterprise:
        """Installs what the authority granted, or raises EnterpriseError and changes nothing."""
        enterprise = self._checked(grant, now)
        write_public(self.folder / TLS_CERTIFICATE, grant.tls_certificate)
        write_public(self.folder / GRANT, grant.to_json())
        return enterprise

    def load(self, now: int) -> Enterprise:
        """The enterprise, once its certificates are checked. Raises EnterpriseError."""
        path = self.folder / GRANT
        if not path.exists():
            raise EnterpriseError(
                f"{self.folder} has no certificates; send request.json to the licence authority, "
                "then run: yinxin enterprise join"
            )
        return self._checked(read_grant_file(path), now)

    def _checked(self, grant: EnterpriseGrant, now: int) -> Enterprise:
        _, uscc = read_request(self.request())
        signing = SigningKey.from_pem(read_secret(self.folder / CONSENT_KEY))
        tls = tls_key_from_pem(read_secret(self.folder / TLS_KEY))
        authority = self.authority
        try:
            subject, public = verify_subject(grant.certificate, authority, now)
        except FederationError as error:
            raise EnterpriseError(f"grant: {error}") from error
        if subject != uscc or public != signing.public:
            raise EnterpriseError("grant: the consent certificate is for another firm or key")
        domain = authority_domain(load_certificate(authority))
        party = SpiffeId(domain, Role.ENTERPRISE, uscc)
        _check_tls(grant.tls_certificate, authority, party, tls, now)
        return Enterprise(uscc, domain, signing, grant.certificate, tls, grant.tls_certificate)


def read_grant_file(path: Path) -> EnterpriseGrant:
    """A grant's file; not verified. Raises EnterpriseError."""
    try:
        return EnterpriseGrant.from_json(read_file(path, "grant"))
    except DocumentError as error:
        raise EnterpriseError(f"{path} is no grant: {error}") from error


def _check_tls(pem: bytes, authority: bytes, party: SpiffeId, key: TlsKey, now: int) -> None:
    try:
        certificate = load_certificate(pem)
        certificate.verify_directly_issued_by(load_certificate(authority))
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found = peer_identity(names.get_values_for_type(x509.UniformResourceIdentifier))
    except (FederationError, InvalidSignature, ValueError, TypeError) as error:
        raise EnterpriseError("grant: the TLS certificate is not of the authority") from error
    except x509.ExtensionNotFound as error:
        raise EnterpriseError("grant: the TLS certificate names nobody") from error
    if found != party or certificate.public_key() != key.public_key():
        raise EnterpriseError("grant: the TLS certificate is for another firm or key")
    if not certificate.not_valid_before_utc <= as_time(now) < certificate.not_valid_after_utc:
        raise EnterpriseError("grant: the TLS certificate is not valid now; have it renewed")


def _signed(path: Path) -> Signed:
    try:
        return Signed.from_json(read_file(path, "request"))
    except DocumentError as error:
        raise EnterpriseError(f"{path} is no request: {error}") from error
