"""Existing frontends, unchanged: every event of every vocabulary, by whoever may hear it."""

from __future__ import annotations

import time
from typing import Any

from payments.dialects import DIALECTS, SALON, WALLET
from payments.dialects.record import Dialect
from payments.domain.order import Order
from payments.domain.states import Kind
from payments.services import accounts, live
from payments.services.demo import API_KEY
from tests.frontends.conftest import FRONTEND, Open, Site
from tests.frontends.pages import Browser, Page
from tests.realtime import deeds

SALON_HERE = "/ws/payments/salon/here"
SILENCE_SECONDS = 1.5
"""Longer than a sweep: what was going to be heard has been heard."""


def events_of(*dialects: Dialect) -> set[str]:
    """Everything that these vocabularies send, from their records."""
    told = [one for dialect in dialects for many in dialect.facts.values() for one in many]
    told += [one for dialect in dialects for one in dialect.otherwise]
    greetings = [one.greeting("", "")[0] for one in dialects if one.greeting is not None]
    replies = [reply("")[0] for one in dialects for reply in one.replies.values()]
    return {one.event for one in told} | {"joined-order"} | set(greetings) | set(replies)


ALL = events_of(*DIALECTS)
PERSONAL = events_of(WALLET) - {"joined-order"} | {"payment:token-saved"}
IN_SALON = events_of(SALON) - {"joined-order"}


def join_everything(page: Page, salon: Page, order: Order, reference: str) -> list[Any]:
    page.say("ping", {})
    return [
        page.call("watch", {"topic": f"order:{order.id}", "after": None}),
        page.call("join-order", order.id),
        page.call("track-payment", {"reference": reference}),
        page.call("subscribe_booking", {"bookingId": order.id}),
        salon.call("subscribe:payment-events", {"invoiceId": order.id}),
    ]


def everything_happens(site: Site, owner: str, paid: Order, failed: Order, to: list[str]) -> None:
    for reference in to:
        site.do(deeds.take, reference, ussd_code="*126#")
    first, second = to
    site.do(deeds.pay, first)
    site.do(deeds.fail, second)
    site.do(deeds.end, failed, Kind.CANCELLED)
    site.do(live.tell_again, paid.id, "test")
    site.do(deeds.tell_person, owner, "payment.status", 1, **deeds.DEPOSIT)
    site.do(deeds.tell_person, owner, "wallet.deposited", 2, **deeds.DEPOSIT)
    site.do(deeds.tell_person, owner, "wallet.withdrawn", 3, **deeds.DEPOSIT)
    site.do(deeds.tell_person, owner, "card.saved", 4, user_id=owner, **deeds.CARD)


def test_everybody_hears_what_is_theirs_and_nothing_else(site: Site, visit: Open) -> None:
    owner, stranger = site.customer(), site.customer()
    orders = [site.order(owner), site.order(owner)]
    references = [site.do(deeds.make, order) for order in orders]
    tokens = {
        "owner": site.token(owner),
        "staff": site.token(site.person("clerk@demo.test")),
        "shop": API_KEY,
        "stranger": site.token(stranger),
        "nobody": None,
    }
    heard: dict[str, tuple[Page, Page]] = {}
    for who, token in tokens.items():
        ours = {"Origin": site.url} if token is None else {}
        page, salon = visit(token, **ours), visit(token, SALON_HERE, **ours)
        heard[who] = page, salon
        for order, reference in zip(orders, references, strict=True):
            answers = join_everything(page, salon, order, reference)
            expected = who in {"owner", "staff", "shop"}
            assert [answer["ok"] for answer in answers] == [expected] * 5, who
            if not expected:
                assert {answer["error"] for answer in answers} == {"not_found"}
                page.say("join-order", order.id)
    everything_happens(site, owner, orders[0], orders[1], references)
    for who in ("owner", "staff", "shop"):
        page, salon = heard[who]
        page.wait_for("connection-test")
        salon.wait_for("payment:status-update", 5)
    heard["owner"][0].wait_for("withdrawal_completed:v1")
    heard["owner"][1].wait_for("payment:token-saved")
    time.sleep(SILENCE_SECONDS)
    for who, (page, salon) in heard.items():
        if who == "owner":
            assert page.events | salon.events == ALL
        elif who in {"staff", "shop"}:
            assert page.events | salon.events == ALL - PERSONAL, who
        else:
            assert page.events == {"connected", "pong", "subscription-error"}, who
            assert salon.events == set(), who
        assert salon.events <= IN_SALON
    heard_once(*heard["owner"])


