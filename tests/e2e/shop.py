"""A shop with its server, its API key, and the simulated phone of its customers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, Page, Response, WebSocketRoute

from payments.services.demo import API_KEY, PASSWORD
from tests.servers import AppServer

LIVE = '#payment[data-connection="live"]'


class Shop:
    """`settings` are added to those of a sandbox."""

    def __init__(self, **settings: str) -> None:
        self.server = AppServer({"SANDBOX": "1", **settings}, demo=True)
        self.url = self.server.url

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.server.__exit__(kind, error, trace)

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = requests.request(
            method,
            self.url + path,
            json=body,
            headers={"Authorization": f"Bearer {API_KEY}"},
            timeout=20,
        )
        assert answer.ok, f"{answer.status_code} {answer.text}"
        found: dict[str, Any] = answer.json()
        return found

    def open_order(self, amount: int = 185_000, **more: Any) -> dict[str, Any]:
        return self.call(
            "POST",
            "/api/v1/orders",
            {"amount": amount, "currency": "VND", "description": "Coffee beans", **more},
        )

    def order(self, order_id: str) -> dict[str, Any]:
        return self.call("GET", f"/api/v1/orders/{order_id}")

    def start_momo(self, order_id: str) -> str:
        """The reference of a MoMo payment that waits for the phone."""
        made = self.call("POST", f"/api/v1/orders/{order_id}/payments", {"provider": "momo"})
        return str(made["reference"])

    def phone(self, reference: str, result: str = "pay", **switches: Any) -> dict[str, Any]:
        """The customer decides on the simulated phone; `switches` make the provider misbehave."""
        answer = requests.post(
            f"{self.url}/sandbox/momo/payments/{reference}/decide",
            json={"result": result, **switches},
            timeout=20,
        )
        assert answer.ok, answer.text
        return dict(json.loads(answer.text))


class Customer:
    """A browser of their own: what its page says, where it has been, what its console said."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.page: Page = context.new_page()
        self.navigations = 0
        self.console: list[str] = []
        self.hosts: set[str] = set()
        self.page.on("framenavigated", lambda _frame: self._navigated())
        self.page.on("console", lambda message: self.console.append(message.text))
        self.page.on("pageerror", lambda error: self.console.append(str(error)))
        self.page.on("request", lambda asked: self.hosts.add(asked.url.split("/")[2]))

    def _navigated(self) -> None:
        self.navigations += 1

    def open(self, order: dict[str, Any], **query: str) -> None:
        more = f"&{urlencode(query)}" if query else ""
        self.page.goto(order["checkout_url"] + more)

    def comes_back(self, button: str) -> str:
        """Presses it on a provider's page; the page of ours that it leads to, as it first came."""
        ours = "/checkout/"

        def is_page(answer: Response) -> bool:
            page = answer.request.is_navigation_request() and answer.status == HTTPStatus.OK
            return page and ours in answer.url

        with self.page.expect_response(is_page) as came:
            self.page.click(button)
        first = came.value.text()
        self.page.wait_for_url(f"**{ours}**")
        return first

    def status(self) -> str | None:
        return self.page.get_attribute("#payment", "data-status")

    def connection(self) -> str | None:
        return self.page.get_attribute("#payment", "data-connection")

    def waits_for(self, seconds: float = 10, **attributes: str) -> None:
        """Until `#payment` carries these data attributes."""
        told = "".join(f'[data-{name}="{value}"]' for name, value in attributes.items())
        self.page.wait_for_selector(f"#payment{told}", timeout=seconds * 1000, state="attached")

    def block_sockets(self) -> None:
        def close(route: WebSocketRoute) -> None:
            route.close()

        self.page.route_web_socket("**", close)


MORE = partial(pytest.param, marks=pytest.mark.long)
"""What the browser tries in `make long`; each run tries it without one."""


@contextmanager
def customer(browser: Browser, **options: Any) -> Iterator[Customer]:
    """A browser of their own; motion they see only where a test asks for it: it costs time."""
    context = browser.new_context(**{"reduced_motion": "reduce", **options})
    try:
        yield Customer(context)
    finally:
        context.close()


def sign_in(customer: Customer, shop: Shop, email: str) -> None:
    page = customer.page
    page.goto(f"{shop.url}/login")
    page.fill('[name="email"]', email)
    page.fill('[name="password"]', PASSWORD)
    page.click("main button")
    page.wait_for_url(lambda url: "/login" not in url)
