"""Pinning other chains: the first bundle by hand, later ones by themselves, and withdrawing."""

from __future__ import annotations

from sqlalchemy import Connection

from federation.errors import DocumentError, Reason, Refusal
from federation.interchain.pin import Pin, first_pin, next_pin, open_pin, pin_entry, withdrawn_pin
from federation.signed import Signed
from node.peers import TrustedChain
from node.regulator.membership import Regulator

PIN_OF_US = "chain-pin-of-us"


async def pin_chain(regulator: Regulator, bundle: Signed, fingerprint: str) -> Pin:
    """Pins a chain. Durable and logged when it returns. Raises as `first_pin`."""
    now, chain = regulator.clock.now(), regulator.chain

    def unit(connection: Connection) -> Pin:
        pins = chain.pins(connection)
        pin = first_pin(bundle, fingerprint, regulator.identity.root, pins, now)
        return _keep(regulator, connection, pin, now)

    return await regulator.store.run(unit)


async def rotate_pin(regulator: Regulator, peer: str, bundle: Signed) -> Pin | None:
    """Pins the next bundle of a trusted chain; None for the one that is pinned. Raises as
    `next_pin`, and Refusal(unknown_chain).
    """
    now = regulator.clock.now()

    def unit(connection: Connection) -> Pin | None:
        pin = next_pin(bundle, _newest(regulator, connection, peer), now)
        return None if pin is None else _keep(regulator, connection, pin, now)

    return await regulator.store.run(unit)


async def withdraw_chain(regulator: Regulator, peer: str, reason: str) -> Pin:
    """Ends the trust in a chain. Raises Refusal(unknown_chain) for one that is not trusted."""
    now = regulator.clock.now()

    def unit(connection: Connection) -> Pin:
        pin = withdrawn_pin(_newest(regulator, connection, peer), reason, now)
        return _keep(regulator, connection, pin, now)

    return await regulator.store.run(unit)


async def record_pin_of_us(regulator: Regulator, peer: TrustedChain, signed: Signed) -> None:
    """Keeps and logs what the regulator of a peer chain pinned of this one, once.

    Raises SignatureInvalid, DocumentError; Refusal(wrong_chain) for a pin of another chain,
    Refusal(conflict) for a second one of its number.
    """
    pin = open_pin(signed, peer.root)
    root = regulator.identity.root
    if pin.peer != root.chain:
        raise Refusal(Reason.WRONG_CHAIN, f"pin is of chain {pin.peer}")
    if pin.trust().yinxin_signing != root.regulator_signing:
        raise DocumentError("pin.bundle", "is signed by another key than this regulator's")
    now = regulator.clock.now()

    def unit(connection: Connection) -> None:
        if regulator.chain.put(connection, PIN_OF_US, signed, pin.number, pin.chain):
            _log(regulator, connection, pin, now)

    await regulator.store.run(unit)


def pins_of_us(regulator: Regulator, connection: Connection) -> dict[str, Pin]:
    """The newest pin that each peer chain has of this one; verified when it was kept."""
    kept = regulator.chain.documents(connection, PIN_OF_US)  # in order of their numbers
    return {pin.chain: pin for pin in (Pin.parse(signed.payload) for signed in kept)}


def trusted(regulator: Regulator, connection: Connection, chain: str) -> Pin:
    """The pin of a chain that is trusted now. Raises Refusal(unknown_chain)."""
    pin = _newest(regulator, connection, chain)
    pin.require_holds(regulator.clock.now())
    return pin


def _newest(regulator: Regulator, connection: Connection, peer: str) -> Pin:
    found = regulator.chain.pins(connection).get(peer)
    if found is None:
        raise Refusal(Reason.UNKNOWN_CHAIN, f"chain {peer} was never pinned")
    return found


def _keep(regulator: Regulator, connection: Connection, pin: Pin, now: int) -> Pin:
    regulator.chain.put_pin(connection, pin.sign(regulator.identity.signing))
    _log(regulator, connection, pin, now)
    return pin


def _log(regulator: Regulator, connection: Connection, pin: Pin, now: int) -> None:
    regulator.append(connection, pin.entry_kind, pin_entry(pin, now))