def heard_once(page: Page, salon: Page) -> None:
    """Each fact once, in order; what is critical with an ack, and not again after it."""
    assert [one["status"] for one in page.all("payment-status-update")] == [
        *("pending", "pending", "completed", "failed", "cancelled"),
    ]
    acknowledged = {line["event"] for line in page.lines if line.get("acknowledged")}
    assert acknowledged == {"payment-status-update"}
    assert [one["status"] for one in page.all("payment-status")] == [
        *("PENDING", "PENDING", "SUCCESSFUL", "FAILED"),
    ]
    assert len(page.all("payment-initiated")) == 2
    for event in ("payment-success", "payment-failed", "transaction_success", "payment_confirmed"):
        assert len(page.all(event)) == 1, event
    assert [one["status"] for one in salon.all("payment:status-update")] == [
        *("PENDING", "PENDING", "SUCCESS", "FAILED", "FAILED"),
    ]
    assert page.all("deposit_completed:v1")[0]["message"] == "Nạp tiền thành công 100.000 VND"


def test_a_page_that_listens_once_it_is_connected_hears_the_greeting(
    site: Site, visit: Open
) -> None:
    page = visit(**{"Origin": site.url})
    assert page.late("connected")["clientId"] == page.wait_until("connect")["sid"]


def test_what_is_settled_is_told_at_once_in_its_own_word(site: Site, visit: Open) -> None:
    owner = site.customer()
    order = site.order(owner)
    reference = site.do(deeds.begin, order)
    site.do(deeds.pay, reference)
    page, salon = visit(site.token(owner)), visit(site.token(owner), SALON_HERE)
    join_everything(page, salon, order, reference)
    salon.wait_for("payment:status-update")
    time.sleep(SILENCE_SECONDS)
    assert salon.events == {"payment:status-update"}
    assert page.events == {
        *("connected", "pong", "joined-order", "payment-status-update"),
        *("payment-status", "transaction_success", "payment_confirmed"),
    }
    assert all(len(page.all(event)) == 1 for event in page.events)


def test_the_login_cookie_of_a_wallet_page_is_enough(site: Site, visit: Open) -> None:
    _token, cookie = site.sign_in("mai@demo.test")
    mai = site.person("mai@demo.test")
    page = visit(Origin=site.url, Cookie=cookie)
    version = int(time.time() * 10) % 10**9
    site.do(deeds.tell_person, mai, "wallet.deposited", version, **deeds.DEPOSIT)
    [told] = page.wait_for("deposit_completed:v1")
    assert (told["transactionId"], told["newBalance"]) == ("P-deposit", 350_000)


def test_logging_out_ends_the_page_of_that_login(site: Site, visit: Open) -> None:
    first, _ = site.sign_in("mai@demo.test")
    second, cookie = site.sign_in("mai@demo.test")
    stays, goes, by_cookie = visit(first), visit(second), visit(Origin=site.url, Cookie=cookie)
    login_id = site.do(site.tokens.identify, second).login_id
    site.do(accounts.end_login, login_id)
    for page in (goes, by_cookie):
        assert page.wait_until("disconnect")["message"] == "io server disconnect"
    assert stays.state("disconnect") is None


def test_a_frontend_on_another_origin_adds_one_line(site: Site, visit: Open) -> None:
    order = site.order(site.customer())
    page = visit(site.tokens.watch(order.id), Origin=FRONTEND)
    assert page.call("subscribe_booking", {"bookingId": order.id})["ok"]
    site.do(deeds.pay, site.do(deeds.begin, order))
    assert page.wait_for("payment_confirmed")[0]["confirmed"] is True


def test_long_polling_is_upgraded(site: Site, browser: Browser) -> None:
    page = browser.open(site.url, ("polling", "websocket"), API_KEY)
    assert page.wait_until("open")["transport"] == "polling"
    assert page.wait_until("upgrade")["transport"] == "websocket"
    assert page.call("ping") == {"ok": True}


def test_a_wrong_token_is_refused_in_every_namespace(site: Site, browser: Browser) -> None:
    for namespace in ("", SALON_HERE):
        page = browser.open(f"{site.url}{namespace}", ("websocket",), "wt_wrong")
        assert page.wait_until("refused")["message"] == "unauthorized"
    page = browser.open(site.url, ("polling",), API_KEY, Origin="https://evil.example")
    page.wait_until("refused")


def test_every_subscribe_event_is_tried_here() -> None:
    said = {event for one in DIALECTS for event in (*one.subscribe, *one.replies)}
    tried = {"watch", "join-order", "track-payment", "subscribe_booking", "ping"}
    assert said == tried | {"subscribe:payment-events"}
