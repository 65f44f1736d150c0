"""The pretended UPI app: it reads links as apps do, and only its owner learns the UTR."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from sandbox.upi.link import read_link
from tests.sandbox.razorpay import VPA, RazorpayWorld, opened_razorpay

GOOD = f"upi://pay?pa={VPA}&pn=Spice%20Shop&tr=P23456789ABCDEF&tn=Box&am=649.00&cu=INR"


@pytest.fixture
def world() -> Iterator[RazorpayWorld]:
    with opened_razorpay() as one:
        yield one


def test_a_payment_shows_its_utr_to_the_payer_and_tells_nobody(world: RazorpayWorld) -> None:
    paid = requests.post(f"{world.url}/upi/pay", json={"link": GOOD}, timeout=10).json()
    assert (paid["paise"], paid["reference"], paid["vpa"]) == (64_900, "P23456789ABCDEF", VPA)
    assert len(paid["utr"]) == 12
    assert paid["utr"].isdigit()
    shown = requests.get(f"{world.url}/upi/payments/{paid['utr']}", timeout=10).text
    assert paid["utr"] in shown
    assert world.merchant.heard == []


def test_each_payment_has_a_utr_of_its_own(world: RazorpayWorld) -> None:
    utrs = {
        requests.post(f"{world.url}/upi/pay", json={"link": GOOD}, timeout=10).json()["utr"]
        for _ in range(5)
    }
    assert len(utrs) == 5
    listed = requests.get(f"{world.url}/upi/", timeout=10).text
    assert all(utr in listed for utr in utrs)


def test_a_code_of_razorpays_is_opened_there(world: RazorpayWorld) -> None:
    text = world.code("P1")["image_content"]
    page = requests.get(f"{world.url}/upi/pay", params={"link": text}, timeout=10)
    assert "/razorpay/i/qr_" in page.url
    assert "₹649.00" in page.text


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "https://pay?pa=shop@okbank&pn=Shop&am=1.00",
        "upi://collect?pa=shop@okbank&pn=Shop&am=1.00",
        GOOD.replace("%20", "+"),
        GOOD.replace("%20", " "),
        GOOD.replace("am=649.00", "am=649"),
        GOOD.replace("am=649.00", "am=649.0"),
        GOOD.replace("am=649.00", "am=0.00"),
        GOOD.replace("am=649.00", "am=100000.01"),
        GOOD.replace("cu=INR", "cu=USD"),
        GOOD.replace("tr=P23456789ABCDEF", "tr=P/2"),
        GOOD.replace("pn=Spice%20Shop&", ""),
        GOOD.replace(VPA, "shop"),
        GOOD + "&am=1.00",
    ],
)
def test_what_apps_do_not_take_is_refused(world: RazorpayWorld, wrong: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_link(wrong)
    for answer in (
        requests.get(f"{world.url}/upi/pay", params={"link": wrong}, timeout=10),
        requests.post(f"{world.url}/upi/pay", json={"link": wrong}, timeout=10),
        requests.post(f"{world.url}/upi/pay", json=[wrong], timeout=10),
    ):
        assert answer.status_code == 400


def test_an_address_that_does_not_exist_cannot_be_paid(world: RazorpayWorld) -> None:
    elsewhere = GOOD.replace(VPA, "nobody@okbank")
    answer = requests.post(f"{world.url}/upi/pay", json={"link": elsewhere}, timeout=10)
    assert answer.status_code == 404
    page = requests.get(f"{world.url}/upi/pay", params={"link": elsewhere}, timeout=10)
    assert page.status_code == 404


def test_what_others_wrote_is_shown_as_text(world: RazorpayWorld) -> None:
    script = "%3Cscript%3Ealert(1)%3C%2Fscript%3E"
    spoilt = GOOD.replace("tn=Box", f"tn={script}").replace("pn=Spice%20Shop", f"pn={script}")
    page = requests.get(f"{world.url}/upi/pay", params={"link": spoilt}, timeout=10)
    assert page.status_code == 200
    assert "<script" not in page.text
    world.code("P1", description="<script>alert(1)</script>")
    assert "<script" not in requests.get(f"{world.url}/razorpay/", timeout=10).text
