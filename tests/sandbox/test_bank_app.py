"""The pretended bank app, as a person and a script meet it."""

import threading
from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Browser
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from payments.providers.vietqr import Transfer, payload
from sandbox import BankKeys, create_sandbox

from .bank_world import CODE, MEMO, BankWorld, Shop, bank_opened
from .world import served

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def bank() -> Iterator[BankWorld]:
    with bank_opened() as world:
        yield world


def test_a_scanned_code_fills_the_transfer(bank: BankWorld) -> None:
    page = bank.get("/bank/pay", params={"qr": f" {CODE}\n"}).text
    for words in ("Vietcombank", "0011002233445", 'value="420000"', f'value="{MEMO}"', "TEST"):
        assert words in page


def test_it_reads_what_our_adapter_writes(bank: BankWorld) -> None:
    """The two were written apart: the code of ours that the constant holds is one of many."""
    assert payload(Transfer("970436", "0011002233445", 420_000, MEMO)) == CODE
    for transfer in (
        Transfer("970422", "A1", 1, "X"),
        Transfer("970403", "9" * 19, 499_999_999, "Z9" * 9),
        Transfer("123456", "1"),
    ):
        page = bank.get("/bank/pay", params={"qr": payload(transfer)}).text
        assert f'value="{transfer.amount or ""}"' in page
        assert f'value="{transfer.memo or ""}"' in page


@pytest.mark.parametrize(
    ("qr", "why"),
    [
        ("", "not the text"),
        ("hello", "not the text"),
        ("é" * 50, "not the text"),
        (CODE[:-1] + "F", "damaged"),
        (CODE.replace("420000", "430000"), "damaged"),
        (CODE * 9, "not the text"),
        (SCRIPT * 3, "damaged"),
    ],
)
def test_what_is_no_code_is_said_and_can_be_typed_again(bank: BankWorld, qr: str, why: str) -> None:
    answer = bank.get("/bank/pay", params={"qr": qr})
    assert answer.status_code == 400
    assert why in answer.text
    assert SCRIPT not in answer.text
    assert bank.ask(qr=qr).status_code == 400


@pytest.mark.parametrize(
    "asked",
    [
        *({"amount": "0"}, {"amount": "-1"}, {"amount": "x"}, {"amount": "500000000"}),
        *({"amount": "1" * 40}, {"amount": "१२"}, {"memo": "x" * 211}, {"memo": "a\nb"}),
        *({"noise": "loud"}, {"feed": "bbc"}, {"late": "soon"}, {"late": -1}, {"twice": "maybe"}),
        *({"mark": "x"}, {"mark": ["a"]}, {"qr": [1]}, {"outgoing": "perhaps"}),
    ],
    ids=str,
)
def test_what_the_app_cannot_do_is_said_and_leaves_nothing(
    bank: BankWorld, asked: dict[str, object]
) -> None:
    answer = bank.ask(**asked)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert "No transfers yet" in bank.get("/bank/").text
    assert bank.shop.heard == []


@pytest.mark.parametrize("raw", ["", "[]", "7", "{", '{"a": NaN}'])
def test_what_is_no_request_is_refused(bank: BankWorld, raw: str) -> None:
    answer = bank.post("/bank/payments", data=raw, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400


def test_the_payer_may_change_amount_and_memo(bank: BankWorld) -> None:
    told = bank.pay(amount="400 000", memo="tien an trua")
    assert (told["amount"], told["lines"][0]["content"]) == (400_000, "tien an trua")


def test_accents_are_lost_on_the_way_as_at_most_banks(bank: BankWorld) -> None:
    (line,) = bank.pay(memo=f"Trả tiền {MEMO} đủ")["lines"]
    assert line["content"] == f"Tra tien {MEMO} du"


def test_a_second_click_pays_once(bank: BankWorld) -> None:
    answers: list[int] = []
    threads = [
        threading.Thread(
            target=lambda: answers.append(bank.ask(mark="abcdef0123").json()["payment"])
        )
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(answers)) == 1
    bank.settled(answers[0])
    assert len(bank.shop.heard) == 1
    assert bank.pay(mark="another0123")["payment"] != answers[0]


def test_pages_that_are_not_there(bank: BankWorld) -> None:
    assert bank.get("/bank/payments/1").status_code == 404
    assert bank.post("/bank/payments/1/resend").status_code == 404


def test_what_others_wrote_is_shown_as_text(bank: BankWorld) -> None:
    told = bank.pay(memo=SCRIPT)
    for path in ("/bank/", f"/bank/payments/{told['payment']}"):
        page = bank.get(path, headers={"Accept": "text/html"}).text
        assert SCRIPT not in page
        assert "&lt;script&gt;" in page


@pytest.fixture
def mounted() -> Iterator[BankWorld]:
    """Below /sandbox, as the application mounts it."""
    shop, outer = Shop(), Flask("outer")
    with served(shop.app()) as shop.url, served(outer) as url:
        keys = BankKeys(f"{shop.url}/callbacks", pay2s_token="token", casso_key="key")
        app = create_sandbox(f"{url}/sandbox", None, [keys])
        outer.wsgi_app = DispatcherMiddleware(outer.wsgi_app, {"/sandbox": app})  # type: ignore[method-assign]
        yield BankWorld(app, f"{url}/sandbox", shop)


def test_a_person_scans_pays_and_sends_again_without_scripts(
    mounted: BankWorld, browser: Browser
) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"{mounted.url}/bank/?still=1")
    page.get_by_role("link", name="Scan a VietQR").click()
    page.get_by_label("The text of the code").fill(CODE)
    page.get_by_role("button", name="Open the transfer").click()
    page.get_by_label("Amount in dong").fill("400.000")
    page.get_by_label("The memo arrives").select_option("after")
    page.get_by_label("Told by").select_option("casso")
    page.get_by_label("Twice").check()
    page.get_by_role("button", name="Pay").click()
    page.get_by_text("Transferred to Vietcombank").wait_for()
    payment = int(page.url.rpartition("/")[2])
    told = mounted.settled(payment)
    assert [line["content"] for line in told["lines"]] == [f"{MEMO} GD 789604-040125 00:05:38"]
    assert [heard.json["data"]["amount"] for heard in mounted.shop.heard] == [400_000] * 2
    page.get_by_role("button", name="Send again").click()
    page.get_by_text("sent again by hand").wait_for()
    mounted.settled(payment)
    assert len(mounted.shop.heard) == 3
    assert said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_phone_needs_no_sideways_scrolling(
    mounted: BankWorld, browser: Browser, scheme: str
) -> None:
    payment = mounted.pay(memo="M" * 210)["payment"]
    context = browser.new_context(
        viewport={"width": 320, "height": 568},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    for path in ("?still=1", "pay", f"pay?qr={CODE}", "pay?qr=x", f"payments/{payment}"):
        page.goto(f"{mounted.url}/bank/{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path
        sizes = "[...document.querySelectorAll('a, button, select, summary, label, textarea')]"
        assert page.evaluate(f"Math.min(...{sizes}.map(e => e.offsetHeight))") >= 44, path
