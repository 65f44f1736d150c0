"""Every page has its words in every language, and speaks none but its reader's."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from datetime import timedelta
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from babel import Locale
from babel.dates import format_datetime
from babel.messages import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import force_locale
from jinja2 import nodes

from payments.api.operations import OPERATIONS
from payments.domain.errors import Conflict, InvalidInput, PaychimeError, ProviderRefused
from payments.domain.money import MAX_AMOUNT, from_major, price
from payments.domain.order import Order
from payments.domain.ports import Payer
from payments.front.refusals import _page
from payments.front.words import (
    FAILURES,
    PARKED,
    REFUSALS,
    ROLES,
    VERDICTS,
    failure_words,
    rail_words,
    refusal_words,
)
from payments.providers import campay_wire, payable, razorpay_events
from payments.providers.momo import REFUSED, RESULTS
from payments.providers.registry import PROVIDERS
from payments.services import accounts, checkout, expire, refunds
from payments.services.access import PERMISSIONS
from payments.services.demo import GOODS
from payments.settings import LOCALES, ROOT
from payments.store import bank_lines, orders
from payments.store.db import now
from tests.feeds import SETTINGS, Transfer, pay2s
from tests.outside import (
    ON_SQLITE,
    Page,
    attempt_of,
    begin,
    csrf,
    momo_calls,
    page_of,
    seen,
    submit,
)
from tests.people import PASSWORD, People
from tests.sandbox.world import World, served
from tests.servers import free_port

OTHERS = tuple(code for code in LOCALES if code != "en")
CATALOGS = ROOT / "payments" / "translations"
PLACEHOLDER = re.compile(r"%\(\w+\)s|\{\w+\}")
LITERALS = frozenset({"OpenAPI 3.1", "WebSocket", "Enter", "j", "k"})
"""What a template may show in every language alike: names of standards, and keys."""

FOR_PROGRAMS = frozenset(
    {
        # The plain classes': whoever raises one to a page gives it words of the page.
        *("error", "invalid", "conflict"),
        # Commands and the API alone.
        *("invalid_role", "invalid_email", "weak_password", "email_taken", "invalid_name"),
        *("order_exists", "idempotency_key_reused", "amount_not_taken", "invalid_to"),
        "invalid_since",
        # With the balance in them, by `refusal_words` itself.
        "insufficient_funds",
        # The checkout shows what is under way instead.
        "payment_under_way",
    }
)

in_every_language = pytest.mark.parametrize("language", OTHERS)


# ---- The catalogs ----


@pytest.fixture(scope="module")
def extracted(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """What `make messages` finds: its keywords stand in the Makefile."""
    found = tmp_path_factory.mktemp("messages") / "messages.pot"
    keywords = re.findall(r"-k (\S+)", (ROOT / "Makefile").read_text())
    assert keywords
    subprocess.run(
        [
            *(sys.executable, "-m", "babel.messages.frontend", "--quiet", "extract"),
            *("--mapping=pyproject.toml", f"--output-file={found}"),
            *(f"--keyword={keyword}" for keyword in keywords),
            ".",
        ],
        cwd=ROOT,
        check=True,
        timeout=60,
    )
    with found.open("rb") as file:
        return read_po(file)


def place(language: str, kind: str) -> Path:
    return CATALOGS / language / "LC_MESSAGES" / f"messages.{kind}"


def catalog(language: str) -> Catalog:
    with place(language, "po").open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def messages(of: Catalog) -> list[Message]:
    return [message for message in of if message.id]


def forms(text: str | Iterable[str] | None) -> list[str]:
    """The singular and the plurals; one form where a message has none."""
    return [text] if isinstance(text, str) else list(text or ())


def test_there_is_a_catalog_for_each_language_of_the_settings() -> None:
    assert {path.name for path in CATALOGS.iterdir()} == set(OTHERS)


def test_the_words_of_goods_and_calls_are_found_too(extracted: Catalog) -> None:
    """They stand in tables and reach `_()` as variables."""
    wanted = {good.title for good in GOODS.values()} | {one.summary for one in OPERATIONS}
    assert wanted <= {message.id for message in extracted}


@in_every_language
def test_every_message_is_in_the_catalog_and_no_other(language: str, extracted: Catalog) -> None:
    found = catalog(language)
    assert {m.id for m in messages(extracted)} == {m.id for m in messages(found)}, (
        "run `make messages` and translate what is new"
    )
    assert not found.obsolete


@in_every_language
def test_every_message_is_translated(language: str) -> None:
    for message in messages(catalog(language)):
        assert not message.fuzzy, message.id
        assert all(form.strip() for form in forms(message.string)), message.id


@in_every_language
def test_a_translation_has_the_placeholders_of_its_source(language: str) -> None:
    for message in messages(catalog(language)):
        wanted = {tuple(sorted(PLACEHOLDER.findall(one))) for one in forms(message.id)}
        for form in forms(message.string):
            assert tuple(sorted(PLACEHOLDER.findall(form))) in wanted, message.id
            # Whatever else looks like one would break the page that shows it.
            assert "%" not in PLACEHOLDER.sub("", form), message.id
            assert not set("{}") & set(PLACEHOLDER.sub("", form)), message.id


@in_every_language
def test_a_translation_begins_and_ends_as_its_source_does(language: str) -> None:
    """Pieces stand beside others: a space or a full stop lost is a page that reads wrong."""
    for message in messages(catalog(language)):
        for form in filter(None, forms(message.string)):
            assert form == form.strip(), message.id
            assert "  " not in form, message.id
            if language != "si" and forms(message.id)[0][-1] not in ".?":
                assert form[-1] not in ".।", message.id


@in_every_language
def test_plurals_are_those_of_cldr(language: str) -> None:
    found, rule = catalog(language), Locale(language).plural_form
    tags = sorted({rule(number) for number in range(1000)}, key=["one", "other"].index)
    assert found.num_plurals == len(tags)
    expression = found.plural_expr.strip("()")
    assert expression in {"0", "n > 1"}
    for number in range(1000):
        index = int(number > 1) if expression == "n > 1" else 0
        assert tags[index] == rule(number), number
    for message in messages(found):
        if message.pluralizable:
            assert len(forms(message.string)) == len(tags), message.id


@in_every_language
def test_the_compiled_catalog_is_the_written_one(language: str) -> None:
    compiled = BytesIO()
    write_mo(compiled, catalog(language))
    assert place(language, "mo").read_bytes() == compiled.getvalue(), "run `make messages`"


# ---- Codes ----


def codes_raised() -> set[str]:
    """Every `code` that a refusal of ours is given, by its class or where it is raised."""
    found: set[str] = set()
    for folder in ("domain", "services", "store", "providers"):
        for path in (ROOT / "payments" / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                values: list[ast.expr] = []
                if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                    values = [one.value for one in node.exc.keywords if one.arg == "code"]
                elif isinstance(node, ast.Assign) and path.name == "errors.py":
                    values = [node.value]
                found |= {
                    one.value
                    for one in values
                    if isinstance(one, ast.Constant) and isinstance(one.value, str)
                }
    return found


def test_every_refusal_that_a_page_can_show_has_words() -> None:
    raised = codes_raised()
    assert {"evidence_used", "nothing_to_refund", "forbidden", "amount_outside_limits"} <= raised
    assert raised - FOR_PROGRAMS <= {*REFUSALS, *FAILURES, *PARKED, "provider_refused"}


def test_every_reason_to_keep_a_callback_has_words() -> None:
    services = [path.read_text() for path in (ROOT / "payments" / "services").rglob("*.py")]
    reasons = {one for text in services for one in re.findall(r'Unapplicable\(\s*"(\w+)"', text)}
    assert "another_amount" in reasons
    assert reasons <= set(PARKED)
    verdicts = {one for text in services for one in re.findall(r'judge\(\w+, "(\w+)"', text)}
    assert verdicts == set(VERDICTS)


@pytest.mark.parametrize(
    "said",
    [
        {reason for _, reason in RESULTS.values() if reason} | set(REFUSED.values()),
        {*campay_wire.REASONS.values(), *campay_wire.ERRORS.values()},
        set(razorpay_events.REASONS.values()),
        {code for code, _ in payable.REFUSED_FIELDS.values()},
    ],
    ids=["momo", "campay", "razorpay", "payable"],
)
def test_what_a_provider_says_of_a_payment_has_words(said: set[str]) -> None:
    ours = {"unknown", "bad_format", "invalid_amount", "duplicate_reference"}
    assert said - ours - FOR_PROGRAMS <= set(FAILURES)


@ON_SQLITE
def test_a_rail_whose_name_is_a_word_is_called_by_it_in_every_language(app: Flask) -> None:
    """The others are names of companies and of their networks."""
    names = {"MoMo", "CamPay", "VietQR", "Pay2S", "SePay", "Casso", "payOS", "Razorpay", "PAYable"}
    assert {spec.label for spec in PROVIDERS.values()} <= {*names, "UPI", "UPI ID", "Webhook"}
    with app.test_request_context("/?lang=fr"):
        assert rail_words("payable") == "Carte bancaire"
        assert rail_words("momo") == "MoMo"


def test_every_role_has_words() -> None:
    assert set(ROLES) == set(PERMISSIONS) - {"key"}


def refusal(deed: str) -> PaychimeError:
    try:
        if deed == "decimals":
            from_major("1.5", "VND")
        elif deed == "digits":
            from_major("a lot", "VND")
        else:
            price(MAX_AMOUNT + 1, "VND")
    except PaychimeError as error:
        return error
    raise AssertionError(deed)


@ON_SQLITE
def test_a_refusal_says_what_would_be_right(app: Flask) -> None:
    with app.test_request_context("/?lang=fr"):
        assert refusal_words(refusal("decimals")) == "VND admet au plus 0 décimale."
        assert "avec un point" in refusal_words(refusal("digits"))
        assert "999\u202f999\u202f999\u202f999" in refusal_words(refusal("price"))
        own = Conflict("Words of the page itself.")
        assert refusal_words(own) == own.message
        refused = ProviderRefused("MoMo does not take this payment.", code="invalid_amount")
        assert refusal_words(refused) == failure_words("anything else")
        rail = InvalidInput("MoMo does not take XAF.", code="currency_not_taken")
        assert refusal_words(rail) == str(FAILURES["currency_not_taken"])


# ---- The templates ----


class _Literals(HTMLParser):
    """What a person would read of a template's own text, once its expressions are out."""

    SHOWN = frozenset({"alt", "title", "placeholder", "aria-label", "label"})

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in self.SHOWN and value]

    def handle_data(self, data: str) -> None:
        self.found.append(data)


