"""Verifying an evidence file of one chain or of several, each part under its own chain's root."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from federation.membership import TrustRoot
from node.bank.verification import MAX_EVIDENCE_BYTES, Verified, fails, verify_evidence

JOINT_FORMAT: Final = "yinxin-joint-evidence/1"
"""Of a question to several chains: an evidence file for each, and which are missing."""


@dataclass(frozen=True)
class VerifiedJoint:
    """What the evidence of a question to several chains shows: each chain's, and, as the bank
    states it, which chains are missing.
    """

    chains: Mapping[str, Verified]
    missing: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """For printing."""
        return {
            "verified": True,
            "partial": bool(self.missing),
            "missing": list(self.missing),
            "chains": {name: one.to_dict() for name, one in self.chains.items()},
        }


def chains_of(raw: bytes) -> tuple[str, ...]:
    """The chains whose roots it takes to verify a file; none for what is no evidence."""
    try:
        value = json.loads(raw)
        joint = value["format"] == JOINT_FORMAT
        return tuple(map(str, value["evidence"])) if joint else (str(value["chain"]),)
    except (LookupError, TypeError, ValueError):
        return ()


def verify_file(
    raw: bytes, roots: Mapping[str, TrustRoot], default: TrustRoot
) -> Verified | VerifiedJoint:
    """What an evidence file of one or several chains shows, each part under the root of its chain,
    or else `default`. Raises BankError saying what fails.
    """
    chains = chains_of(raw) if len(raw) <= MAX_EVIDENCE_BYTES else ()
    value = json.loads(raw) if chains else {}
    if value.get("format") != JOINT_FORMAT:
        return verify_evidence(raw, roots.get(chains[0], default) if chains else default)
    try:
        found = {
            name: verify_evidence(json.dumps(part).encode(), roots.get(name, default))
            for name, part in value["evidence"].items()
        }
        missing = tuple(str(one["chain"]) for one in value["missing"])
        partial = value["partial"]
    except (LookupError, TypeError, AttributeError) as error:
        raise fails(f"its form is wrong ({type(error).__name__})") from error
    if partial is not bool(missing):
        raise fails("whether it is partial contradicts the chains that are missing")
    return VerifiedJoint(found, missing)
