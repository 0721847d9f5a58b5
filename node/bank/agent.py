"""What every part of the agent works with: the node, its channels, its records."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from federation.certificate import ModelCertificate
from federation.errors import FederationError, Refusal
from federation.identity import Role
from federation.membership import Members
from node.bank.counted import Counted
from node.bank.errors import BankError
from node.bank.records import Model, ModelRecords
from node.bank.refusals import Refusals
from node.bank.texts import Code
from node.chain import ChainSync
from node.config import BankConfig
from node.runtime import Runtime

T = TypeVar("T")
LEAST_HASH_DIGITS = 8


class Agent:
    """A bank's node: channels to hub and regulator, the copy of the chain, the models."""

    def __init__(self, runtime: Runtime[BankConfig]) -> None:
        """Has to be made in the event loop that will use it."""
        self.runtime = runtime
        self.config = runtime.config
        self.id = runtime.identity.id
        self.root = runtime.identity.root
        self.chain = runtime.chain
        hub = runtime.peer_channel(Role.HUB, self.config.hub)
        regulator = runtime.peer_channel(Role.REGULATOR, self.config.regulator)
        self.hub = Counted(hub, runtime.metrics)
        self.regulator = Counted(regulator, runtime.metrics)
        self.sync = ChainSync(hub, runtime.chain, runtime.store, runtime.log, runtime.clock)
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
        """The chain's members, fetched first where the node has none yet."""
        members = await self.runtime.members()
        try:
            members.hub  # noqa: B018  # raises while nothing was synchronised
        except Refusal:
            await self.sync.sync()
            members = await self.runtime.members()
        return members

    async def certificate(self, digest: bytes) -> ModelCertificate:
        """The certificate of a model that is kept here, of members of now.

        Raises Refusal, and BankError for a model that is withdrawn.
        """
        certificate, now = await self.certified(digest), self.now()
        if await self.withdrawn(digest):
            raise BankError(Code.MODEL_WITHDRAWN, "model")
        members = await self.read(lambda c: self.chain.members(c, now))
        certificate.require_members(members)
        return certificate

    async def certified(self, digest: bytes) -> ModelCertificate:
        """The certificate of a model that is kept here, to show it, whoever is a member now."""
        certificate = await self.read(lambda c: self.chain.certified(c, digest))
        if certificate is None:
            raise BankError(Code.MODEL_UNKNOWN, "model", model=digest.hex()[:16])
        return certificate

    async def withdrawn(self, digest: bytes) -> bool:
        """Whether the model with that certificate is withdrawn."""
        return await self.read(lambda c: self.chain.withdrawal(c, digest)) is not None

    async def model(self, reference: str = "") -> Model:
        """The model that `reference` means: a certificate's hash or its first digits,
        `name@version`, or a name, which means the newest of that name. Without a reference it is
        the only model there is, withdrawn ones aside. Raises BankError.
        """
        listed = await self.read(self.records.models)
        if not reference and len(listed) > 1:
            listed = [one for one in listed if not await self.withdrawn(one[0])]
        matches = _matching(listed, reference)
        if not matches:
            raise BankError(Code.MODEL_UNKNOWN, "model", model=reference or "–")
        if len(matches) > 1:
            raise BankError(Code.MODEL_AMBIGUOUS, "model", model=reference or "–")
        return await self.model_of(matches[0])

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


def _matching(listed: list[tuple[bytes, str, str]], reference: str) -> list[bytes]:
    if not reference:
        return [digest for digest, _, _ in listed]
    wanted = reference.lower()
    if len(wanted) >= LEAST_HASH_DIGITS and all(c in "0123456789abcdef" for c in wanted):
        found = [digest for digest, _, _ in listed if digest.hex().startswith(wanted)]
        if found:
            return found
    exact = [digest for digest, name, version in listed if f"{name}@{version}" == reference]
    if exact:
        return exact[:1]
    return [digest for digest, name, _ in listed if name == reference][:1]
