"""The group ristretto255 (RFC 9496) in plain Python, and what a proof of knowledge needs of it.

It verifies public values and holds no secret: it is neither fast (about 5 ms a multiplication) nor
in constant time, and is to be read beside the RFC. A point is (X, Y, Z, T) in extended coordinates
of edwards25519, numbers are taken modulo P; an element is its canonical encoding of 32 bytes.
"""

from __future__ import annotations

import hashlib

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)

Point = tuple[int, int, int, int]
IDENTITY: Point = (0, 1, 1, 0)
ELEMENT_BYTES = 32


def _negative(number: int) -> bool:
    return number % P % 2 == 1


def _absolute(number: int) -> int:
    return -number % P if _negative(number) else number % P


def sqrt_ratio(u: int, v: int) -> tuple[bool, int]:
    """SQRT_RATIO_M1, RFC 9496 section 4.2: whether u/v is a square, and the root of it or i·u/v."""
    root = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    check, u = v * root * root % P, u % P
    if check in (-u % P, -u * SQRT_M1 % P):
        root = root * SQRT_M1 % P
    return check in (u, -u % P), _absolute(root)


# sqrt_ratio gives the non-negative root; the RFC's constants are the ones of section 4.1.
INVSQRT_A_MINUS_D = sqrt_ratio(1, -1 - D)[1]
SQRT_AD_MINUS_ONE = -sqrt_ratio(-D - 1, 1)[1] % P  # the RFC's root is the negative one
ONE_MINUS_D_SQ = (1 - D * D) % P
D_MINUS_ONE_SQ = (D - 1) ** 2 % P


def decode(element: bytes) -> Point:
    """The point that an element encodes, section 4.3.1. Raises ValueError for any other bytes."""
    s = int.from_bytes(element, "little")
    if len(element) != ELEMENT_BYTES or s >= P or _negative(s):
        raise ValueError("not a canonical ristretto255 encoding")
    u1, u2 = (1 - s * s) % P, (1 + s * s) % P
    v = (-(D * u1 * u1) - u2 * u2) % P
    square, inverse = sqrt_ratio(1, v * u2 * u2)
    den_x = inverse * u2 % P
    x = _absolute(2 * s * den_x)
    y = u1 * inverse * den_x * v % P
    t = x * y % P
    if not square or _negative(t) or y == 0:
        raise ValueError("not a ristretto255 element")
    return x, y, 1, t


def encode(point: Point) -> bytes:
    """The element of a point, section 4.3.2."""
    x, y, z, t = point
    u1, u2 = (z + y) * (z - y) % P, x * y % P
    _, inverse = sqrt_ratio(1, u1 * u2 * u2)
    den1, den2 = inverse * u1 % P, inverse * u2 % P
    z_inverse = den1 * den2 * t % P
    den = den2
    if _negative(t * z_inverse):
        x, y = y * SQRT_M1 % P, x * SQRT_M1 % P
        den = den1 * INVSQRT_A_MINUS_D % P
    if _negative(x * z_inverse):
        y = -y % P
    return _absolute(den * (z - y)).to_bytes(ELEMENT_BYTES, "little")


def add(p: Point, q: Point) -> Point:
    """P + q on edwards25519 with a = -1 (RFC 8032 section 5.1.4); complete, so it also doubles."""
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(scalar: int, point: Point) -> Point:
    """Scalar · point, for a scalar of 0 to ORDER - 1."""
    result = IDENTITY
    for bit in format(scalar, "b"):
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def _map(uniform: bytes) -> Point:
    """MAP, section 4.3.4: a point of 32 uniform bytes."""
    t = int.from_bytes(uniform, "little") % 2**255
    r = SQRT_M1 * t * t % P
    u = (r + 1) * ONE_MINUS_D_SQ % P
    v = (-1 - r * D) * (r + D) % P
    square, s = sqrt_ratio(u, v)
    c = -1 % P
    if not square:
        s, c = -_absolute(s * t) % P, r
    n = (c * (r - 1) * D_MINUS_ONE_SQ - v) % P
    w0, w1 = 2 * s * v % P, n * SQRT_AD_MINUS_ONE % P
    w2, w3 = (1 - s * s) % P, (1 + s * s) % P
    return w0 * w3 % P, w2 * w1 % P, w1 * w3 % P, w0 * w2 % P


def from_uniform(uniform: bytes) -> Point:
    """The element derivation function of section 4.3.4, of 64 uniform bytes."""
    return add(_map(uniform[:32]), _map(uniform[32:]))


def expand_message(data: bytes, tag: bytes) -> bytes:
    """expand_message_xmd with SHA-512 to 64 bytes, RFC 9380 section 5.3.1."""
    suffix = tag + bytes([len(tag)])
    first = hashlib.sha512(bytes(128) + data + b"\x00\x40\x00" + suffix).digest()
    return hashlib.sha512(first + b"\x01" + suffix).digest()


def hash_to_group(data: bytes) -> bytes:
    """HashToGroup of RFC 9497 for the mode and suite in use: VOPRF, ristretto255-SHA512."""
    tag = b"HashToGroup-OPRFV1-\x01-ristretto255-SHA512"
    return encode(from_uniform(expand_message(data, tag)))


def knows(base: bytes, element: bytes, context: tuple[bytes, ...], proof: bytes) -> bool:
    """Whether `proof` (commitment ‖ response) shows knowledge of r with element = r · base.

    RFC 8235 section 3 with SHA-512 over "yinxin/pok/v1" and then the context's parts, base,
    element and commitment, each after its length (u32, big-endian), reduced modulo the order.
    """
    commitment, response = proof[:32], int.from_bytes(proof[32:], "little")
    if len(proof) != 64 or response >= ORDER or bytes(32) in (base, element, commitment):
        return False
    digest = hashlib.sha512(b"yinxin/pok/v1")
    for part in (*context, base, element, commitment):
        digest.update(len(part).to_bytes(4, "big") + part)
    challenge = int.from_bytes(digest.digest(), "little") % ORDER
    try:
        decode(commitment)
        shown = add(multiply(response, decode(base)), multiply(challenge, decode(element)))
    except ValueError:
        return False
    return encode(shown) == commitment
