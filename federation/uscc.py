"""Unified social credit codes of Chinese organisations, GB 32100-2015.

18 characters of a 31-letter alphabet (no I, O, S, V, Z): registration authority, kind of
organisation, region (6), organisation code (9), check character. Weights 3^(i-1) mod 31 make
every single substitution change the check character.
"""

from __future__ import annotations

from operator import mul

from federation.errors import DocumentError

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
LENGTH = 18
TEST_REGION = "999999"
"""No real region has this number, so no generated code is a real firm's."""

_WEIGHTS = (*(pow(3, i, 31) for i in range(LENGTH - 1)), 1)
_FOREIGN = 255
# Byte → value, so that a code is checked without a loop: rosters hold a million.
_VALUES = bytes(ALPHABET.find(chr(byte)) % 256 for byte in range(256))

EXCEPTIONS = frozenset({"91350203M0001QAY9B", "91350100M0001TGQXM"})
"""Codes of the pilot years in real use that break the check character."""

_BODY_SERIALS = 31**8


class Uscc(str):
    """A valid code, normalised. Only `parse` and `generate` make one."""

    __slots__ = ()

    def __new__(cls, text: str) -> Uscc:
        """The same as `parse`, so that no invalid instance exists."""
        return super().__new__(cls, _normal(text))

    @classmethod
    def parse(cls, text: str) -> Uscc:
        """Reads a code; case and whitespace do not matter.

        Raises DocumentError for field `uscc`, naming the position (from 1) and, where the check
        character is wrong, the one expected.
        """
        return cls(text)

    @classmethod
    def generate(cls, serial: int, region: str = TEST_REGION) -> Uscc:
        """The valid code of test firm number `serial` (0 to 31^8 - 1) in `region` (6 digits).

        Raises DocumentError when either is out of range.
        """
        if not 0 <= serial < _BODY_SERIALS:
            raise DocumentError("serial", f"{serial} is not within 0 … {_BODY_SERIALS - 1}")
        if len(region) != 6 or not (region.isascii() and region.isdigit()):
            raise DocumentError("region", f"{region!r} is not six digits")
        body = ""
        for _ in range(8):
            serial, digit = divmod(serial, 31)
            body = ALPHABET[digit] + body
        code = f"91{region}{body}{_organisation_check(body)}"
        return cls(code + check_character(code))

    def __repr__(self) -> str:
        return f"Uscc({str(self)!r})"


def check_character(body: str) -> str:
    """The 18th character for the first 17, which must be of the alphabet."""
    values = body.encode("ascii").translate(_VALUES)
    return ALPHABET[-sum(map(mul, values, _WEIGHTS[:-1])) % 31]


def _organisation_check(body: str) -> str:
    """The 9th character of an organisation code, GB 11714-1997, for its first 8."""
    values = (int(character, 36) for character in body)
    total = sum(v * w for v, w in zip(values, (3, 7, 9, 10, 5, 8, 4, 2), strict=True))
    return "0123456789X0"[11 - total % 11]


def _normal(text: str) -> str:
    code = "".join(text.split()).upper()
    if len(code) != LENGTH:
        raise DocumentError("uscc", f"has {len(code)} characters, not 18", "check for a lost one")
    values = code.encode("ascii", "replace").translate(_VALUES)
    if _FOREIGN in values:
        position = values.index(_FOREIGN)
        raise DocumentError(
            "uscc",
            f"position {position + 1} holds {code[position]!r}",
            f"use the alphabet {ALPHABET}",
        )
    if sum(map(mul, values, _WEIGHTS)) % 31 and code not in EXCEPTIONS:
        raise DocumentError(
            "uscc",
            f"position {LENGTH} holds {code[-1]!r}, "
            f"the check character is {check_character(code[:-1])!r}",
            "compare the code with the business licence",
        )
    return code
