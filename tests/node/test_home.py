"""A node's folder, from its making to its membership, with real files."""

from __future__ import annotations

import dataclasses
import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509

from federation.canonical import b64, canonical_json
from federation.errors import FederationError, IdentityError
from federation.identity import Role, SpiffeId, dns_name
from federation.membership import MemberRequest, TrustRoot
from federation.pki import CertificateAuthority, SubjectAuthority, new_tls_key
from federation.signed import SigningKey
from node.config import PeerConfig
from node.enrolment import (
    EnrolmentError,
    Grant,
    HomeSettings,
    grant_member,
    init_home,
    join_home,
    load_config,
    read_grant_file,
    read_request,
    read_request_file,
)
from node.enrolment.keys import NodeKeys
from node.enrolment.request import make_request
from node.errors import ConfigError, NodeError, SecretFileError
from node.identity import load_identity

NOW = 1_790_000_000
DAYS = 365
DOMAIN = "csj.yinxin.example"
HUB = PeerConfig(name="hub", address="127.0.0.1:7440")
TITLE = {"zh": "税务局", "en": "Tax bureau"}


@dataclasses.dataclass
class Root:
    """A regulator, in memory."""

    authority: CertificateAuthority
    signing: SigningKey
    root: TrustRoot

    def grant(self, request: MemberRequest, *, now: int = NOW, days: int = DAYS) -> Grant:
        return grant_member(
            request,
            root=self.root,
            authority=self.authority,
            signing=self.signing,
            now=now,
            days=days,
        )


@pytest.fixture(scope="module")
def chain() -> Root:
    return make_root()


def make_root() -> Root:
    authority = CertificateAuthority.create(DOMAIN, NOW)
    licence = SubjectAuthority.create("licence.example", NOW)
    signing = SigningKey.generate()
    root = TrustRoot(
        chain="csj",
        trust_domain=DOMAIN,
        regulator=SpiffeId(DOMAIN, Role.REGULATOR, "pboc"),
        regulator_signing=signing.public,
        authority=authority.certificate_pem.decode(),
        licence_domain="licence.example",
        licence_authority=licence.certificate_pem.decode(),
    )
    return Root(authority, signing, root)