def literals(text: str) -> list[str]:
    parser = _Literals()
    parser.feed(text)
    parser.close()
    return [" ".join(one.split()) for one in parser.found if re.search(r"[^\W\d_]", one)]


def constants(node: nodes.Node) -> Iterator[str]:
    """Texts within expressions, unless they are on their way through `_()`."""
    if isinstance(node, nodes.Call) and getattr(node.node, "name", "") in {"_", "ngettext"}:
        return
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        yield node.value
    for child in node.iter_child_nodes():
        yield from constants(child)


def templates() -> list[Path]:
    return sorted((ROOT / "templates").rglob("*.html"))


@ON_SQLITE
@pytest.mark.parametrize("path", templates(), ids=lambda path: path.name)
def test_a_template_shows_no_word_that_is_not_translated(app: Flask, path: Path) -> None:
    tree = app.jinja_env.parse(path.read_text())
    attributes = [node for node in tree.find_all(nodes.Block) if node.name.endswith("attributes")]
    hidden = {id(data) for block in attributes for data in block.find_all(nodes.TemplateData)}
    found = tree.find_all(nodes.TemplateData)
    own = "".join(f"<i {data.data}>" if id(data) in hidden else data.data for data in found)
    assert set(literals(own)) <= LITERALS
    # A sentence or a word with a capital; the others are names of things, which nobody reads.
    spoken = [text for text in constants(tree) if re.match(r"[A-Z][a-z]+( |$)", text)]
    assert spoken == []


