"""The whole application in both modes, its people, and pages with the official client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from payments.domain.order import Order
from payments.services.demo import PASSWORD
from payments.services.tokens import Tokens
from payments.settings import load
from payments.store import people
from payments.store.db import db, in_transaction
from tests.conftest import ENVIRONMENT
from tests.frontends.pages import Browser, Page, install
from tests.realtime import shop as inside
from tests.sandbox.world import World
from tests.servers import AppServer

MODES = ("eventlet", "threading")
WAYS = [("polling", "websocket"), ("websocket",)]
FRONTEND = "https://front.example"


class Site:
    """The served application, and its database seen from here."""

    def __init__(self, mode: str, folder: Path, momo_url: str) -> None:
        settings = {
            **{name: ENVIRONMENT[name] for name in ENVIRONMENT if name.startswith("MOMO_")},
            "MOMO_API_URL": momo_url,
            "DATABASE_URL": f"sqlite:///{folder / 'site.db'}",
            "INSTANCE_PATH": str(folder),
            "SECRET_KEY": "a secret of the frontends' site",
            "APP_ENV": "test",
            "ASYNC_MODE": mode,
            "CORS_ORIGINS": FRONTEND,
        }
        self.server = AppServer(settings, demo=True)
        self.url = self.server.url
        self.settings = load(settings)
        self.app = inside.database_app(self.settings)
        self.tokens = Tokens(self.settings)
        self._numbers = iter(range(1, 10_000))

    def start(self) -> None:
        self.server.start()

    def close(self) -> None:
        self.server.close()
        with self.app.app_context():
            db.engine.dispose()

    def do(self, deed: Callable[..., Any], *args: Any, **about: Any) -> Any:
        """In this process; the server finds the facts in the outbox."""
        with self.app.app_context():
            return deed(*args, **about)

    def person(self, email: str) -> str:
        found = self.do(people.find_email, email)
        assert found is not None
        return str(found.id)

    def customer(self) -> str:
        """A new customer's id."""
        name = f"customer-{next(self._numbers)}"
        self.do(lambda: in_transaction(lambda: people.add(name, locale="vi")))
        return name

    def token(self, user_id: str) -> str:
        return self.tokens.person(user_id)[0]

    def order(self, customer: str) -> Order:
        made: Order = self.do(
            inside.open_order, f"order-{next(self._numbers)}", customer_id=customer
        )
        return made

    def sign_in(self, email: str) -> tuple[str, str]:
        """The token, and the cookie that a page of ours would have."""
        answer = requests.post(
            f"{self.url}/api/v1/auth/token",
            json={"email": email, "password": PASSWORD},
            headers={"Origin": self.url},
            timeout=10,
        )
        assert answer.status_code == 200, answer.text
        cookies = "; ".join(f"{name}={value}" for name, value in answer.cookies.items())
        return answer.json()["token"], cookies


@pytest.fixture(scope="package")
def client() -> None:
    install()


@pytest.fixture(scope="package", params=MODES)
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, phone: World
) -> Iterator[Site]:
    opened = Site(request.param, tmp_path_factory.mktemp("site"), f"{phone.url}/momo")
    try:
        opened.start()
        yield opened
    finally:
        opened.close()


@pytest.fixture
def browser(client: None) -> Iterator[Browser]:
    opened = Browser()
    yield opened
    opened.close()


Open = Callable[..., Page]


@pytest.fixture(params=WAYS, ids=["polling first", "websocket alone"])
def visit(request: pytest.FixtureRequest, site: Site, browser: Browser) -> Open:
    def come(token: str | None = None, namespace: str = "", **headers: str) -> Page:
        page = browser.open(f"{site.url}{namespace}", request.param, token, **headers)
        page.wait_until("connect")
        return page

    return come
