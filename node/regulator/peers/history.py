"""The 24-month history over all trusted chains: asking their regulators, and answering them.

Nothing is judged on half a history: a trusted chain whose regulator does not answer stops the
certification, by its name. Its operator can withdraw the chain; what it told before stays in use.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

import structlog
from sqlalchemy import Connection

from federation.entries import Kind
from federation.errors import FederationError, Reason, Refusal
from federation.exchange.regulator import HISTORY_SECONDS
from federation.identity import SpiffeId
from federation.interchain.history import (
    MAX_BANKS,
    History,
    HistoryRequest,
    Known,
    history_entry,
    make_history,
    must_yield,
    open_history,
    read_request,
    seal_history,
)
from federation.interchain.pin import Pin
from federation.interchain.told import Told, read_scorecards
from federation.signed import Signed
from node.errors import NodeError
from node.regulator.decisions import Certified, DecisionStore
from node.regulator.errors import RegulatorError
from node.regulator.judging import Past
from node.regulator.membership import Regulator
from node.regulator.peers.pinning import trusted
from node.regulator.peers.told import ToldStore
from node.regulator.withdrawals import delivered
from node.rpc.client import Channel
from node.rpc.convert import signed_to_wire
from node.rpc.errors import PartyUnavailable
from node.rpc.identity import peer
from yinxin.v1 import peers_pb2

_log = structlog.get_logger(__name__)

METHOD: Final = "/yinxin.v1.RegulatorPeers/History"
ANSWER_SECONDS: Final = 30.0
AGAIN_SECONDS: Final = 3.0
"""How long to wait before a chain that judges for the same banks is asked again."""
ROUNDS: Final = 8
"""How often the chains may name affiliates that nobody named before."""

Reach = Callable[[str], Awaitable[Channel]]
"""The channel to the regulator of a chain. Raises Refusal(unknown_chain), NodeError."""


async def nobody(chain: str) -> Channel:
    """The reach of a desk that is given no channels: it judges where no chain is trusted."""
    raise Refusal(Reason.UNKNOWN_CHAIN, f"the desk has no channel to chain {chain}")


class PeerHistory:
    """What was certified for banks here and in all trusted chains."""

    def __init__(self, regulator: Regulator, decisions: DecisionStore, reach: Reach) -> None:
        self._regulator = regulator
        self._decisions = decisions
        self._reach = reach
        self._judged: list[set[str]] = []
        self.told = ToldStore(regulator.store, regulator.identity.storage)

    @contextmanager
    def judging(self, bank: SpiffeId) -> Iterator[set[str]]:
        """While it lasts, peers hear that a scorecard of the bank is being judged. Yields the banks
        that this is said of; it has to begin before peers are asked and to end after the decision
        is durable, or two chains could each certify half of what neither would beside the other.
        """
        banks = {str(bank)}
        self._judged.append(banks)
        try:
            yield banks
        finally:
            self._judged = [other for other in self._judged if other is not banks]

    async def gather(self, banks: set[str]) -> None:
        """Adds everybody who is judged as one with these banks, in any chain, and keeps what all
        trusted chains certified for them.

        Raises PartyUnavailable that names the regulator of a chain that does not answer, or is
        judging for the same banks; RegulatorError when there is no end of affiliates.
        """
        regulator = self._regulator
        asked: dict[str, frozenset[str]] = {}
        for _ in range(ROUNDS):
            banks |= await regulator.store.read(partial(self._family, banks=frozenset(banks)))
            pins = await regulator.store.read(regulator.chain.pins)
            about = frozenset(banks)
            if len(about) > MAX_BANKS:
                break
            waiting = [
                pin
                for pin in pins.values()
                if pin.state == "pinned" and asked.get(pin.peer) != about
            ]
            if not waiting:
                return
            for pin in waiting:
                await self._ask(pin, about)
                asked[pin.peer] = about
        raise RegulatorError(
            "affiliates: the chains name ever more for one bank; compare the groups"
        )

    def past(self, connection: Connection, banks: Collection[str]) -> list[Past]:
        """Everything certified within 24 months for these banks, here and as it was told: expired
        and withdrawn, sealed and open. Only what is valid now gives records beside a new model.
        """
        regulator = self._regulator
        roots = [pin.trust().root() for pin in regulator.chain.pins(connection).values()]
        own = [
            Past(
                self._decisions.submission(connection, one.submission).scorecard,
                regulator.chain.catalogue(connection, one.certificate.catalogue),
                valid,
            )
            for one, valid in self._own(connection, banks)
        ]
        return own + self.told.past(connection, roots, banks, regulator.clock.now())

    async def answer(self, signed: Signed, home: str) -> bytes:
        """What the regulator of chain `home`, which calls, asks for, sealed to it. Raises as
        `read_request`.
        """
        regulator = self._regulator
        now, root = regulator.clock.now(), regulator.identity.root
        pin = await regulator.store.read(lambda c: trusted(regulator, c, home))
        request = read_request(signed, pin, root, peer(), now)
        groups = regulator.config.affiliates.touching(request.banks)
        banks = {str(bank) for bank in frozenset(request.banks).union(*groups)}
        # Looked at first: what is decided meanwhile is then among what is read.
        judging = any(banks & judged for judged in self._judged)
        known = await regulator.store.read(lambda c: self._known(c, banks))

        def make() -> tuple[History, bytes]:
            made = make_history(request, groups=groups, judging=judging, known=known)
            return made, seal_history(made.sign(regulator.identity.signing), request, pin)

        history, sealed = await asyncio.to_thread(make)
        raw = history_entry(request, history, now)
        await regulator.store.run(lambda c: regulator.append(c, Kind.HISTORY, raw))
        return sealed

    async def _ask(self, pin: Pin, banks: frozenset[str]) -> None:
        regulator = self._regulator
        party, own = pin.trust().yinxin_regulator, regulator.identity.root.chain
        end = asyncio.get_running_loop().time() + regulator.config.certification.seconds
        try:
            while await self._pages(pin, banks, end):
                late = asyncio.get_running_loop().time() > end
                if late or must_yield(own, pin.peer):
                    _log.info("a peer chain judges for the same banks", chain=pin.peer)
                    raise PartyUnavailable(party)
                await asyncio.sleep(AGAIN_SECONDS)
        except PartyUnavailable:
            raise
        except (NodeError, FederationError) as error:
            detail = getattr(error, "detail", "") or str(error)
            _log.warning("no history from a peer chain", chain=pin.peer, error=detail)
            raise PartyUnavailable(party) from error

    async def _pages(self, pin: Pin, banks: frozenset[str], end: float) -> bool:
        """Keeps what the chain tells of these banks; whether it is judging for one of them.

        Raises PartyUnavailable when its pages have not ended by `end`: every other submission
        waits for this one.
        """
        regulator, trust = self._regulator, pin.trust()
        channel = await self._reach(pin.peer)
        judging, first, total = False, 0, 1
        while first < total:
            if asyncio.get_running_loop().time() > end:
                _log.warning("history of a peer chain does not end", chain=pin.peer, total=total)
                raise PartyUnavailable(trust.yinxin_regulator)
            request = HistoryRequest(
                id=secrets.token_bytes(16),
                home=pin.chain,
                regulator=regulator.identity.id,
                chain=pin.peer,
                audience=trust.yinxin_regulator,
                banks=tuple(SpiffeId.parse(bank) for bank in sorted(banks)),
                first=first,
                issued=regulator.clock.now(),
            )
            signed = signed_to_wire(request.sign(regulator.identity.signing))
            message = peers_pb2.HistoryRequest(request=signed)
            reply = await channel.unary(METHOD, message, peers_pb2.HistoryReply, ANSWER_SECONDS)
            history = await self._keep(pin, request, reply.sealed)
            judging = judging or history.judging
            first, total = first + len(history.scorecards), history.total
        return judging

    async def _keep(self, pin: Pin, request: HistoryRequest, sealed: bytes) -> History:
        regulator, root = self._regulator, pin.trust().root()
        key = regulator.identity.require_sealing()

        def read() -> tuple[History, list[Told]]:
            history = open_history(sealed, request, pin, key)
            return history, read_scorecards(history, request, root)

        history, told = await asyncio.to_thread(read)
        now = regulator.clock.now()

        def unit(connection: Connection) -> None:
            self.told.put(connection, root, told, now)
            self.put_groups(connection, pin.peer, request.banks, history.groups)
            raw = history_entry(request, history, now)
            regulator.append(connection, Kind.HISTORY, raw)

        await regulator.store.run(unit)
        return history

    def put_groups(
        self,
        connection: Connection,
        chain: str,
        banks: Collection[SpiffeId],
        groups: Iterable[Collection[SpiffeId]],
    ) -> None:
        """Keeps who a chain says the affiliates of these banks are.

        Raises Refusal(conflict), and keeps nothing, when there are then more of them than can be
        asked about: they would be certified nothing any more, in any chain, even when the one that
        said so is not trusted any longer.
        """
        groups = [frozenset(group) for group in groups]
        # Before any is written: of n affiliates there are n² pairs.
        few = len(frozenset(banks).union(*groups)) <= MAX_BANKS
        if few:
            self.told.put_groups(connection, chain, banks, groups)
            few = len(self._family(connection, {str(bank) for bank in banks})) <= MAX_BANKS
        if not few:
            raise Refusal(Reason.CONFLICT, f"chain {chain} names too many affiliates")

    def _family(self, connection: Connection, banks: Collection[str]) -> frozenset[str]:
        """These banks and all that are judged as one with them, as far as it is known here."""
        affiliates = self._regulator.config.affiliates
        found, more = frozenset[str](), frozenset(banks)
        while more > found:
            found = more
            own = (affiliates.of(SpiffeId.parse(bank)) for bank in found)
            more = found.union(self.told.affiliates(connection, found), *own)
        return found

    def _own(
        self, connection: Connection, banks: Collection[str]
    ) -> Iterator[tuple[Certified, bool]]:
        """What was certified here, the oldest first, and whether it is valid now."""
        regulator, now = self._regulator, self._regulator.clock.now()
        gone = delivered(regulator.chain, connection)
        for one in self._decisions.certified(connection, banks, now - HISTORY_SECONDS):
            yield one, now < one.certificate.not_after and one.certificate.hash not in gone

    def _known(self, connection: Connection, banks: Collection[str]) -> list[Known]:
        chain = self._regulator.chain
        return [
            Known(
                certificate=one.signed,
                scorecard=self._decisions.submission(connection, one.submission).scorecard,
                catalogue=chain.catalogue(connection, one.certificate.catalogue).to_json(),
                decided=one.decided,
                valid=valid,
            )
            for one, valid in self._own(connection, banks)
        ]
