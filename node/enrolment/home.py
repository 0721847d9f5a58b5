"""Making a node's folder, and installing in it what the regulator grants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from federation.errors import FederationError
from federation.identity import Role, SpiffeId
from federation.membership import Member, MemberRequest, TrustRoot
from federation.signed import Signed
from node.config import BankConfig, HolderConfig, HubConfig, NodeConfig, RegulatorConfig, load
from node.enrolment import folder as files
from node.enrolment.errors import EnrolmentError
from node.enrolment.folder import building, read_file, write_public
from node.enrolment.grant import Grant, check_grant
from node.enrolment.keys import NodeKeys
from node.enrolment.request import make_request, read_request
from node.enrolment.template import HomeSettings, render
from node.errors import ConfigError
from node.files import replacing
from node.identity import NodeIdentity, load_identity, read_trust_root
from node.keys import write_secret

CONFIGS: Final[Mapping[Role, type[NodeConfig]]] = {
    Role.HUB: HubConfig,
    Role.HOLDER: HolderConfig,
    Role.BANK: BankConfig,
    Role.REGULATOR: RegulatorConfig,
}
_GRANTED = frozenset({"credential", "tls.certificate", "tls.ca", "authority_certificate"})


def init_home(
    role: Role,
    folder: Path,
    *,
    name: str,
    trust_root: TrustRoot,
    title: Mapping[str, str],
    settings: HomeSettings,
    kind: str = "",
    named: bool = False,
    addresses: Sequence[str] = (),
) -> MemberRequest:
    """Makes a node's folder with its keys, configuration, trust root and request.json.

    `addresses` are host names and IP addresses at which others reach the node; `kind` and `named`
    are a holder's. Nothing is left behind on an error: EnrolmentError, ConfigError,
    SecretFileError, or a FederationError about a name.
    """
    party = SpiffeId(trust_root.trust_domain, role, name)
    keys = NodeKeys.generate(role, named)
    request = make_request(party, keys, title=title, kind=kind, named=named, addresses=addresses)
    with building(folder) as home:
        checked = write_home(home, keys, request, trust_root, settings)
    return checked


def write_home(
    home: Path, keys: NodeKeys, request: Signed, root: TrustRoot, settings: HomeSettings
) -> MemberRequest:
    """Fills a folder that is being built. Raises as `init_home`."""
    checked = read_request(request, root)
    party = checked.id
    keys.write(home)
    text = render(party, root.chain, checked.kind, keys.sealing is not None, settings)
    # Closed to others: its owner may write a database's password into it.
    write_secret(home / files.CONFIG, text.encode())
    write_public(home / files.TRUST, root.payload())
    write_public(home / files.REQUEST, request.to_json())
    if party.role is Role.HUB:
        write_public(home / files.LICENCE_AUTHORITY, root.licence_authority.encode())
    _check_config(party.role, home)
    return checked


def join_home(folder: Path, grant: Grant, now: int) -> NodeIdentity:
    """Installs a grant in a node's folder, and reads the identity that it establishes.

    Joining again with a newer grant renews. Raises EnrolmentError as `check_join`, before anything
    is changed.
    """
    member = check_join(folder, grant, now)
    install_grant(folder, grant, read_trust_root(folder / files.TRUST))
    return load_identity(load_config(member.id.role, folder), now)


def check_join(folder: Path, grant: Grant, now: int) -> Member:
    """The member that a grant makes of a node's folder; nothing is changed.

    Raises EnrolmentError when the grant is not exactly for the folder's keys and request.
    """
    root = read_trust_root(folder / files.TRUST)
    request = _own_request(folder, root)
    keys = NodeKeys.load(folder)
    if keys.public != (request.signing, request.agreement, request.sealing):
        raise EnrolmentError(f"{folder / files.REQUEST} names other keys than the folder holds")
    return check_grant(grant, request, root, keys.tls, now)


def install_grant(folder: Path, grant: Grant, root: TrustRoot) -> None:
    """Writes the three files of a checked grant; the credential, which counts, appears last."""
    content = {
        files.MEMBER: grant.credential.to_json(),
        files.TLS_CERTIFICATE: grant.certificate,
        files.AUTHORITY: grant.authorities(root),
    }
    try:
        with ExitStack() as stack:
            for name, raw in content.items():
                stack.enter_context(replacing(folder / name)).write_bytes(raw)
    except OSError as error:
        raise EnrolmentError(f"{folder} cannot be written ({error.strerror})") from error


def load_config(role: Role, folder: Path) -> NodeConfig:
    """The configuration in a node's folder, of the class of its role. Raises ConfigError."""
    return load(CONFIGS[role], folder / files.CONFIG)


def read_request_file(path: Path) -> Signed:
    """A request's file; not verified. Raises EnrolmentError."""
    try:
        return Signed.from_json(read_file(path, "request"))
    except FederationError as error:
        raise EnrolmentError(f"{path} is no request: {error}") from error


def read_grant_file(path: Path) -> Grant:
    """A grant's file; not verified. Raises EnrolmentError."""
    try:
        return Grant.from_json(read_file(path, "grant"))
    except FederationError as error:
        raise EnrolmentError(f"{path} is no grant: {error}") from error


def _own_request(folder: Path, root: TrustRoot) -> MemberRequest:
    path = folder / files.REQUEST
    try:
        return read_request(read_request_file(path), root)
    except FederationError as error:
        raise EnrolmentError(f"{path} was changed since it was made: {error}") from error


def _check_config(role: Role, home: Path) -> None:
    """Whatever the configuration lacks, it may lack only what the grant brings."""
    try:
        load(CONFIGS[role], home / files.CONFIG, {})
    except ConfigError as error:
        problems = [problem for problem in error.problems if problem.key not in _GRANTED]
        if problems:
            raise ConfigError(files.CONFIG, problems) from None
