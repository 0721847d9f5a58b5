"""The authority's folder: its key, its certificate, and the register of what it certified."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from federation.identity import Role, SpiffeId
from federation.pki import SubjectAuthority
from federation.signed import Signed
from federation.uscc import Uscc
from node.enrolment.folder import building, read_file, write_public
from node.enterprise.request import EnterpriseGrant, EnterpriseRequest, read_request
from node.keys import read_secret, write_secret
from node.licence.register import Certified, LicenceError, Register, Writer

KEY = "keys/authority.key"
CERTIFICATE = "authority.pem"
REGISTER = "register.jsonl"


@dataclass(frozen=True)
class LicenceAuthority:
    """The business-licence authority in a folder."""

    folder: Path
    authority: SubjectAuthority

    @classmethod
    def create(cls, folder: Path, domain: str, now: int, days: int) -> LicenceAuthority:
        """Makes the folder; `days` is the validity of the root. Raises EnrolmentError."""
        SpiffeId(domain, Role.ENTERPRISE, "example")
        authority = SubjectAuthority.create(domain, now, days)
        with building(folder) as made:
            write_secret(made / KEY, authority.key_to_pem())
            write_public(made / CERTIFICATE, authority.certificate_pem)
        return cls(folder, authority)

    @classmethod
    def open(cls, folder: Path) -> LicenceAuthority:
        """Reads the folder. Raises EnrolmentError, SecretFileError, IdentityError."""
        certificate = read_file(folder / CERTIFICATE, "authority's certificate")
        return cls(folder, SubjectAuthority.from_pem(certificate, read_secret(folder / KEY)))

    @property
    def register(self) -> Register:
        """What was certified."""
        return Register(self.folder / REGISTER)

    def issue(
        self, requests: Sequence[Signed], *, now: int, days: int, replace: bool = False
    ) -> list[EnterpriseGrant]:
        """Certifies requests, all or none; they stand in the register before they are returned.

        The caller has checked that each comes from the enterprise it names. Raises LicenceError
        for an enterprise that has another key already unless `replace`, or for a key that another
        enterprise has; else as `read_request`.
        """
        asked = [read_request(signed) for signed in requests]
        with self.register.writing() as writer:
            granted = [
                self._certify(request, uscc, writer, now, days, replace) for request, uscc in asked
            ]
            writer.append([line for _, line in granted])
        return [grant for grant, _ in granted]

    def _certify(
        self,
        request: EnterpriseRequest,
        uscc: Uscc,
        writer: Writer,
        now: int,
        days: int,
        replace: bool,
    ) -> tuple[EnterpriseGrant, Certified]:
        certificate = self.authority.certify_subject(
            request.consent_request.encode(), uscc, now, days
        )
        tls = self.authority.certify_tls(request.tls_request.encode(), uscc, now, days)
        parsed = x509.load_der_x509_certificate(certificate)
        line = Certified(
            time=now,
            uscc=uscc,
            title=request.title,
            request=request.hash.hex(),
            consent_key=_key_hash(parsed),
            consent_serial=f"{parsed.serial_number:x}",
            tls_serial=f"{x509.load_pem_x509_certificate(tls).serial_number:x}",
            not_after=int(parsed.not_valid_after_utc.timestamp()),
        )
        _check(line, writer, replace)
        writer.newest[uscc] = line
        return EnterpriseGrant(certificate, tls), line


def _check(line: Certified, writer: Writer, replace: bool) -> None:
    known = writer.newest.get(line.uscc)
    if known is not None and known.consent_key != line.consent_key and not replace:
        raise LicenceError(
            f"{line.uscc} has another certified key; if it was lost, and you are sure who asks, "
            "issue with --replace"
        )
    owner = writer.owners.setdefault(line.consent_key, line.uscc)
    if owner != line.uscc:
        raise LicenceError(f"{line.uscc}: the key is {owner}'s; every firm makes its own")


def _key_hash(certificate: x509.Certificate) -> str:
    public = certificate.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return hashlib.sha256(public).hexdigest()
