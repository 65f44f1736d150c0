"""`POST /webhook/payment` believes the Standard Webhooks library's own signatures, and no other."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from payments.domain.errors import BadSignature, MalformedCallback
from payments.domain.states import Kind
from payments.providers.generic import Generic
from payments.settings import load

OLD, NEW = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
PAID = {"bookingId": "B-1", "transactionId": "T-1", "amount": 50_000, "status": "success"}


def generic(*secrets: str) -> Generic:
    return Generic(
        load(
            {
                "APP_ENV": "test",
                "SECRET_KEY": "a secret of the tests",
                "GENERIC_WEBHOOK_SECRET": ",".join(secrets),
            }
        )
    )


def signed(body: bytes, secret: str = NEW, age: timedelta = timedelta()) -> dict[str, str]:
    at = datetime.now(UTC) - age
    return {
        "Content-Type": "application/json",
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(int(at.timestamp())),
        "Webhook-Signature": Webhook(secret).sign("msg_1", at, body.decode()),
    }


def test_a_signed_payment_is_read() -> None:
    body = json.dumps(PAID).encode()
    shop = generic(NEW)
    shop.verify(signed(body), body)
    (notice,) = shop.read(signed(body), body)
    assert (notice.event_id, notice.order_id, notice.transaction_id) == ("msg_1", "B-1", "T-1")
    assert (notice.amount, notice.kind, notice.any_amount) == (50_000, Kind.SUCCEEDED, True)


@pytest.mark.parametrize(
    "age", [timedelta(seconds=299), timedelta(seconds=-298)], ids=["old", "ahead"]
)
def test_a_clock_within_five_minutes_is_believed(age: timedelta) -> None:
    body = json.dumps(PAID).encode()
    generic(NEW).verify(signed(body, age=age), body)


@pytest.mark.parametrize(
    "age", [timedelta(seconds=302), timedelta(seconds=-302), timedelta(days=-1), timedelta(days=1)]
)
def test_a_clock_further_off_is_refused(age: timedelta) -> None:
    body = json.dumps(PAID).encode()
    with pytest.raises(BadSignature):
        generic(NEW).verify(signed(body, age=age), body)


def test_each_changed_byte_of_the_body_is_refused() -> None:
    body = json.dumps(PAID).encode()
    headers = signed(body)
    for place in range(len(body)):
        changed = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        with pytest.raises((BadSignature, MalformedCallback)):
            generic(NEW).verify(headers, changed)


@pytest.mark.parametrize("missing", ["Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"])
def test_a_missing_or_empty_header_is_refused(missing: str) -> None:
    body = json.dumps(PAID).encode()
    headers = signed(body)
    for without in ({k: v for k, v in headers.items() if k != missing}, {**headers, missing: ""}):
        with pytest.raises(BadSignature):
            generic(NEW).verify(without, body)


def test_the_old_secret_verifies_only_while_it_is_rotated() -> None:
    body = json.dumps(PAID).encode()
    generic(NEW, OLD).verify(signed(body, OLD), body)
    with pytest.raises(BadSignature):
        generic(NEW).verify(signed(body, OLD), body)


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": 1.5},
        {"amount": "50000"},
        {"amount": 0},
        {"amount": -5},
        {"amount": True},
        {"status": "paid"},
        {"status": ["success"]},
        {"bookingId": 7},
        {"bookingId": "../x"},
        {"bookingId": None},
        {"transactionId": ""},
        {"transactionId": "a b"},
        {"currency": 704},
    ],
)
def test_what_makes_no_sense_is_malformed(wrong: dict[str, object]) -> None:
    body = json.dumps({**PAID, **wrong}).encode()
    with pytest.raises(MalformedCallback):
        generic(NEW).read(signed(body), body)
