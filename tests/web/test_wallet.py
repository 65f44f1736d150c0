"""The wallet's page without scripts: what it shows, tops up, takes out, refuses, and hides."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from payments.domain.errors import ProviderUnavailable
from payments.domain.order import Order
from payments.providers.momo import Momo
from payments.services import checkout, expire
from payments.store import payments, wallets
from payments.store.db import now
from tests.outside import (
    ON_SQLITE,
    SCRIPT,
    Page,
    at_once,
    attempt_of,
    csrf,
    everything,
    momo_calls,
    page_of,
    seen,
    submit,
)
from tests.people import PASSWORD, People
from tests.sandbox.world import World

pytestmark = ON_SQLITE

TOP_UP = {"currency": "VND", "provider": "momo"}
TAKE_OUT = {"currency": "VND", "destination": "0901 234 567"}


@pytest.fixture
def environment(phone: World) -> dict[str, str]:
    return {
        "MOMO_API_URL": f"{phone.url}/momo",
        "BANK_BIN": "970436",
        "BANK_ACCOUNT": "113366668888",
        "BANK_ACCOUNT_NAME": "SHOP",
        "PAY2S_WEBHOOK_TOKEN": "a token of the tests",
        "DEPOSIT_LIMITS": "VND:10000-5000000",
        "WITHDRAWAL_LIMITS": "VND:20000-2000000",
        "WITHDRAWAL_PASSWORD_ABOVE": "VND:60000",
        "FEES": "withdrawal:*:VND=1.5%+500",
    }


@pytest.fixture
def mai(people: People) -> FlaskClient:
    return people.signed_in(people.owner)


@pytest.fixture
def top_up(people: People, mai: FlaskClient) -> Callable[[int], str]:
    """Tops up through the form and pays on the phone; the deposit's id."""

    def topped_up(amount: int) -> str:
        answer = submit(mai, "/wallet/top-up", amount=str(amount), **TOP_UP)
        assert answer.status_code == 303, page_of(answer, answer.status_code).text
        deposit = answer.headers["Location"].rsplit("/", 1)[1]
        assert momo_calls(people.app, attempt_of(people, deposit)).status_code == 204
        return deposit

    return topped_up


def wallet(browser: FlaskClient, query: str = "") -> Page:
    return page_of(browser.get(f"/wallet{query}"))


def balance(people: People, currency: str = "VND") -> int:
    assert people.owner.user is not None
    return people.in_app(wallets.balance, people.owner.user.id, currency)


def once(page: Page, action: str) -> str:
    return next(one["value"] for one in page.form(action).fields if one.get("name") == "once")


def sale(people: People, amount: int = 50_000) -> Order:
    assert people.owner.user is not None
    return people.order(amount, customer_id=people.owner.user.id)


