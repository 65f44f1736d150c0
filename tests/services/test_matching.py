"""Money from bank feeds finds its order by our memo alone, and counts once whoever tells of it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from payments.domain.errors import Conflict
from payments.domain.memo import ALPHABET, LENGTH, references_in
from payments.domain.order import Order, Payment
from payments.domain.transfers import Line, same_transfer
from payments.services import checkout, confirm, expire
from payments.services.confirm import Confirmed
from payments.services.ids import new_reference
from payments.store import bank_lines, confirmations, inbox, ledger, orders, payments
from tests.feeds import SETTINGS, Told, Transfer, casso, gateway, pay2s, payos, sepay
from tests.outside import ON_SQLITE, at_once, count, seen
from tests.people import People
from tests.services.test_apply import attempt

PRICE = 50_000
FT = "FT26305112233"
Feed = Callable[[Transfer], Told]
FEEDS: dict[str, Feed] = {"pay2s": pay2s, "sepay": sepay, "casso": casso, "payos": payos}


@pytest.fixture
def environment() -> dict[str, str]:
    return {**SETTINGS, "CONFIRM_LIMIT": f"VND:{PRICE}"}


@pytest.fixture
def order(people: People) -> Order:
    return people.order(PRICE)


@pytest.fixture
def memo(people: People, order: Order) -> str:
    return attempt(people, order, "bank").reference


def found(people: People, order: Order) -> Order:
    now = people.in_app(orders.find, order.id)
    assert now is not None
    return now


def state(people: People, order: Order) -> tuple[str, int]:
    now = found(people, order)
    return now.status.value, now.amount_paid


def balances(people: People) -> dict[str, int]:
    return {account: n for (account, _), n in people.in_app(ledger.balances).items() if n}


def sound(people: People) -> None:
    assert people.in_app(lambda: list(ledger.faults())) == []


def waiting(people: People) -> list[tuple[int, str | None]]:
    """Amounts that are held for nobody, with the reason."""
    return [(one.amount, one.reason) for one in people.in_app(bank_lines.waiting)]


def attempts(people: People, order: Order) -> list[Payment]:
    return list(people.in_app(payments.of_order, order.id))


class TestByTheMemo:
    @pytest.mark.parametrize("feed", FEEDS)
    def test_each_feed_pays_the_order_that_its_line_names(
        self, app: Flask, people: People, order: Order, memo: str, feed: str
    ) -> None:
        assert FEEDS[feed](Transfer(f"ct den {memo} GD 789604", PRICE, 7, FT)).to(app) == 200
        assert state(people, order) == ("paid", PRICE)
        assert balances(people) == {"clearing:bank": PRICE, "revenue": -PRICE}
        (paid,) = attempts(people, order)
        assert paid.transaction_id == (f"payos:{FT}" if feed == "payos" else f"{feed}:7")
        assert waiting(people) == []
        sound(people)

    def test_the_gateway_pays_it_too(
        self, app: Flask, people: People, order: Order, memo: str
    ) -> None:
        assert gateway(memo, PRICE, code=9000, id=0).to(app) == 200
        assert gateway(memo, PRICE, code=1006, id=0).to(app) == 200
        assert state(people, order) == ("pending", 0)
        assert attempts(people, order)[0].status.value == "failed"
        assert gateway(memo, PRICE, id=5).to(app) == 200
        assert state(people, order) == ("paid", PRICE)
        sound(people)

    @given(
        before=st.text(max_size=40), after=st.text(max_size=40), lower=st.booleans(), data=st.data()
    )
    def test_whatever_stands_around_it_a_whole_memo_is_found_and_a_cut_one_is_not(
        self, before: str, after: str, lower: bool, data: st.DataObject
    ) -> None:
        memo = "P" + "".join(
            data.draw(st.lists(st.sampled_from(ALPHABET), min_size=14, max_size=14))
        )
        written = memo.lower() if lower else memo
        assert memo in references_in(before + written + after)
        place = data.draw(st.integers(0, LENGTH - 1))
        cut = written[:place] + written[place + 1 :]
        assert memo not in references_in(f"{cut} {after}") or memo in references_in(after)

    @ON_SQLITE
    @pytest.mark.parametrize(
        "text",
        [
            "{memo}", "{lower}", "  {memo}  ", "MBVCB.3278907687.{memo}.CT tu 0071 A toi 0011",
            "NGUYENVANACHUYENTIEN{memo}FT26305", "QR-{lower}-Cà phê", "{memo}{memo}",
        ],
    )  # fmt: skip
    def test_noise_and_case_do_not_count(
        self, app: Flask, people: People, order: Order, memo: str, text: str
    ) -> None:
        pay2s(Transfer(text.format(memo=memo, lower=memo.lower()), PRICE)).to(app)
        assert state(people, order) == ("paid", PRICE)

    @ON_SQLITE
    @pytest.mark.parametrize("text", ["", "Coffee", "{cut}", "{order}", "{short}X", "{other}"])
    def test_an_amount_and_a_time_match_nothing_by_themselves(
        self, app: Flask, people: People, order: Order, memo: str, text: str
    ) -> None:
        said = text.format(
            cut=memo[:-1], order=order.id, short=memo[:-1], other=new_reference(), memo=memo
        )
        assert pay2s(Transfer(said, PRICE)).to(app) == 200
        assert state(people, order) == ("pending", 0)
        assert waiting(people) == [(PRICE, "unknown_order")]
        assert balances(people) == {"clearing:bank": PRICE, "suspense": -PRICE}
        sound(people)

    def test_less_is_a_part_and_more_is_held(
        self, app: Flask, people: People, order: Order, memo: str
    ) -> None:
        pay2s(Transfer(memo, 20_000, 1)).to(app)
        assert state(people, order) == ("partially_paid", 20_000)
        rest = attempt(people, found(people, order), "bank")
        assert rest.amount == 30_000
        pay2s(Transfer(rest.reference, 35_000, 2)).to(app)
        assert state(people, order) == ("paid", 55_000)
        assert balances(people) == {"clearing:bank": 55_000, "revenue": -PRICE, "suspense": -5_000}
        sound(people)

    def test_the_old_code_scanned_again_brings_the_rest_too(
        self, app: Flask, people: People, order: Order, memo: str
    ) -> None:
        for number in (1, 2):
            pay2s(Transfer(memo, 25_000, number)).to(app)
        assert state(people, order) == ("paid", PRICE)
        sound(people)

    @ON_SQLITE
    def test_late_money_is_late_and_a_cancelled_order_stays_cancelled(
        self, app: Flask, people: People, order: Order, memo: str
    ) -> None:
        people.in_app(expire.expire_once, order.expires_at)
        pay2s(Transfer(memo, PRICE, 1)).to(app)
        assert (found(people, order).status.value, found(people, order).late) == ("paid", True)
        other = people.order(PRICE)
        cancelled = attempt(people, other, "bank").reference
        people.in_app(checkout.cancel, people.shop, other.id, "Sold out")
        pay2s(Transfer(cancelled, PRICE, 2)).to(app)
        assert state(people, other) == ("cancelled", PRICE)
        assert balances(people)["suspense"] == -PRICE
        sound(people)

    @ON_SQLITE
    def test_a_line_that_names_two_orders_waits_for_staff(
        self, app: Flask, people: People, order: Order, memo: str
    ) -> None:
        other = attempt(people, people.order(PRICE), "bank").reference
        pay2s(Transfer(f"{memo} {other}", 2 * PRICE)).to(app)
        assert waiting(people) == [(2 * PRICE, "several_memos")]
        sound(people)

    @ON_SQLITE
    def test_two_memos_of_one_order_are_one_order(
        self, app: Flask, people: People, order: Order, memo: str
    ) -> None:
        again = attempt(people, order, "bank").reference
        pay2s(Transfer(f"{memo} {again}", PRICE)).to(app)
        assert state(people, order) == ("paid", PRICE)

    @ON_SQLITE
    def test_the_reference_of_another_rail_is_no_memo(
        self, app: Flask, people: People, order: Order
    ) -> None:
        elsewhere = attempt(people, order, "momo").reference
        pay2s(Transfer(elsewhere, PRICE)).to(app)
        assert state(people, order) == ("pending", 0)
        assert waiting(people) == [(PRICE, "unknown_order")]

    @ON_SQLITE
    def test_dong_for_an_order_in_another_currency_wait(self, app: Flask, people: People) -> None:
        foreign = people.order(PRICE, "USD")
        pay2s(Transfer(attempt(people, foreign, "bank").reference, PRICE)).to(app)
        assert state(people, foreign) == ("pending", 0)
        assert waiting(people) == [(PRICE, "another_currency")]
        sound(people)


class TestWithinOneFeed:
    def test_equal_transfers_stay_two_and_a_resend_stays_one(
        self, app: Flask, people: People, order: Order, memo: str
    ) -> None:
        first, second = Transfer(memo, PRICE, 1, FT), Transfer(memo, PRICE, 2, FT)
        for told in (pay2s(first), pay2s(first), pay2s(first, second), pay2s(second)):
            assert told.to(app) == 200
        assert state(people, order) == ("paid", 2 * PRICE)
        assert count(people, "inbox") == 2, "the same line in another body is the same event"
        assert people.in_app(inbox.unresolved) == []
        sound(people)

    def test_the_same_line_in_other_words_is_kept_and_flagged(
        self, app: Flask, people: People, order: Order, memo: str
    ) -> None:
        pay2s(Transfer(memo, PRICE, 1)).to(app)
        pay2s(Transfer(memo, PRICE + 1, 1)).to(app)
        assert state(people, order) == ("paid", PRICE)
        (kept,) = people.in_app(inbox.unresolved)
        assert (kept.verdict, kept.reason) == ("conflict", "same_event_other_body")
        sound(people)

    def test_a_body_of_several_lines_is_taken_line_by_line(
        self, app: Flask, people: People, order: Order, memo: str
    ) -> None:
        other = people.order(PRICE)
        theirs = attempt(people, other, "bank").reference
        told = pay2s(
            Transfer("nothing of ours", 9_000, 1),
            Transfer(memo, PRICE, 2),
            Transfer(memo, PRICE, 3, incoming=False),
            Transfer(theirs, PRICE, 4),
        )
        assert told.to(app) == 200
        assert state(people, order) == state(people, other) == ("paid", PRICE)
        assert waiting(people) == [(9_000, "unknown_order")]
        assert balances(people) == {
            "clearing:bank": 2 * PRICE + 9_000, "revenue": -2 * PRICE, "suspense": -9_000,
        }  # fmt: skip
        sound(people)

    def test_twenty_at_once_are_one_payment(
        self, app: Flask, people: People, order: Order, memo: str
    ) -> None:
        told = sepay(Transfer(memo, PRICE, 1, FT))
        assert set(at_once(20, lambda _: told.to(app))) == {200}
        assert state(people, order) == ("paid", PRICE)
        assert count(people, "postings") == 1
        sound(people)

    @ON_SQLITE
    def test_what_cannot_be_read_is_kept_and_books_nothing(
        self, app: Flask, people: People, order: Order, memo: str
    ) -> None:
        told = pay2s(Transfer(memo, PRICE, 1), Transfer("x", PRICE, 2))
        body = told.body.replace(b'"id": "2"', b'"id": null')
        assert Told("pay2s", body, told.headers).to(app) == 200
        assert state(people, order) == ("paid", PRICE)
        (kept,) = people.in_app(inbox.unresolved)
        assert kept.event_id.startswith("unreadable:")
        assert waiting(people) == []
        sound(people)


class TestTwoFeedsOfOneAccount:
    @pytest.mark.parametrize(("one", "other"), list(permutations(FEEDS, 2)))
    @ON_SQLITE
    def test_one_transfer_is_one_payment_whoever_tells_of_it_first(
        self, app: Flask, people: People, order: Order, memo: str, one: str, other: str
    ) -> None:
        for feed in (one, other, one, other):
            line = Transfer(f"by {feed}: {memo}", PRICE, len(feed), FT)
            assert FEEDS[feed](line).to(app) == 200
        assert state(people, order) == ("paid", PRICE)
        assert len(attempts(people, order)) == 1
        assert balances(people) == {"clearing:bank": PRICE, "revenue": -PRICE}
        assert people.in_app(inbox.unresolved) == []
        sound(people)

    def test_two_feeds_at_the_same_moment_are_one_payment(
        self, app: Flask, people: People, order: Order, memo: str
    ) -> None:
        told = [feed(Transfer(memo, PRICE, 1, FT)) for feed in FEEDS.values()]
        assert set(at_once(4, lambda number: told[number].to(app))) == {200}
        assert state(people, order) == ("paid", PRICE)
        assert waiting(people) == []
        sound(people)

    def test_two_feeds_at_the_same_moment_hold_it_once(self, app: Flask, people: People) -> None:
        told = [feed(Transfer("no memo", PRICE, 1, FT)) for feed in FEEDS.values()]
        assert set(at_once(4, lambda number: told[number].to(app))) == {200}
        assert waiting(people) == [(PRICE, "unknown_order")]
        assert balances(people) == {"clearing:bank": PRICE, "suspense": -PRICE}
        assert len(people.in_app(inbox.unresolved)) == 1
        sound(people)

    @ON_SQLITE
    def test_other_numbers_are_other_transfers(
        self, app: Flask, people: People, order: Order, memo: str
    ) -> None:
        pay2s(Transfer(memo, PRICE, 1, FT)).to(app)
        sepay(Transfer(memo, PRICE, 1, "FT26305112234")).to(app)
        assert state(people, order) == ("paid", 2 * PRICE)
        sound(people)

    @ON_SQLITE
    def test_where_one_names_no_number_the_memo_says_it(
        self, app: Flask, people: People, order: Order, memo: str
    ) -> None:
        pay2s(Transfer(memo, PRICE, 1)).to(app)
        sepay(Transfer(memo, PRICE, 1, FT)).to(app)
        assert state(people, order) == ("paid", PRICE)
        casso(Transfer(memo, PRICE, 1, "FT26305112234")).to(app)
        assert state(people, order) == ("paid", 2 * PRICE), "it contradicts the second"
        sound(people)

    @ON_SQLITE
    def test_another_amount_under_the_same_number_is_other_money(
        self, app: Flask, people: People, order: Order, memo: str
    ) -> None:
        pay2s(Transfer(memo, PRICE, 1, FT)).to(app)
        sepay(Transfer(memo, PRICE + 1, 1, FT)).to(app)
        assert state(people, order) == ("paid", 2 * PRICE + 1)
        sound(people)

    @ON_SQLITE
    def test_equal_transfers_told_by_both_stay_two(
        self, app: Flask, people: People, order: Order, memo: str
    ) -> None:
        for number in (1, 2):
            for feed in (pay2s, sepay):
                feed(Transfer(memo, PRICE, number, "10418")).to(app)
        assert state(people, order) == ("paid", 2 * PRICE)
        assert len(attempts(people, order)) == 2
        sound(people)

    @ON_SQLITE
    def test_a_short_number_alone_proves_nothing(self, app: Flask, people: People) -> None:
        """They are counters of a day: another bank's of the same day has the same ones."""
        pay2s(Transfer("no memo", PRICE, 1, "10418")).to(app)
        sepay(Transfer("no memo", PRICE, 1, "10418")).to(app)
        assert waiting(people) == [(PRICE, "unknown_order")] * 2
        sound(people)

    @ON_SQLITE
    def test_what_the_first_left_unmatched_the_second_may_name(
        self, app: Flask, people: People, order: Order, memo: str
    ) -> None:
        pay2s(Transfer("cut off by the ba", PRICE, 1, FT)).to(app)
        assert waiting(people) == [(PRICE, "unknown_order")]
        sepay(Transfer(memo, PRICE, 1, FT.lower())).to(app)
        assert state(people, order) == ("paid", PRICE)
        assert waiting(people) == []
        assert balances(people) == {"clearing:bank": PRICE, "revenue": -PRICE}
        assert people.in_app(inbox.unresolved) == []
        casso(Transfer("cut", PRICE, 1, FT)).to(app)
        assert state(people, order) == ("paid", PRICE)
        sound(people)


