"""What the adapter makes of answers that no CamPay should give, and of those that older ones do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, request

from payments.domain.errors import PaychimeError, ProviderRefused, ProviderUnavailable
from payments.domain.money import Money
from payments.domain.order import Order, Payment, begun
from payments.domain.ports import Addresses, Payer
from payments.domain.states import Kind, OrderStatus
from payments.providers.campay import Campay
from payments.settings import load
from tests.sandbox.world import served

ANSWERS = Path(__file__).parent / "samples" / "campay" / "answers"
THEIRS = "bcedde9b-62a7-4421-96ac-2e6179552a1a"
OURS = "P23456789ABCDEF"
REFUND = "R23456789ABCDEFGH"
AT = datetime(2026, 11, 1, tzinfo=UTC)
NOWHERE = Addresses("http://localhost/back", "http://localhost/callbacks/campay")


def sample(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ANSWERS / f"{name}.json").read_text())["body"]
    return found


@dataclass
class Desk:
    """Answers each call as it is told to, by the first word of its path; 404 to all others."""

    url: str = ""
    says: dict[str, tuple[int, Any]] = field(default_factory=dict)
    asked: list[tuple[str, Any]] = field(default_factory=list)

    def app(self) -> Flask:
        app = Flask(__name__)

        @app.route("/<call>/", defaults={"rest": ""}, methods=["GET", "POST"])
        @app.route("/<call>/<path:rest>", methods=["GET", "POST"])
        def answer(call: str, rest: str) -> Response:
            self.asked.append((call, request.get_json(silent=True)))
            status, body = self.says.get(call, (404, {"message": "Not found"}))
            text = body if isinstance(body, str) else json.dumps(body)
            return Response(text, status, content_type="application/json")

        return app


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    with served(desk.app()) as desk.url:
        yield desk


@pytest.fixture
def campay(desk: Desk) -> Campay:
    return Campay(
        load(
            {
                "APP_ENV": "test",
                "SECRET_KEY": "a secret of the tests",
                "CAMPAY_API_URL": desk.url,
                "CAMPAY_PERMANENT_ACCESS_TOKEN": "token",
            }
        )
    )


@pytest.fixture
def order() -> Order:
    return Order(
        id="O1",
        status=OrderStatus.PENDING,
        version=1,
        amount=5,
        currency="XAF",
        amount_paid=0,
        amount_excess=0,
        amount_refunded=0,
        amount_credited=0,
        purpose="sale",
        description="Mangoes",
        late=False,
        customer_id=None,
        customer_email=None,
        customer_name=None,
        salon_id=None,
        return_url=None,
        metadata={},
        created_by="key:shop",
        created_at=AT,
        expires_at=AT,
        ended_at=None,
    )


@pytest.fixture
def payment(order: Order) -> Payment:
    return begun(OURS, order, "campay", 5, AT, THEIRS)


def start(campay: Campay, order: Order, payment: Payment) -> Any:
    return campay.start(payment, order, Payer(phone="237677123456"), NOWHERE)


# ---- To begin ----


@pytest.mark.parametrize("name", ["collect", "collect_demo"])
def test_both_forms_of_the_answer_to_a_prompt_are_read(
    campay: Campay, desk: Desk, order: Order, payment: Payment, name: str
) -> None:
    desk.says["collect"] = (200, sample(name))
    started = start(campay, order, payment)
    assert (started.transaction_id, started.action.ussd_code) == (THEIRS, "*126#")
    assert desk.asked == [
        (
            "collect",
            {
                "amount": "5",
                "currency": "XAF",
                "from": "237677123456",
                "description": f"Mangoes {OURS}",
                "external_reference": OURS,
            },
        )
    ]


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        ((400, {"message": "ER101"}), ProviderRefused, "invalid_phone"),
        ((400, {"error_code": "ER301"}), ProviderRefused, "balance_too_low"),
        ((500, {"message": "ER101"}), ProviderUnavailable, "provider_unavailable"),
        ((400, {"message": "no"}), ProviderRefused, "provider_refused"),
        ((403, {"message": "no"}), ProviderUnavailable, "provider_unavailable"),
        ((404, {"message": "no"}), ProviderUnavailable, "provider_unavailable"),
        ((401, {"message": "no"}), ProviderUnavailable, "provider_unavailable"),
        ((429, {"message": "slow down"}), ProviderUnavailable, "provider_unavailable"),
        ((302, ""), ProviderUnavailable, "provider_unavailable"),
        ((200, {}), ProviderUnavailable, "provider_unavailable"),
        ((200, {"reference": ["x"]}), ProviderUnavailable, "provider_unavailable"),
        ((200, {"reference": "a/../b"}), ProviderUnavailable, "provider_unavailable"),
        ((200, "<html>"), ProviderUnavailable, "provider_unavailable"),
    ],
    ids=lambda one: str(one)[:40],
)
def test_a_prompt_that_is_not_taken_says_why(
    campay: Campay,
    desk: Desk,
    order: Order,
    payment: Payment,
    answer: tuple[int, Any],
    kind: type[PaychimeError],
    code: str,
) -> None:
    desk.says["collect"] = answer
    with pytest.raises(kind) as refused:
        start(campay, order, payment)
    assert refused.value.code == code
    assert refused.value.field == ("phone" if code == "invalid_phone" else None)
    assert len(desk.asked) == 1, "a prompt is never sent twice"


# ---- To ask ----


@pytest.mark.parametrize("name", ["transaction", "transaction_older"])
def test_both_forms_of_a_transaction_are_read(
    campay: Campay, desk: Desk, payment: Payment, name: str
) -> None:
    desk.says["transaction"] = (200, sample(name))
    (notice,) = campay.fetch(payment).notices
    assert (notice.kind, notice.amount, notice.currency) == (Kind.SUCCEEDED, 5, "XAF")
    assert (notice.reference, notice.transaction_id) == (OURS, THEIRS)
    assert notice.event_id == f"{THEIRS}:SUCCESSFUL"
    assert notice.proven


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": "5.50"},
        {"amount": None},
        {"amount": "-5"},
        {"status": None},
        {"status": 1},
        {"currency": None},
        {"currency": "FCFA"},
        {"reference": "another"},
        {"reference": None},
    ],
    ids=str,
)
def test_an_answer_that_makes_no_sense_moves_nothing(
    campay: Campay, desk: Desk, payment: Payment, changes: dict[str, Any]
) -> None:
    desk.says["transaction"] = (200, sample("transaction") | changes)
    with pytest.raises(ProviderUnavailable):
        campay.fetch(payment)


@pytest.mark.parametrize("answer", [(404, {"message": "no"}), (200, {"external_reference": "P9"})])
def test_an_answer_about_another_is_no_answer(
    campay: Campay, desk: Desk, payment: Payment, answer: tuple[int, dict[str, Any]]
) -> None:
    status, changes = answer
    desk.says["transaction"] = (status, sample("transaction") | changes)
    assert campay.fetch(payment).notices == ()
    assert campay.fetch_refund(payment, REFUND, THEIRS).notices == ()


@pytest.mark.parametrize(
    "history",
    [
        (404, {"message": "no"}),
        (200, {"data": None}),
        (200, {"data": [None, 7, {}, {"description": None}, {"description": f"x{OURS}"}]}),
        (200, {"data": [{"description": OURS, "reference_uuid": None}]}),
        (200, {"rows": []}),
    ],
    ids=str,
)
def test_a_history_that_tells_nothing_is_no_answer(
    campay: Campay, desk: Desk, payment: Payment, history: tuple[int, Any]
) -> None:
    desk.says["history"] = history
    lost = replace(payment, transaction_id=None)
    assert campay.fetch(lost).notices == ()


# ---- Money back ----


def give_back(campay: Campay, payment: Payment) -> Any:
    return campay.refund(payment, REFUND, Money(5, "XAF"), "bruised")


def sent(desk: Desk) -> list[Any]:
    return [body for call, body in desk.asked if call == "withdraw"]


def test_a_refund_goes_to_the_number_that_paid_where_we_did_not_ask_one(
    campay: Campay, desk: Desk, payment: Payment
) -> None:
    desk.says |= {
        "transaction": (200, sample("transaction")),
        "withdraw": (200, {"reference": "W"}),
    }
    done = give_back(campay, payment)
    assert (done.refund_id, done.final) == ("W", False)
    assert sent(desk) == [
        {
            "amount": "5",
            "currency": "XAF",
            "to": "237677123456",
            "description": f"Refund {REFUND}",
            "external_reference": REFUND,
        }
    ]


@pytest.mark.parametrize("phone", ["None", "", "33612345678"])
def test_a_refund_to_nobody_is_refused(
    campay: Campay, desk: Desk, payment: Payment, phone: str
) -> None:
    desk.says["transaction"] = (200, sample("transaction") | {"phone_number": phone})
    with pytest.raises(ProviderRefused) as refused:
        give_back(campay, payment)
    assert refused.value.code == "refund_not_possible"
    assert sent(desk) == []


@pytest.mark.parametrize(
    "answer",
    [
        (500, {"message": "oops"}),
        (503, ""),
        (429, {}),
        (200, "<html>"),
        (200, {}),
        (200, {"reference": None}),
        (409, {"message": "This external_reference exists"}),
    ],
    ids=str,
)
def test_a_refund_that_may_have_been_taken_is_asked_about_under_our_name(
    campay: Campay, desk: Desk, payment: Payment, answer: tuple[int, Any]
) -> None:
    desk.says["withdraw"] = answer
    done = give_back(campay, replace(payment, handle={"phone": "237677123456"}))
    assert (done.refund_id, done.final) == (REFUND, False)
    assert len(sent(desk)) == 1
    assert campay.fetch_refund(payment, REFUND, REFUND).notices == ()


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        ((400, {"message": "ER301"}), ProviderRefused, "balance_too_low"),
        ((400, {"message": "no"}), ProviderRefused, "refund_rejected"),
        ((403, {"message": "no"}), ProviderRefused, "refund_not_possible"),
        ((401, {"message": "no"}), ProviderUnavailable, "provider_unavailable"),
        ((404, {"message": "no"}), ProviderUnavailable, "provider_unavailable"),
    ],
    ids=str,
)
def test_a_refund_that_was_not_taken_says_why(
    campay: Campay,
    desk: Desk,
    payment: Payment,
    answer: tuple[int, Any],
    kind: type[PaychimeError],
    code: str,
) -> None:
    desk.says["withdraw"] = answer
    with pytest.raises(kind) as refused:
        give_back(campay, replace(payment, handle={"phone": "237677123456"}))
    assert refused.value.code == code
    assert "sent" not in refused.value.facts


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("SUCCESSFUL", Kind.SUCCEEDED),
        ("FAILED", Kind.FAILED),
        ("PENDING", Kind.PROCESSING),
        ("REVERSED", Kind.PROCESSING),
    ],
)
def test_how_a_refund_stands(
    campay: Campay, desk: Desk, payment: Payment, status: str, kind: Kind
) -> None:
    about = {"status": status, "external_reference": REFUND, "endpoint": "withdraw"}
    desk.says["transaction"] = (200, sample("transaction") | about)
    (notice,) = campay.fetch_refund(payment, REFUND, THEIRS).notices
    assert (notice.kind, notice.refund, notice.transaction_id) == (kind, REFUND, THEIRS)
    assert notice.amount == 5


def test_a_refund_in_another_currency_is_no_answer(
    campay: Campay, desk: Desk, payment: Payment
) -> None:
    about = {"external_reference": REFUND, "currency": "EUR"}
    desk.says["transaction"] = (200, sample("transaction") | about)
    assert campay.fetch_refund(payment, REFUND, THEIRS).notices == ()
