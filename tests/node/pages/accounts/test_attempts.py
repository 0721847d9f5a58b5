"""Failures cost time, by account and by address, and nobody is locked out for ever."""

from __future__ import annotations

import asyncio

import pyotp

from node.pages.accounts import attempts, second
from node.pages.accounts.errors import SignInRefused
from node.pages.accounts.sessions import Lifetime, Origin
from node.pages.accounts.signing_in import SigningIn
from node.pages.duties import Duty
from support.accounts import NOW, OTHER, PASSWORD, World

HERE = Origin("192.0.2.1", "")


async def outcome(signing_in: SigningIn, name: str, password: str, origin: Origin = HERE) -> int:
    """0 for a session or a step, −1 for a refusal, else the seconds to wait."""
    try:
        await signing_in.password(name, password, origin)
    except SignInRefused as refused:
        return refused.wait or -1
    return 0


def test_delays_grow_to_a_bound() -> None:
    delays = [attempts.ACCOUNT.delay(failures) for failures in range(14)]
    assert delays == [0, 0, 0, 0, 0, 15, 30, 60, 120, 240, 480, 900, 900, 900]
    assert attempts.ADDRESS.delay(10**9) == 300


def test_an_address_of_ipv6_counts_as_its_network() -> None:
    assert attempts.network("2001:db8:1:2:3:4:5:6") == "2001:db8:1:2::/64"
    assert attempts.network("fe80::1%eth0") == "fe80::/64"
    assert attempts.network("::ffff:192.0.2.9") == "192.0.2.9"
    assert attempts.network("192.0.2.9") == "192.0.2.9"
    assert attempts.network("testclient") == "testclient"


async def test_the_right_password_waits_as_a_wrong_one_does(world: World) -> None:
    signing_in = SigningIn(world.accounts, Lifetime())
    await world.accounts.add("wang", {Duty.OFFICER}, "root", password=PASSWORD)
    for name in ("wang", "nobody-there"):
        assert [await outcome(signing_in, name, OTHER) for _ in range(6)] == [-1] * 5 + [15]
        assert await outcome(signing_in, name, PASSWORD) == 15
        # Who comes too early does not prolong it.
        world.clock.advance(14)
        assert await outcome(signing_in, name, PASSWORD) == 1
        world.clock.advance(1)
    assert await outcome(signing_in, "wang", PASSWORD) == 0
    assert [await outcome(signing_in, "wang", OTHER) for _ in range(5)] == [-1] * 5
    world.clock.advance(15)
    assert await outcome(signing_in, "wang", OTHER) == -1
    assert await outcome(signing_in, "wang", OTHER) == 30
    world.clock.advance(attempts.FORGET + 1)
    assert [await outcome(signing_in, "wang", OTHER) for _ in range(5)] == [-1] * 5


async def test_many_at_once_are_as_many(world: World) -> None:
    signing_in = SigningIn(world.accounts, Lifetime())
    await world.accounts.add("wang", {Duty.OFFICER}, "root", password=PASSWORD)
    found = await asyncio.gather(*(outcome(signing_in, "wang", OTHER) for _ in range(20)))
    assert sorted(found) == [-1] * 5 + [15] * 15


async def test_an_address_that_tries_many_names_waits(world: World) -> None:
    signing_in = SigningIn(world.accounts, Lifetime())
    await world.accounts.add("wang", {Duty.OFFICER}, "root", password=PASSWORD)
    network = [Origin(f"2001:db8::{n}", "") for n in range(40)]
    for n in range(15):
        assert await outcome(signing_in, f"name-{n}", OTHER, network[n]) == -1
        # An account of one's own does not clear it.
        assert await outcome(signing_in, "wang", PASSWORD, network[n]) == 0
    for n in range(15, 30):
        assert await outcome(signing_in, f"name-{n}", OTHER, network[n]) == -1
    assert await outcome(signing_in, "wang", PASSWORD, network[31]) == 15
    assert await outcome(signing_in, "wang", PASSWORD, Origin("2001:db8:0:1::1", "")) == 0


async def test_codes_are_limited_by_account_whatever_the_first_step_says(world: World) -> None:
    signing_in = SigningIn(world.accounts, Lifetime())
    made = await world.accounts.add("wang", {Duty.OFFICER}, "root", password=PASSWORD)
    secret = second.new_secret()
    await world.store.run(lambda c: second.install(c, world.key, made.account.id, secret, 0))
    waits = []
    for _ in range(7):
        step = await signing_in.password("wang", PASSWORD, HERE)
        try:
            await signing_in.second(step.token, "000000", HERE)
        except SignInRefused as refused:
            waits.append(refused.wait)
    assert waits == [0] * 5 + [15] * 2
    step = await signing_in.password("wang", PASSWORD, HERE)
    world.clock.advance(15)
    code = pyotp.TOTP(second.spelled(secret).replace("-", "")).at(NOW + 15)
    assert (await signing_in.second(step.token, code, HERE)).session


async def test_a_log_is_not_filled_by_who_has_no_account(world: World) -> None:
    signing_in = SigningIn(world.accounts, Lifetime())
    for n in range(20):
        await outcome(signing_in, f"secret-{n}", OTHER, Origin(f"198.51.100.{n}", ""))
    failed = [more for action, _, more in world.entries if action == "sign-in-failed"]
    assert failed == [{"name": "", "failures": count} for count in (1, 2, 4, 8, 16)]