class TestTheGatewayBesideAFeed:
    """The gateway knows no number of the bank's: it and a feed tell of one memo and amount."""

    @pytest.mark.parametrize("gateway_first", [True, False])
    def test_they_are_one_payment(
        self, app: Flask, people: People, order: Order, memo: str, gateway_first: bool
    ) -> None:
        told = [gateway(memo, PRICE, id=5), pay2s(Transfer(memo, PRICE, 1, FT))]
        for one in told if gateway_first else reversed(told):
            assert one.to(app) == 200
        assert state(people, order) == ("paid", PRICE)
        assert people.in_app(inbox.unresolved) == []
        sound(people)

    def test_at_the_same_moment_too(
        self, app: Flask, people: People, order: Order, memo: str
    ) -> None:
        told = [gateway(memo, PRICE, id=5), pay2s(Transfer(memo, PRICE, 1, FT))]
        assert set(at_once(2, lambda number: told[number].to(app))) == {200}
        assert state(people, order) == ("paid", PRICE)
        sound(people)

    @ON_SQLITE
    def test_a_second_transfer_is_a_second_one_in_any_order(
        self, app: Flask, people: People
    ) -> None:
        for order_of_telling in permutations(range(4)):
            order = people.order(PRICE)
            memo, unique = attempt(people, order, "bank").reference, order.id
            told = [
                gateway(memo, PRICE, id=abs(hash(unique)) % 10**9),
                *(
                    feed(Transfer(memo, PRICE, abs(hash((unique, feed, n))) % 10**9, n + unique))
                    for feed, n in ((pay2s, "FT-ONE-"), (pay2s, "FT-TWO-"), (sepay, "FT-ONE-"))
                ),
            ]
            for number in order_of_telling:
                assert told[number].to(app) == 200
            assert state(people, order) == ("paid", 2 * PRICE), order_of_telling
        sound(people)


