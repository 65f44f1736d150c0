"""The four kinds of proof, and whose an order is."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from payments.domain.errors import Forbidden, NotFound, Unauthenticated
from payments.domain.order import Order
from payments.domain.states import OrderStatus
from payments.services import access, checkout, expire
from payments.services.access import (
    NOBODY,
    PERMISSIONS,
    Identity,
    demand,
    link_is_open,
    may_see,
    order_for,
    order_seen_by,
)
from payments.services.tokens import Tokens
from payments.settings import load
from payments.store import orders, tables
from payments.store.db import db, in_transaction
from tests.conftest import ENVIRONMENT
from tests.outside import ON_SQLITE
from tests.people import People

OLD, NEW = "an old secret of the tests", "a new secret of the tests"


def tokens(tmp_path: Path, secrets: str, **more: str) -> Tokens:
    return Tokens(
        load({**ENVIRONMENT, "SECRET_KEY": secrets, "INSTANCE_PATH": str(tmp_path), **more})
    )


@pytest.mark.parametrize("kind", ["watch", "link", "browser"])
def test_during_a_rotation_both_secrets_verify_and_after_it_one(tmp_path: Path, kind: str) -> None:
    old, both, new = (tokens(tmp_path, text) for text in (OLD, f"{NEW},{OLD}", NEW))
    make = {"watch": Tokens.watch, "link": Tokens.link}

    def made(by: Tokens) -> str:
        if kind == "browser":
            return by.browser(["O1"])
        return make[kind](by, "O1").removeprefix("wt_")

    signed: object = ["O1"] if kind == "browser" else "O1"
    assert both.read(kind, made(old)) == both.read(kind, made(new)) == signed
    assert made(both) == made(new)
    assert new.read(kind, made(both)) == signed
    assert new.read(kind, made(old)) is None


def test_during_a_rotation_of_the_secret_key_tokens_of_people_stay_good(
    tmp_path: Path, people: People
) -> None:
    owner = people.owner.user
    assert owner is not None
    token = tokens(tmp_path, OLD).person(owner.id)[0]
    both = tokens(tmp_path, f"{NEW},{OLD}")
    assert people.in_app(both.identify, token).user == owner
    with pytest.raises(Unauthenticated):
        people.in_app(tokens(tmp_path, NEW).identify, token)


def test_one_kind_of_proof_is_not_another(tmp_path: Path) -> None:
    mint = tokens(tmp_path, OLD)
    made = {
        "watch": mint.watch("O1").removeprefix("wt_"),
        "link": mint.link("O1"),
        "browser": mint.browser(["O1"]),
    }
    for kind, text in made.items():
        assert [other for other in made if mint.read(other, text) is not None] == [kind]


def test_a_proof_with_any_character_changed_is_none(tmp_path: Path) -> None:
    mint = tokens(tmp_path, OLD)
    link = mint.link("O1")
    assert mint.read("link", link) == "O1"
    for place in range(len(link)):
        for other in ("A", "-", "."):
            changed = link[:place] + other + link[place + 1 :]
            # The last character's lowest bits are padding: base64 of the same bytes is no forgery.
            if changed != link and mint.read("link", changed) is not None:
                assert place == len(link) - 1
                assert mint.read("link", changed) == "O1"


@pytest.mark.parametrize("text", ["", ".", "x", "..", "a.b", "é.é", "\udc80", "a" * 100_000])
def test_what_nobody_signed_is_no_proof(tmp_path: Path, text: str) -> None:
    mint = tokens(tmp_path, OLD)
    for kind in ("watch", "link", "browser"):
        assert mint.read(kind, text) is None


@ON_SQLITE
@pytest.mark.parametrize("text", ["", "wt_", "pk_", "wt_\udc80", "pk_\udc80", "\udc80", "a.b.\x00"])
def test_what_is_no_token_is_nobodys(people: People, text: str) -> None:
    with pytest.raises(Unauthenticated):
        people.in_app(people.house.tokens.identify, text)


@ON_SQLITE
def test_an_order_is_its_owners_its_browsers_and_the_shops(people: People) -> None:
    owner = people.owner.user
    assert owner is not None
    order = people.order(customer_id=owner.id)
    browser = Identity("browser", order_ids=frozenset({order.id}))
    watcher = Identity("watch", order_ids=frozenset({order.id}))
    for who in (people.owner, people.shop, people.clerk, people.accountant, browser, watcher):
        assert may_see(who, order)
        assert people.in_app(order_seen_by, who, order.id) == order
    for who in (people.stranger, NOBODY, Identity("browser", order_ids=frozenset({"other"}))):
        assert not may_see(who, order)
        for order_id in (order.id, "none"):
            with pytest.raises(NotFound) as refused:
                people.in_app(order_for, who, order_id)
            assert refused.value.message == NotFound().message


@ON_SQLITE
def test_a_watcher_looks_and_does_not_touch(people: People) -> None:
    order = people.order()
    watcher = Identity("watch", order_ids=frozenset({order.id}))
    assert people.in_app(order_seen_by, watcher, order.id) == order
    with pytest.raises(Forbidden):
        people.in_app(order_for, watcher, order.id)
    with pytest.raises(NotFound):
        people.in_app(order_for, watcher, people.order().id)


def test_only_people_confirm_and_only_the_second_pair_of_eyes_approves() -> None:
    def those_who(permission: str) -> set[str]:
        return {role for role, may in PERMISSIONS.items() if permission in may}

    assert those_who("order.confirm") == {"clerk", "manager", "admin"}
    assert those_who("order.approve") == {"manager", "admin"}
    assert those_who("order.refund") == {"manager", "admin", "key"}
    assert those_who("order.see") == {"clerk", "manager", "accountant", "admin", "key"}
    assert PERMISSIONS["customer"] == frozenset()


def test_who_has_a_role_of_none_has_no_right() -> None:
    for permission in sorted(frozenset().union(*PERMISSIONS.values())):
        with pytest.raises(Unauthenticated):
            demand(NOBODY, permission)
        with pytest.raises(Unauthenticated):
            demand(Identity("browser", order_ids=frozenset({"O1"})), permission)
        with pytest.raises(Forbidden):
            demand(Identity("watch", order_ids=frozenset({"O1"})), permission)


class TestTheAccessLink:
    """It is good until 30 days after the order's end."""

    @pytest.fixture
    def ended(self, people: People) -> Order:
        order = people.order()
        return people.in_app(checkout.cancel, people.shop, order.id, "Sold out")

    def after(self, monkeypatch: pytest.MonkeyPatch, order: Order, **time: float) -> bool:
        assert order.ended_at is not None
        at = order.ended_at + timedelta(**time)
        monkeypatch.setattr(access, "now", lambda: at)
        return link_is_open(order)

    @ON_SQLITE
    def test_it_runs_out_thirty_days_after_the_end(
        self, ended: Order, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert self.after(monkeypatch, ended, seconds=0)
        assert self.after(monkeypatch, ended, days=30, seconds=-1)
        assert not self.after(monkeypatch, ended, days=30)

    @ON_SQLITE
    def test_it_is_good_while_the_order_is_open(
        self, people: People, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        order = people.order()
        monkeypatch.setattr(access, "now", lambda: order.expires_at + timedelta(days=400))
        assert link_is_open(order)

    def test_it_counts_from_the_end_and_not_from_what_came_later(self, people: People) -> None:
        order = people.order()
        people.in_app(expire.expire_once, order.expires_at)
        ended = people.in_app(orders.find, order.id)
        assert ended is not None
        assert ended.status is OrderStatus.EXPIRED

        def long_ago() -> None:
            row = tables.orders.c
            at = ended.ended_at and ended.ended_at - timedelta(days=31)
            db.session.execute(update(tables.orders).where(row.id == order.id).values(ended_at=at))

        people.in_app(in_transaction, long_ago)
        old = people.in_app(orders.find, order.id)
        assert old is not None
        assert not link_is_open(old)
