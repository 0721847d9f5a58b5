"""TLS keys and certificate requests: what a party makes itself, before an authority certifies it.

TLS keys are P-256 (gRPC refuses Ed25519 certificates); consent keys are Ed25519. A request is
PKCS #10 (RFC 2986), signed with the key it is for, which proves possession.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from federation.errors import IdentityError
from federation.signed import SigningKey, VerifyKey

TlsKey = ec.EllipticCurvePrivateKey


def new_tls_key() -> TlsKey:
    """A fresh P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def tls_key_to_pem(key: TlsKey) -> bytes:
    """Unencrypted PKCS #8 PEM; the file that holds it needs mode 0600."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def tls_key_from_pem(pem: bytes) -> TlsKey:
    """Reads `tls_key_to_pem`. Raises IdentityError for anything but a P-256 key."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise IdentityError("private key: not an unencrypted PKCS #8 PEM") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not _is_p256(key.public_key()):
        raise IdentityError("private key: not a P-256 key; make one with new_tls_key")
    return key


def make_csr(key: TlsKey | SigningKey) -> bytes:
    """A PKCS #10 request (PEM) that proves possession of `key`.

    It carries no name: the authority decides whose key it is, from its own records.
    """
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    if isinstance(key, SigningKey):
        request = builder.sign(key.private, None)
    else:
        request = builder.sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


def requested_key(csr: bytes) -> ec.EllipticCurvePublicKey | Ed25519PublicKey:
    """The key that a request (PEM) proves possession of: P-256 or Ed25519.

    Raises IdentityError. Names and extensions in the request are ignored: the authority decides.
    """
    try:
        request = x509.load_pem_x509_csr(csr)
        valid = request.is_signature_valid
        public = request.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise IdentityError("certificate request: not a PKCS #10 PEM") from error
    if not valid:
        raise IdentityError("certificate request: not signed with its own key")
    if isinstance(public, ec.EllipticCurvePublicKey) and _is_p256(public):
        return public
    if isinstance(public, Ed25519PublicKey):
        # Refuses a key of small order: its self-signature proves possession of nothing.
        VerifyKey(public.public_bytes_raw())
        return public
    raise IdentityError("certificate request: for neither a P-256 nor an Ed25519 key")


def _is_p256(public: ec.EllipticCurvePublicKey) -> bool:
    return isinstance(public.curve, ec.SECP256R1)
