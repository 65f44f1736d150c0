"""The small client in somebody's frontend, in a real browser, against the server as it runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from playwright.sync_api import Browser

from payments.services.demo import PASSWORD
from payments.settings import load
from payments.store.db import db
from tests.e2e.frontend import Frontend, Wire, served_elsewhere
from tests.e2e.shop import Customer, Shop, customer, sign_in
from tests.realtime.deeds import CARD, tell_person
from tests.realtime.shop import database_app
from tests.servers import free_port

pytestmark = pytest.mark.long

ELSEWHERE = free_port()
LISTED = f"http://127.0.0.1:{ELSEWHERE}"
UNLISTED = f"http://localhost:{ELSEWHERE}"


@pytest.fixture(scope="module")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('shop') / 'shop.db'}"


@pytest.fixture(scope="module")
def shop(database_url: str) -> Iterator[Shop]:
    """A shop of which one other origin is a frontend."""
    with (
        Shop(CORS_ORIGINS=LISTED, DATABASE_URL=database_url) as running,
        served_elsewhere(ELSEWHERE, running.url),
    ):
        yield running


def our_page(one: Customer, shop: Shop, order: dict[str, Any]) -> Frontend:
    """A page of the shop's own origin, in a browser that has opened this order.

    Whoever wants to play with its sockets lays a `Wire` first.
    """
    one.open(order)
    one.page.goto(f"{shop.url}/login")
    frontend = Frontend(one.page, shop.url)
    frontend.load()
    return frontend


def open_sockets(shop: Shop) -> int:
    figures = requests.get(f"{shop.url}/metrics", timeout=10).text
    return next(
        int(float(line.split()[1]))
        for line in figures.splitlines()
        if line.startswith("paychime_open_sockets ")
    )


def test_a_frontend_hears_by_socket_that_its_order_is_paid(browser: Browser, shop: Shop) -> None:
    with customer(browser) as mai:
        order = shop.open_order()
        frontend = our_page(mai, shop, order)
        frontend.begin(order["id"])
        frontend.becomes("live")
        asked = len(frontend.asked)
        shop.phone(shop.start_momo(order["id"]))
        frontend.is_told("paid")
        assert frontend.versions == [1, 2, 3]
        assert frontend.states == ["live"]
        paid = frontend.now("heard.at(-1)")
        assert (paid["id"], paid["event"]) == (order["id"], "order.paid")
        assert paid["snapshot"]["amount_paid"] == 185_000
        assert frontend.asked[asked:] == [], "nothing was polled"
        assert mai.console == []


def test_staff_learn_what_the_payers_page_has_shown(browser: Browser, shop: Shop) -> None:
    with customer(browser) as mai, customer(browser) as clerk:
        order = shop.open_order()
        frontend = our_page(mai, shop, order)
        frontend.begin(order["id"])
        frontend.becomes("live")
        # Our own page has been open for a moment and may have said that it shows version 1.
        shop.start_momo(order["id"])
        sign_in(clerk, shop, "clerk@demo.test")
        clerk.page.goto(f"{shop.url}/staff/orders/{order['id']}")
        assert "screen shows version 2" not in clerk.page.inner_text("main")
        frontend.now(f"client.seen('{order['id']}', 2)")
        clerk.page.wait_for_selector("main:has-text('screen shows version 2')", timeout=5000)


def test_a_module_imports_the_same_client(browser: Browser, shop: Shop) -> None:
    with customer(browser) as mai:
        order = shop.open_order()
        frontend = our_page(mai, shop, order)
        frontend.now("delete globalThis.Paychime")
        frontend.now("""async () => {
          const { connect } = await import('/static/js/paychime-client.mjs');
          window.client = connect();
        }""")
        frontend.becomes("live")


def test_where_sockets_are_blocked_it_polls_and_returns_to_the_socket(
    browser: Browser, shop: Shop
) -> None:
    with customer(browser) as mai:
        order = shop.open_order()
        wire = Wire(mai.page)
        frontend = our_page(mai, shop, order)
        wire.cut = True
        begun = time.monotonic()
        frontend.begin(order["id"])
        frontend.becomes("polling")
        assert time.monotonic() - begun < 4, "before the socket has given up its first try"
        shop.phone(shop.start_momo(order["id"]))
        frontend.is_told("paid", 8)
        assert frontend.now("client.status") == "polling"
        wire.cut = False
        frontend.becomes("live", 35)
        rounds = len(frontend.asked)
        mai.page.wait_for_timeout(5000)
        assert not [url for url in frontend.asked[rounds:] if "/events" in url], "polls no more"
        assert frontend.versions == sorted(set(frontend.versions))
        assert wire.cuts > 0
        assert "offline" not in frontend.states


def test_a_server_that_is_gone_is_said_and_what_it_did_meanwhile_is_shown(
    browser: Browser,
) -> None:
    with Shop() as shop, customer(browser) as mai:
        order = shop.open_order()
        frontend = our_page(mai, shop, order)
        frontend.begin(order["id"])
        frontend.becomes("live")
        shop.server.kill()
        frontend.becomes("offline", 20)
        shop.server.start()
        shop.start_momo(order["id"])
        frontend.becomes("live", 20)
        frontend.waits_until("heard.at(-1).version === 2")
        assert frontend.states[:2] != ["live", "live"]


def test_an_update_that_comes_twice_is_told_once(browser: Browser, shop: Shop) -> None:
    with customer(browser) as mai:
        order = shop.open_order()
        wire = Wire(mai.page)
        frontend = our_page(mai, shop, order)
        wire.repeat = True
        frontend.begin(order["id"])
        frontend.becomes("live")
        shop.phone(shop.start_momo(order["id"]), twice=True)
        frontend.is_told("paid")
        mai.page.wait_for_timeout(1500)
        assert wire.repeats >= 2
        assert frontend.versions == [1, 2, 3]


def test_where_an_update_is_missing_it_asks_again(browser: Browser, shop: Shop) -> None:
    with customer(browser) as mai:
        order = shop.open_order()
        wire = Wire(mai.page)
        frontend = our_page(mai, shop, order)
        wire.swallow = 1
        frontend.begin(order["id"])
        frontend.becomes("live")
        reference = shop.start_momo(order["id"])  # version 2 is lost
        mai.page.wait_for_timeout(500)
        assert frontend.versions == [1]
        shop.phone(reference)
        frontend.is_told("paid")
        assert frontend.versions == [1, 3]
        watches = [said for said in wire.said if '"watch"' in said]
        assert len(watches) == 2
        assert '"after":1' in watches[1]


def test_who_subscribes_later_is_told_the_present_and_may_stop(
    browser: Browser, shop: Shop
) -> None:
    with customer(browser) as mai:
        order = shop.open_order()
        frontend = our_page(mai, shop, order)
        frontend.begin(order["id"])
        frontend.becomes("live")
        frontend.now(f"""() => {{
          window.second = [];
          client.subscribe('{order["id"]}', (told) => second.push(told.version));
        }}""")
        assert frontend.now("second") == [1]
        frontend.now("stop()")
        shop.start_momo(order["id"])
        frontend.waits_until("second.length === 2")
        assert frontend.now("second") == [1, 2]
        assert frontend.versions == [1]


def test_who_saved_a_card_is_told(
    browser: Browser, shop: Shop, database_url: str, tmp_path: Path
) -> None:
    with customer(browser) as mai:
        login = {"email": "mai@demo.test", "password": PASSWORD}
        token = requests.post(f"{shop.url}/api/v1/auth/token", json=login, timeout=10).json()
        user_id = jwt.decode(token["token"], options={"verify_signature": False})["sub"]
        frontend = our_page(mai, shop, shop.open_order())
        frontend.now(f"""() => {{
          window.cards = []; window.states = []; window.heard = []; window.refused = [];
          window.client = Paychime.connect({{ token: '{token["token"]}', salon: '7' }});
          window.stop = client.onTokenSaved((card) => cards.push(card));
        }}""")
        frontend.becomes("live")
        mai.page.wait_for_timeout(500)  # the salon's namespace follows on the same connection
        about = {"APP_ENV": "test", "SECRET_KEY": "of no use here", "DATABASE_URL": database_url}
        app = database_app(load({**about, "INSTANCE_PATH": str(tmp_path)}))
        with app.app_context():
            tell_person(user_id, "card.saved", **CARD, user_id=user_id)
            db.engine.dispose()
        frontend.waits_until("cards.length === 1")
        assert frontend.now("cards[0].tokenId") == CARD["token_id"]
        assert len(frontend.sockets) == 1, "one connection for both namespaces"
        frontend.now("client.disconnect()")
        mai.page.wait_for_timeout(200)
        assert frontend.sockets[0].is_closed()


def test_disconnect_leaves_nothing_open(browser: Browser, shop: Shop) -> None:
    with customer(browser) as mai:
        order = shop.open_order()
        frontend = our_page(mai, shop, order)
        before = open_sockets(shop)
        frontend.begin(order["id"])
        frontend.becomes("live")
        assert open_sockets(shop) == before + 1
        frontend.now("client.disconnect()")
        assert frontend.now("client.status") == "offline"
        asked, sockets = len(frontend.asked), len(frontend.sockets)
        shop.start_momo(order["id"])
        mai.page.evaluate("dispatchEvent(new Event('online'))")
        mai.page.wait_for_timeout(4000)
        assert all(socket.is_closed() for socket in frontend.sockets)
        assert (len(frontend.asked), len(frontend.sockets)) == (asked, sockets)
        assert frontend.versions == [1]
        assert frontend.states == ["live", "offline"]
        assert open_sockets(shop) == before


def test_disconnect_while_polling_ends_the_polls(browser: Browser, shop: Shop) -> None:
    with customer(browser) as mai:
        order = shop.open_order()
        wire = Wire(mai.page)
        frontend = our_page(mai, shop, order)
        wire.cut = True
        frontend.begin(order["id"])
        frontend.becomes("polling")
        frontend.now("client.disconnect()")
        asked, sockets = len(frontend.asked), len(frontend.sockets)
        mai.page.wait_for_timeout(5000)
        assert (len(frontend.asked), len(frontend.sockets)) == (asked, sockets)


def test_a_stranger_is_refused_and_told_why(browser: Browser, shop: Shop) -> None:
    with customer(browser) as stranger:
        mine, other = shop.open_order(), shop.open_order()
        frontend = our_page(stranger, shop, mine)
        frontend.begin(other["id"])
        frontend.waits_until("refused.length > 0")
        assert frontend.now("refused") == [{"id": other["id"], "error": "not_found"}]
        shop.start_momo(other["id"])
        stranger.page.wait_for_timeout(1000)
        assert frontend.versions == []


class TestOnAnotherOrigin:
    """The frontend's own page: no cookie of ours reaches it, an order's watch token does."""

    def open(self, one: Customer, shop: Shop, origin: str) -> Frontend:
        frontend = Frontend(one.page, shop.url)
        one.page.goto(origin)
        return frontend

    def test_a_listed_frontend_hears_with_a_watch_token(self, browser: Browser, shop: Shop) -> None:
        with customer(browser) as mai:
            order = shop.open_order()
            frontend = self.open(mai, shop, LISTED)
            frontend.begin(order["id"], url=shop.url, token=order["watch_token"])
            frontend.becomes("live")
            shop.phone(shop.start_momo(order["id"]))
            frontend.is_told("paid")
            assert mai.console == []

    @pytest.mark.parametrize("transports", [["polling"], ["polling", "websocket"]])
    def test_a_listed_frontend_may_begin_with_long_polling(
        self, browser: Browser, shop: Shop, transports: list[str]
    ) -> None:
        with customer(browser) as mai:
            order = shop.open_order()
            frontend = self.open(mai, shop, LISTED)
            about = {"url": shop.url, "token": order["watch_token"], "transports": transports}
            frontend.begin(order["id"], **about)
            frontend.becomes("live")
            shop.phone(shop.start_momo(order["id"]))
            frontend.is_told("paid")
            assert mai.console == []

    def test_a_listed_frontend_polls_with_a_watch_token(self, browser: Browser, shop: Shop) -> None:
        with customer(browser) as mai:
            order = shop.open_order()
            Wire(mai.page).cut = True
            frontend = self.open(mai, shop, LISTED)
            frontend.begin(order["id"], url=shop.url, token=order["watch_token"])
            frontend.becomes("polling")
            shop.phone(shop.start_momo(order["id"]))
            frontend.is_told("paid")

    def test_a_watch_token_is_good_for_its_order_alone(self, browser: Browser, shop: Shop) -> None:
        with customer(browser) as mai:
            order, other = shop.open_order(), shop.open_order()
            frontend = self.open(mai, shop, LISTED)
            frontend.begin(other["id"], url=shop.url, token=order["watch_token"])
            frontend.waits_until("refused.length > 0")
            assert frontend.now("refused") == [{"id": other["id"], "error": "not_found"}]

    def test_a_wrong_token_is_said_and_tried_again_by_the_next(
        self, browser: Browser, shop: Shop
    ) -> None:
        with customer(browser) as mai:
            order = shop.open_order()
            frontend = self.open(mai, shop, LISTED)
            # A token that has run out, then a fresh one: the function is asked at each connection.
            frontend.now(f"""() => {{
              window.tokens = ['wt_wrong', 'wt_wrong']; window.heard = []; window.refused = [];
              window.client = Paychime.connect({{
                url: '{shop.url}',
                token: async () => tokens.shift() || '{order["watch_token"]}',
                onRefused: (refusal) => refused.push(refusal),
              }});
              client.subscribe('{order["id"]}', (told) => heard.push(told));
            }}""")
            frontend.waits_until("refused.length === 1")
            assert frontend.now("refused[0].error") == "unauthorized"
            frontend.becomes("live", 10)
            assert frontend.versions == [1]

    def test_an_origin_that_is_not_listed_hears_nothing(self, browser: Browser, shop: Shop) -> None:
        with customer(browser) as mai:
            order = shop.open_order()
            frontend = self.open(mai, shop, UNLISTED)
            frontend.begin(order["id"], url=shop.url, token=order["watch_token"])
            frontend.becomes("offline")
            shop.phone(shop.start_momo(order["id"]))
            mai.page.wait_for_timeout(4000)
            assert frontend.versions == []
            assert set(frontend.states) == {"offline"}
            assert any("CORS" in said for said in mai.console)

    def test_no_path_but_the_api_can_be_read_from_there(self, browser: Browser, shop: Shop) -> None:
        with customer(browser) as mai:
            self.open(mai, shop, LISTED)
            read = """(url) => fetch(url).then((answer) => answer.status, () => 'refused')"""
            told = {
                path: mai.page.evaluate(read, shop.url + path)
                for path in ("/api/openapi.json", "/healthz", "/login", "/static/js/live.js")
            }
            assert told.pop("/api/openapi.json") == 200
            assert set(told.values()) == {"refused"}
