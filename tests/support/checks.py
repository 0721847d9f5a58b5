"""Short forms of the assertions that most tests here end with."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from federation.errors import Reason, Refusal
from federation.exchange.bank import AnswerRejected
from federation.identity import SpiffeId


def refused(reason: Reason, call: Callable[[], object]) -> Refusal:
    """`call` raises a Refusal for just that reason."""
    with pytest.raises(Refusal) as caught:
        call()
    assert caught.value.reason is reason, caught.value.detail
    return caught.value


def rejected(party: SpiffeId, call: Callable[[], object]) -> AnswerRejected:
    """`call` raises AnswerRejected that names just that party."""
    with pytest.raises(AnswerRejected) as caught:
        call()
    assert caught.value.party == party, str(caught.value)
    return caught.value
