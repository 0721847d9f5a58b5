"""The chain's own trust bundle: made of what configuration and keys are, and kept by sequence."""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection

from federation.authority import load_certificates
from federation.entries import Kind
from federation.identity import Role, SpiffeId
from federation.interchain.bundle import TrustBundle, authority_keys, bundle_entry
from federation.signed import Signed
from node.chain.store import TRUST_BUNDLE
from node.enrolment.folder import read_file
from node.regulator.errors import RegulatorError
from node.regulator.membership import Regulator

DAY: Final = 86_400
CLOCK_SKEW: Final = 300
"""Bundles begin this much before they are made: peers' clocks may be behind."""


async def publish(regulator: Regulator, *, anew: bool = False) -> Signed:
    """The newest bundle. There is a next one where the last says something else than configuration,
    keys and authorities do now, is in the second half of its time, or `anew` asks for one.

    Raises RegulatorError where the configuration does not say what a bundle has to.
    """
    now = regulator.clock.now()

    def unit(connection: Connection) -> Signed:
        last = newest(regulator, connection)
        bundle = _made(regulator, 1 if last is None else last[1].spiffe_sequence + 1, now)
        if last is not None and not anew and _serves(last[1], bundle, now):
            return last[0]
        signed = bundle.sign(regulator.identity.signing)
        regulator.chain.put(connection, TRUST_BUNDLE, signed, bundle.spiffe_sequence)
        regulator.append(connection, Kind.BUNDLE, bundle_entry(bundle, now))
        return signed

    return await regulator.store.run(unit)


def newest(regulator: Regulator, connection: Connection) -> tuple[Signed, TrustBundle] | None:
    """The bundle of the highest sequence, signed and read; None before there is one."""
    kept = regulator.chain.documents(connection, TRUST_BUNDLE)  # in order of their sequence
    return (kept[-1], TrustBundle.parse(kept[-1].payload)) if kept else None


def authorities(regulator: Regulator) -> list[bytes]:
    """The chain's certificate authorities (PEM each) as the file has them. Raises IdentityError."""
    raw = read_file(regulator.config.authority_certificate, "authority's certificate")
    return [one.public_bytes(Encoding.PEM) for one in load_certificates(raw)]


def _made(regulator: Regulator, sequence: int, now: int) -> TrustBundle:
    config, root = regulator.config, regulator.identity.root
    peers = config.peers
    missing = [
        key
        for key, value in (
            ("peers.listen", peers.address),
            ("peers.hub", peers.hub),
            ("hub", config.hub),
        )
        if value is None
    ]
    if config.hub is None or peers.hub is None or peers.address is None:
        raise RegulatorError(
            f"{', '.join(missing)}: a bundle says where regulator and hub take calls of other "
            "chains; write it into node.toml"
        )
    begin = now - CLOCK_SKEW
    return TrustBundle(
        keys=authority_keys(authorities(regulator)),
        spiffe_sequence=sequence,
        spiffe_refresh_hint=max(1, round(peers.period)),
        yinxin_chain=root.chain,
        yinxin_trust_domain=root.trust_domain,
        yinxin_regulator=regulator.identity.id,
        yinxin_hub=SpiffeId(root.trust_domain, Role.HUB, config.hub.name),
        yinxin_signing=regulator.identity.signing.public,
        yinxin_sealing=regulator.identity.require_sealing().public,
        yinxin_licence_domain=root.licence_domain,
        yinxin_licence_authority=root.licence_authority,
        yinxin_hub_address=peers.hub,
        yinxin_regulator_address=peers.address,
        yinxin_not_before=begin,
        yinxin_not_after=begin + peers.bundle_days * DAY,
    )


def _serves(last: TrustBundle, bundle: TrustBundle, now: int) -> bool:
    """Whether `last` says what `bundle` would, and is in the first half of its time."""
    if now >= (last.yinxin_not_before + last.yinxin_not_after) // 2:
        return False
    other = {
        name: getattr(last, name)
        for name in ("spiffe_sequence", "yinxin_not_before", "yinxin_not_after")
    }
    return bundle.model_copy(update=other) == last
