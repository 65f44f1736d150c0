"""Who the tests are about: the shop, its clerk and manager, the owner of an order, a stranger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask
from flask.testing import FlaskClient

from payments.domain.money import Money
from payments.domain.order import Order
from payments.front.request import House
from payments.services import accounts
from payments.services.access import Identity
from payments.services.checkout import NewOrder, open_order
from payments.store import people

T = TypeVar("T")

PASSWORD = "a long enough password"


class People:
    """Made on first use; `in_app` runs a call inside the application's context."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.house: House = app.extensions["paychime"]
        self.shop = Identity("key", key_name="test shop")

    def in_app(self, call: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        with self.app.app_context():
            return call(*args, **kwargs)

    def person(self, name: str, role: str = "customer") -> Identity:
        def made() -> Identity:
            email = f"{name}@people.test"
            if people.find_email(email) is None:
                accounts.create_user(email, PASSWORD, role, name=name)
            return Identity("person", user=people.find_email(email))

        return self.in_app(made)

    @property
    def clerk(self) -> Identity:
        return self.person("clerk", "clerk")

    @property
    def manager(self) -> Identity:
        return self.person("manager", "manager")

    @property
    def accountant(self) -> Identity:
        return self.person("accountant", "accountant")

    @property
    def owner(self) -> Identity:
        return self.person("owner")

    @property
    def stranger(self) -> Identity:
        return self.person("stranger")

    def token(self, who: Identity) -> dict[str, str]:
        """The header with which this person calls the API."""
        assert who.user is not None
        return {"Authorization": f"Bearer {self.house.tokens.person(who.user.id)[0]}"}

    def key(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.in_app(accounts.create_key, 'test shop')}"}

    def order(self, amount: int = 50_000, currency: str = "VND", **more: Any) -> Order:
        new = NewOrder(Money(amount, currency), more.pop("description", "Coffee"), **more)
        return self.in_app(open_order, self.house.settings, self.shop, new)

    def browser(self, order: Order | None = None) -> FlaskClient:
        """A browser of its own, which has opened the order by its access link."""
        client = self.app.test_client()
        if order is not None:
            link = self.house.tokens.link(order.id)
            answer = client.get(f"/checkout/{order.id}?access={link}")
            assert answer.status_code == 302, answer.status
        return client

    def signed_in(self, who: Identity) -> FlaskClient:
        """A browser in which this person has signed in through the page."""
        client = self.app.test_client()
        assert who.user is not None
        page = client.get("/login").get_data(as_text=True)
        token = page.split('name="csrf_token" value="')[1].split('"')[0]
        answer = client.post(
            "/login",
            data={"email": who.user.email, "password": PASSWORD, "csrf_token": token},
        )
        assert answer.status_code == 303, answer.status
        return client