def test_a_word_forgotten_in_a_template_is_found() -> None:
    """The premise of the test above."""
    page = '<p class="a">\n  Pay now<br><img alt="a picture"> · <code></code> 12:30</p>'
    assert literals(page) == ["Pay now", "a picture"]


# ---- The pages ----


@pytest.fixture
def environment(phone: World) -> dict[str, str]:
    return {
        **SETTINGS,
        "PORT": str(free_port()),
        "MOMO_API_URL": f"{phone.url}/momo",
        "CONFIRM_LIMIT": "VND:100000",
        "SANDBOX": "1",
        "SHOP_TIMEZONE": "Asia/Ho_Chi_Minh",
    }


WAYS = {
    "bank": (90_000, "VND"),
    "campay": (4_500, "XAF"),
    "upi": (649_00, "INR"),
    "upi-address": (649_00, "INR"),
    "payable": (2_350_00, "LKR"),
}
"""A price for each rail of the sandbox but MoMo, with which all the other states are made."""


def by_each_rail(people: People) -> dict[str, Order]:
    """An order under way by each rail, and in each currency one that still has to choose."""
    made = {f"choosing by {rail}": people.order(*price) for rail, price in WAYS.items()}
    rails, payer = people.house.rails, Payer(phone="677123456")
    with served(people.app, people.house.settings.port):
        for rail, asked in WAYS.items():
            order = made[rail] = people.order(*asked)
            people.in_app(
                *(checkout.start_payment, rails, people.shop, order.id, rail, payer),
                return_url="http://localhost/back",
                locale="en",
            )
    return made


