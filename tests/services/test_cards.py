"""Saved cards: kept for their own person, told once, charged once, and never more than a name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import requests
from flask import Flask
from sqlalchemy import select

from payments.dialects import SALON
from payments.domain.cards import Card, KeptCard
from payments.domain.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    ProviderUnavailable,
    Unauthenticated,
)
from payments.domain.notice import RawCallback
from payments.domain.order import Order, Payment
from payments.domain.ports import Payer
from payments.services import card_shelf, cards, checkout
from payments.services.access import NOBODY, Identity
from payments.services.apply import apply
from payments.services.reconcile import reconcile_once
from payments.services.wallets.personal_facts import tell_person
from payments.store import inbox, outbox, tables, topics
from payments.store.cards import find as find_holder
from payments.store.db import db, in_transaction, now
from tests.outside import at_once, attempt_of
from tests.people import People
from tests.sandbox.payable_world import ENVIRONMENT, PayableWorld, payable_world
from tests.sandbox.world import served


@pytest.fixture
def ipg() -> Iterator[PayableWorld]:
    with payable_world() as one:
        yield one


@pytest.fixture
def environment(ipg: PayableWorld) -> dict[str, str]:
    return {**ENVIRONMENT, "PAYABLE_API_URL": f"{ipg.url}/payable"}


@pytest.fixture
def shop(app: Flask, people: People, ipg: PayableWorld) -> Iterator[Shop]:
    """The application on a port of its own, where the pretended PAYable reaches it."""
    with served(app) as url:
        object.__setattr__(people.house.settings, "public_url", url)
        yield Shop(people, ipg)


class Shop:
    def __init__(self, people: People, ipg: PayableWorld) -> None:
        self.people = people
        self.ipg = ipg
        self.rails = people.house.rails

    def order(self, who: Identity) -> Order:
        assert who.user is not None
        return self.people.order(235_000, "LKR", customer_id=who.user.id)

    def start(self, who: Identity, order: Order, **payer: Any) -> Payment:
        return self.people.in_app(
            checkout.start_payment,
            *(self.rails, who, order.id, "payable", Payer(**payer)),
            return_url="http://localhost/back",
            locale="en",
        )

    def keep(
        self, who: Identity, card: str = "visa", switches: dict[str, bool] | None = None
    ) -> str:
        """The reference of a payment whose card was kept and told."""
        payment = self.start(who, self.order(who), save_card=True)
        self.ipg.decide("pay", payment.reference, card=card, **(switches or {}))
        self.ipg.settled(payment.reference)
        return payment.reference

    def tell(self, later: timedelta = timedelta()) -> int:
        return self.people.in_app(cards.tell_new_cards, self.rails, now() + later)

    def saved(self, who: Identity) -> list[Card]:
        return self.people.in_app(cards.saved, self.rails, who)

    def told(self, who: Identity) -> Sequence[Any]:
        assert who.user is not None
        return self.people.in_app(outbox.of_topic, f"wallet:{who.user.id}", 0)

    def charge(self, who: Identity, order: Order, **more: Any) -> Payment:
        token = self.saved(who)[0].token_id
        payment = self.start(who, order, token_id=token, **more)
        self.ipg.settled(payment.reference)
        return payment

    def status(self, order: Order) -> tuple[str, str]:
        attempt = attempt_of(self.people, order.id)
        found = self.people.in_app(lambda: db.session.execute(select(tables.orders)).all())
        (status,) = [row.status for row in found if row.id == order.id]
        return status, attempt.status.value


def test_a_person_keeps_a_card_and_is_told_of_it_once(shop: Shop) -> None:
    mai = shop.people.owner
    assert mai.user is not None
    shop.keep(mai)
    assert shop.tell() == 1
    (fact,) = shop.told(mai)
    (card,) = shop.saved(mai)
    assert (fact.version, fact.event) == (1, "card.saved")
    assert fact.about == {"user_id": mai.user.id, "provider": "payable", **card.as_dict()}
    assert (card.masked_number, card.scheme, card.expiry) == ("411111xxxxxx1111", "VISA", "12/30")
    shop.ipg.post(f"/payments/{attempt_of(shop.people, fact_order(shop)).reference}/resend", {})
    assert shop.tell() + shop.tell(timedelta(minutes=5)) == 0
    assert len(shop.told(mai)) == 1


def fact_order(shop: Shop) -> str:
    row = shop.people.in_app(lambda: db.session.execute(select(tables.orders.c.id).limit(1)).one())
    return str(row.id)


def test_the_fact_of_a_card_is_what_a_salons_page_waits_for(shop: Shop) -> None:
    mai = shop.people.owner
    assert mai.user is not None
    shop.keep(mai)
    shop.tell()
    (fact,), (card,) = shop.told(mai), shop.saved(mai)
    (told,) = SALON.told(fact)
    assert (told.event, told.room(fact)) == ("payment:token-saved", f"user:{mai.user.id}")
    said = told.payload(fact, "now")
    assert said["tokenId"] == card.token_id
    assert said["data"] == {
        "maskedCardNo": card.masked_number,
        "cardScheme": "VISA",
        "exp": "12/30",
    }


def test_each_new_card_is_told_with_the_next_version(shop: Shop) -> None:
    mai = shop.people.owner
    for card in ("visa", "mastercard"):
        shop.keep(mai, card)
        assert shop.tell() == 1
    assert [(one.version, one.about["scheme"]) for one in shop.told(mai)] == [
        (1, "VISA"),
        (2, "MASTERCARD"),
    ]


@pytest.mark.parametrize("switch", ["twice", "reorder"])
def test_a_provider_that_repeats_itself_tells_of_one_card(shop: Shop, switch: str) -> None:
    shop.keep(shop.people.owner, switches={switch: True})
    assert shop.tell() == 1
    assert shop.tell(timedelta(minutes=5)) == 0


def test_two_processes_that_ask_at_once_tell_of_a_card_once(shop: Shop) -> None:
    shop.keep(shop.people.owner)
    soon = now()
    told = at_once(4, lambda _n: shop.people.in_app(cards.tell_new_cards, shop.rails, soon))
    assert sum(told) == 1
    assert len(shop.told(shop.people.owner)) == 1


def test_a_silent_provider_is_asked_and_the_card_is_kept_all_the_same(shop: Shop) -> None:
    mai = shop.people.owner
    order = shop.order(mai)
    payment = shop.start(mai, order, save_card=True)
    shop.ipg.decide("pay", payment.reference, silent=True)
    assert shop.status(order) == ("pending", "pending")
    later = now() + timedelta(minutes=1)
    assert shop.people.in_app(reconcile_once, shop.rails, "payable", later) == 1
    assert shop.status(order) == ("paid", "succeeded")
    assert shop.tell() == 1


def test_a_card_that_is_slow_to_come_is_looked_for_and_in_the_end_no_more(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.keep(shop.people.owner)
    provider, asked = shop.rails.rail("payable"), []

    def none_yet(_holder: object) -> list[Card]:
        asked.append(1)
        return []

    with monkeypatch.context() as changed:
        changed.setattr(provider, "cards", none_yet)
        for minutes in (0, 0, 1, 5, 70, 200, 400):
            assert shop.tell(timedelta(minutes=minutes)) == 0
    assert len(asked) == 4, "not twice at once, and no more after an hour"
    assert shop.tell(timedelta(minutes=500)) == 0


def test_a_provider_that_is_away_is_asked_again_and_left_in_peace_between(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.keep(shop.people.owner)

    def away(_holder: object) -> list[Card]:
        raise ProviderUnavailable("away")

    with monkeypatch.context() as changed:
        changed.setattr(shop.rails.rail("payable"), "cards", away)
        assert shop.tell() == 0
    assert shop.tell(timedelta(minutes=1)) == 1


def test_without_the_wish_no_card_is_kept(shop: Shop) -> None:
    mai = shop.people.owner
    order = shop.order(mai)
    payment = shop.start(mai, order)
    shop.ipg.decide("pay", payment.reference)
    shop.ipg.settled(payment.reference)
    assert shop.status(order) == ("paid", "succeeded")
    assert (shop.tell(), shop.saved(mai)) == (0, [])


def test_a_callback_that_names_another_holder_keeps_nothing(shop: Shop) -> None:
    """Who pays for a stranger's card does not get it, whatever the callback says."""
    mai, an = shop.people.owner, shop.people.stranger
    shop.keep(an)
    shop.tell()
    payment = shop.start(mai, shop.order(mai))
    (holder,) = shop.people.in_app(lambda: db.session.execute(select(tables.card_holders)).all())
    shop.ipg.decide("pay", payment.reference, silent=True)
    fetched = shop.people.in_app(shop.rails.rail("payable").fetch, payment)
    lie = replace(fetched.notices[0], kept_card=KeptCard(holder.reference, {"customer_id": "x"}))
    (verdict,) = shop.people.in_app(apply, [lie], RawCallback("payable", "fetch", fetched.body))
    assert verdict.word == "applied"
    (after,) = shop.people.in_app(lambda: db.session.execute(select(tables.card_holders)).all())
    assert after.handle == holder.handle