def confirmed(people: People, order: Order, evidence: str, amount: int = PRICE) -> Confirmed:
    return seen(people, order.id, amount, evidence)


class TestAfterStaffHaveConfirmed:
    @pytest.mark.parametrize("typed", [FT, FT.lower(), f"  {FT} "])
    def test_the_line_with_that_evidence_bears_them_out(
        self, app: Flask, people: People, order: Order, typed: str
    ) -> None:
        confirmed(people, order, typed)
        paid = found(people, order)
        for feed in (pay2s, sepay):
            feed(Transfer("no memo", PRICE, 1, FT)).to(app)
        assert found(people, order) == paid
        assert balances(people) == {"clearing:bank": PRICE, "revenue": -PRICE}
        assert waiting(people) == []
        assert attempts(people, order)[0].transaction_id == "pay2s:1"
        sound(people)

    def test_so_does_the_line_with_the_memo_of_the_attempt(
        self, app: Flask, people: People, order: Order, memo: str
    ) -> None:
        confirmed(people, order, "the slip she showed me")
        pay2s(Transfer(memo, PRICE, 1, FT)).to(app)
        assert state(people, order) == ("paid", PRICE)
        assert balances(people) == {"clearing:bank": PRICE, "revenue": -PRICE}
        pay2s(Transfer(memo, PRICE, 2, "FT26305112234")).to(app)
        assert state(people, order) == ("paid", 2 * PRICE), "the next one is other money"
        sound(people)

    @pytest.mark.parametrize("part", [FT[2:], FT[:-1], FT[-6:], f"{FT}0"])
    @ON_SQLITE
    def test_a_part_of_the_number_is_not_the_number(
        self, app: Flask, people: People, order: Order, part: str
    ) -> None:
        confirmed(people, order, part)
        pay2s(Transfer("no memo", PRICE, 1, FT)).to(app)
        assert waiting(people) == [(PRICE, "unknown_order")]
        assert balances(people)["clearing:manual"] == PRICE
        sound(people)

    def test_another_amount_is_held_for_staff_and_is_no_second_payment(
        self, app: Flask, people: People, order: Order
    ) -> None:
        confirmed(people, order, FT)
        pay2s(Transfer("no memo", PRICE + 1, 1, FT)).to(app)
        assert state(people, order) == ("paid", PRICE)
        assert waiting(people) == [(PRICE + 1, "differs_from_confirmation")]
        sound(people)

    @ON_SQLITE
    def test_a_short_number_with_another_amount_is_another_transfer(
        self, app: Flask, people: People, order: Order
    ) -> None:
        confirmed(people, order, "10418")
        other = people.order(PRICE + 1)
        pay2s(Transfer(attempt(people, other, "bank").reference, PRICE + 1, 1, "10418")).to(app)
        assert state(people, other) == ("paid", PRICE + 1)
        pay2s(Transfer("no memo", PRICE, 2, "10418")).to(app)
        assert balances(people)["clearing:bank"] == 2 * PRICE + 1
        assert "clearing:manual" not in balances(people)
        sound(people)

    def test_a_gateway_bears_out_what_staff_confirmed_in_its_amount(
        self, app: Flask, people: People, order: Order, memo: str
    ) -> None:
        """Two confirmations of one order: the attempt with the memo has the other one's amount."""
        confirmed(people, order, "her first transfer", 400)
        confirmed(people, order, FT, 1_000)
        assert gateway(memo, 1_000, id=3).to(app) == 200
        assert state(people, order) == ("partially_paid", 1_400)
        assert {"clearing:bank": 1_000, "clearing:manual": 400}.items() <= balances(people).items()
        assert waiting(people) == []
        sound(people)


