"""Who may connect, from where, and until when."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
import socketio.exceptions
import websocket
from sqlalchemy import update

from payments.store import people
from payments.store.db import db, in_transaction, now
from payments.store.tables import users
from tests.realtime.conftest import ByHand, Shop, Visit, Visitor, eventually

ConnectionRefused = socketio.exceptions.ConnectionError


def expired(shop: Shop) -> str:
    claims = {"sub": "somebody", "exp": int((now() - timedelta(minutes=1)).timestamp())}
    return jwt.encode(claims, shop.settings.jwt_secrets[0], algorithm="HS256")


@pytest.mark.parametrize("token", ["nonsense", "pk_wrong", "wt_wrong", "a.b.c"])
def test_a_wrong_token_is_refused(a_shop: Shop, visit: Visit, token: str, by_hand: ByHand) -> None:
    assert by_hand(a_shop).connect({"token": token}) == {"message": "unauthorized"}
    with pytest.raises(ConnectionRefused):
        visit(a_shop, token)


def test_an_expired_token_is_refused(a_shop: Shop, by_hand: ByHand) -> None:
    assert by_hand(a_shop).connect({"token": expired(a_shop)}) == {"message": "unauthorized"}


@pytest.mark.parametrize("token", [5, ["x"], {"a": 1}, True])
def test_a_token_that_is_no_text_is_refused(a_shop: Shop, token: Any, by_hand: ByHand) -> None:
    assert by_hand(a_shop).connect({"token": token}) == {"message": "unauthorized"}


@pytest.mark.parametrize("auth", [None, {}, {"token": None}, {"token": ""}, [], "text", 5])
def test_nobody_may_connect_from_our_own_page(a_shop: Shop, auth: Any, by_hand: ByHand) -> None:
    page = by_hand(a_shop, origin=a_shop.url)
    assert "sid" in page.connect(auth)
    assert page.ask("watch", {"topic": "order:any"}) == {"ok": False, "error": "not_found"}


def test_without_an_origin_a_token_is_needed(a_shop: Shop, by_hand: ByHand) -> None:
    assert by_hand(a_shop).connect(None) == {"message": "unauthorized"}
    token = a_shop.watch_token(a_shop.order())
    assert "sid" in by_hand(a_shop).connect({"token": token})


def test_a_browser_that_says_same_origin_needs_no_origin(a_shop: Shop, visit: Visit) -> None:
    visit(a_shop, headers={"Sec-Fetch-Site": "same-origin"}, transports=("polling",))
    with pytest.raises(ConnectionRefused):
        visit(a_shop, headers={"Sec-Fetch-Site": "cross-site"}, transports=("polling",))
    with pytest.raises(ConnectionRefused):
        visit(a_shop, transports=("polling",))


FOREIGN = ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost", "file://"]


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_foreign_origin_is_refused_at_the_handshake(
    a_shop: Shop, origin: str, by_hand: ByHand
) -> None:
    token = a_shop.watch_token(a_shop.order())
    with pytest.raises(websocket.WebSocketBadStatusException, match="400"):
        by_hand(a_shop, origin=origin).connect({"token": token})


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_foreign_origin_is_refused_at_polling_too(
    a_shop: Shop, visit: Visit, origin: str
) -> None:
    with pytest.raises(ConnectionRefused):
        visit(
            a_shop,
            a_shop.watch_token(a_shop.order()),
            transports=("polling",),
            headers={"Origin": origin},
        )


def test_a_listed_origin_may_connect(own_shop: Callable[..., Shop], by_hand: ByHand) -> None:
    shop = own_shop(
        CORS_ORIGINS="https://front.example,https://other.example:8443",
        PUBLIC_URL="https://pay.example:443",
    )
    for origin in (
        "https://front.example",
        "https://other.example:8443",
        "https://pay.example",
        "https://front.example:443",
    ):
        assert "sid" in by_hand(shop, origin=origin).connect(None)
    for origin in ("http://front.example", "https://other.example", shop.url):
        with pytest.raises(websocket.WebSocketBadStatusException):
            by_hand(shop, origin=origin).connect(None)


def test_in_development_the_named_host_is_ours_too(
    own_shop: Callable[..., Shop], by_hand: ByHand
) -> None:
    shop = own_shop(APP_ENV="development", SANDBOX="0")
    host = f"localhost:{shop.port}"
    page = by_hand(shop, origin=f"http://{host}", host=host)
    assert "sid" in page.connect(None)
    with pytest.raises(websocket.WebSocketBadStatusException):
        by_hand(shop, origin="http://evil.example", host=host).connect(None)


def test_an_address_has_only_so_many_sockets(
    own_shop: Callable[..., Shop], by_hand: ByHand
) -> None:
    shop = own_shop(SOCKETS_PER_ADDRESS="3")
    pages = [by_hand(shop, origin=shop.url) for _ in range(3)]
    for page in pages:
        page.connect(None)
    with pytest.raises(websocket.WebSocketBadStatusException, match="401"):
        by_hand(shop, origin=shop.url).connect(None)
    pages.pop().close()
    eventually(lambda: shop.figure("paychime_open_sockets") == 2)
    assert "sid" in by_hand(shop, origin=shop.url).connect(None)


def ends(user_id: str, **values: Any) -> Callable[[], None]:
    def change() -> None:
        db.session.execute(update(users).where(users.c.id == user_id).values(**values))

    return lambda: in_transaction(change)


ENDINGS: dict[str, Callable[[str], Callable[[], None]]] = {
    "disabled": lambda name: ends(name, disabled_at=now()),
    "lost the role": lambda name: ends(name, role="customer"),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_socket_is_closed_within_five_seconds(a_shop: Shop, visit: Visit, ending: str) -> None:
    name = f"{a_shop.mode}-{ending.replace(' ', '-')}"
    clerk = visit(a_shop, a_shop.person_token(name, "clerk"), reconnection=True)
    bystander = visit(a_shop, a_shop.person_token(f"{name}-colleague", "clerk"))
    order = a_shop.order()
    assert clerk.watch(order)["ok"]
    assert bystander.watch(order)["ok"]
    a_shop.elsewhere(ENDINGS[ending](name))
    ended_at = time.monotonic()
    clerk.wait_for("disconnect", seconds=5)
    assert time.monotonic() - ended_at < 5
    a_shop.move(order)
    bystander.wait_for("update")
    assert clerk.versions() == []
    assert stays_away(clerk)


def test_logging_out_closes_the_sockets_of_that_login_alone(a_shop: Shop, visit: Visit) -> None:
    name = f"{a_shop.mode}-two-browsers"
    shops_own = a_shop.person_token(name)
    here, there = (a_shop.elsewhere(begin_login, name) for _ in range(2))
    gone, salon = (
        visit(a_shop, a_shop.tokens.person(name, here)[0], namespace=namespace, reconnection=True)
        for namespace in ("/", "/ws/payments/salon/any")
    )
    stays = [visit(a_shop, a_shop.tokens.person(name, there)[0]), visit(a_shop, shops_own)]
    a_shop.elsewhere(lambda: in_transaction(lambda: people.end_login(here)))
    ended_at = time.monotonic()
    for page in (gone, salon):
        page.wait_for("disconnect", seconds=5)
    assert time.monotonic() - ended_at < 5
    assert stays_away(gone)
    assert all(page.client.connected for page in stays)
    with pytest.raises(ConnectionRefused):
        visit(a_shop, a_shop.tokens.person(name, here)[0])


def begin_login(name: str) -> str:
    return in_transaction(lambda: people.begin_login(name))


def test_a_session_id_of_the_shops_own_backend_is_no_login_of_ours(
    a_shop: Shop, by_hand: ByHand
) -> None:
    for sid in ("their-session", "a\x00b", 5, ["x"], "L" + "0" * 24):
        claims = {"sub": f"{a_shop.mode}-sid", "exp": int(time.time()) + 60, "sid": sid}
        token = jwt.encode(claims, a_shop.settings.jwt_secrets[0], algorithm="HS256")
        assert "sid" in by_hand(a_shop).connect({"token": token})


def stays_away(visitor: Visitor) -> bool:
    """The official client takes a Socket.IO disconnect for the server's last word."""
    time.sleep(1)
    return len(visitor.all("connect")) == 1 and not visitor.client.connected


def test_a_forged_goodbye_does_not_hide_a_socket(a_shop: Shop, by_hand: ByHand) -> None:
    name = f"{a_shop.mode}-forger"
    page = by_hand(a_shop)
    page.connect({"token": a_shop.person_token(name, "clerk")})
    order = a_shop.order()
    assert page.ask("watch", {"topic": f"order:{order.id}"})["ok"]
    page.send('42["disconnect","transport close"]')
    page.send('42["connect",{"token":"x"}]')
    a_shop.elsewhere(ENDINGS["disabled"](name))
    assert page.until(lambda message: message == "41")
