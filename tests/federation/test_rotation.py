"""What a log says when a credential takes the place of another."""

from __future__ import annotations

from typing import Any

import pytest

from federation.canonical import b64
from federation.entries import Kind, read_entry
from federation.errors import DocumentError
from federation.identity import Role, SpiffeId
from federation.membership import Member
from federation.rotation import rotation_entry
from support.chain import CHAIN, DOMAIN, HARBOUR, NOW, TAX

OLD = Member(
    chain=CHAIN,
    id=TAX,
    kind="tax",
    title={"zh": "税务", "en": "Tax"},
    signing=b"\1" * 32,
    agreement=b"\2" * 32,
    sealing=b"",
    named=False,
    not_before=NOW,
    not_after=NOW + 86_400,
)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"not_after": NOW + 2 * 86_400}, "credential"),
        ({"signing": b"\3" * 32}, "signing"),
        ({"signing": b"\3" * 32, "agreement": b"\4" * 32}, "signing,agreement"),
        ({"sealing": b"\5" * 1216}, "sealing"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_new_credential_is_logged_with_the_keys_that_changed(
    changes: dict[str, Any], key: str
) -> None:
    new = OLD.model_copy(update=changes)
    raw = rotation_entry(OLD, new, NOW)
    assert raw is not None
    assert read_entry(raw).kind is Kind.KEY_ROTATED
    assert read_entry(raw).body == {
        "document": b64(new.hash),
        "previous": b64(OLD.hash),
        "member": str(TAX),
        "key": key,
    }


def test_the_same_credential_again_is_no_rotation() -> None:
    assert rotation_entry(OLD, OLD.model_copy(), NOW) is None


def test_credentials_of_two_members_are_not_compared() -> None:
    other = OLD.model_copy(update={"id": SpiffeId(DOMAIN, Role.HOLDER, "tax-2")})
    assert other.id != HARBOUR
    with pytest.raises(DocumentError, match="member"):
        rotation_entry(OLD, other, NOW)
