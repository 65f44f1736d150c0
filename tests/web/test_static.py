"""What every page loads is small, and what could leak by its size is not compressed."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.outside import ON_SQLITE
from tests.people import People

BROWSER = {"Accept-Encoding": "gzip, deflate"}

pytestmark = ON_SQLITE


@pytest.mark.parametrize("path", ["/static/js/live.js", "/static/css/paychime.css"])
def test_scripts_and_style_are_sent_compressed(client: FlaskClient, path: str) -> None:
    plain = client.get(path, headers={"Accept-Encoding": ""})
    small = client.get(path, headers=BROWSER)
    assert small.headers["Content-Encoding"] in {"gzip", "deflate"}
    assert len(small.get_data()) < len(plain.get_data()) / 2


def test_a_page_with_secrets_is_never_compressed(people: People) -> None:
    order = people.order()
    page = people.browser(order).get(f"/checkout/{order.id}", headers=BROWSER)
    assert "Content-Encoding" not in page.headers


def test_the_first_load_of_checkout_is_under_60_kb(people: People) -> None:
    order = people.order()
    browser = people.browser(order)
    page = browser.get(f"/checkout/{order.id}", headers=BROWSER)
    text = page.get_data(as_text=True)
    linked = {
        part.split('"')[0]
        for mark in ('src="', 'href="')
        for part in text.split(mark)[1:]
        if part.startswith("/static/")
    }
    assert len(linked) >= 4
    loaded = sum(len(browser.get(path, headers=BROWSER).get_data()) for path in linked)
    assert loaded + len(page.get_data()) < 60_000
