"""The pretended PAYable's pages, and what it tells the shop, as a person meets them."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from playwright.sync_api import Browser

from .payable_world import PayableWorld, payable_world, webhook_value
from .world import Json

GOOD = {"number": "4111 1111 1111 1111", "expiry": "12/30", "code": "123", "result": "pay"}


@pytest.fixture
def ipg() -> Iterator[PayableWorld]:
    with payable_world() as one:
        yield one


def typed(ipg: PayableWorld, opened: Json, **form: str) -> requests.Response:
    url = f"{ipg.url}/payable/pages/{opened['uid']}"
    return requests.post(url, data={**GOOD, **form}, timeout=10, allow_redirects=False)


def test_who_pays_returns_to_the_shop_with_two_texts_that_say_nothing(ipg: PayableWorld) -> None:
    opened = ipg.open(ipg.bill())
    for answer in (typed(ipg, opened), typed(ipg, opened, result="decline")):
        assert answer.status_code == 303
        carried = parse_qs(urlsplit(answer.headers["Location"]).query)
        assert carried == {
            "shop": ["1"],
            "uid": [opened["uid"]],
            "statusIndicator": [opened["statusIndicator"]],
        }
    ipg.settled()
    (told,) = ipg.merchant.heard
    assert (told["statusCode"], told["statusMessage"]) == (1, "SUCCESS")
    assert (told["cardNumber"], told["paymentScheme"]) == ("411111xxxxxx1111", "VISA")
    assert told["checkValue"] == webhook_value(told)


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"result": "decline"}, 0),
        ({"number": "4000000000000002"}, 0),
        ({"number": "5123-4512-3451-2345"}, 1),
    ],
)
def test_a_card_does_what_it_is_for(ipg: PayableWorld, form: dict[str, str], code: int) -> None:
    typed(ipg, ipg.open(ipg.bill()), **form)
    ipg.settled()
    assert [one["statusCode"] for one in ipg.merchant.heard] == [code]


@pytest.mark.parametrize(
    "form",
    [
        *({"number": "4012888888881881"}, {"number": ""}, {"number": "4111"}),
        *({"expiry": "13/30"}, {"expiry": "soon"}, {"number": "٤١١١١١١١١١١١١١١١"}),
    ],
)
def test_a_card_that_is_none_of_the_test_cards_is_not_taken_nor_shown_again(
    ipg: PayableWorld, form: dict[str, str]
) -> None:
    opened = ipg.open(ipg.bill())
    answer = typed(ipg, opened, **form)
    assert answer.status_code == 422
    assert "4012888888881881" not in answer.text
    assert ipg.status(opened).status_code == 404
    assert ipg.settled() == []


def test_a_bank_may_ask_first_and_the_number_travels_once(ipg: PayableWorld) -> None:
    opened = ipg.open(ipg.bill())
    asked = typed(ipg, opened, number="4000 0000 0000 3220", twice="1")
    assert asked.status_code == 200
    assert "Is it you who pays?" in asked.text
    assert "4000000000003220" not in asked.text.replace(" ", "")
    assert ipg.status(opened).status_code == 404
    agreed = {"number": "", "card": "bank", "twice": "1"}
    assert typed(ipg, opened, **agreed).status_code == 303
    assert len(ipg.settled()) == 2


def test_who_leaves_returns_to_the_shop_and_may_come_back(ipg: PayableWorld) -> None:
    opened = ipg.open(ipg.bill())
    assert typed(ipg, opened, result="leave", number="").status_code == 303
    assert ipg.settled() == []
    assert "You left this payment before" in ipg.get(f"/ipg/sandbox/?uid={opened['uid']}").text


def test_the_list_and_the_page_of_a_payment_show_what_was_answered(ipg: PayableWorld) -> None:
    opened = ipg.open(ipg.keeping(orderDescription="<script>alert(1)</script>"))
    ipg.merchant.answers = [401, 200]
    ipg.decide("pay")
    ipg.settled()
    for path in ("/?still=1", f"/ipg/sandbox/?uid={opened['uid']}"):
        page = ipg.get(path)
        assert "<script>" not in page.text
        assert "401" in page.text
        assert "script-src 'none'" in page.headers["Content-Security-Policy"]
    assert "411111xxxxxx1111" in ipg.get("/").text


@pytest.mark.parametrize(
    ("switches", "heard"),
    [
        ({}, [(1, "235.00")]),
        ({"twice": True}, [(1, "235.00"), (1, "235.00")]),
        ({"reorder": True}, [(1, "235.00"), (0, "235.00")]),
        ({"wrong_amount": True}, [(1, "117.50")]),
        ({"silent": True}, []),
    ],
)
def test_the_switches_change_the_webhooks_and_check_status_stays_true(
    ipg: PayableWorld, switches: Json, heard: list[tuple[int, str]]
) -> None:
    opened = ipg.open(ipg.bill())
    assert ipg.decide("pay", **switches)["webhooks"] == len(heard)
    ipg.settled()
    told = ipg.merchant.heard
    assert [(one["statusCode"], one["payableAmount"]) for one in told] == heard
    assert all(one["checkValue"] == webhook_value(one) for one in told)
    truth = ipg.status(opened).json()["data"]
    assert (truth["statusCode"], truth["payableAmount"]) == (1, "235.00")


def test_a_late_failed_try_is_another_transaction(ipg: PayableWorld) -> None:
    ipg.open(ipg.bill())
    ipg.decide("pay", reorder=True)
    ipg.settled()
    assert len({one["payableTransactionId"] for one in ipg.merchant.heard}) == 2


def test_a_forged_webhook_is_hashed_with_another_token_and_not_repeated(ipg: PayableWorld) -> None:
    ipg.open(ipg.bill())
    ipg.merchant.answers = [401, 401]
    ipg.decide("pay", forged=True)
    (sent,) = ipg.settled()
    (told,) = ipg.merchant.heard
    assert told["checkValue"] != webhook_value(told)
    assert (sent["state"], len(sent["tries"])) == ("given up", 1)


def test_a_shop_that_fails_is_told_again_and_by_hand_once_more(ipg: PayableWorld) -> None:
    ipg.open(ipg.bill())
    ipg.merchant.answers = [500, 302, 200]
    ipg.decide("pay", wrong_amount=True)
    (sent,) = ipg.settled()
    assert [one["status"] for one in sent["tries"]] == [500, 302, 200]
    assert ipg.post("/payments/INV1/resend", {}).json()["webhooks"] == 1
    ipg.settled()
    assert ipg.merchant.heard[-1]["payableAmount"] == "235.00"


@pytest.mark.parametrize(
    "asked",
    [{}, {"result": "steal"}, {"result": "pay", "late": "soon"}, {"result": "pay", "card": "gold"}],
)
def test_a_decision_that_cannot_be_read_changes_nothing(ipg: PayableWorld, asked: Json) -> None:
    opened = ipg.open(ipg.bill())
    assert ipg.post("/payments/INV1/decide", asked).status_code == 400
    assert ipg.post("/payments/INV1/resend", {}).status_code == 409
    assert ipg.post("/payments/NONE/decide", {"result": "pay"}).status_code == 404
    assert ipg.status(opened).json()["error"] == {"err-message": "PENDING"}


def test_the_next_charge_of_a_kept_card_is_told_as_planned_and_the_one_after_it_truly(
    ipg: PayableWorld,
) -> None:
    customer = ipg.kept()
    token = ipg.cards(customer)[0]["tokenId"]
    assert ipg.post(f"/cards/{token}/next", {"wrong_amount": True}).status_code == 200
    for invoice, amount in (("INV8", "75.00"), ("INV9", "150.00")):
        ipg.charge(customer, token, invoice)
        ipg.settled(invoice)
        assert ipg.merchant.heard[-1]["payableAmount"] == amount
    assert ipg.post("/cards/none/next", {}).status_code == 404


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_phone_needs_no_sideways_scrolling(
    ipg: PayableWorld, browser: Browser, scheme: str
) -> None:
    opened = [ipg.open(ipg.keeping("i" * 63 + n, orderDescription="d" * 255)) for n in "AB"]
    ipg.decide("pay", "i" * 63 + "B")
    ipg.settled("i" * 63 + "B")
    page = browser.new_context(
        viewport={"width": 320, "height": 568},
        color_scheme="dark" if scheme == "dark" else "light",
    ).new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    for path in (*(f"/ipg/sandbox/?uid={one['uid']}" for one in opened), "/?still=1"):
        page.goto(f"{ipg.url}/payable{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        sizes = "[...document.querySelectorAll('a, button, select, summary, label')]"
        shown = f"{sizes}.filter(e => e.checkVisibility())"
        assert page.evaluate(f"Math.min(...{shown}.map(e => e.offsetHeight))") >= 44
    assert said == []
