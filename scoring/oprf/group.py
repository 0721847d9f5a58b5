"""The prime-order group ristretto255 (RFC 9496) over libsodium, through `rbcl`.

The only module that imports `rbcl`. An *element* is its canonical 32-byte encoding, a
*scalar* a little-endian number below `ORDER` in 32 bytes. libsodium is laxer than
RFC 9497 §4.1 and §2.1 ask: its validity check accepts the identity, its addition returns
the identity for bytes that are no element, and its multiplication ignores bit 255 of a
scalar and reduces the rest. So whatever comes from outside goes through `check_element`
and `check_scalar` first.
"""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

import rbcl
from rbcl._sodium import lib_path

from scoring.errors import OprfError

# rbcl unpacks its 2.8 MB library into the temporary folder and leaves it there, one file a
# process for ever. It is mapped by now and needs its name no more.
Path(lib_path).unlink(missing_ok=True)

ELEMENT_BYTES = 32
SCALAR_BYTES = 32
UNIFORM_BYTES = 64

ORDER = 2**252 + 27742317777372353535851937790883648493
IDENTITY = bytes(ELEMENT_BYTES)
GENERATOR: bytes = rbcl.crypto_scalarmult_ristretto255_base((1).to_bytes(SCALAR_BYTES, "little"))

_HASH_BLOCK_PADDING = bytes(hashlib.sha512().block_size)
_LONGEST_TAG = 255


def check_element(element: bytes, name: str = "element") -> None:
    """Refuse bytes that are not the canonical encoding of an element, and the identity.

    Raises OprfError, naming the value `name`.
    """
    if len(element) != ELEMENT_BYTES:
        raise OprfError(f"{name}: {len(element)} bytes; send a ristretto255 element of 32")
    if element == IDENTITY:
        raise OprfError(f"{name}: the identity element carries no secret; send another element")
    if not rbcl.crypto_core_ristretto255_is_valid_point(element):
        raise OprfError(f"{name}: not a canonical ristretto255 encoding; send it as RFC 9496 does")


def check_scalar(scalar: bytes, name: str = "scalar", *, zero: bool = False) -> None:
    """Refuse bytes that are not a number below `ORDER`, and zero unless `zero` allows it.

    Raises OprfError, naming the value `name` but never showing it.
    """
    if len(scalar) != SCALAR_BYTES:
        raise OprfError(f"{name}: {len(scalar)} bytes; send a scalar of 32")
    value = int.from_bytes(scalar, "little")
    if value >= ORDER:
        raise OprfError(f"{name}: not reduced modulo the group order; send the canonical form")
    if value == 0 and not zero:
        raise OprfError(f"{name}: zero; draw another")


def random_scalar() -> bytes:
    """A fresh uniform scalar from 1 to ORDER - 1, from the system's random source."""
    while True:
        scalar = reduce_scalar(secrets.token_bytes(UNIFORM_BYTES))
        if any(scalar):
            return scalar


def multiply(scalar: bytes, element: bytes) -> bytes:
    """Give scalar · element, for a checked scalar; 41 µs.

    Raises OprfError if `element` is no canonical encoding or the product is the identity.
    """
    try:
        product: bytes = rbcl.crypto_scalarmult_ristretto255(scalar, element)
    except (RuntimeError, ValueError) as error:
        raise OprfError("element: not usable as a factor; send a canonical one") from error
    return product


def multiply_generator(scalar: bytes) -> bytes:
    """Give scalar · generator, for a checked scalar; zero gives the identity."""
    product: bytes = rbcl.crypto_scalarmult_ristretto255_base_allow_scalar_zero(scalar)
    return product


def combine(a: bytes, p: bytes, b: bytes, q: bytes) -> bytes:
    """a·p + b·q, for checked scalars and elements; a proof may make any of it zero."""
    return add(_product(a, p), _product(b, q))


def add(p: bytes, q: bytes) -> bytes:
    """Give p + q, of checked elements or the identity (anything else would count as identity)."""
    total: bytes = rbcl.crypto_core_ristretto255_add(p, q)
    return total


def scalar_subtract(a: bytes, b: bytes) -> bytes:
    """Give a - b modulo ORDER."""
    difference: bytes = rbcl.crypto_core_ristretto255_scalar_sub(a, b)
    return difference


def scalar_multiply(a: bytes, b: bytes) -> bytes:
    """Give a · b modulo ORDER."""
    product: bytes = rbcl.crypto_core_ristretto255_scalar_mul(a, b)
    return product


def scalar_invert(scalar: bytes) -> bytes:
    """The inverse modulo ORDER of a checked, so non-zero, scalar."""
    inverse: bytes = rbcl.crypto_core_ristretto255_scalar_invert(scalar)
    return inverse


def reduce_scalar(uniform: bytes) -> bytes:
    """64 uniform bytes, little-endian, as a scalar (the bias is below 2^-259)."""
    scalar: bytes = rbcl.crypto_core_ristretto255_scalar_reduce(uniform)
    return scalar


def expand_message(data: bytes, tag: bytes) -> bytes:
    """expand_message_xmd with SHA-512 to 64 bytes, one hash block (RFC 9380 §5.3.1).

    `tag` is the domain separation tag, 1 to 255 bytes; all in use here are constants.
    """
    if not 0 < len(tag) <= _LONGEST_TAG:
        raise OprfError(f"tag: {len(tag)} bytes; use 1 to {_LONGEST_TAG}")
    suffix = tag + bytes([len(tag)])
    first = hashlib.sha512(
        _HASH_BLOCK_PADDING + data + UNIFORM_BYTES.to_bytes(2, "big") + b"\x00" + suffix
    ).digest()
    return hashlib.sha512(first + b"\x01" + suffix).digest()


def element_from(data: bytes, tag: bytes) -> bytes:
    """hash_to_ristretto255 (RFC 9380 appendix B); its result may be the identity."""
    element: bytes = rbcl.crypto_core_ristretto255_from_hash(expand_message(data, tag))
    return element


def scalar_from(data: bytes, tag: bytes) -> bytes:
    """HashToScalar of RFC 9497 §4.1; its result may be zero."""
    return reduce_scalar(expand_message(data, tag))


def _product(scalar: bytes, element: bytes) -> bytes:
    if element == GENERATOR:
        return multiply_generator(scalar)
    product: bytes = rbcl.crypto_scalarmult_ristretto255_allow_scalar_zero(scalar, element)
    return product
