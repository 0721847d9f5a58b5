"""Sign-in on either database, by two processes: what is to happen once happens once."""

from __future__ import annotations

import asyncio

import pyotp

from node.clock import FixedClock
from node.keys import KeyEncryptionKey
from node.pages.accounts import second
from node.pages.accounts.errors import AccountError, SignInRefused
from node.pages.accounts.sessions import Lifetime, Origin
from node.pages.accounts.signing_in import SigningIn
from node.pages.duties import Duty
from node.storage import Store
from support.accounts import NOW, OTHER, PASSWORD, World

HERE = Origin("192.0.2.1", "")


async def test_two_processes_at_once(database_url: str) -> None:
    stores = [Store.open(database_url, pool=3) for _ in range(2)]
    clock, key = FixedClock(NOW), KeyEncryptionKey(bytes(32))
    worlds = [World(store, clock, key) for store in stores]
    desks = [SigningIn(world.accounts, Lifetime()) for world in worlds]
    made = await worlds[0].accounts.add("wang", {Duty.OFFICER}, "root", password=PASSWORD)

    async def wait(desk: SigningIn, password: str) -> int:
        try:
            await desk.password("wang", password, HERE)
        except SignInRefused as refused:
            return refused.wait
        return -1

    waits = await asyncio.gather(*(wait(desks[n % 2], OTHER) for n in range(10)))
    assert sorted(waits) == [0] * 5 + [15] * 5
    clock.advance(15)
    secret = second.new_secret()
    await worlds[1].store.run(lambda c: second.install(c, key, made.account.id, secret, 0))
    steps = [await desk.password("wang", PASSWORD, HERE) for desk in desks]
    code = pyotp.TOTP(second.spelled(secret).replace("-", "")).at(clock.now())

    async def used(desk: SigningIn, token: str) -> bool:
        try:
            return bool((await desk.second(token, code, HERE)).session)
        except SignInRefused:
            return False

    pairs = zip(desks, steps, strict=True)
    found = await asyncio.gather(*(used(desk, step.token) for desk, step in pairs))
    assert sorted(found) == [False, True]
    await worlds[0].accounts.add("root-1", {Duty.ADMINISTRATOR}, "root", password=PASSWORD)
    await worlds[0].accounts.add("root-2", {Duty.ADMINISTRATOR}, "root", password=PASSWORD)
    outcomes = await asyncio.gather(
        *(world.accounts.disable(f"root-{n}", "x") for n, world in enumerate(worlds, 1)),
        return_exceptions=True,
    )
    assert sum(isinstance(one, AccountError) for one in outcomes) == 1
    for store in stores:
        store.close()