class TestThePage:
    def test_whoever_is_not_signed_in_signs_in_and_comes_back(self, people: People) -> None:
        browser = people.browser()
        answer = browser.get("/wallet?do=top-up")
        assert answer.status_code == 302
        assert answer.headers["Location"] == "/login?next=/wallet?do%3Dtop-up"
        assert browser.get("/wallet/fragment").status_code == 401
        assert submit(browser, "/wallet/top-up", amount="50000", **TOP_UP).status_code == 401

    def test_every_page_of_a_customer_leads_to_it(self, people: People, mai: FlaskClient) -> None:
        page = page_of(mai.get(f"/checkout/{sale(people).id}"))
        assert page.all("a", href="/wallet")
        assert not page_of(people.signed_in(people.clerk).get("/staff/")).all("a", href="/wallet")

    def test_an_empty_wallet_says_what_it_is_for(self, mai: FlaskClient) -> None:
        page = wallet(mai)
        assert "There is nothing in your wallet yet." in page.text
        assert "Nothing has moved yet." in page.text
        assert not page.has("withdraw")
        assert page.id("wallet")["data-status"] == "settled"

    def test_what_was_topped_up_stands_there_large_and_as_a_line(
        self, mai: FlaskClient, top_up: Callable[[int], str]
    ) -> None:
        deposit = top_up(100_000)
        page = wallet(mai)
        figure = page.id("balance-VND")
        assert (figure["data-amount"], figure.text) == ("100000", "₫100,000")
        assert page.id(f"doing-{deposit}")["data-status"] == "completed"
        assert "+₫100,000" in page.text
        assert page.id("wallet")["data-version"] == "2"

    def test_the_fragment_is_the_same_element(
        self, mai: FlaskClient, top_up: Callable[[int], str]
    ) -> None:
        top_up(100_000)
        first, again = wallet(mai).id("wallet"), page_of(mai.get("/wallet/fragment")).id("wallet")
        assert first.attributes == again.attributes

    def test_amounts_and_words_are_the_readers(
        self, mai: FlaskClient, top_up: Callable[[int], str]
    ) -> None:
        top_up(100_000)
        page = wallet(mai, "?lang=vi")
        assert page.id("balance-VND").text.replace("\xa0", " ") == "100.000 ₫"

    def test_a_stranger_sees_their_own_wallet_only(
        self, people: People, top_up: Callable[[int], str]
    ) -> None:
        deposit = top_up(100_000)
        page = wallet(people.signed_in(people.stranger))
        assert "100,000" not in page.text
        assert not page.has(f"doing-{deposit}")

    def test_without_scripts_it_looks_again_while_something_waits_and_nobody_types(
        self, people: People, mai: FlaskClient
    ) -> None:
        def refreshes(page: Page) -> bool:
            return any(one.get("http-equiv") == "refresh" for one in page.all("meta"))

        assert not refreshes(wallet(mai))
        submit(mai, "/wallet/top-up", amount="50000", **TOP_UP)
        assert refreshes(wallet(mai))
        assert not refreshes(wallet(mai, "?do=top-up"))
        assert wallet(mai).id("forms").get("class") == "needs-js"
        assert wallet(mai, "?do=top-up").id("forms").get("class") is None

    @pytest.mark.parametrize("query", ["?currency=XYZ", f"?do={SCRIPT}", "?currency=", "?do=x"])
    def test_nonsense_in_the_address_changes_nothing(self, mai: FlaskClient, query: str) -> None:
        page = wallet(mai, query)
        assert list(page.inline()) == []
        assert page.has("top-up")