def test_one_tap_pays_with_a_kept_card(shop: Shop) -> None:
    mai = shop.people.owner
    shop.keep(mai)
    shop.tell()
    order = shop.order(mai)
    payment = shop.charge(mai, order)
    assert payment.action == {"type": "none"}
    assert shop.status(order) == ("paid", "succeeded")
    assert shop.tell() == 0, "paying with a card is not keeping one"


@pytest.mark.parametrize(
    "switches",
    [
        {"twice": True},
        {"reorder": True},
        {"wrong_amount": True},
        {"forged": True},
        {"silent": True},
    ],
    ids=lambda s: next(iter(s)),
)
def test_one_tap_ends_right_however_the_provider_behaves(
    shop: Shop, switches: dict[str, bool]
) -> None:
    mai = shop.people.owner
    shop.keep(mai)
    order = shop.order(mai)
    shop.ipg.post(f"/cards/{shop.saved(mai)[0].token_id}/next", switches)
    shop.charge(mai, order)
    later = now() + timedelta(minutes=1)
    shop.people.in_app(reconcile_once, shop.rails, "payable", later)
    assert shop.status(order) == ("paid", "succeeded")


def test_a_kept_card_that_is_declined_leaves_the_order_payable(shop: Shop) -> None:
    mai = shop.people.owner
    shop.keep(mai, "later")
    order = shop.order(mai)
    shop.charge(mai, order)
    assert shop.status(order) == ("pending", "failed")
    assert attempt_of(shop.people, order.id).failure_code == "card_declined"
    payment = shop.start(mai, order)
    shop.ipg.decide("pay", payment.reference)
    shop.ipg.settled(payment.reference)
    assert shop.status(order) == ("paid", "succeeded")