@pytest.fixture
def shown(people: People) -> dict[str, Order]:
    """An order in each state that a page can show, and money that fits none of them."""
    names = ("pending", "waiting", "failed", "partly", "more", "paid", "over", "cancelled", "held")
    made = {name: people.order(90_000, return_url="https://shop.test/") for name in names}
    begun = {name: begin(people, made[name].id) for name in ("waiting", "failed", "paid", "over")}
    momo_calls(people.app, begun["failed"], resultCode=1006, transId=0)
    momo_calls(people.app, begun["paid"])
    momo_calls(people.app, begun["waiting"], amount=7, transId=8)
    for name, amount in (("partly", 40_000), ("more", 40_000), ("over", 95_000)):
        seen(people, made[name].id, amount, evidence=f"receipt {name}")
    begin(people, made["more"].id)
    seen(people, made["held"].id, 100_001, evidence="receipt held")
    people.in_app(checkout.cancel, people.shop, made["cancelled"].id, "Sold out")
    for name in ("expired", "claimed", "late", "returned"):
        made[name] = people.order(90_000)
        people.in_app(expire._expire, made[name].id, now() + timedelta(days=1))
    people.in_app(checkout.claim_paid, made["claimed"].id, "FT123", "At noon")
    seen(people, made["late"].id, 90_000, evidence="receipt late")
    for name, amount in (("refunded", 90_000), ("partly refunded", 30_000), ("asked back", 1_000)):
        made[name] = people.order(90_000)
        seen(people, made[name].id, 90_000, evidence=f"receipt {name}")
        (promised,) = people.in_app(
            refunds.refund, people.house.rails, people.manager, made[name].id, amount, "Broken"
        )
        if name != "asked back":
            people.in_app(refunds.settle_by_hand, people.manager, promised.id, "cash desk")
    for number, text in enumerate(("no memo", "Nguyen Thi Dao"), start=1):
        pay2s(Transfer(text, 90_000, number, f"FT{number}")).to(people.app)
    return {name: again(people, order) for name, order in (made | by_each_rail(people)).items()}


def again(people: People, order: Order) -> Order:
    found = people.in_app(orders.find, order.id)
    assert found is not None
    return found


