"""The context: one certificate, one bank, one chain, one state of the data.

Every OPRF key, pad, mask and signed answer is bound to it. Parties that disagree about any
input get garbage, and no coefficient is ever padded twice under one pad.
"""

from __future__ import annotations

import hashlib

from federation.identity import SpiffeId

LABEL = b"yinxin/ctx/v1"


def context(certificate_hash: bytes, bank: SpiffeId, chain: str, opening_hash: bytes) -> bytes:
    """SHA-256 over the label and the four parts, each with its length as u32 big-endian.

    The hashes are of payloads, signatures excluded, 32 bytes each. Returns 32 bytes.
    """
    digest = hashlib.sha256(LABEL)
    for part in (certificate_hash, str(bank).encode(), chain.encode(), opening_hash):
        digest.update(len(part).to_bytes(4, "big") + part)
    return digest.digest()
