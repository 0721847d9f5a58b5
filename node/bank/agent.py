"""What every part of the agent works with: the node, its channels, its records."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from sqlalchemy import Connection

from federation.certificate import ModelCertificate
from federation.errors import FederationError, Refusal
from federation.identity import Role
from federation.membership import Members
from node.bank.chains import Chains, ChainView
from node.bank.counted import Counted
from node.bank.errors import BankError
from node.bank.records import ListedModel, Model, ModelRecords
from node.bank.refusals import Refusals
from node.bank.texts import Code
from node.config import BankConfig
from node.runtime import Runtime

T = TypeVar("T")
LEAST_HASH_DIGITS = 8


class Agent:
    """A bank's node: channels to hub and regulator, its copies of the chains, the models.

    `chain`, `root` and `sync` are those of the bank's own chain.
    """

    def __init__(self, runtime: Runtime[BankConfig]) -> None:
        """Has to be made in the event loop that will use it."""
        self.runtime = runtime
        self.config = runtime.config
        self.id = runtime.identity.id
        self.root = runtime.identity.root
        self.chain = runtime.chain
        hub = runtime.peer_channel(Role.HUB, self.config.hub)
        regulator = runtime.peer_channel(Role.REGULATOR, self.config.regulator)
        self.chains = Chains(runtime, hub)
        self.sync = self.chains.sync
        self.hub = self.chains.home.hub
        self.regulator = Counted(regulator, runtime.metrics)
        self.records = ModelRecords(runtime.identity.storage)
        self.refusals = Refusals(runtime.identity.storage)
        self._models: dict[bytes, Model] = {}

    def now(self) -> int:
        """Unix seconds."""
        return self.runtime.clock.now()

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Runs a query on one snapshot."""
        return await self.runtime.store.read(query)

    async def write(self, unit: Callable[[Connection], T]) -> T:
        """Runs a unit of work; returns once it is durable."""
        return await self.runtime.store.run(unit)

    async def members(self) -> Members:
        """The own chain's members, fetched first where the node has none yet."""
        return await self.chains.home.members()

    async def view_of(self, digest: bytes) -> ChainView:
        """The chain of a model that is kept here. Raises BankError."""
        return await self.chains.view((await self.model_of(digest)).chain)

    async def certificate(self, digest: bytes) -> ModelCertificate:
        """The certificate of a model that is kept here, of members of now.

        Raises Refusal, and BankError for a model that is withdrawn, or in a chain that may not be
        asked now.
        """
        return await (await self.view_of(digest)).certificate(digest)

    async def certified(self, digest: bytes) -> ModelCertificate:
        """The certificate of a model that is kept here, to show it, whoever is a member now."""
        return await (await self.view_of(digest)).certified(digest)

    async def withdrawn(self, digest: bytes) -> bool:
        """Whether the model with that certificate is withdrawn."""
        return await (await self.view_of(digest)).withdrawn(digest)

    async def model(self, reference: str = "") -> Model:
        """The model that `reference` means: a certificate's hash or its first digits,
        `name@version`, or a name, which means the newest of that name; `chain:name` of a chain, and
        else of the own one where several have it. Without a reference it is the only model there
        is, withdrawn ones aside. Raises BankError.
        """
        matches = await self.matching(reference)
        listed = [one for models in matches.values() for one in models]
        if not reference and len({one.name for one in listed}) > 1:
            raise BankError(Code.MODEL_AMBIGUOUS, "model", model="–")
        found = matches.get("", listed)
        if not found:
            raise BankError(Code.MODEL_UNKNOWN, "model", model=reference or "–")
        if len(found) > 1:
            raise BankError(Code.MODEL_AMBIGUOUS, "model", model=reference or "–")
        return await self.model_of(found[0].hash)

    async def matching(self, reference: str = "") -> dict[str, list[ListedModel]]:
        """What a reference may mean, by the models' `chain`: one a chain where it is a name."""
        home = self.root.chain
        listed = await self.read(self.records.models)
        if not reference and len(listed) > 1:
            listed = [one for one in listed if not await self.withdrawn(one.hash)]
        chain, colon, name = reference.partition(":")
        if colon:
            scope = "" if chain == home else chain
            listed, reference = [one for one in listed if one.chain == scope], name
        return _matching(listed, reference)

    async def model_of(self, digest: bytes) -> Model:
        """The model whose certificate has that hash; read once. Raises BankError."""
        if digest not in self._models:
            model = await self.read(lambda c: self.records.model(c, digest))
            if model is None:
                raise BankError(Code.MODEL_UNKNOWN, "model", model=digest.hex()[:16])
            self._models[digest] = model
        return self._models[digest]


def reason_of(error: FederationError) -> str:
    """What a check found, for the agent's own user."""
    if isinstance(error, Refusal) and error.detail:
        return f"{error.reason.value}: {error.detail}"
    return str(error)


def _matching(listed: Iterable[ListedModel], reference: str) -> dict[str, list[ListedModel]]:
    wanted = reference.lower()
    if len(wanted) >= LEAST_HASH_DIGITS and all(c in "0123456789abcdef" for c in wanted):
        found = [one for one in listed if one.hash.hex().startswith(wanted)]
        if found:
            return _by_chain(found)
    if not reference:
        return _by_chain(listed)
    exact = _by_chain(one for one in listed if f"{one.name}@{one.version}" == reference)
    found_by = exact or _by_chain(one for one in listed if one.name == reference)
    return {chain: models[:1] for chain, models in found_by.items()}


def _by_chain(listed: Iterable[ListedModel]) -> dict[str, list[ListedModel]]:
    found: dict[str, list[ListedModel]] = {}
    for one in listed:
        found.setdefault(one.chain, []).append(one)
    return found