class TestBeforeStaffConfirm:
    def test_what_a_gateway_told_of_this_order_is_not_confirmed_beside_it(
        self, app: Flask, people: People, order: Order, memo: str
    ) -> None:
        """It names no number of the bank's: by the order and the amount it is the same money."""
        confirmed(people, order, "her first transfer", 400)
        assert gateway(memo, 1_000, id=3).to(app) == 200
        assert waiting(people) == [(1_000, "differs_from_confirmation")]
        with pytest.raises(Conflict) as refusal:
            confirmed(people, order, FT, 1_000)
        assert refusal.value.code == "money_waits"
        assert state(people, order) == ("partially_paid", 400)
        sound(people)

    @pytest.mark.parametrize("typed", [FT, FT.lower()])
    def test_money_that_waits_is_not_confirmed_beside_it(
        self, app: Flask, people: People, order: Order, typed: str
    ) -> None:
        pay2s(Transfer("no memo", PRICE, 1, FT)).to(app)
        with pytest.raises(Conflict) as refused:
            confirmed(people, order, typed)
        assert (refused.value.code, refused.value.field) == ("money_waits", "evidence")
        with pytest.raises(Conflict):
            confirmed(people, order, typed, PRICE - 1)
        assert state(people, order) == ("pending", 0)
        assert count(people, "confirmations") == 0
        sound(people)

    @ON_SQLITE
    def test_a_line_that_has_paid_is_no_evidence_for_more(
        self, app: Flask, people: People, order: Order, memo: str
    ) -> None:
        pay2s(Transfer(memo, 20_000, 1, FT)).to(app)
        for one in (order, people.order(PRICE)):
            with pytest.raises(Conflict) as refused:
                confirmed(people, one, FT, 20_000)
            assert refused.value.code == "evidence_used"
        sound(people)

    @ON_SQLITE
    def test_a_short_number_of_another_amount_hinders_nobody(
        self, app: Flask, people: People, order: Order
    ) -> None:
        pay2s(Transfer("no memo", 7_000, 1, "1042")).to(app)
        confirmed(people, order, "1042")
        assert state(people, order) == ("paid", PRICE)
        other = people.order(7_000)
        with pytest.raises(Conflict) as refused:
            confirmed(people, other, "1042 ", 7_000)
        assert refused.value.code == "money_waits"

    def test_a_confirmation_that_waited_meanwhile_is_not_approved(
        self, app: Flask, people: People
    ) -> None:
        large = people.order(PRICE + 1)
        assert confirmed(people, large, FT, PRICE + 1).held
        pay2s(Transfer("no memo", PRICE + 1, 1, FT)).to(app)
        (held,) = people.in_app(confirmations.held)
        with pytest.raises(Conflict) as refused:
            people.in_app(confirm.approve, people.manager, held.id)
        assert refused.value.code == "money_waits"
        assert state(people, large) == ("pending", 0)
        sound(people)

    def test_at_the_same_moment_the_money_is_counted_once(self, app: Flask, people: People) -> None:
        clerk = people.clerk
        for number in range(5):
            order = people.order(PRICE)
            evidence = f"{FT}{number}"
            line = pay2s(Transfer("no memo", PRICE, number, evidence))

            def one(who: int, order: Order = order, line: Told = line, said: str = evidence) -> str:
                if who == 0:
                    return str(line.to(app))
                try:
                    seen(people, order.id, PRICE, said, who=clerk)
                except Conflict as refused:
                    return refused.code
                return "confirmed"

            told = at_once(2, one)
            assert told[0] == "200"
            paid = state(people, order) == ("paid", PRICE)
            assert told[1] == ("confirmed" if paid else "money_waits")
            assert paid or (PRICE, "unknown_order") in waiting(people)
            money = {name: n for name, n in balances(people).items() if "clearing" in name}
            assert sum(money.values()) == (number + 1) * PRICE
        sound(people)


LINES = st.builds(
    Line,
    feed=st.sampled_from(["pay2s", "sepay", "pay2s-gateway"]),
    amount=st.sampled_from([1, 2]),
    currency=st.just("VND"),
    number=st.sampled_from([None, "10418", "FT26305112233", "FT26305112234"]),
    text=st.sampled_from([None, "coffee", "P23456789ABCDEF", "tt p23456789abcdef", "P" + "2" * 14]),
)


@given(LINES, LINES)
def test_being_one_transfer_is_mutual_and_never_by_amount_alone(one: Line, other: Line) -> None:
    assert same_transfer(one, other) is same_transfer(other, one)
    if same_transfer(one, other):
        assert one.feed != other.feed
        assert one.amount == other.amount
        shared = set(references_in(one.text or "")) & set(references_in(other.text or ""))
        assert shared or (one.number is not None and one.number == other.number)
