"""Row 23: deeds of staff without their token, and buttons pressed many times at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier

import pytest
import requests

from payments.services import accounts
from payments.store import audit, confirmations
from payments.store import refunds as promised
from tests.faults.harness import AMOUNT, Shop
from tests.faults.report import Outcome
from tests.outside import Page
from tests.people import PASSWORD

PRESSES = 50
TEN_AT_ONCE = 10


class Desk:
    """A member of staff, signed in on one server, with the pages as their browser has them."""

    def __init__(self, shop: Shop, role: str, server: int = 0) -> None:
        self.url = shop.servers[server].url
        self.browser = requests.Session()
        self.browser.headers["Origin"] = shop.servers[server].url
        email = f"{role}{server}@people.test"
        shop.books.read(accounts.create_user, email, PASSWORD, role)
        signed_in = self.post("/login", {"email": email, "password": PASSWORD})
        assert signed_in.status_code == 303, signed_in.text

    def page(self, path: str) -> Page:
        return Page(self.browser.get(self.url + path, timeout=20).text)

    def token(self) -> str:
        form = self.page("/login").all("input", name="csrf_token")
        return form[0]["value"]

    def post(
        self, path: str, fields: dict[str, str], token: str | None = None
    ) -> requests.Response:
        known = self.token() if token is None else token
        data = fields | ({"csrf_token": known} if known else {})
        return self.browser.post(self.url + path, data=data, allow_redirects=False, timeout=30)

    def presses(self, path: str, fields: dict[str, str]) -> list[int]:
        """The same form, so many times at the same moments."""
        token, cookies = self.token(), self.browser.cookies.get_dict()
        together = Barrier(TEN_AT_ONCE)

        def press(_number: int) -> list[int]:
            together.wait(30)
            return [
                requests.post(
                    self.url + path,
                    data={"csrf_token": token, **fields},
                    cookies=cookies,
                    headers={"Origin": self.url},
                    allow_redirects=False,
                    timeout=30,
                ).status_code
                for _ in range(PRESSES // TEN_AT_ONCE)
            ]

        with ThreadPoolExecutor(TEN_AT_ONCE) as pool:
            return [one for some in pool.map(press, range(TEN_AT_ONCE)) for one in some]


@contextmanager
def desk(shop: Shop, role: str) -> Iterator[Desk]:
    opened = Desk(shop, role)
    yield opened
    opened.browser.close()


def deeds(shop: Shop, order_id: str, refund_id: str, held_id: str) -> dict[str, dict[str, str]]:
    """Every form of staff's, filled in as it would be accepted."""
    return {
        "/staff/new": {"amount": "1000", "currency": "VND", "description": "Tea"},
        f"/staff/orders/{order_id}/confirm": {
            "amount": "1",
            "reason": "I saw it",
            "evidence": "receipt 9",
        },
        f"/staff/orders/{order_id}/cancel": {"reason": "Sold out"},
        f"/staff/orders/{order_id}/refund": {"amount": "1", "reason": "It was broken"},
        f"/staff/refunds/{refund_id}/paid": {"evidence": "cash 1"},
        f"/staff/confirmations/{held_id}/approve": {},
        f"/staff/confirmations/{held_id}/decline": {"reason": "No such transfer"},
        "/staff/callbacks/1/resolve": {"reason": "Dealt with"},
        "/logout": {},
    }


@pytest.mark.fault(23)
def test_no_deed_of_staff_is_done_without_their_token(shop: Shop, figures: Outcome) -> None:
    order = shop.order()
    assert shop.tell(order.order_id).ok
    with desk(shop, "manager") as manager:
        for deed, fields in deeds(shop, order.order_id, "R2", "C2").items():
            for token in ("", "wrong", "x" * 91):
                answer = manager.post(deed, fields, token)
                assert answer.status_code == 400, (deed, token, answer.status_code)
        # The same form with its token is taken: it was the token that was missing.
        path = f"/staff/orders/{order.order_id}/refund"
        assert manager.post(path, {"amount": "1", "reason": "Broken"}).status_code == 303
    assert len(shop.books.read(promised.of_order, order.order_id)) == 1
    shop.prove(0.0)
    figures.note(
        f"{len(deeds(shop, '', '', ''))} forms without, with a wrong, a foreign token: 400"
    )


@pytest.mark.fault(23)
def test_a_form_from_a_foreign_page_is_refused(shop: Shop, figures: Outcome) -> None:
    """A browser sends the cookie along; what the page cannot have is the token of it."""
    order = shop.order()
    with desk(shop, "manager") as manager, desk_of_another(shop) as other:
        path = f"/staff/orders/{order.order_id}/cancel"
        foreign = manager.post(path, {"reason": "Sold out"}, other.token())
        assert foreign.status_code == 400
        manager.browser.headers["Origin"] = "https://evil.example"
        api = manager.browser.post(
            f"{manager.url}/api/v1/orders/{order.order_id}/cancel",
            json={"reason": "Sold out"},
            timeout=20,
        )
        assert api.status_code == 403
    assert shop.books.states([order.order_id])[order.order_id] == (1, "pending")
    figures.note("another's token: 400; a foreign Origin at the API: 403")


@contextmanager
def desk_of_another(shop: Shop) -> Iterator[Desk]:
    with desk(shop, "clerk") as clerk:
        yield clerk


@pytest.mark.fault(23)
def test_fifty_presses_of_a_button_do_it_once(shop: Shop, figures: Outcome) -> None:
    paid, waits, unwanted = shop.orders(3)
    assert shop.tell(paid.order_id).ok
    with desk(shop, "manager") as manager:
        refund = manager.page(f"/staff/orders/{paid.order_id}").form(
            f"/staff/orders/{paid.order_id}/refund"
        )
        once = {one["name"]: one.get("value") or "" for one in refund.fields if one.get("name")}
        fields = once | {"amount": "1000", "reason": "It was broken"}
        fields.pop("csrf_token", None)
        answers = manager.presses(f"/staff/orders/{paid.order_id}/refund", fields)
        assert set(answers) == {303}
        (one,) = shop.books.read(promised.of_order, paid.order_id)
        assert one.amount == 1000

        seen = {"amount": str(AMOUNT), "reason": "I counted it", "evidence": "receipt 1"}
        answers = manager.presses(f"/staff/orders/{waits.order_id}/confirm", seen)
        assert 303 in answers
        assert set(answers) <= {303, 409, 422}
        (confirmed,) = shop.books.read(confirmations.of_order, waits.order_id)
        assert (confirmed.amount, confirmed.status) == (AMOUNT, "applied")
        shop.credited(waits.order_id, None, AMOUNT)

        gone = {"reason": "Sold out"}
        answers = manager.presses(f"/staff/orders/{unwanted.order_id}/cancel", gone)
        assert answers.count(303) == 1
        assert set(answers) <= {303, 409}
        done = shop.books.read(audit.of_order, unwanted.order_id)
        assert [line.action for line in done].count("order.cancelled") == 1

        answers = manager.presses(f"/staff/refunds/{one.id}/paid", {"evidence": "cash 1"})
        assert 303 in answers
        assert set(answers) <= {303, 409}
    done = shop.books.read(audit.of_order, paid.order_id)
    assert [line.action for line in done].count("refund.paid") == 1
    (ended,) = shop.books.read(promised.of_order, paid.order_id)
    assert ended.status == "succeeded"
    shop.prove(0.0)
    figures.note(f"refund, confirm, cancel, pay out: {PRESSES} presses each, one effect each")