class TestTopUp:
    def test_the_form_leads_to_the_deposits_own_page(
        self, people: People, mai: FlaskClient
    ) -> None:
        answer = submit(mai, "/wallet/top-up", amount="50000", **TOP_UP)
        page = page_of(mai.get(answer.headers["Location"]))
        assert page.id("payment")["data-status"] == "pending"
        assert "Top-up" in page.text
        assert page.all("img", width="264"), "the code to scan"
        waiting = wallet(mai)
        assert waiting.id("wallet")["data-status"] == "pending"
        assert "Waiting for your top-up of ₫50,000" in waiting.text

    def test_two_presses_of_the_button_are_one_deposit(
        self, people: People, mai: FlaskClient
    ) -> None:
        fields = {"amount": "50000", "once": once(wallet(mai), "/wallet/top-up"), **TOP_UP}
        first, second = (submit(mai, "/wallet/top-up", **fields) for _ in range(2))
        assert first.headers["Location"] == second.headers["Location"]
        assert everything(people)["orders"] == 1
        other = submit(mai, "/wallet/top-up", **{**fields, "amount": "60000"})
        assert other.headers["Location"] != first.headers["Location"], "another amount is another"

    @pytest.mark.parametrize(
        ("typed", "field", "words"),
        [
            ({"amount": ""}, "amount", "Type the amount in digits"),
            ({"amount": "-5"}, "amount", "Type the amount in digits"),
            ({"amount": "50.5"}, "amount", "VND takes 0 decimals at most."),
            ({"amount": "0"}, "amount", "The amount is from"),
            ({"amount": "9999"}, "amount", "The amount is from ₫10,000 to ₫5,000,000."),
            ({"amount": "5000001"}, "amount", "The amount is from ₫10,000 to ₫5,000,000."),
            ({"provider": "nobody"}, None, "This way to pay is not offered."),
            ({"provider": "wallet"}, None, "This way to pay is not offered."),
            ({"currency": "INR"}, None, "does not take this currency"),
            ({"currency": "XYZ"}, None, "This currency is not known here."),
        ],
    )
    def test_what_was_wrong_stands_beside_the_field_with_what_was_typed(
        self,
        people: People,
        mai: FlaskClient,
        typed: dict[str, str],
        field: str | None,
        words: str,
    ) -> None:
        before = everything(people)
        fields = {"amount": "50000", **TOP_UP, **typed}
        page = page_of(submit(mai, "/wallet/top-up", **fields), 422)
        assert words in page.text
        if field:
            wrong = page.id(f"top-up-{field}")
            assert (wrong["value"], wrong["aria-invalid"]) == (fields[field], "true")
            assert words in page.id(f"top-up-{field}-error").text
        else:
            assert page.all("p", role="alert")
        assert everything(people) == before

    def test_what_was_refused_can_be_sent_again_by_the_same_form(
        self, people: People, mai: FlaskClient
    ) -> None:
        fields = {"amount": "50000", "once": once(wallet(mai), "/wallet/top-up"), **TOP_UP}
        momo = people.house.settings.rails.momo
        address = momo.api_url if momo else ""
        object.__setattr__(momo, "api_url", "http://127.0.0.1:9")
        away = submit(mai, "/wallet/top-up", **fields)
        assert away.status_code == 303
        page = page_of(mai.get(away.headers["Location"]))
        assert page.id("payment")["data-status"] == "failed"
        assert "Your top-up of ₫50,000 failed" in wallet(mai).text
        object.__setattr__(momo, "api_url", address)

    def test_a_refused_one_leads_to_its_own_page_and_not_to_the_one_of_another_tab(
        self, people: People, mai: FlaskClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def from_another_tab(*_what: object) -> object:
            monkeypatch.undo()
            submit(mai, "/wallet/top-up", amount="70000", **TOP_UP)
            raise ProviderUnavailable("away")

        monkeypatch.setattr(Momo, "start", from_another_tab)
        refused = submit(mai, "/wallet/top-up", amount="50000", **TOP_UP)
        page = page_of(mai.get(refused.headers["Location"]))
        assert page.id("payment")["data-status"] == "failed"
        assert "₫50,000" in page.text

    def test_every_state_of_its_page_speaks_of_a_top_up(
        self, people: People, mai: FlaskClient, top_up: Callable[[int], str]
    ) -> None:
        paid = page_of(mai.get(f"/checkout/{top_up(50_000)}"))
        assert "Topped up" in paid.text
        assert "The money is in your balance." in paid.text
        assert paid.id("to-wallet")["href"] == "/wallet"
        assert "too much" not in paid.text
        answer = submit(mai, "/wallet/top-up", amount="70000", **TOP_UP)
        late = answer.headers["Location"].rsplit("/", 1)[1]
        people.in_app(expire._expire, late, now().replace(year=2100))
        expired = page_of(mai.get(f"/checkout/{late}"))
        assert "Begin a new one in your wallet." in expired.text
        assert expired.has("to-wallet")
        momo_calls(people.app, attempt_of(people, late), transId=2)
        assert "in your balance all the same" in page_of(mai.get(f"/checkout/{late}")).text

    def test_a_part_that_came_is_in_the_balance_already(
        self, people: People, mai: FlaskClient
    ) -> None:
        path = submit(mai, "/wallet/top-up", amount="50000", **TOP_UP).headers["Location"]
        seen(people, path.rsplit("/", 1)[1], 20_000)
        page = page_of(mai.get(path))
        assert "₫20,000 are in your balance, ₫30,000 are not paid yet" in page.text
        assert balance(people) == 20_000
        assert "₫20,000 of ₫50,000 paid" in wallet(mai).text

    def test_one_that_was_cancelled_says_so_and_leads_back(
        self, people: People, mai: FlaskClient
    ) -> None:
        path = submit(mai, "/wallet/top-up", amount="50000", **TOP_UP).headers["Location"]
        people.in_app(checkout.cancel, people.clerk, path.rsplit("/", 1)[1], "They asked")
        page = page_of(mai.get(path))
        assert "This top-up was cancelled" in page.text
        assert page.has("to-wallet")
        assert "Your top-up of ₫50,000 ended without payment" in wallet(mai).text


class TestWithdrawing:
    def test_it_is_held_at_once_and_stands_on_its_way(
        self, people: People, mai: FlaskClient, top_up: Callable[[int], str]
    ) -> None:
        top_up(100_000)
        page = wallet(mai)
        assert "1.5% + ₫500" in page.text
        fields = {**TAKE_OUT, "amount": "50000", "once": once(page, "/wallet/withdraw")}
        for _ in range(2):
            answer = submit(mai, "/wallet/withdraw", **fields)
            assert (answer.status_code, answer.headers["Location"]) == (303, "/wallet")
        assert balance(people) == 48_750
        shown = wallet(mai)
        assert "Your withdrawal of ₫50,000 is on its way" in shown.text
        assert shown.id("wallet")["data-status"] == "pending"
        assert shown.id("balance-VND").text == "₫48,750"

    @pytest.mark.parametrize(
        ("typed", "field", "words"),
        [
            ({"amount": "100001"}, "amount", "Your balance is only ₫100,000."),
            ({"amount": "99000"}, "amount", "Your balance is only ₫100,000."),
            ({"amount": "19999"}, "amount", "The amount is from ₫20,000 to ₫2,000,000"),
            ({"amount": "x"}, "amount", "Type the amount in digits"),
            ({"destination": "???"}, "destination", "cannot be sent there"),
            ({"destination": "12"}, "destination", "cannot be sent there"),
            ({"to-bank_bin": "x"}, "destination", "cannot be sent there"),
            ({"amount": "60001"}, "password", "type your password again"),
            ({"amount": "60001", "password": "wrong"}, "password", "The password is wrong."),
        ],
    )
    def test_what_was_wrong_stands_beside_the_field_and_nothing_is_held(
        self,
        people: People,
        mai: FlaskClient,
        top_up: Callable[[int], str],
        typed: dict[str, str],
        field: str,
        words: str,
    ) -> None:
        top_up(100_000)
        fields = {"amount": "50000", **TAKE_OUT, **typed}
        page = page_of(submit(mai, "/wallet/withdraw", **fields), 422)
        said = page.id(f"withdraw-{field}-error").text
        assert said
        assert words in said
        assert "open" in page.id("withdraw").attributes
        assert page.id("withdraw-amount")["value"] == fields["amount"]
        assert page.id("withdraw-password")["value"] == "", "a password is never written back"
        assert balance(people) == 100_000

    def test_above_the_limit_it_takes_the_password_again(
        self, people: People, mai: FlaskClient, top_up: Callable[[int], str]
    ) -> None:
        top_up(100_000)
        fields = {**TAKE_OUT, "amount": "60001", "password": PASSWORD}
        assert submit(mai, "/wallet/withdraw", **fields).status_code == 303
        assert balance(people) < 40_000

    def test_a_currency_without_a_wallet_is_refused_in_words(self, mai: FlaskClient) -> None:
        page = page_of(submit(mai, "/wallet/withdraw", amount="50000", **TAKE_OUT), 422)
        assert "You have no balance in this currency." in page.id("withdraw").text

    def test_one_form_from_two_tabs_at_the_same_moment_is_one_withdrawal(
        self, people: People, mai: FlaskClient, top_up: Callable[[int], str]
    ) -> None:
        top_up(100_000)
        fields = {**TAKE_OUT, "amount": "50000", "once": once(wallet(mai), "/wallet/withdraw")}
        tabs = [(one, csrf(one)) for one in (people.signed_in(people.owner) for _ in range(4))]

        def press(number: int) -> int:
            browser, token = tabs[number]
            data = {**fields, "csrf_token": token}
            return browser.post("/wallet/withdraw", data=data).status_code

        assert at_once(4, press) == [303] * 4
        assert balance(people) == 48_750

    def test_an_account_is_told_with_its_bank_and_its_holder(
        self, people: People, mai: FlaskClient, top_up: Callable[[int], str]
    ) -> None:
        top_up(100_000)
        more = {"destination": "0011 2233 4455", "to-bank_bin": "970436", "to-name": "Mai Tran"}
        fields = {**TAKE_OUT, **more, "amount": "50000"}
        assert submit(mai, "/wallet/withdraw", **fields).status_code == 303
        assert "001122334455 · 970436 · Mai Tran" in wallet(mai).text

    def test_a_stranger_takes_nothing_out_of_it(
        self, people: People, top_up: Callable[[int], str]
    ) -> None:
        top_up(100_000)
        stranger = people.signed_in(people.stranger)
        assert submit(stranger, "/wallet/withdraw", amount="50000", **TAKE_OUT).status_code == 422
        assert balance(people) == 100_000


class TestPayingAnOrder:
    def pay(self, browser: FlaskClient, order: Order, **more: str) -> tuple[int, Page]:
        page = page_of(browser.get(f"/checkout/{order.id}"))
        form = page.id("way-wallet").form
        assert form is not None
        fields = {one["name"]: one["value"] for one in form.fields}
        answer = submit(browser, form["action"], **{**fields, **more})
        return answer.status_code, page

    def test_the_balance_comes_first_where_it_covers_all(
        self, people: People, mai: FlaskClient, top_up: Callable[[int], str]
    ) -> None:
        top_up(100_000)
        order = sale(people)
        status, page = self.pay(mai, order)
        ways = [one["id"] for one in page.all("button") if (one.get("id") or "").startswith("way-")]
        assert ways[0] == "way-wallet"
        assert "Pay from your balance (₫100,000)" in page.text
        assert status == 303
        paid = page_of(mai.get(f"/checkout/{order.id}"))
        assert paid.id("payment")["data-status"] == "paid"
        assert "Paid withBalance" in paid.text
        assert balance(people) == 50_000

    def test_a_part_is_used_and_the_rest_paid_another_way(
        self, people: People, mai: FlaskClient, top_up: Callable[[int], str]
    ) -> None:
        top_up(20_000)
        order = sale(people)
        status, page = self.pay(mai, order)
        assert "Use your ₫20,000 and pay the rest another way" in page.text
        assert status == 303
        left = page_of(mai.get(f"/checkout/{order.id}"))
        assert left.id("payment")["data-status"] == "partially_paid"
        assert not left.has("way-wallet"), "nothing is left in it"
        assert submit(mai, f"/checkout/{order.id}/pay", provider="momo").status_code == 303
        rest = attempt_of(people, order.id)
        assert rest.amount == 30_000
        momo_calls(people.app, rest, transId=2)
        receipt = page_of(mai.get(f"/checkout/{order.id}"))
        assert receipt.id("payment")["data-status"] == "paid"
        assert "Paid with Balance₫20,000" in receipt.text
        assert "Paid with MoMo₫30,000" in receipt.text

    def test_two_presses_take_one_part(
        self, people: People, mai: FlaskClient, top_up: Callable[[int], str]
    ) -> None:
        top_up(20_000)
        order = sale(people)
        page = page_of(mai.get(f"/checkout/{order.id}"))
        form = page.id("way-wallet").form
        assert form is not None
        fields = {one["name"]: one["value"] for one in form.fields}
        for _ in range(2):
            assert submit(mai, form["action"], **fields).status_code == 303
        assert len(people.in_app(payments.of_order, order.id)) == 1

    def test_it_pays_what_the_button_said_or_nothing(
        self, people: People, mai: FlaskClient, top_up: Callable[[int], str]
    ) -> None:
        top_up(20_000)
        order = sale(people)
        for amount in ("20001", "50001", "0", "-1", "1e3", "x" * 20):
            status, _page = self.pay(mai, order, amount=amount)
            assert status == 422, amount
        assert balance(people) == 20_000

    def test_nobody_else_is_offered_it(
        self, people: People, mai: FlaskClient, top_up: Callable[[int], str]
    ) -> None:
        top_up(100_000)
        order = sale(people)
        for other in (people.browser(order), people.signed_in(people.clerk)):
            assert not page_of(other.get(f"/checkout/{order.id}")).has("way-wallet")
        page = page_of(mai.get(f"/checkout/{sale(people, 1).id}"))
        assert page.has("way-wallet")
        answer = submit(people.browser(order), f"/checkout/{order.id}/pay", provider="wallet")
        assert answer.status_code == 401

    def test_a_balance_does_not_top_itself_up(
        self, mai: FlaskClient, top_up: Callable[[int], str]
    ) -> None:
        top_up(100_000)
        answer = submit(mai, "/wallet/top-up", amount="50000", **TOP_UP)
        assert not page_of(mai.get(answer.headers["Location"])).has("way-wallet")
        path = f"{answer.headers['Location']}/pay"
        assert submit(mai, path, provider="wallet").status_code == 422

    def test_what_was_paid_twice_is_said_to_be_in_the_balance(
        self, people: People, mai: FlaskClient, top_up: Callable[[int], str]
    ) -> None:
        top_up(100_000)
        order = sale(people)
        submit(mai, f"/checkout/{order.id}/pay", provider="momo")
        by_phone = attempt_of(people, order.id)
        self.pay(mai, order)
        momo_calls(people.app, by_phone, transId=2)
        page = page_of(mai.get(f"/checkout/{order.id}"))
        assert "You paid ₫50,000 too much. It is in your balance now." in page.text
        assert balance(people) == 100_000
