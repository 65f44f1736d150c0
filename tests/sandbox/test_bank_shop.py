"""Whatever the pretended bank does, the shop's order ends right: the application as it runs."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sandbox.bank.noise import NOISES

from ..e2e.shop import Shop

PRICE = 420_000
FEEDS = ("pay2s", "sepay", "casso", "payos", "pay2s-gateway")
PATIENCE_SECONDS = 10


class BankShop(Shop):
    """A shop whose customers pay by bank transfer in the pretended app."""

    def begin(self, amount: int = PRICE, order_id: str | None = None) -> dict[str, Any]:
        """The payment of a new order, or a new one of this order."""
        order = order_id or self.open_order(amount)["id"]
        told = self.call("POST", f"/api/v1/orders/{order}/payments", {"provider": "bank"})
        return {**told, "order": order}

    def pay(self, payment: dict[str, Any], **asked: Any) -> dict[str, Any]:
        """The payment in the app, once all that it causes has been sent."""
        asked = {"qr": payment["action"]["qr"], **asked}
        answer = requests.post(f"{self.url}/sandbox/bank/payments", json=asked, timeout=20)
        assert answer.ok, answer.text
        told: dict[str, Any] = answer.json()
        end = time.monotonic() + PATIENCE_SECONDS
        while any(one["state"] == "waiting" for one in told["callbacks"]):
            assert time.monotonic() < end, told
            time.sleep(0.05)
            told = requests.get(
                f"{self.url}/sandbox/bank/payments/{told['payment']}", timeout=20
            ).json()
        return told

    def state(self, order_id: str) -> tuple[str, int, int]:
        found = self.order(order_id)
        return found["status"], found["amount_paid"], found["excess"]


@pytest.fixture(scope="module")
def shop() -> Iterator[BankShop]:
    with BankShop() as running:
        yield running
        assert "right" in running.server.flask("ledger", "verify")


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize(
    "story",
    [
        {},
        {"twice": True},
        {"late": 1},
        {"reorder": True},
        {"among": True, "noise": "bank"},
        {"twice": True, "reorder": True, "noise": "after"},
    ],
    ids=lambda story: " ".join(story) or "plain",
)
def test_the_order_is_paid_once(shop: BankShop, feed: str, story: dict[str, Any]) -> None:
    payment = shop.begin()
    told = shop.pay(payment, feed=feed, **story)
    assert {one["state"] for one in told["callbacks"]} == {"answered"}
    assert shop.state(payment["order"]) == ("paid", PRICE, 0)


@pytest.mark.parametrize("feed", FEEDS)
def test_two_transfers_are_twice_the_money(shop: BankShop, feed: str) -> None:
    payment = shop.begin()
    shop.pay(payment, feed=feed, equal=True, twice=True)
    assert shop.state(payment["order"]) == ("paid", 2 * PRICE, PRICE)


@pytest.mark.parametrize("feed", FEEDS)
def test_less_is_part_of_it_and_the_rest_has_a_code_of_its_own(shop: BankShop, feed: str) -> None:
    payment = shop.begin()
    shop.pay(payment, feed=feed, amount=400_000)
    assert shop.state(payment["order"]) == ("partially_paid", 400_000, 0)
    rest = shop.begin(order_id=payment["order"])
    assert rest["reference"] != payment["reference"]
    told = shop.pay(rest, feed=feed)
    assert told["amount"] == 20_000, "the code asks for the rest alone"
    assert shop.state(payment["order"]) == ("paid", PRICE, 0)


@pytest.mark.parametrize("feed", FEEDS)
def test_more_is_kept_for_the_payer(shop: BankShop, feed: str) -> None:
    payment = shop.begin()
    shop.pay(payment, feed=feed, amount=450_000)
    assert shop.state(payment["order"]) == ("paid", 450_000, 30_000)


@pytest.mark.parametrize("feed", FEEDS)
def test_who_is_not_told_or_told_by_a_forger_believes_nothing(shop: BankShop, feed: str) -> None:
    payment = shop.begin()
    told = shop.pay(payment, feed=feed, forged=True)
    assert [one["tries"][0]["status"] for one in told["callbacks"]] == [401]
    shop.pay(payment, feed=feed, silent=True)
    assert shop.state(payment["order"]) == ("pending", 0, 0)
    again = f"{shop.url}/sandbox/bank/payments/{told['payment']}/resend"
    assert requests.post(again, json={}, timeout=20).ok
    end = time.monotonic() + PATIENCE_SECONDS
    while shop.state(payment["order"])[0] == "pending" and time.monotonic() < end:
        time.sleep(0.05)
    assert shop.state(payment["order"]) == ("paid", PRICE, 0)


@pytest.mark.parametrize("feed", ["pay2s", "sepay", "casso"])
def test_money_that_leaves_pays_nothing(shop: BankShop, feed: str) -> None:
    payment = shop.begin()
    told = shop.pay(payment, feed=feed, outgoing=True)
    assert {one["state"] for one in told["callbacks"]} == {"answered"}
    assert shop.state(payment["order"]) == ("pending", 0, 0)


@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: str(noise.key))
@pytest.mark.parametrize("feed", ["pay2s", "casso"])
def test_a_memo_is_known_again_as_long_as_it_is_whole(
    shop: BankShop, feed: str, noise: Any
) -> None:
    payment = shop.begin()
    told = shop.pay(payment, feed=feed, noise=noise.key)
    assert {one["state"] for one in told["callbacks"]} == {"answered"}
    paid = ("paid", PRICE, 0) if noise.whole else ("pending", 0, 0)
    assert shop.state(payment["order"]) == paid


def test_a_memo_pays_its_own_order_whatever_the_amount_says(shop: BankShop) -> None:
    """Two orders of one price wait; only the memo tells them apart."""
    first, second = shop.begin(), shop.begin()
    shop.pay(first, memo=second["reference"])
    assert shop.state(first["order"]) == ("pending", 0, 0)
    assert shop.state(second["order"]) == ("paid", PRICE, 0)


def test_who_cancels_at_pay2s_can_pay_by_our_code_all_the_same(shop: BankShop) -> None:
    payment = shop.begin()
    page = payment["action"]["url"]
    assert requests.post(f"{page}/cancel", timeout=20, allow_redirects=False).status_code == 303
    end = time.monotonic() + PATIENCE_SECONDS
    while shop.order(payment["order"])["display"] != "failed" and time.monotonic() < end:
        time.sleep(0.05)
    assert shop.order(payment["order"])["display"] == "failed"
    shop.pay(payment)
    assert shop.state(payment["order"]) == ("paid", PRICE, 0)
