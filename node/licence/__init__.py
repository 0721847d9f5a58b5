"""The business-licence authority: it certifies which keys are an enterprise's, and nothing else."""

from __future__ import annotations

from node.licence.authority import LicenceAuthority
from node.licence.register import LicenceError, Register

__all__ = ["LicenceAuthority", "LicenceError", "Register"]
