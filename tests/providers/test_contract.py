"""Every row of `PROVIDERS` that takes callbacks keeps the contract; one without a case fails."""

from __future__ import annotations

import pytest

from payments.providers.registry import CALLBACK, PROVIDERS
from tests.providers.case import Case, case_of
from tests.providers.contract import Contract

RECEIVERS = [
    key
    for key, spec in PROVIDERS.items()
    if any(CALLBACK in adapter.abilities for adapter in spec.adapters)
]


class TestEveryReceiver(Contract):
    @pytest.fixture(params=RECEIVERS)
    def case(self, request: pytest.FixtureRequest) -> Case:
        return case_of(request.param)


def test_a_row_without_a_case_is_not_let_through() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"write tests/providers/cases/no_such\.py"):
        case_of("no-such")
