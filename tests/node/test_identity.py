"""A node starts only as who its credential says, with the keys that the credential names."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from federation.identity import SpiffeId
from federation.signed import Signed, SigningKey
from node.config import NodeConfig
from node.enrolment import load_config
from node.errors import IdentityFileError, SecretFileError
from node.identity import load_identity
from node.keys import write_secret
from support.enrolled import HARBOUR, HOLDERS, HUB, Homes, regulating


@pytest.fixture(scope="module")
def enrolled(tmp_path_factory: pytest.TempPathFactory) -> Homes:
    homes = Homes(tmp_path_factory.mktemp("chain"))

    async def enrol() -> None:
        async with regulating(homes) as regulator:
            await homes.enrol(regulator, HUB, HARBOUR, *HOLDERS[:2])

    asyncio.run(enrol())
    return homes


class Home:
    """A copy of a node's folder, to be damaged."""

    def __init__(self, homes: Homes, party: SpiffeId, folder: Path) -> None:
        self.homes, self.party, self.folder = homes, party, folder / party.name
        shutil.copytree(homes.folder(party), self.folder)

    @property
    def config(self) -> NodeConfig:
        return load_config(self.party.role, self.folder)

    def load(self, now: int = 0) -> object:
        return load_identity(self.config, now or self.homes.now)

    def refused(self, match: str, now: int = 0) -> None:
        with pytest.raises((IdentityFileError, SecretFileError), match=match) as caught:
            self.load(now)
        assert str(self.folder) in str(caught.value)

    def secret(self, name: str, raw: bytes) -> None:
        path = self.folder / "keys" / name
        path.unlink()
        write_secret(path, raw)


@pytest.fixture
def home(enrolled: Homes, tmp_path: Path) -> Callable[[SpiffeId], Home]:
    return lambda party: Home(enrolled, party, tmp_path)


Make = Callable[[SpiffeId], Home]


def test_a_folder_that_fits_is_an_identity(home: Make, enrolled: Homes) -> None:
    tax = load_identity(home(HOLDERS[0]).config, enrolled.now)
    assert (tax.id, tax.root, tax.member.id) == (HOLDERS[0], enrolled.root, HOLDERS[0])
    assert tax.signing.public == tax.member.signing
    assert tax.require_agreement().public_key().public_bytes_raw() == tax.member.agreement
    hub = load_identity(home(HUB).config, enrolled.now)
    assert (hub.agreement, tax.sealing) == (None, None)
    with pytest.raises(IdentityFileError, match="configure agreement_key"):
        hub.require_agreement()
    with pytest.raises(IdentityFileError, match="configure sealing_key"):
        tax.require_sealing()
    bank = load_identity(home(HARBOUR).config, enrolled.now)
    assert bank.require_sealing().public == bank.member.sealing


def test_another_nodes_keys_are_noticed(home: Make) -> None:
    tax = home(HOLDERS[0])
    tax.secret("signing.key", SigningKey.generate().to_pem())
    tax.refused("other keys than this node has; restore the keys")


def test_another_mask_key_is_noticed(home: Make) -> None:
    """With another agreement key the masks would not cancel, and nobody would see why."""
    tax = home(HOLDERS[0])
    tax.secret("agreement.key", bytes(range(32)))
    tax.refused("other keys than this node has")


def test_another_envelope_key_is_noticed(home: Make) -> None:
    bank = home(HARBOUR)
    bank.secret("sealing.key", bytes(range(32)))
    bank.refused("other keys than this node has")


@pytest.mark.parametrize(
    ("name", "raw", "match"),
    [
        ("agreement.key", b"short", "X25519 key of 32 bytes"),
        ("storage.key", b"short", "has 32 bytes"),
    ],
)
def test_a_key_file_that_holds_no_key_is_said(
    home: Make, name: str, raw: bytes, match: str
) -> None:
    tax = home(HOLDERS[0])
    tax.secret(name, raw)
    tax.refused(match)


def test_a_credential_has_its_time(home: Make, enrolled: Homes) -> None:
    tax = home(HOLDERS[0])
    member = load_identity(tax.config, enrolled.now).member
    tax.load(member.not_before)
    tax.load(member.not_after - 1)
    for now in (member.not_before - 1, member.not_after):
        tax.refused("not valid now; have the regulator enrol the node again", now)


def test_another_members_credential_is_noticed(home: Make) -> None:
    tax, other = home(HOLDERS[0]), home(HOLDERS[1])
    shutil.copy(other.folder / "member.json", tax.folder / "member.json")
    tax.refused(f"is {HOLDERS[1]}'s in chain csj, and this node is configured as {HOLDERS[0]}")


def test_a_configuration_for_another_chain_is_noticed(home: Make) -> None:
    tax = home(HOLDERS[0])
    path = tax.folder / "node.toml"
    path.write_text(path.read_text().replace('chain = "csj"', 'chain = "zsj"'))
    tax.refused("configured as .* in chain zsj")


def test_another_chains_root_trusts_nobody_here(home: Make, enrolled: Homes) -> None:
    tax = home(HOLDERS[0])
    other = enrolled.root.model_copy(update={"regulator_signing": SigningKey.generate().public})
    (tax.folder / "trust.json").write_bytes(other.payload())
    tax.refused("is no credential")
    other = enrolled.root.model_copy(update={"chain": "zsj"})
    (tax.folder / "trust.json").write_bytes(other.payload())
    tax.refused("is configured as")


def test_a_credential_that_the_regulator_did_not_sign_is_none(home: Make) -> None:
    tax = home(HOLDERS[0])
    path = tax.folder / "member.json"
    signed = Signed.from_json(path.read_bytes())
    own = load_identity(tax.config, tax.homes.now)
    path.write_bytes(own.member.sign(own.signing).to_json())
    tax.refused("is no credential")
    path.write_bytes(b"{}")
    tax.refused("is no credential")
    path.write_bytes(signed.to_json())
    tax.load()


def test_a_root_that_cannot_be_read_is_said(home: Make) -> None:
    tax = home(HOLDERS[0])
    (tax.folder / "trust.json").write_bytes(b"{}")
    tax.refused("is no trust root")
    config = tax.config
    (tax.folder / "trust.json").unlink()
    with pytest.raises(IdentityFileError, match="cannot be read"):
        load_identity(config, tax.homes.now)
