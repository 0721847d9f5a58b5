"""Who a node is: its id, its keys, its credential and the root it trusts, read once at start."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from federation.envelope import EnvelopeKey
from federation.errors import EnvelopeError, FederationError
from federation.identity import SpiffeId
from federation.membership import Member, TrustRoot
from federation.signed import Signed, SigningKey
from node.config import NodeConfig
from node.errors import IdentityFileError
from node.keys import KeyEncryptionKey, read_secret


@dataclass(frozen=True)
class NodeIdentity:
    """A node's keys, checked against the credential that the regulator gave it.

    `agreement` is a holder's key for masks, `sealing` the key of envelopes to the node; either is
    None for a node that has none.
    """

    id: SpiffeId
    root: TrustRoot
    member: Member
    credential: Signed
    signing: SigningKey
    agreement: X25519PrivateKey | None
    sealing: EnvelopeKey | None
    storage: KeyEncryptionKey

    def require_agreement(self) -> X25519PrivateKey:
        """The mask key. Raises IdentityFileError where there is none."""
        if self.agreement is None:
            raise IdentityFileError(f"{self.id} has no agreement key; configure agreement_key")
        return self.agreement

    def require_sealing(self) -> EnvelopeKey:
        """The envelope key. Raises IdentityFileError where there is none."""
        if self.sealing is None:
            raise IdentityFileError(f"{self.id} has no sealing key; configure sealing_key")
        return self.sealing


def read_trust_root(path: Path) -> TrustRoot:
    """The chain's root of trust. Raises IdentityFileError."""
    try:
        return TrustRoot.parse(path.read_bytes())
    except OSError as error:
        raise IdentityFileError(f"{path} cannot be read ({error.strerror})") from error
    except FederationError as error:
        raise IdentityFileError(f"{path} is no trust root: {error}") from error


def load_identity(config: NodeConfig, now: int) -> NodeIdentity:
    """The identity that a configuration names.

    Raises IdentityFileError when a file cannot be read, the credential is of another member or
    chain or has expired, or a key is not the credential's.
    """
    root = read_trust_root(config.trust_bundle)
    credential, member = _credential(config, root)
    if not member.not_before <= now < member.not_after:
        raise IdentityFileError(
            f"{config.credential}: not valid now; have the regulator enrol the node again"
        )
    signing = SigningKey.from_pem(read_secret(config.signing_key))
    agreement_path: Path | None = getattr(config, "agreement_key", None)
    sealing_path: Path | None = getattr(config, "sealing_key", None)
    agreement = None if agreement_path is None else load_agreement(agreement_path)
    sealing = None if sealing_path is None else load_sealing(sealing_path)
    public = b"" if agreement is None else agreement.public_key().public_bytes_raw()
    sealed = b"" if sealing is None else sealing.public
    if (signing.public, public, sealed) != (member.signing, member.agreement, member.sealing):
        raise IdentityFileError(
            f"{config.credential}: names other keys than this node has; "
            "restore the keys, or have the regulator enrol the node again"
        )
    storage = KeyEncryptionKey.load(config.key_encryption_key)
    return NodeIdentity(
        config.spiffe_id, root, member, credential, signing, agreement, sealing, storage
    )


def load_agreement(path: Path) -> X25519PrivateKey:
    """The X25519 key in a file of 32 bytes. Raises IdentityFileError, SecretFileError."""
    try:
        return X25519PrivateKey.from_private_bytes(read_secret(path))
    except ValueError as error:
        raise IdentityFileError(f"{path} does not hold an X25519 key of 32 bytes") from error


def load_sealing(path: Path) -> EnvelopeKey:
    """The envelope key in a file of 32 bytes. Raises IdentityFileError, SecretFileError."""
    try:
        return EnvelopeKey.from_bytes(read_secret(path))
    except EnvelopeError as error:
        raise IdentityFileError(f"{path}: {error}") from error


def _credential(config: NodeConfig, root: TrustRoot) -> tuple[Signed, Member]:
    try:
        credential = Signed.from_json(config.credential.read_bytes())
        member = Member.open_(credential, root.regulator_signing)
    except OSError as error:
        raise IdentityFileError(f"{config.credential} cannot be read ({error.strerror})") from error
    except FederationError as error:
        raise IdentityFileError(f"{config.credential} is no credential: {error}") from error
    if member.id != config.spiffe_id or member.chain != root.chain or root.chain != config.chain:
        raise IdentityFileError(
            f"{config.credential} is {member.id}'s in chain {member.chain}, and this node is "
            f"configured as {config.spiffe_id} in chain {config.chain}"
        )
    return credential, member