def of_the_payer(people: People, shown: dict[str, Order], lang: str) -> Iterator[tuple[str, Page]]:
    for name, order in shown.items():
        payer = people.browser(order)
        for path in ("", "/fragment"):
            for more in ("", "&returned=1", "&claim=1"):
                page = payer.get(f"/checkout/{order.id}{path}?lang={lang}{more}")
                yield f"{name}{path}{more}", page_of(page)
    pending, payer = shown["pending"].id, people.browser(shown["pending"])
    payer.get(f"/login?lang={lang}")
    for deed, fields in (
        ("pay", {"provider": "none"}),
        ("claim", {"reference": ""}),
    ):
        answer = submit(payer, f"/checkout/{pending}/{deed}", **fields)
        yield deed, page_of(answer, 422)
    claimed = people.browser(shown["expired"])
    answer = submit(claimed, f"/checkout/{shown['expired'].id}/claim?claim=1&lang={lang}")
    yield "claim again", page_of(answer, 422)
    for name, deed, fields in (
        ("choosing by campay", "pay", {"provider": "campay", "phone": "12"}),
        ("choosing by payable", "pay", {"provider": "payable", "token_id": "gone"}),
        ("upi-address", "claim", {"reference": "not a UTR"}),
    ):
        payer, action = people.browser(shown[name]), f"/checkout/{shown[name].id}/{deed}"
        answer = submit(payer, f"{action}?claim=1&lang={lang}", **fields)
        yield f"refused {deed} {name}", page_of(answer, 422)


def of_the_staff(people: People, shown: dict[str, Order], lang: str) -> Iterator[tuple[str, Page]]:
    for who in (people.clerk, people.manager):
        browser = people.signed_in(who)
        browser.get(f"/login?lang={lang}")
        for name, order in shown.items():
            for path in ("", "/fragment", "/show"):
                answer = browser.get(f"/staff/orders/{order.id}{path}")
                yield f"staff {name}{path}", page_of(answer)
        for path in ("", "orders", "new", "parked", "callbacks/1", "?status=paid", "?q=nothing"):
            yield f"staff {path}", page_of(browser.get(f"/staff/{path}"))
        for path in ("/staff/unmatched", "/websocket-test.html", "/payment-test"):
            yield f"staff {path}", page_of(browser.get(path))
    pending, paid = shown["pending"].id, shown["paid"].id
    line = people.in_app(bank_lines.waiting)[0].id
    for path, fields in (
        (f"unmatched/{line}/assign", {"order_id": pending, "reason": ""}),
        (f"unmatched/{line}/assign", {"other": "none", "reason": "She named it"}),
        (f"unmatched/{line}/return", {"evidence": "", "reason": "Sent back"}),
        ("new", {"amount": "a lot", "currency": "VND", "description": ""}),
        ("new", {"amount": "1.5", "currency": "VND", "description": "Tea"}),
        ("new", {"amount": "1", "currency": "ZZZ", "description": "Tea"}),
        (f"orders/{pending}/confirm", {"amount": "1", "evidence": "x", "reason": "I saw it"}),
        (f"orders/{pending}/confirm", {"amount": "1", "evidence": "receipt 5", "reason": ""}),
        (
            f"orders/{pending}/confirm",
            {"amount": "1", "evidence": "receipt partly", "reason": "I saw it"},
        ),
        (f"orders/{pending}/cancel", {"reason": ""}),
        (f"orders/{paid}/cancel", {"reason": "Sold out"}),
        (f"orders/{paid}/refund", {"amount": "90001", "reason": "Broken"}),
        (f"orders/{pending}/refund", {"amount": "1", "reason": "Broken"}),
    ):
        answer = submit(browser, f"/staff/{path}", **fields)
        assert answer.status_code in {400, 409, 422}, (path, answer.status)
        yield f"refused {path} {fields}", page_of(answer, answer.status_code)