def make(chain: Root, folder: Path, role: Role = Role.HOLDER, **more: object) -> MemberRequest:
    settings = HomeSettings(hub=HUB, regulator=PeerConfig(name="pboc", address="127.0.0.1:7441"))
    if role is Role.HOLDER:
        more.setdefault("kind", "tax")
        settings = HomeSettings(hub=HUB)
    if role is Role.HUB:
        settings = HomeSettings()
    arguments: dict[str, object] = {
        "name": "tax",
        "trust_root": chain.root,
        "title": TITLE,
        "settings": settings,
        **more,
    }
    return init_home(role, folder, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("role", "named", "agreement", "sealing"),
    [
        (Role.HOLDER, False, True, False),
        (Role.HOLDER, True, True, True),
        (Role.BANK, False, False, True),
        (Role.HUB, False, False, True),
    ],
)
def test_a_granted_folder_is_a_node(
    chain: Root, tmp_path: Path, role: Role, named: bool, agreement: bool, sealing: bool
) -> None:
    folder = tmp_path / "tax"
    request = make(chain, folder, role, named=named, addresses=("node.example", "192.0.2.7"))
    identity = join_home(folder, chain.grant(request), NOW)
    assert identity.id == SpiffeId(DOMAIN, role, "tax")
    assert (identity.agreement is not None, identity.sealing is not None) == (agreement, sealing)
    config = load_config(role, folder)
    assert load_identity(config, NOW).member == identity.member
    certificate = x509.load_pem_x509_certificate(config.tls.certificate.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [dns_name(identity.id), "node.example"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.7"]
    assert config.tls.ca.read_bytes() == chain.authority.certificate_pem


def test_secrets_are_closed_and_the_request_holds_none(chain: Root, tmp_path: Path) -> None:
    folder = tmp_path / "tax"
    make(chain, folder, named=True)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    secrets = sorted(folder.glob("keys/*.key"))
    assert [path.name for path in secrets] == [
        "agreement.key",
        "sealing.key",
        "signing.key",
        "storage.key",
        "tls.key",
    ]
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets} == {0o600}
    public = (folder / "request.json").read_bytes() + (folder / "trust.json").read_bytes()
    keys = NodeKeys.load(folder)
    assert keys.sealing and keys.agreement
    for secret in (
        keys.signing.to_bytes(),
        keys.sealing.to_bytes(),
        keys.agreement.private_bytes_raw(),
        (folder / "keys/storage.key").read_bytes(),
    ):
        assert secret not in public and b64(secret).encode() not in public


def test_two_folders_share_no_key(chain: Root, tmp_path: Path) -> None:
    first, second = (make(chain, tmp_path / name) for name in ("a", "b"))
    assert first.signing != second.signing
    assert first.agreement != second.agreement
    assert first.tls_request != second.tls_request


@pytest.mark.parametrize(
    ("more", "error", "words"),
    [
        ({"name": "Tax_1"}, IdentityError, "cannot serve"),
        ({"name": "a/b"}, IdentityError, "letters"),
        ({"kind": "Tax Bureau"}, FederationError, "kind"),
        ({"title": {"zh": "税"}}, FederationError, "title"),
        ({"title": {"zh": "税", "en": "tax\x1b[2J"}}, FederationError, "printable"),
        ({"addresses": ("*.example.com",)}, EnrolmentError, "no host name"),
        ({"addresses": ("hub.hub." + DOMAIN,)}, EnrolmentError, "stand for its"),
        ({"addresses": (DOMAIN,)}, EnrolmentError, "stand for its"),
        ({"settings": HomeSettings(hub=HUB, listen="nowhere")}, ConfigError, "listen"),
        ({"settings": HomeSettings()}, ConfigError, "hub"),
        ({"settings": HomeSettings(hub=HUB, workers=0)}, ConfigError, "workers"),
    ],
)
def test_nothing_is_left_of_a_folder_that_cannot_be(
    chain: Root, tmp_path: Path, more: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        make(chain, tmp_path / "tax", **more)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_never_overwritten(chain: Root, tmp_path: Path) -> None:
    make(chain, tmp_path / "tax")
    before = {p: p.read_bytes() for p in (tmp_path / "tax").rglob("*") if p.is_file()}
    with pytest.raises(EnrolmentError, match="not empty"):
        make(chain, tmp_path / "tax")
    assert {p: p.read_bytes() for p in (tmp_path / "tax").rglob("*") if p.is_file()} == before
    (tmp_path / "empty").mkdir()
    make(chain, tmp_path / "empty")


def foreign_root(chain: Root, request: MemberRequest) -> Grant:
    return make_root().grant(request)


def foreign_certificate(chain: Root, request: MemberRequest) -> Grant:
    other = CertificateAuthority.create(DOMAIN, NOW)
    return grant_member(
        request, root=chain.root, authority=other, signing=chain.signing, now=NOW, days=DAYS
    )


def other_keys(chain: Root, request: MemberRequest) -> Grant:
    keys = NodeKeys.generate(Role.HOLDER)
    asked = make_request(request.id, keys, title=request.title, kind=request.kind)
    return chain.grant(read_request(asked, chain.root))


def other_tls_key(chain: Root, request: MemberRequest) -> Grant:
    return dataclasses.replace(
        chain.grant(request), certificate=other_keys(chain, request).certificate
    )


def other_member(chain: Root, request: MemberRequest) -> Grant:
    renamed = request.model_copy(update={"id": SpiffeId(DOMAIN, Role.HOLDER, "court")})
    return chain.grant(renamed)


def other_names_in_certificate(chain: Root, request: MemberRequest) -> Grant:
    return dataclasses.replace(
        chain.grant(request), certificate=other_member(chain, request).certificate
    )


def other_kind(chain: Root, request: MemberRequest) -> Grant:
    return chain.grant(request.model_copy(update={"kind": "court"}))


def other_title(chain: Root, request: MemberRequest) -> Grant:
    return chain.grant(request.model_copy(update={"title": {"zh": "法院", "en": "Court"}}))


def altered(chain: Root, request: MemberRequest) -> Grant:
    grant = chain.grant(request)
    payload = grant.credential.payload.replace(b'"kind":"tax"', b'"kind":"cat"')
    assert payload != grant.credential.payload
    return dataclasses.replace(
        grant, credential=dataclasses.replace(grant.credential, payload=payload)
    )


def expired(chain: Root, request: MemberRequest) -> Grant:
    return chain.grant(request, now=NOW - 10 * 86_400, days=9)


def no_certificate(chain: Root, request: MemberRequest) -> Grant:
    return dataclasses.replace(chain.grant(request), certificate=b"nonsense")


def fewer_names(chain: Root, request: MemberRequest) -> Grant:
    certificate = chain.authority.issue_tls(request.tls_request.encode(), request.id, NOW, DAYS)
    return dataclasses.replace(chain.grant(request), certificate=certificate)


@pytest.mark.parametrize(
    ("forge", "words"),
    [
        (foreign_root, "not of spiffe"),
        (foreign_certificate, "not of the chain's authority"),
        (other_keys, "signing is not that"),
        (other_tls_key, "another key"),
        (other_member, "it is for"),
        (other_names_in_certificate, "court's, not"),
        (other_kind, "kind is not that"),
        (other_title, "title is not that"),
        (altered, "not of spiffe"),
        (expired, "not valid now"),
        (no_certificate, "not of the chain's authority"),
        (fewer_names, "lacks the names"),
    ],
)
def test_a_grant_that_is_not_for_this_folder_changes_nothing(
    chain: Root, tmp_path: Path, forge: Callable[[Root, MemberRequest], Grant], words: str
) -> None:
    folder = tmp_path / "tax"
    request = make(chain, folder)
    before = sorted(folder.rglob("*"))
    with pytest.raises(NodeError, match=words):
        join_home(folder, forge(chain, request), NOW)
    assert sorted(folder.rglob("*")) == before
    join_home(folder, chain.grant(request), NOW)


def test_a_refused_grant_leaves_the_old_one_in_place(chain: Root, tmp_path: Path) -> None:
    folder = tmp_path / "tax"
    request = make(chain, folder)
    join_home(folder, chain.grant(request), NOW)
    with pytest.raises(EnrolmentError):
        join_home(folder, foreign_certificate(chain, request), NOW)
    assert load_identity(load_config(Role.HOLDER, folder), NOW).id == request.id


def test_a_newer_grant_renews(chain: Root, tmp_path: Path) -> None:
    folder = tmp_path / "tax"
    request = make(chain, folder)
    first = join_home(folder, chain.grant(request), NOW)
    later = NOW + 300 * 86_400
    second = join_home(folder, chain.grant(request, now=later), later)
    assert second.member.not_after > first.member.not_after
    assert second.signing.public == first.signing.public


def test_a_request_changed_on_the_way_is_not_granted(chain: Root, tmp_path: Path) -> None:
    make(chain, tmp_path / "tax")
    signed = read_request_file(tmp_path / "tax/request.json")
    for old, new in ((b'"named":false', b'"named":true'), (b'"kind":"tax"', b'"kind":"law"')):
        payload = signed.payload.replace(old, new)
        assert payload != signed.payload
        with pytest.raises(FederationError):
            read_request(dataclasses.replace(signed, payload=payload), chain.root)
    assert read_request(signed, chain.root).kind == "tax"


def test_a_request_for_what_no_member_may_have_is_not_granted(chain: Root) -> None:
    def asking(role: Role, name: str, domain: str = DOMAIN) -> MemberRequest:
        party = SpiffeId(domain, role, name)
        signed = make_request(party, NodeKeys.generate(role), title=TITLE)
        return read_request(signed, chain.root)

    with pytest.raises(EnrolmentError, match="licence authority"):
        asking(Role.ENTERPRISE, "x")
    with pytest.raises(EnrolmentError, match="regulator is"):
        asking(Role.REGULATOR, "second")
    with pytest.raises(EnrolmentError, match="outside"):
        asking(Role.BANK, "first", "zsj.yinxin.example")
    assert asking(Role.BANK, "first").id.name == "first"


def test_a_bank_without_a_sealing_key_is_not_granted(chain: Root) -> None:
    keys = dataclasses.replace(NodeKeys.generate(Role.BANK), sealing=None)
    request = make_request(SpiffeId(DOMAIN, Role.BANK, "first"), keys, title=TITLE)
    with pytest.raises(FederationError, match="sealing"):
        read_request(request, chain.root)


def test_a_tls_request_for_somebody_elses_key_is_not_granted(chain: Root) -> None:
    keys = NodeKeys.generate(Role.BANK)
    signed = make_request(SpiffeId(DOMAIN, Role.BANK, "first"), keys, title=TITLE)
    request = read_request(signed, chain.root)
    stolen = new_tls_key().public_key()
    csr = x509.load_pem_x509_csr(request.tls_request.encode())
    assert csr.public_key() != stolen
    broken = request.tls_request.replace("A", "B", 3)
    with pytest.raises(FederationError):
        chain.grant(request.model_copy(update={"tls_request": broken}))


def test_a_folder_whose_keys_were_replaced_does_not_join(chain: Root, tmp_path: Path) -> None:
    folder = tmp_path / "tax"
    request = make(chain, folder)
    make(chain, tmp_path / "other")
    (folder / "keys/signing.key").write_bytes((tmp_path / "other/keys/signing.key").read_bytes())
    with pytest.raises(EnrolmentError, match="other keys"):
        join_home(folder, chain.grant(request), NOW)


def test_a_key_open_to_others_is_refused(chain: Root, tmp_path: Path) -> None:
    folder = tmp_path / "tax"
    request = make(chain, folder)
    (folder / "keys/signing.key").chmod(0o644)
    with pytest.raises(SecretFileError, match="chmod 600"):
        join_home(folder, chain.grant(request), NOW)


def test_grants_travel_as_files(chain: Root, tmp_path: Path) -> None:
    grant = chain.grant(make(chain, tmp_path / "tax"))
    path = tmp_path / "grant.json"
    path.write_bytes(grant.to_json())
    assert read_grant_file(path) == grant
    value = json.loads(grant.to_json())
    for change in ({"format": "x"}, {"extra": 1}, {"tls_certificate": 7}, {"credential": {}}):
        path.write_bytes(canonical_json({**value, **change}))
        with pytest.raises(EnrolmentError, match="no grant"):
            read_grant_file(path)
    with pytest.raises(EnrolmentError, match="cannot be read"):
        read_grant_file(tmp_path / "absent.json")