def test_a_double_tap_charges_once(shop: Shop) -> None:
    mai = shop.people.owner
    shop.keep(mai)
    order, token = shop.order(mai), shop.saved(mai)[0].token_id
    shop.ipg.app.config["ANSWER_SECONDS"] = 0.3

    def tap(_number: int) -> str:
        try:
            shop.start(mai, order, token_id=token)
        except Conflict as refusal:
            return refusal.code
        return "charged"

    ends = at_once(5, tap)
    assert ends.count("charged") == 1
    assert set(ends) <= {"charged", "payment_under_way", "order_not_payable"}
    listed = shop.ipg.get("/?still=1").text
    assert listed.count("Paid with a kept card") == 1


def test_another_persons_card_is_not_found_and_nothing_begins(shop: Shop) -> None:
    mai, an = shop.people.owner, shop.people.stranger
    shop.keep(mai)
    token, order = shop.saved(mai)[0].token_id, shop.order(an)
    for who in (an, shop.people.manager, shop.people.shop, NOBODY):
        with pytest.raises(NotFound):
            shop.start(who, order, token_id=token)
    assert shop.people.in_app(lambda: db.session.execute(select(tables.payments)).all())[1:] == []
    with pytest.raises(NotFound):
        shop.people.in_app(cards.remove, shop.rails, an, token)
    assert [card.token_id for card in shop.saved(mai)] == [token]


def test_a_card_is_kept_for_its_own_signed_in_customer_only(shop: Shop) -> None:
    """A clerk who helps at the counter must not end up with the customer's card."""
    order = shop.order(shop.people.owner)
    opened = frozenset({order.id})
    browser = Identity("browser", order_ids=opened)
    clerk_by_link = Identity("person", user=shop.people.clerk.user, order_ids=opened)
    others = (shop.people.clerk, shop.people.shop, shop.people.stranger, browser, clerk_by_link)
    for who in others:
        with pytest.raises(InvalidInput) as refused:
            shop.start(who, order, save_card=True)
        assert (refused.value.code, refused.value.field) == ("card_not_kept", "save_card")
    assert shop.people.in_app(lambda: db.session.execute(select(tables.payments)).all()) == []


def test_a_person_who_opened_the_order_by_its_link_may_have_the_card_kept(shop: Shop) -> None:
    order = shop.people.order(235_000, "LKR")
    who = Identity("person", user=shop.people.stranger.user, order_ids=frozenset({order.id}))
    assert shop.start(who, order, save_card=True).action is not None


def test_a_rail_that_keeps_no_cards_says_so(shop: Shop) -> None:
    mai = shop.people.owner
    assert mai.user is not None
    order = shop.people.order(50_000, "VND", customer_id=mai.user.id)
    with pytest.raises(InvalidInput) as refused:
        shop.people.in_app(
            checkout.start_payment,
            *(shop.rails, mai, order.id, "momo", Payer(save_card=True)),
            return_url="http://localhost/back",
            locale="en",
        )
    assert refused.value.field == "save_card"


def test_a_removed_card_is_gone_at_the_provider_and_told_again_if_it_is_kept_again(
    shop: Shop,
) -> None:
    mai = shop.people.owner
    shop.keep(mai)
    shop.tell()
    token = shop.saved(mai)[0].token_id
    assert shop.people.in_app(cards.remove, shop.rails, mai, token).token_id == token
    assert shop.saved(mai) == []
    with pytest.raises(NotFound):
        shop.people.in_app(cards.remove, shop.rails, mai, token)
    shop.keep(mai)
    assert shop.tell() == 1


