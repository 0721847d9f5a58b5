"""The errors of `scoring`: one tree, so that a caller can catch the whole package by one name."""

from __future__ import annotations


class ScoringError(Exception):
    """Anything that `scoring` refuses: the message names the field and the remedy."""


class LatticeError(ScoringError):
    """A lattice key, ciphertext, weight, bin or answer not as `scoring.lattice` fixes it."""


class OprfError(ScoringError):
    """A group element, scalar, key or proof that the oblivious PRF refuses."""


class CatalogueError(ScoringError):
    """A catalogue, or a holder's column, that breaks the catalogue's rules."""


class ScorecardError(ScoringError):
    """A scorecard that cannot be scored: unknown columns, or fields that do not fit in a word."""


class RecordError(ScoringError):
    """A decrypted word that is no record of its scorecard: a slack bit or a field out of range."""