def of_nobody(people: People, lang: str) -> Iterator[tuple[str, Page]]:
    browser = people.browser()
    for path in ("/", "/login", "/api/docs", "/websocket-test.html", "/payment-test"):
        yield path, page_of(browser.get(f"{path}?lang={lang}"))
    yield "405", page_of(browser.put("/login"), 405)
    yield "404", page_of(browser.get("/nothing"), 404)
    yield "no token", page_of(browser.post("/login"), 400)
    yield "sign-in", page_of(submit(browser, "/login", email="a", password="b"), 401)
    for status in (400, 401, 403, 404, 410, 413, 415, 429, 500, 503):
        with people.app.test_request_context(f"/x?lang={lang}"):
            yield str(status), Page(_page(status, reference="abc").get_data(as_text=True))


def all_pages(people: People, shown: dict[str, Order], lang: str) -> Iterator[tuple[str, Page]]:
    yield from of_the_payer(people, shown, lang)
    yield from of_the_staff(people, shown, lang)
    yield from of_nobody(people, lang)


ATTRIBUTES = frozenset({"alt", "title", "placeholder", "aria-label"})
STATES = (
    *("data-copied", "data-left", "data-over", "data-new", "data-changed", "data-title"),
    *("data-polling", "data-offline", "data-words"),
)


def spoken(page: Page) -> str:
    """What is read, and what a screen reader or a script says instead."""
    told = [
        value
        for one in page.elements
        for name, value in one.attributes.items()
        if name in ATTRIBUTES or name.startswith(STATES)
    ]
    titles = [one.text for one in page.all("title")]
    return "\n".join([page.text, *titles, *told])


NAMES = frozenset({"clerk", "manager"})
"""The people of these tests are called as their roles are, and a name is not translated."""


def english(language: str) -> tuple[list[str], set[str]]:
    """Pieces of two words and more that only English has, and whole messages of any length."""
    pieces, whole = [], set()
    for message in messages(catalog(language)):
        for source in forms(message.id):
            translated = " ".join(forms(message.string))
            if source in translated or source in NAMES:
                continue
            whole.add(source)
            pieces += [
                piece.strip()
                for piece in PLACEHOLDER.split(source)
                if len(re.findall(r"[^\W\d_]+", piece)) >= 2 and piece.strip() not in translated
            ]
    return pieces, whole


def says_its_language(name: str, page: Page, language: str) -> bool:
    """A fragment is put into a page that does."""
    if "fragment" in name or name == "staff orders":
        return not page.all("html")
    (html,) = page.all("html")
    return html["lang"] == language


@ON_SQLITE
@pytest.mark.parametrize(
    "language",
    [*("vi", "si"), *(pytest.param(one, marks=pytest.mark.long) for one in ("fr", "hi"))],
)
def test_every_page_speaks_its_readers_language_says_so_and_speaks_no_english(
    people: People, shown: dict[str, Order], language: str
) -> None:
    pieces, whole = english(language)
    count = 0
    for name, page in all_pages(people, shown, language):
        count += 1
        assert says_its_language(name, page, language), name
        said = spoken(page)
        assert [piece for piece in pieces if piece in said] == [], name
        alone = {one.text.strip() for one in page.elements}
        names = {one.text.strip() for one in page.all("code")}
        assert (alone - names) & whole == set(), name
    assert count > 150


@ON_SQLITE
def test_pieces_that_are_left_in_english_are_found(people: People, shown: dict[str, Order]) -> None:
    """The premise: read in English, every page has some of them."""
    pieces, whole = english("vi")
    for name, page in all_pages(people, shown, "en"):
        assert says_its_language(name, page, "en"), name
        said, alone = spoken(page), {one.text.strip() for one in page.elements}
        assert any(piece in said for piece in pieces) or alone & whole, name


STATES_IN_WORDS = {
    "pending": "Choose how to pay",
    "waiting": "Waiting for your payment",
    "failed": "The payment did not go through",
    "paid": "Paid",
    "late": "Paid",
    "over": "Paid",
    "expired": "The time to pay has run out",
    "cancelled": "This order was cancelled",
    "refunded": "Refunded",
    "partly refunded": "Partly refunded",
}


