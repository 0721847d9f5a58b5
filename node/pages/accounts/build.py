"""Accounts put together: over a node, or over a database of an enterprise's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from node.clock import Clock
from node.config import NodeConfig, PagesConfig
from node.keys import KeyEncryptionKey
from node.pages.accounts.administration import Accounts
from node.pages.accounts.gate_parts import Parts
from node.pages.accounts.gatekeeper import AccountGate
from node.pages.accounts.journal import Journal, log_of
from node.pages.accounts.oidc.provider import Provider
from node.pages.accounts.passwords import Passwords
from node.pages.accounts.sessions import Lifetime
from node.pages.duties import DUTIES, Duty
from node.storage import Store

if TYPE_CHECKING:
    from node.runtime import Runtime

PRODUCT = ("yinxin", "隐信")


def accounts_over(
    store: Store,
    clock: Clock,
    key: KeyEncryptionKey,
    duties: frozenset[Duty],
    names: tuple[str, ...],
    journal: Journal,
) -> Accounts:
    """Accounts in a database. `names` are words that no password may be made of."""
    return Accounts(store, clock, key, duties, (*PRODUCT, *names), Passwords(key), journal)


def accounts_of(runtime: Runtime[Any]) -> Accounts:
    """The accounts of a node."""
    config: NodeConfig = runtime.config
    return accounts_over(
        runtime.store,
        runtime.clock,
        runtime.identity.storage,
        frozenset(DUTIES[config.role]),
        (config.name, config.chain, config.role.value),
        log_of(runtime),
    )


def gate_of(accounts: Accounts, config: PagesConfig) -> AccountGate:
    """The gatekeeper that a section of the configuration describes."""
    lifetime = Lifetime(config.idle_minutes * 60, config.session_hours * 3600)
    provider = Provider(config.oidc, accounts.clock) if config.oidc.issuer else None
    return AccountGate(Parts(accounts, lifetime), provider)
