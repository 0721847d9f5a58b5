"""What is accepted as a password, and how it is kept."""

from __future__ import annotations

import asyncio
import unicodedata

import pytest
from argon2 import Parameters, Type, extract_parameters
from argon2.profiles import CHEAPEST, RFC_9106_LOW_MEMORY

from node.errors import Busy
from node.keys import KeyEncryptionKey
from node.pages.accounts import passwords
from node.pages.accounts.errors import AccountError
from node.pages.accounts.passwords import Passwords
from support.accounts import OTHER, PASSWORD

KEY = KeyEncryptionKey(bytes(32))


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("fourteen chars", "fewer than 15"),
        ("长" * 14, "fewer than 15"),
        ("x y " * 65, "more than 256"),
        ("passwordpassword", "commonest"),
        ("Password123456789", "commonest"),
        ("DROWSSAPdrowssap", "commonest"),
        ("correct horse battery staple", "commonest"),
        ("123456789012345", "commonest"),
        ("abcdefghijklmnopq", "commonest"),
        ("9876543210987654", "commonest"),
        ("qwertyuiopasdfg", "commonest"),
        ("aaaaaaaaaaaaaaaaa", "commonest"),
        ("abcabcabcabcabcabc", "commonest"),
        ("HarbourHarbour!", "commonest"),
        ("wang.fang2026!!!!!", "commonest"),
        ("ｐａｓｓｗｏｒｄｐａｓｓｗｏｒｄ", "commonest"),
    ],
)
def test_a_password_is_refused(password: str, problem: str) -> None:
    with pytest.raises(AccountError, match=problem) as refused:
        passwords.check(password, ("harbour", "wang.fang"))
    assert refused.value.field == "password" and refused.value.text.zh


@pytest.mark.parametrize(
    "password",
    [
        PASSWORD,
        OTHER,
        "十五个字的口令也可以用中文来写呀",
        "j6ku-flnr-4q2x-omfz",
        "x" * 9 + "yz1 w?" * 40,
    ],
)
def test_a_password_is_accepted(password: str) -> None:
    passwords.check(password, ("harbour", "wang"))


async def test_it_is_kept_as_argon2id_of_the_second_profile_of_rfc_9106() -> None:
    assert (RFC_9106_LOW_MEMORY.memory_cost, RFC_9106_LOW_MEMORY.time_cost) == (65_536, 3)
    keeper = Passwords(KEY)
    kept = await keeper.hash(PASSWORD)
    parameters = extract_parameters(kept)
    assert parameters == RFC_9106_LOW_MEMORY and parameters.type is Type.ID
    assert (await keeper.verify(kept, PASSWORD)).right
    assert not (await keeper.verify(kept, OTHER)).right
    assert kept != await keeper.hash(PASSWORD)


async def test_the_node_s_key_is_needed_to_try_passwords() -> None:
    kept = await Passwords(KEY, CHEAPEST).hash(PASSWORD)
    elsewhere = Passwords(KeyEncryptionKey(b"k" * 32), CHEAPEST)
    assert not (await elsewhere.verify(kept, PASSWORD)).right


async def test_other_parameters_have_it_hashed_anew() -> None:
    cheap = Passwords(KEY, CHEAPEST)
    kept = await cheap.hash(PASSWORD)
    dearer = Passwords(KEY, Parameters(**{**vars_of(CHEAPEST), "time_cost": 2}))
    found = await dearer.verify(kept, PASSWORD)
    assert found.right and found.outdated
    assert not (await dearer.verify(kept, OTHER)).outdated
    assert not (await cheap.verify(kept, PASSWORD)).outdated


async def test_a_keyboard_that_composes_otherwise_is_no_other_password() -> None:
    keeper = Passwords(KEY, CHEAPEST)
    composed = unicodedata.normalize("NFC", "café über naïve señor")
    kept = await keeper.hash(composed)
    assert (await keeper.verify(kept, unicodedata.normalize("NFD", composed))).right
    assert not (await keeper.verify(kept, composed.upper())).right


async def test_nobody_s_password_is_verified_with_the_same_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keeper = Passwords(KEY, CHEAPEST)
    tried: list[str] = []
    verify = type(keeper._hasher).verify

    def watched(self: object, kept: str, secret: bytes) -> bool:
        tried.append(kept)
        return verify(keeper._hasher, kept, secret)

    monkeypatch.setattr(type(keeper._hasher), "verify", watched)
    assert not (await keeper.verify(None, PASSWORD)).right
    assert not (await keeper.verify(await keeper.hash(OTHER), PASSWORD)).right
    assert [extract_parameters(kept) for kept in tried] == [CHEAPEST, CHEAPEST]
    assert not (await keeper.verify("no encoding", PASSWORD)).right


async def test_too_many_at_once_are_sent_away() -> None:
    keeper = Passwords(KEY, CHEAPEST)
    work = [keeper.verify(None, PASSWORD) for _ in range(passwords.MOST_WAITING + 5)]
    found = await asyncio.gather(*work, return_exceptions=True)
    assert sum(isinstance(one, Busy) for one in found) == 5
    assert not (await keeper.verify(None, PASSWORD)).right


def vars_of(parameters: Parameters) -> dict[str, object]:
    return {name: getattr(parameters, name) for name in parameters.__slots__}