@ON_SQLITE
@in_every_language
def test_the_checkout_tells_each_state_in_the_words_of_the_catalog(
    people: People, shown: dict[str, Order], language: str
) -> None:
    words = catalog(language)
    for name, source in STATES_IN_WORDS.items():
        order = shown[name]
        page = page_of(people.browser(order).get(f"/checkout/{order.id}?lang={language}"))
        message = words.get(source)
        assert message is not None
        (headline,) = page.all("h2")
        assert headline.text.strip() == message.string, name


AMOUNTS = {
    "en": "₫90,000",
    "vi": "90.000\xa0₫",
    "fr": "90\u202f000\xa0₫",
    "hi": "₫90,000",
    "si": "₫90,000",
}


@ON_SQLITE
@pytest.mark.parametrize("language", LOCALES)
def test_money_and_times_are_in_the_form_of_the_language(
    people: People, shown: dict[str, Order], language: str
) -> None:
    for name in ("pending", "waiting", "partly", "paid", "refunded"):
        order = shown[name]
        html = people.browser(order).get(f"/checkout/{order.id}?lang={language}")
        page = page_of(html)
        assert AMOUNTS[language] in "".join(page.words), name
        (time,) = page.all("time")
        # What is settled names that moment, what waits its end; each in the shop's zone.
        at = again(people, order).expires_at if order.open else order.ended_at
        assert at is not None
        there = at.astimezone(ZoneInfo("Asia/Ho_Chi_Minh"))
        assert time.text == format_datetime(there, "medium", locale=language), name


@ON_SQLITE
@in_every_language
def test_a_good_of_the_demo_shop_has_its_name_at_the_checkout_too(
    people: People, language: str
) -> None:
    browser = people.browser()
    browser.get(f"/login?lang={language}")
    answer = submit(browser, "/demo/coffee")
    page = page_of(browser.get(browser.get(answer.headers["Location"]).headers["Location"]))
    title = catalog(language).get(GOODS["coffee"].title)
    assert title is not None
    assert page.all("h1")[0].text == title.string


# ---- Choosing a language ----


def links(page: Page) -> dict[str, str]:
    """The way from this page to itself in each language."""
    return {one["hreflang"]: one["href"] for one in page.all("a") if one.get("hreflang")}


def lang(page: Page) -> str:
    (html,) = page.all("html")
    return html["lang"]


def follow(browser: FlaskClient, here: str, link: str) -> Page:
    return page_of(browser.get(link if link.startswith("/") else urlsplit(here).path + link))


@ON_SQLITE
def test_a_language_link_keeps_everything_else_that_was_asked_for(
    people: People, shown: dict[str, Order]
) -> None:
    browser = people.signed_in(people.clerk)
    page = page_of(browser.get("/staff/?status=paid&q=a%26b&lang=fr&q=ü"))
    for language, link in links(page).items():
        assert parse_qs(urlsplit(link).query) == {
            **{"status": ["paid"], "q": ["a&b", "ü"]},
            "lang": [language],
        }
    vietnamese = follow(browser, "/staff/", links(page)["vi"])
    assert lang(vietnamese) == "vi"
    assert vietnamese.id("search")["value"] == "a&b"


@ON_SQLITE
def test_a_language_link_never_leads_to_another_host(people: People) -> None:
    for path in ("//evil.test/", "/\\evil.test", '//evil.test/">', "https://evil.test/"):
        answer = people.browser().get("/?x=//evil.test", environ_overrides={"PATH_INFO": path})
        page = page_of(answer, 404)
        for link in links(page).values():
            assert link.startswith("?"), path
    assert len(links(page)) == len(LOCALES)


@ON_SQLITE
@pytest.mark.parametrize("language", LOCALES)
def test_another_language_still_signs_in_to_where_one_was_going(
    people: People, language: str
) -> None:
    clerk, browser = people.clerk.user, people.browser()
    assert clerk is not None
    for page in (
        page_of(browser.get("/login?next=/staff/parked%3Fa%3D1%26b%3D2")),
        page_of(
            submit(browser, "/login", email="a", password="b", next="/staff/parked?a=1&b=2"), 401
        ),
    ):
        there = follow(browser, "/login", links(page)[language])
        assert lang(there) == language
        (onward,) = there.all("input", name="next")
        assert onward["value"] == "/staff/parked?a=1&b=2"
    answer = browser.post(
        there.all("form")[0]["action"],
        data={
            "csrf_token": csrf(browser),
            "email": clerk.email,
            "password": PASSWORD,
            "next": onward["value"],
        },
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, "/staff/parked?a=1&b=2")
    assert lang(page_of(browser.get(answer.headers["Location"]))) == language