def test_a_named_or_removed_card_is_told_and_no_process_shows_its_old_list(shop: Shop) -> None:
    mai = shop.people.owner
    assert mai.user is not None
    shop.keep(mai)
    shop.tell()

    def shown() -> list[str]:
        holder = shop.people.in_app(find_holder, "payable", mai.user.id if mai.user else "")
        assert holder is not None
        listed = shop.people.in_app(card_shelf.look, shop.rails, holder, now())
        return [card.nickname for card in listed]

    assert shown() == [""]
    token = shop.saved(mai)[0].token_id
    named = shop.people.in_app(cards.rename, shop.rails, mai, token, "For the shop")
    assert [card.nickname for card in shop.saved(mai)] == shown() == [named.nickname]
    shop.people.in_app(cards.remove, shop.rails, mai, token)
    assert shown() == []
    told = [(one.event, one.about["nickname"]) for one in shop.told(mai)]
    assert told[-2:] == [("card.renamed", "For the shop"), ("card.removed", "For the shop")]


def test_only_people_have_cards(shop: Shop) -> None:
    with pytest.raises(Forbidden):
        shop.saved(shop.people.shop)
    for who in (NOBODY, Identity("browser", order_ids=frozenset({"O1"}))):
        with pytest.raises(Unauthenticated):
            shop.saved(who)
    assert shop.saved(shop.people.owner) == []


def test_a_page_asks_for_the_list_once_a_minute_and_lives_without_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    mai = shop.people.owner
    assert mai.user is not None
    shop.keep(mai)
    provider, asked = shop.rails.rail("payable"), []
    real = provider.cards

    def counted(holder: Any) -> Sequence[Card]:
        asked.append(holder)
        if len(asked) == 2:
            raise ProviderUnavailable("away")
        return real(holder)

    monkeypatch.setattr(provider, "cards", counted)
    holder = shop.people.in_app(find_holder, "payable", mai.user.id)
    assert holder is not None

    def look(seconds: int) -> int:
        at = now() + timedelta(seconds=seconds)
        found: Sequence[Card] = shop.people.in_app(card_shelf.look, shop.rails, holder, at)
        return len(found)

    assert [look(0), look(30), look(59)] == [1, 1, 1]
    assert len(asked) == 1
    assert [look(61), look(100)] == [0, 0], "away: a page without the list, not a slow page"
    assert len(asked) == 2
    assert look(125) == 1


def test_versions_of_a_persons_topic_have_no_gap_and_no_double(people: People) -> None:
    def tell(number: int) -> None:
        def change() -> None:
            tell_person("U1", "card.saved", {"n": number})

        people.in_app(lambda: in_transaction(change))

    at_once(8, tell)
    assert people.in_app(topics.version, "wallet:U1") == 8
    assert people.in_app(topics.version, "wallet:U2") == 0
    assert [one.version for one in people.in_app(outbox.of_topic, "wallet:U1", 0)] == [*range(1, 9)]


NUMBERS = ("4111111111111111", "4111 1111 1111 1111", "5123451234512345", "5123 4512 3451 2345")


def test_no_number_of_a_card_reaches_our_tables_or_our_log(
    shop: Shop, capfd: pytest.CaptureFixture[str]
) -> None:
    """Typed on the hosted page, as people do; then looked for in every table, and in the log."""
    mai = shop.people.owner
    for number in NUMBERS[1::2]:
        payment = shop.start(mai, shop.order(mai), save_card=True)
        assert payment.handle is not None
        form = {"number": number, "expiry": "12/30", "code": "987", "result": "pay"}
        page = f"{shop.ipg.url}/payable/pages/{payment.handle['uid']}"
        requests.post(page, data=form, timeout=10, allow_redirects=False).raise_for_status()
        shop.ipg.settled(payment.reference)
    shop.tell()
    shop.charge(mai, shop.order(mai))

    def rows() -> str:
        found = []
        for table in db.metadata.sorted_tables:
            found += [repr(tuple(row)) for row in db.session.execute(select(table))]
        return "\n".join(found)

    kept = shop.people.in_app(rows)
    said = capfd.readouterr()
    assert "411111xxxxxx1111" in kept, "the test looks where cards would be"
    assert '"event": "callback"' in said.err, "the test reads the log"
    for number in NUMBERS:
        for text in (kept, said.out, said.err):
            assert number not in text
    assert json.dumps(ENVIRONMENT["PAYABLE_MERCHANT_TOKEN"]) not in said.err
    assert shop.people.in_app(inbox.unresolved) == []
