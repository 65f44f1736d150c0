"""The frontend of a wallet, unchanged, hears of money that really came, went and came back."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests

from payments.services import accounts
from payments.store import payments
from tests.frontends.conftest import Open, Site
from tests.frontends.test_frontends import SILENCE_SECONDS
from tests.outside import Json, momo_notice

DEPOSITED, STATUS = "deposit_completed:v1", "payment_status_update:v1"
WITHDRAWN = "withdrawal_completed:v1"


class Customer:
    """Calls the API as the frontend's own script does."""

    def __init__(self, site: Site, user_id: str) -> None:
        self.site, self.id = site, user_id
        self.token = site.token(user_id)

    def post(self, path: str, body: Json, token: str | None = None) -> Json:
        answer = requests.post(
            f"{self.site.url}/api/v1{path}",
            json=body,
            headers={"Authorization": f"Bearer {token or self.token}"},
            timeout=20,
        )
        assert answer.ok, answer.text
        told: Json = answer.json()
        return told

    def deposit(self, amount: int) -> str:
        """Its transaction id; the customer has not paid yet."""
        body = {"amount": amount, "provider": "momo"}
        told = self.post("/payment/deposit", body)
        assert told["status"] == "pending"
        assert told["qrCode"]
        return str(told["transactionId"])

    def momo_says(self, transaction_id: str, **changes: Any) -> None:
        payment = self.site.do(payments.find, transaction_id)
        notice = momo_notice(payment, **{"transId": int(time.time() * 10**6), **changes})
        answer = requests.post(f"{self.site.url}/callbacks/momo", json=notice, timeout=20)
        assert answer.status_code == 204, answer.text

    def topped_up(self, amount: int) -> str:
        transaction_id = self.deposit(amount)
        self.momo_says(transaction_id)
        return transaction_id


@pytest.fixture
def mai(site: Site) -> Customer:
    return Customer(site, site.customer())


def plain(told: Json) -> Json:
    """Without what differs each time and what is in a language."""
    return {key: told[key] for key in told if key not in {"timestamp", "version", "message"}}


def test_a_top_up_is_heard_with_the_balance_that_it_made(
    site: Site, visit: Open, mai: Customer
) -> None:
    page = visit(mai.token)
    stranger = visit(site.token(site.customer()))
    first = mai.deposit(100_000)
    (waiting,) = page.wait_for(STATUS)
    assert plain(waiting) == {
        "type": "payment_status_update",
        "transactionId": first,
        "status": "pending",
        "amount": 100_000,
        "currency": "VND",
        "transactionType": "deposit",
    }
    said = {"transId": int(time.time() * 10**6)}
    mai.momo_says(first, **said)
    # MoMo repeats itself; the page hears it once.
    mai.momo_says(first, **said)
    (done,) = page.wait_for(DEPOSITED)
    assert plain(done) == {
        "type": "deposit_completed",
        "transactionId": first,
        "amount": 100_000,
        "currency": "VND",
        "newBalance": 100_000,
        "providerTransactionId": str(said["transId"]),
    }
    assert done["timestamp"].endswith("Z")
    assert done["version"] == waiting["version"] + 1
    second = mai.topped_up(50_000)
    _, later = page.wait_for(DEPOSITED, 2)
    assert (later["transactionId"], later["newBalance"]) == (second, 150_000)
    time.sleep(SILENCE_SECONDS)
    assert len(page.all(DEPOSITED)) == 2
    assert {DEPOSITED, STATUS} & stranger.events == set()


def test_a_vietnamese_reads_in_their_own_words_that_money_came(visit: Open, mai: Customer) -> None:
    """The customer's account is Vietnamese, whatever the browser or the shop speak."""
    page = visit(mai.token, **{"Accept-Language": "fr"})
    mai.topped_up(100_000)
    (told,) = page.wait_for(DEPOSITED)
    assert told["message"] == "Nạp tiền thành công 100.000 VND"


def test_a_top_up_that_failed_is_heard_as_that(visit: Open, mai: Customer) -> None:
    page = visit(mai.token)
    transaction_id = mai.deposit(100_000)
    mai.momo_says(transaction_id, resultCode=1006)
    pending, failed = page.wait_for(STATUS, 2)
    assert (pending["status"], failed["status"]) == ("pending", "failed")
    assert failed["transactionId"] == transaction_id
    assert page.all(DEPOSITED) == []


def test_a_payment_and_a_refund_are_heard_with_what_they_were(
    site: Site, visit: Open, mai: Customer
) -> None:
    mai.topped_up(100_000)
    page = visit(mai.token)
    order = site.order(mai.id)
    mai.post(f"/orders/{order.id}/payments", {"provider": "wallet", "amount": 60_000})
    key = site.do(accounts.create_key, f"shop of {mai.id}")
    mai.post(f"/orders/{order.id}/refunds", {"amount": 10_000, "reason": "torn"}, key)
    paid, refunded = page.wait_for(STATUS, 2)
    assert (paid["transactionType"], paid["status"], paid["amount"]) == (
        *("payment", "completed"),
        60_000,
    )
    assert (refunded["transactionType"], refunded["status"], refunded["amount"]) == (
        *("refund", "completed"),
        10_000,
    )


def test_a_withdrawal_is_heard_on_its_way_and_when_it_has_left_or_come_back(
    site: Site, visit: Open, mai: Customer
) -> None:
    mai.topped_up(100_000)
    page = visit(mai.token)
    manager = site.token(site.person("manager@demo.test"))
    body = {"amount": 30_000, "destination": "0912345678"}
    leaves, returns = (mai.post("/payment/withdraw", body)["transactionId"] for _ in range(2))
    evidence = {"evidence": f"FT{int(time.time() * 10**6)}"}
    mai.post(f"/withdrawals/{leaves}/settle", evidence, manager)
    mai.post(f"/withdrawals/{returns}/fail", {"reason": "no such account"}, manager)
    (withdrawn,) = page.wait_for(WITHDRAWN)
    assert plain(withdrawn) == {
        "type": "withdrawal_completed",
        "transactionId": leaves,
        "amount": 30_000,
        "currency": "VND",
        "newBalance": 40_000,
    }
    told = [(one["transactionId"], one["status"]) for one in page.wait_for(STATUS, 3)]
    assert told == [(leaves, "pending"), (returns, "pending"), (returns, "failed")]
    assert {one["transactionType"] for one in page.all(STATUS)} == {"withdrawal"}
    wallet = requests.get(
        f"{site.url}/api/v1/wallet", headers={"Authorization": f"Bearer {mai.token}"}, timeout=20
    )
    assert wallet.json()["balances"] == [{"amount": 70_000, "currency": "VND"}]


def test_our_own_page_and_a_foreign_one_hear_the_same_of_one_wallet(
    visit: Open, mai: Customer
) -> None:
    page = visit(mai.token)
    empty = page.call("watch", {"topic": "wallet", "after": None})
    assert (empty["ok"], empty["version"], empty["snapshot"]["balances"]) == (True, 0, [])
    mai.topped_up(100_000)
    _, update = page.wait_for("update", 2)
    assert (update["topic"], update["event"]) == ("wallet", "wallet.deposited")
    assert update["snapshot"] == {"balances": [{"currency": "VND", "amount": 100_000}]}
    (told,) = page.wait_for(DEPOSITED)
    assert told["version"] == update["version"]
    missed = visit(mai.token).call("watch", {"topic": "wallet", "after": 1})
    assert [one["event"] for one in missed["events"]] == ["wallet.deposited"]