@ON_SQLITE
def test_the_answer_to_a_form_offers_its_own_page_in_other_languages(
    people: People, shown: dict[str, Order]
) -> None:
    pending, expired = shown["pending"], shown["expired"]
    payer, late = people.browser(pending), people.browser(expired)
    clerk = people.signed_in(people.clerk)
    for browser, action, fields, there in (
        (payer, f"/checkout/{pending.id}/pay", {"provider": "none"}, f"/checkout/{pending.id}"),
        (late, f"/checkout/{expired.id}/claim?claim=1", {}, f"/checkout/{expired.id}"),
        (clerk, f"/staff/orders/{pending.id}/cancel", {}, f"/staff/orders/{pending.id}"),
        (clerk, "/staff/new", {"amount": "x"}, ""),
    ):
        answer = submit(browser, action, **fields)
        assert 400 <= answer.status_code < 500
        found = links(page_of(answer, answer.status_code))
        assert len(found) == len(LOCALES)
        for language, link in found.items():
            assert urlsplit(link).path == there
            assert lang(follow(browser, action, link)) == language
    # The note is still open in the other language.
    answer = submit(late, f"/checkout/{expired.id}/claim?claim=1", note="At noon")
    page = page_of(answer, 422)
    assert page.id("claim-note").text == "At noon"
    assert follow(late, "", links(page)["hi"]).has("claim")


@ON_SQLITE
def test_an_error_without_an_address_of_its_own_offers_no_languages(people: People) -> None:
    page = page_of(submit(people.browser(), "/checkout/none/pay"), 404)
    assert links(page) == {}


@ON_SQLITE
def test_a_language_chosen_on_the_checkout_holds_while_it_is_paid(
    people: People, shown: dict[str, Order]
) -> None:
    """Also for somebody whose account speaks another: nothing that follows may mix the two."""
    made = "mai@people.test"
    user_id = people.in_app(
        accounts.create_user, made, PASSWORD, "customer", name="Mai", locale="vi"
    )
    order = people.order(90_000, customer_id=user_id)
    browser = people.browser()
    submit(browser, "/login", email=made, password=PASSWORD)
    assert lang(page_of(browser.get(f"/checkout/{order.id}"))) == "vi"
    page = page_of(browser.get(f"/checkout/{order.id}?lang=fr"))
    fragment = page.id("payment")["data-fragment"]
    assert "Choisissez comment payer" in page_of(browser.get(fragment)).text
    (action,) = [one for one in page.actions() if one.endswith("/pay?lang=fr")]
    answer = submit(browser, action, provider="momo")
    assert answer.status_code == 303
    page = page_of(browser.get(answer.headers["Location"]))
    assert lang(page) == "fr"
    assert "En attente de paiement" in page.text
    assert attempt_of(people, order.id).action is not None


@ON_SQLITE
def test_the_link_that_staff_hand_out_leaves_the_language_to_the_payer(
    people: People, shown: dict[str, Order]
) -> None:
    browser = people.signed_in(people.clerk)
    page = page_of(browser.get(f"/staff/orders/{shown['pending'].id}/show?lang=si"))
    (link,) = [one["href"] for one in page.all("a") if "access=" in (one.get("href") or "")]
    assert "lang" not in parse_qs(urlsplit(link).query)


@ON_SQLITE
def test_words_are_translated_outside_of_a_request_too(app: Flask) -> None:
    with app.app_context(), force_locale("hi"):
        assert str(REFUSALS["forbidden"]) == "आपको यह करने का अधिकार नहीं है।"
