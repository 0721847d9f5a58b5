"""The bank's pages: officers ask about firms, developers look after models.

An administrator sees neither: who keeps the accounts has no need of queries.
"""

from __future__ import annotations

from node.bank.pages.asking import add_asking
from node.bank.pages.batches import add_batches
from node.bank.pages.certifying import add_certifying
from node.bank.pages.desk import Desk
from node.bank.pages.developments import add_developments
from node.bank.pages.drift import add_drift
from node.bank.pages.listing import add_listing
from node.bank.pages.models import add_models
from node.bank.pages.profile import add_profile
from node.bank.pages.texts import ASK, BATCH, LIST
from node.bank.pages.texts_models import CERTIFY, DEVELOPMENT, DRIFT, MODEL
from node.pages.duties import Duty
from node.pages.site import Site


def add_pages(site: Site, desk: Desk) -> None:
    """Adds every page of the bank."""
    for path, title, icon, duty in (
        ("/ask", ASK["title"], "profile", Duty.OFFICER),
        ("/queries", LIST["title"], "queries", Duty.OFFICER),
        ("/batches", BATCH["title"], "batch", Duty.OFFICER),
        ("/models", MODEL["title"], "models", Duty.DEVELOPER),
        ("/certify", CERTIFY["title"], "certify", Duty.DEVELOPER),
        ("/drift", DRIFT["title"], "drift", Duty.DEVELOPER),
        ("/developments", DEVELOPMENT["title"], "reports", Duty.DEVELOPER),
    ):
        site.add_section(path, title, icon, {duty})
    for add in (
        add_asking,
        add_listing,
        add_profile,
        add_batches,
        add_models,
        add_certifying,
        add_drift,
        add_developments,
    ):
        add(site, desk)
