"""One decision about a scorecard: its policy report drawn, and withdrawing the model."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup
from sqlalchemy import Connection, select
from starlette.exceptions import HTTPException
from starlette.responses import Response

from federation.certificate import ModelCertificate
from federation.errors import Refusal
from federation.exchange.regulator import HISTORY_SECONDS
from federation.signed import Signed
from federation.withdrawal import ModelWithdrawal
from node.errors import SealError
from node.pages.duties import Duty
from node.pages.site import Site
from node.pages.visit import Visit, when
from node.regulator.errors import RegulatorError
from node.regulator.membership import Regulator
from node.regulator.pages.names import Names, hash_of
from node.regulator.pages.texts_certification import DECISION, STATES
from node.regulator.tables import regulator_decisions
from node.regulator.withdrawals import delivered, withdraw

ONE: Final = "/certification/{id}"
MOST_FIGURES: Final = 300
"""Figures of a report that a page shows, those that failed first."""


@dataclass(frozen=True)
class _Decided:
    """A decision; `withdrawal` where its model was withdrawn, `subject` is the report's, None with
    a `problem`.
    """

    bank: str
    decided: int
    certificate: ModelCertificate | None
    state: str
    withdrawal: ModelWithdrawal | None
    subject: Any
    problem: str


def state_of(
    certificate: ModelCertificate, now: int, withdrawn: Collection[bytes], told: Collection[bytes]
) -> str:
    """A certified model's state: a key of `STATES`."""
    if certificate.hash in withdrawn:
        return "withdrawn" if certificate.hash in told else "untold"
    return "valid" if now < certificate.not_after else "expired"


class DecisionPages:
    """`/certification/{id}`, and what is posted from it."""

    def __init__(self, regulator: Regulator) -> None:
        self._regulator = regulator

    def add(self, site: Site) -> None:
        """Adds the pages."""
        duties = {Duty.INSPECTOR}
        site.add("/certification/certificate/{id}", self.by_certificate, duties=duties)
        site.add(ONE, self.page, duties=duties)
        site.add(f"{ONE}/withdraw", self.withdraw, duties=duties, methods=("POST",))

    async def by_certificate(self, visit: Visit) -> Response:
        """To the decision by which a certificate was given."""
        digest = hash_of(visit)

        def look(connection: Connection) -> bytes | None:
            certificate = self._regulator.chain.certified(connection, digest)
            if certificate is None:
                return None
            table = regulator_decisions.c
            found: bytes | None = connection.execute(
                select(table.submission).where(
                    table.model == certificate.model, table.certificate.is_not(None)
                )
            ).scalar_one_or_none()
            return found

        submission = await self._regulator.store.read(look)
        if submission is None:
            raise HTTPException(404)
        return visit.redirect(f"/certification/{bytes(submission).hex()}")

    async def page(self, visit: Visit) -> Response:
        """The decision with its report."""
        return await self._page(visit)

    async def withdraw(self, visit: Visit) -> Response:
        """Withdraws the model for ever, as the command does."""
        regulator, digest = self._regulator, hash_of(visit)
        found = await regulator.store.read(lambda c: _row(c, digest))
        if found is None or found.certificate is None:
            raise HTTPException(404)
        if visit.field("sure") != "yes":
            return await self._page(visit, visit.say(DECISION["unsure"]), 422)
        certificate = ModelCertificate.parse(Signed.from_json(bytes(found.certificate)).payload)
        try:
            await withdraw(regulator, certificate.hash, regulator.identity.id, visit.by)
        except Refusal as error:
            problem = error.detail or str(error)
            return await self._page(
                visit, visit.say(DECISION["not_withdrawn"], problem=problem), 409
            )
        return visit.redirect(f"/certification/{digest.hex()}", "done")

    async def _page(self, visit: Visit, error: str = "", status: int = 200) -> Response:
        # Late: the report's modules bring typesetting with them.
        from node.models.report.compose import compose
        from node.models.report.drawing import Drawing, svg

        regulator, digest = self._regulator, hash_of(visit)
        found = await regulator.store.read(lambda c: _decided(regulator, c, digest))
        if found is None:
            raise HTTPException(404)
        view = None
        if found.subject is not None:
            view = await asyncio.to_thread(compose, found.subject, visit.language)
        figures = sorted(view.items, key=lambda item: item.passed) if view else []
        names = Names.of(await regulator.members())
        title = view.subject.name if view else found.certificate and found.certificate.name

        def drawn(drawing: Drawing) -> Markup:
            return Markup(svg(drawing))  # noqa: S704  # `svg` escapes every text

        affiliates: list[str] = []
        if found.certificate is not None:
            banks = regulator.config.affiliates.of(found.certificate.bank)
            affiliates = sorted(banks - {str(found.certificate.bank)})
        return visit.render(
            "node.regulator.pages",
            "decision.html.j2",
            status=status,
            words=DECISION,
            found=found,
            digest=digest.hex(),
            title=title or digest.hex()[:10],
            lead=visit.say(
                DECISION["lead"],
                bank=names.title(found.bank, visit.language),
                time=when(found.decided),
            ),
            states=STATES,
            affiliates=[names.title(one, visit.language) for one in affiliates],
            counted_until=found.decided + HISTORY_SECONDS,
            names=names,
            v=view,
            svg=drawn,
            figures=figures[:MOST_FIGURES],
            more=len(figures) - MOST_FIGURES,
            error=error,
        )


def _row(connection: Connection, digest: bytes) -> Any:
    table = regulator_decisions.c
    return connection.execute(
        select(table.bank, table.decided, table.certificate).where(table.submission == digest)
    ).first()


def _decided(regulator: Regulator, connection: Connection, digest: bytes) -> _Decided | None:
    from node.regulator.reporting import subject_of

    row = _row(connection, digest)
    if row is None:
        return None
    chain, certificate, state, withdrawal = regulator.chain, None, "refused", None
    if row.certificate is not None:
        certificate = ModelCertificate.parse(Signed.from_json(bytes(row.certificate)).payload)
        withdrawals, told = chain.withdrawals(connection), delivered(chain, connection)
        state = state_of(certificate, regulator.clock.now(), withdrawals.keys(), told.keys())
        signed = withdrawals.get(certificate.hash)
        withdrawal = None if signed is None else ModelWithdrawal.parse(signed.payload)
    subject, problem = None, ""
    try:
        subject = subject_of(regulator, connection, digest.hex())
    except (RegulatorError, SealError, Refusal) as error:
        problem = str(error)
    return _Decided(row.bank, row.decided, certificate, state, withdrawal, subject, problem)
