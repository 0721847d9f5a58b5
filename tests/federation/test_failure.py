"""Reports of failed records: the bank's own, about its chain or about one that was pinned."""

from __future__ import annotations

from typing import Any

import pytest

from federation.errors import Reason, Refusal
from federation.failure import Failed, FailureReport, read_failure
from federation.identity import Role, SpiffeId
from support.chain import CHAIN, HARBOUR, NOW, TAX, standard_chain

PEERS = {"zsj": "zsj.yinxin.example"}
AWAY = SpiffeId("zsj.yinxin.example", Role.HOLDER, "tax-1")


def report(**changes: Any) -> FailureReport:
    fields: dict[str, Any] = {
        "chain": CHAIN,
        "bank": HARBOUR,
        "ctx": bytes(32),
        "permit": bytes(32),
        "parties": (TAX,),
        "failed": Failed.PROOF,
        "time": NOW,
    }
    return FailureReport(**(fields | changes))


def read(made: FailureReport, peers: dict[str, str] | None = None) -> FailureReport:
    chain = standard_chain()
    return read_failure(made.sign(chain.signing[HARBOUR]), HARBOUR, chain.members, peers)


def test_a_report_about_a_peer_chain_names_holders_of_its_trust_domain() -> None:
    away = report(chain="zsj", parties=(AWAY,))
    assert read(away, PEERS) == away
    assert read(report(), PEERS) == report()
    for made, peers, reason in (
        (away, None, Reason.WRONG_CHAIN),
        (report(chain="jjj", parties=(AWAY,)), PEERS, Reason.WRONG_CHAIN),
        (report(chain="zsj", parties=(TAX,)), PEERS, Reason.FOREIGN_CERTIFICATE),
        (report(parties=(AWAY,)), PEERS, Reason.FOREIGN_CERTIFICATE),
        (
            report(chain="zsj", parties=(SpiffeId(AWAY.trust_domain, Role.BANK, "b"),)),
            PEERS,
            Reason.FOREIGN_CERTIFICATE,
        ),
    ):
        with pytest.raises(Refusal) as caught:
            read(made, peers)
        assert caught.value.reason is reason
