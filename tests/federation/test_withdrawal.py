"""The withdrawal of a model: who may ask for one, and which a member believes."""

from __future__ import annotations

import pytest

from federation.errors import DocumentError, Reason, Refusal, SignatureInvalid
from federation.identity import SpiffeId
from federation.withdrawal import make_withdrawal, open_withdrawal
from support.chain import DELTA, HARBOUR, HUB, NOW, REGULATOR, TAX, Chain


@pytest.mark.parametrize("by", [HARBOUR, REGULATOR])
def test_a_models_bank_and_the_regulator_withdraw_it(chain: Chain, by: SpiffeId) -> None:
    certificate = chain.alpha.certificate
    withdrawal = make_withdrawal(certificate, by, NOW)
    signed = withdrawal.sign(chain.signing[REGULATOR])
    assert open_withdrawal(signed, chain.root) == withdrawal
    assert (withdrawal.certificate, withdrawal.bank) == (certificate.hash, HARBOUR)
    assert withdrawal.expires == certificate.not_after


@pytest.mark.parametrize("by", [DELTA, HUB, TAX])
def test_nobody_else_does(chain: Chain, by: SpiffeId) -> None:
    with pytest.raises(Refusal) as caught:
        make_withdrawal(chain.alpha.certificate, by, NOW)
    assert caught.value.reason is Reason.FOREIGN_CERTIFICATE
    named = make_withdrawal(chain.alpha.certificate, HARBOUR, NOW).model_copy(update={"by": by})
    with pytest.raises(DocumentError, match="by"):
        open_withdrawal(named.sign(chain.signing[REGULATOR]), chain.root)


def test_a_certificate_that_is_over_is_not_withdrawn(chain: Chain) -> None:
    certificate = chain.alpha.certificate
    make_withdrawal(certificate, HARBOUR, certificate.not_after - 1)
    with pytest.raises(Refusal) as caught:
        make_withdrawal(certificate, HARBOUR, certificate.not_after)
    assert caught.value.reason is Reason.UNCERTIFIED_MODEL


def test_only_the_regulator_of_the_chain_signs_one(chain: Chain) -> None:
    withdrawal = make_withdrawal(chain.alpha.certificate, HARBOUR, NOW)
    for party in (HUB, HARBOUR):
        with pytest.raises(SignatureInvalid):
            open_withdrawal(withdrawal.sign(chain.signing[party]), chain.root)
    elsewhere = withdrawal.model_copy(update={"chain": "prd"}).sign(chain.signing[REGULATOR])
    with pytest.raises(Refusal) as caught:
        open_withdrawal(elsewhere, chain.root)
    assert caught.value.reason is Reason.WRONG_CHAIN
