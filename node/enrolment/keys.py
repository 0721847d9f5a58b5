"""The private keys of a node: made once, on the node's own machine, and never leaving it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from federation.envelope import EnvelopeKey
from federation.identity import Role
from federation.pki import TlsKey, new_tls_key, tls_key_from_pem, tls_key_to_pem
from federation.signed import SigningKey
from node.enrolment import folder as files
from node.identity import load_agreement, load_sealing
from node.keys import KEY_BYTES, read_secret, write_secret

SEALED_TO = frozenset({Role.BANK, Role.HUB, Role.REGULATOR})
"""The roles to which envelopes are sealed; a holder joins them where the law names it."""


@dataclass(frozen=True)
class NodeKeys:
    """What a node signs, agrees masks, opens envelopes and speaks TLS with."""

    tls: TlsKey
    signing: SigningKey
    agreement: X25519PrivateKey | None
    sealing: EnvelopeKey | None

    @classmethod
    def generate(cls, role: Role, named: bool = False) -> Self:
        """Fresh keys of the kinds that a role has; `named` gives a holder an envelope key."""
        return cls(
            tls=new_tls_key(),
            signing=SigningKey.generate(),
            agreement=X25519PrivateKey.generate() if role is Role.HOLDER else None,
            sealing=EnvelopeKey.generate() if role in SEALED_TO or named else None,
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The keys in a node's folder. Raises SecretFileError, IdentityError."""
        agreement = folder / files.AGREEMENT_KEY
        sealing = folder / files.SEALING_KEY
        return cls(
            tls=tls_key_from_pem(read_secret(folder / files.TLS_KEY)),
            signing=SigningKey.from_pem(read_secret(folder / files.SIGNING_KEY)),
            agreement=load_agreement(agreement) if agreement.exists() else None,
            sealing=load_sealing(sealing) if sealing.exists() else None,
        )

    def write(self, folder: Path) -> None:
        """Writes the keys, and a fresh key for what the node keeps. Raises SecretFileError."""
        write_secret(folder / files.TLS_KEY, tls_key_to_pem(self.tls))
        write_secret(folder / files.SIGNING_KEY, self.signing.to_pem())
        if self.agreement is not None:
            write_secret(folder / files.AGREEMENT_KEY, self.agreement.private_bytes_raw())
        if self.sealing is not None:
            write_secret(folder / files.SEALING_KEY, self.sealing.to_bytes())
        write_secret(folder / files.STORAGE_KEY, secrets.token_bytes(KEY_BYTES))

    @property
    def public(self) -> tuple[bytes, bytes, bytes]:
        """Signing, agreement and sealing key as a credential names them; empty for none."""
        agreement = self.agreement
        return (
            self.signing.public,
            b"" if agreement is None else agreement.public_key().public_bytes_raw(),
            b"" if self.sealing is None else self.sealing.public,
        )
