"""A party's node opened beside its running process, by the clock of its chain."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from node.config import BankConfig, HolderConfig, HubConfig, RegulatorConfig, load
from node.demo.layout import Layout, Party
from node.runtime import Runtime, running


def hub_of(layout: Layout) -> AbstractAsyncContextManager[Runtime[HubConfig]]:
    """The chain's hub."""
    return running(load(HubConfig, layout.hub.config), clock=layout.clock)


def regulator_of(layout: Layout) -> AbstractAsyncContextManager[Runtime[RegulatorConfig]]:
    """The chain's regulator."""
    return running(load(RegulatorConfig, layout.regulator.config), clock=layout.clock)


def bank_of(layout: Layout) -> AbstractAsyncContextManager[Runtime[BankConfig]]:
    """The chain's bank."""
    return running(load(BankConfig, layout.bank.config), clock=layout.clock)


def holder_of(layout: Layout, party: Party) -> AbstractAsyncContextManager[Runtime[HolderConfig]]:
    """A holder of the chain."""
    return running(load(HolderConfig, party.config), clock=layout.clock)
