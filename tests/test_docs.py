"""What the docs name exists, and what exists is in the docs.

`.venv/bin/python -m tests.test_docs` writes `docs/states.md` from the table of moves.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import click
import pytest
import sqlalchemy
from flask import Flask
from prometheus_client import Counter, Gauge, Histogram
from pydantic import BaseModel
from sqlalchemy import create_engine
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Map

from payments.api import schemas
from payments.bootstrap import add_commands, create_app
from payments.dialects import V1
from payments.domain.facts import Fact
from payments.domain.snapshot import iso
from payments.domain.states import (
    FACTS,
    TRANSITIONS,
    Kind,
    Move,
    OrderStatus,
    PaymentStatus,
)
from payments.front.words import FAILURES, PARKED, failure_words
from payments.providers import momo
from payments.providers.registry import CALLBACK, FETCH, PROVIDERS, START, Spec
from payments.services import figures
from payments.settings import load
from payments.settings.reader import Reader
from payments.store import statements, tables
from payments.store.db import now

REPOSITORY = Path(__file__).resolve().parent.parent
REGENERATE = ".venv/bin/python -m tests.test_docs"

PAGES = (
    *("README.md", "CHANGELOG.md", "SECURITY.md", "CONTRIBUTING.md"),
    *(str(path.relative_to(REPOSITORY)) for path in sorted((REPOSITORY / "docs").rglob("*.md"))),
)
ELSEWHERE = ("/socket.io/", "/sandbox", "/static/", "/v2/gateway/api/", "/ipg")
"""Addresses that are the engine's, the simulator's or a provider's."""

FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")


# ---- docs/states.md ----


def states_page() -> str:
    """The whole of `TRANSITIONS`, as people read it."""
    lines = [
        "# States",
        "",
        f"Made from the table of moves by `{REGENERATE}`; a test compares the two.",
        "What is not here cannot happen: a callback that says it is kept for staff, and a person",
        "who asks for it is refused. **Bold** where the state changes.",
    ]
    for title, payment in (("Attempts to pay", True), ("Orders", False)):
        lines += ["", f"## {title}", ""]
        lines += ["| from | what happens | to | ledger | event told |", "|---|---|---|---|---|"]
        lines += [
            _row(start, kind, move)
            for (start, kind), move in TRANSITIONS.items()
            if isinstance(start, PaymentStatus) is payment
        ]
    return "\n".join([*lines, "", *LEGEND, ""])


def _row(start: OrderStatus | PaymentStatus, kind: Kind, move: Move) -> str:
    to = f"`{move.to.value}`"
    cells = (
        f"`{start.value}`",
        kind.value,
        (to if move.to is start else f"**{to}**") + (", marked late" if move.late else ""),
        move.posting.value if move.posting else "",
        f"`{move.fact}`" if move.fact else "",
    )
    return f"| {' | '.join(cells)} |"


LEGEND = (
    "## The ledger's words",
    "",
    "- **receipt**: what was due becomes revenue. What is over goes to the customer's wallet, or",
    "  is held in suspense where they have none. All of a deposit goes to its customer's wallet.",
    "- **excess**: all of it is over, and goes the same way.",
    "- **suspense**: all of it is held; no order asks for it.",
    "- **reclassify**: from the account of confirmations by hand to the provider's own.",
    "",
    "An attempt that succeeds books its money through its order's move. Refunds have postings of",
    "their own: promised when asked for, paid or taken back when the provider has answered.",
)


def test_the_states_page_is_the_table() -> None:
    assert text("docs/states.md") == states_page(), f"run: {REGENERATE}"


# ---- What there is ----


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    folder = tmp_path_factory.mktemp("docs")
    settings = load(
        {
            "APP_ENV": "test",
            "SECRET_KEY": "a secret of the docs' tests",
            "INSTANCE_PATH": str(folder),
            "DATABASE_URL": f"sqlite:///{folder / 'docs.db'}",
        }
    )
    return add_commands(create_app(settings))


def text(page: str) -> str:
    return (REPOSITORY / page).read_text()


@cache
def everything() -> str:
    return "\n".join(text(page) for page in PAGES)


@cache
def words_in_code_font() -> frozenset[str]:
    """Every `word` of every page, outside of its blocks of code."""
    return frozenset(CODE.findall(FENCE.sub("", everything())))


def blocks(language: str) -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for found, block in FENCE.findall(text(page)):
            if found == language:
                yield page, block


def table(page: str, name: str) -> list[list[str]]:
    """The rows of the table between the marks of this name, without its head."""
    part = text(page).split(f"<!-- {name}: begin -->")[1].split(f"<!-- {name}: end -->")[0]
    rows = [line for line in part.strip().splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def first_cells(page: str, name: str) -> list[str]:
    return [word for row in table(page, name) for word in CODE.findall(row[0])]


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes(), str(path))


@cache
def names_of_the_code() -> frozenset[str]:
    """Every name and every text that stands in the sources."""
    paths = [REPOSITORY / "wsgi.py"]
    for folder in ("payments", "sandbox", "tests/faults"):
        paths += (REPOSITORY / folder).rglob("*.py")
    nodes = (node for path in paths for node in ast.walk(tree(path)))
    return frozenset(word for node in nodes if (word := _word(node)))


def _word(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else None


# ---- Settings ----


class Listening(dict[str, str]):
    """An environment that knows what it was asked for."""

    def __init__(self, **values: str) -> None:
        super().__init__(values)
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)


@cache
def settings_read() -> frozenset[str]:
    """The names that the settings ask the environment for, with all there is switched on."""
    asked = set()
    with TemporaryDirectory() as instance:
        known = {"APP_ENV": "test", "SECRET_KEY": "a secret of the docs' tests"}
        for more in ({"SANDBOX": "1"}, {"REDIS_HOST": "localhost"}):
            environ = Listening(**known, **more, INSTANCE_PATH=instance)
            load(environ)
            asked |= environ.asked
    return frozenset(asked)


def test_every_setting_is_documented_and_no_other() -> None:
    documented = first_cells("docs/operate.md", "settings")
    assert len(documented) == len(set(documented))
    assert set(documented) == settings_read()


def test_what_examples_set_are_settings() -> None:
    known = settings_read()
    assigned = re.compile(r"^ *(?:export )?([A-Z][A-Z0-9_]+)=", re.MULTILINE)
    for language in ("sh", "ini"):
        for page, block in blocks(language):
            assert set(assigned.findall(block)) <= known, page


def test_no_page_names_a_setting_that_is_not_there() -> None:
    capitals = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
    named = {word for code in words_in_code_font() for word in capitals.findall(code)}
    assert named - settings_read() - names_of_the_code() == set()


def test_what_may_be_two_secrets_while_it_is_rotated_is_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    may_be_two, read_secrets = set(), Reader.secrets

    def listen(self: Reader, name: str) -> tuple[str, ...]:
        may_be_two.add(name)
        return read_secrets(self, name)

    monkeypatch.setattr(Reader, "secrets", listen)
    with TemporaryDirectory() as instance:
        load({"APP_ENV": "test", "SECRET_KEY": "s", "SANDBOX": "1", "INSTANCE_PATH": instance})
    rule = text("docs/operate.md").partition("**Rotating a secret.**")[2].partition("The first")[0]
    assert may_be_two == set(CODE.findall(rule))


def test_the_sql_of_examples_fits_the_tables() -> None:
    engine = create_engine("sqlite://")
    tables.orders.metadata.create_all(engine)
    found = [one for _, block in blocks("sql") for one in block.split(";") if one.strip()]
    assert found
    with engine.connect() as connection:
        for statement in found:
            connection.execute(sqlalchemy.text(statement))


# ---- Addresses ----


def shape(path: str) -> str:
    """The same for `/orders/<order_id>` of a rule and `/orders/{order_id}` of a page."""
    path = re.sub(r"<any\([^)]*\):\w+>", "svg", path.partition("?")[0])
    return re.sub(r"<[^>]+>|\{[^}]+\}", "{}", path)


def addresses_of(pages_text: str) -> set[str]:
    found = set()
    for code in CODE.findall(FENCE.sub("", pages_text)):
        match = re.fullmatch(r"(?:(?:GET|POST|PATCH|DELETE|PUT) )?(/[^\s]*)", code)
        if match:
            found.add(match[1])
    return found


def test_every_address_is_documented(app: Flask) -> None:
    documented = {shape(path) for path in addresses_of(everything())}
    rules = {shape(rule.rule) for rule in app.url_map.iter_rules() if rule.endpoint != "static"}
    assert rules - documented == set()


def test_every_call_is_documented_with_its_method(app: Flask) -> None:
    documented = {
        (method, shape(path))
        for method, path in re.findall(r"`(GET|POST|PATCH|DELETE|PUT) (/[^\s`]*)`", everything())
    }
    calls = {
        (method, shape(rule.rule))
        for rule in app.url_map.iter_rules()
        if rule.endpoint != "static"
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert calls - documented == set()


def test_no_page_names_an_address_that_is_not_there(app: Flask) -> None:
    rules = {shape(rule.rule) for rule in app.url_map.iter_rules()}
    named = {path for path in addresses_of(everything()) if not path.startswith(ELSEWHERE)}
    unknown = {
        path
        for path in named
        if shape(path) not in rules
        and not is_answered(app.url_map, path)
        and not any(rule.startswith(path.rstrip("/") + "/") for rule in rules)
    }
    assert unknown == set()


def test_the_addresses_of_examples_are_answered(app: Flask) -> None:
    ours = re.compile(r"https?://(?:127\.0\.0\.1:5000|localhost:5000|pay\.example)[^\s\"'`<>)]*")
    paths = {urlsplit(url.rstrip(".,;")).path for url in ours.findall(everything())}
    paths = {path for path in paths if path and not path.startswith(ELSEWHERE)}
    assert paths
    assert {path for path in paths if not is_answered(app.url_map, path)} == set()


def is_answered(routes: Map, path: str) -> bool:
    try:
        routes.bind("").match(path.partition("?")[0])
    except MethodNotAllowed:
        return True
    except NotFound:
        return False
    return True


# ---- Facts, figures, commands, providers, socket events ----


def test_every_fact_is_documented_and_no_other() -> None:
    assert set(first_cells("docs/integrate.md", "facts")) == FACTS


def test_every_kind_of_movement_is_documented_and_no_other() -> None:
    documented = first_cells("docs/wallets.md", "kinds")
    assert sorted(documented) == sorted(statements.KINDS)


def test_no_page_names_a_fact_or_a_right_that_is_not_there() -> None:
    dotted = re.compile(r"(?:order|payment|callback|refund|wallet|card)\.[a-z_]+")
    named = {word for word in words_in_code_font() if dotted.fullmatch(word)}
    assert named <= FACTS | names_of_the_code()


def test_every_figure_is_documented_and_no_other() -> None:
    kinds = (Counter, Gauge, Histogram)
    here = [one for one in vars(figures).values() if isinstance(one, kinds)]
    names = {
        metric.name + ("_total" if isinstance(one, Counter) else "")
        for one in here
        for metric in one.describe()
    }
    assert set(first_cells("docs/operate.md", "metrics")) == names
    named = {word for word in words_in_code_font() if re.fullmatch(r"paychime_[a-z_]+", word)}
    assert named - {"paychime_orders"} <= names


def commands(app: Flask) -> Iterator[str]:
    """Ours: those whose work is done in `payments.cli`."""
    for name, command in app.cli.commands.items():
        inner = command.commands if isinstance(command, click.Group) else {"": command}
        for sub, one in inner.items():
            if getattr(one.callback, "__module__", "").startswith("payments.cli"):
                yield f"{name} {sub}".strip()


def test_every_command_is_documented(app: Flask) -> None:
    ours = set(commands(app))
    assert ours
    documented = " ".join(words_in_code_font())
    assert {name for name in ours if f"flask --app app {name}" not in documented} == set()


def test_no_page_names_a_command_that_is_not_there(app: Flask) -> None:
    for line in re.findall(r"flask --app app ((?:[a-z-]+ ?){1,2})", everything()):
        words = line.split()
        command: click.Command | None = app.cli.commands.get(words[0])
        if words[0] == "db":
            continue
        assert command is not None, line
        if isinstance(command, click.Group):
            assert words[1] in command.commands, line


def test_every_target_of_make_that_is_named_is_there() -> None:
    targets = set(re.findall(r"^([a-z]+):", text("Makefile"), re.MULTILINE))
    named = {
        word
        for code in (*words_in_code_font(), *(block for _, block in blocks("sh")))
        for word in re.findall(r"^(?:[A-Z]+=\S+ )?make ([a-z]+)", code, re.MULTILINE)
    }
    assert named <= targets


def described() -> dict[str, Spec]:
    """Every row, but for one that only offers another row's way beside it."""
    rows = PROVIDERS.items()
    return {
        key: spec
        for key, spec in rows
        if not any(set(spec.adapters) < set(other.adapters) for _, other in rows)
    }


def test_every_provider_has_its_page_and_no_other() -> None:
    pages = {path.stem for path in (REPOSITORY / "docs" / "providers").glob("*.md")}
    assert pages == set(described())


def offering(ability: str) -> set[str]:
    """The rows of which an adapter is able to do it."""
    return {
        key
        for key, spec in PROVIDERS.items()
        if any(ability in adapter.abilities for adapter in spec.adapters)
    }


@pytest.mark.parametrize(
    ("page", "name", "key_in", "money_in"),
    [("docs/shop.md", "ways", 1, 2), ("docs/integrate.md", "actions", 0, 1)],
)
def test_every_way_to_pay_is_documented_with_its_currencies(
    page: str, name: str, key_in: int, money_in: int
) -> None:
    documented = {
        row[key_in].strip("`"): set(re.findall("[A-Z]{3}", row[money_in]))
        for row in table(page, name)
    }
    assert documented == {key: set(PROVIDERS[key].limits) for key in offering(START)}


def test_every_callback_address_is_documented_and_no_other() -> None:
    documented = set(first_cells("docs/integrate.md", "callbacks"))
    assert documented == {f"/callbacks/{key}" for key in offering(CALLBACK)}


def test_what_each_callback_proves_is_documented_and_who_can_be_asked() -> None:
    rows = {re.findall(r"/([\w-]+)\.md", row[0])[0]: row for row in table("SECURITY.md", "proofs")}
    assert set(rows) == offering(CALLBACK)
    runs = {key: {one.path for one in PROVIDERS[key].adapters} for key in PROVIDERS}
    asked = set[str]().union(*(runs[key] for key in offering(FETCH)))
    for key, row in rows.items():
        assert row[4].startswith("yes") is bool(runs[key] & asked), key


@pytest.mark.parametrize("key", described())
def test_the_page_of_a_provider_says_how_it_is_set_up(key: str) -> None:
    page = text(f"docs/providers/{key}.md")
    for adapter in described()[key].adapters:
        if CALLBACK in adapter.abilities:
            assert f"/callbacks/{key}`" in page, "where it calls"
        prefix = adapter.setting.split("_")[0].upper()
        assert re.search(rf"`{prefix}_[A-Z_]+`", page), f"what is to be set for {adapter.setting}"


def test_the_sixth_provider_is_the_one_that_is_tested() -> None:
    """In docs/add-a-provider.md, word for word; and short."""
    page = text("docs/add-a-provider.md")
    shown = page.split("<!-- sixth: begin -->")[1].split("<!-- sixth: end -->")[0]
    adapter = text("tests/providers/sixth.py")
    assert [block for _, block in FENCE.findall(shown)] == [adapter]
    assert len(adapter.splitlines()) < 150
    example, case = (
        re.sub(r"\s+", " ", one) for one in (page, text("tests/providers/test_sixth.py"))
    )
    call = case[case.index("def call(said") : case.index("class TestASixth")]
    assert call.strip() in example


def a_fact() -> Fact:
    return Fact("order:1", 1, "order.paid", {}, {}, now())


def test_every_socket_event_is_documented_and_no_other() -> None:
    told = {one.event for one in V1.told(a_fact())}
    sent = {*V1.subscribe, *V1.unsubscribe, *V1.seen, *V1.replies}
    documented = {CODE.findall(row[1])[0] for row in table("docs/integrate.md", "events")}
    assert documented == told | sent | {"subscription-error"}


def test_the_payload_of_an_update_is_documented() -> None:
    one, *_ = V1.told(a_fact())
    keys = set(one.payload(a_fact(), iso(now()) or ""))
    rows = {row[1]: row[2] for row in table("docs/integrate.md", "events")}
    assert set(re.findall(r"\w+", rows["`update`"])) == keys


# ---- Problem codes ----


def codes_raised() -> set[str]:
    """The `code`s that the sources write out: `code="..."`, class attributes, `problem(...)`."""
    found = set(FAILURES) | {reason for _, reason in momo.RESULTS.values() if reason}
    found |= set(momo.REFUSED.values())
    for path in (REPOSITORY / "payments").rglob("*.py"):
        for node in ast.walk(tree(path)):
            found |= set(_codes(node))
    return found - {"error"}


def _codes(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call):
        values = [one.value for one in node.keywords if one.arg == "code"]
        if isinstance(node.func, ast.Name) and node.func.id == "problem":
            values += node.args[1:2]
    elif isinstance(node, ast.Assign) and any(
        isinstance(target, ast.Name) and target.id == "code" for target in node.targets
    ):
        values = [node.value]
    else:
        return
    for value in values:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield value.value


BY_STATUS = {
    *("bad_request", "method_not_allowed", "request_entity_too_large", "too_many_requests"),
    "unsupported_media_type",
}
"""Made from the status where the framework refuses."""


def test_every_problem_code_is_documented_and_no_other() -> None:
    documented = first_cells("docs/integrate.md", "codes")
    assert len(documented) == len(set(documented))
    raised = codes_raised() | BY_STATUS | {"invalid_<field>"}
    assert raised - set(documented) == set(), "not documented"
    assert set(documented) - raised == set(), "not in the code"


def test_every_reason_of_a_failure_and_of_parking_is_documented(app: Flask) -> None:
    assert set(FAILURES) <= words_in_code_font()
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \|", text("docs/staff.md"), re.MULTILINE)
    with app.test_request_context():
        assert dict(rows) == {code: str(words) for code, words in PARKED.items()}


# ---- Examples ----


def test_the_examples_are_python_and_json() -> None:
    for page, block in blocks("python"):
        compile(block, page, "exec")
    for page, block in blocks("json"):
        assert json.loads(block), page


def test_the_answers_of_examples_have_the_keys_of_the_api() -> None:
    models: dict[str, type[BaseModel]] = {
        "checkout_url": schemas.OrderOut,
        "action": schemas.PaymentOut,
        "expires_in": schemas.Token,
        "detail": schemas.Problem,
    }
    checked = set()
    for _, block in blocks("json"):
        body = json.loads(block)
        for mark, model in models.items():
            if isinstance(body, dict) and mark in body:
                model.model_validate(body)
                assert set(body) <= set(model.model_fields)
                checked.add(mark)
                break
    assert checked == set(models)


# ---- MoMo ----


def test_momos_result_codes_are_the_adapters(app: Flask) -> None:
    rows = {int(row[0]): row for row in table("docs/providers/momo.md", "results")}
    assert set(rows) == set(momo.RESULTS)
    with app.test_request_context():
        for code, (kind, reason) in momo.RESULTS.items():
            _, _, attempt, failure, words = rows[code]
            said = failure_words(reason) if kind is Kind.FAILED else ""
            expected = (kind.value, f"`{reason}`" if reason else "", said or "")
            assert (attempt, failure, words) == expected, code


def test_momos_refusals_are_the_adapters() -> None:
    rows = table("docs/providers/momo.md", "refusals")
    assert {int(row[0]): row[2].strip("`") for row in rows} == momo.REFUSED


def test_momos_signed_fields_are_the_adapters() -> None:
    rows = {row[0]: tuple(row[1].split(", ")) for row in table("docs/providers/momo.md", "fields")}
    calls = {"create": momo.CREATE, "callback": momo.IPN, "query": momo.QUERY}
    assert rows == calls | {"refund": momo.REFUND}


# ---- Links, and what is no business of the project ----


def anchors(page: Path) -> set[str]:
    """As GitHub makes them from headings."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE):
        plain = re.sub(r"[^\w\- ]", "", heading.lower())
        found.add(plain.replace(" ", "-"))
    return found


def test_every_relative_link_leads_somewhere() -> None:
    broken = []
    for page in (*PAGES, "sandbox/README.md"):
        for target in LINK.findall(FENCE.sub("", text(page))):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            file = (REPOSITORY / page).parent / path if path else REPOSITORY / page
            if not file.exists() or (anchor and anchor not in anchors(file)):
                broken.append(f"{page}: {target}")
    assert broken == []


def test_every_decision_is_listed_by_its_title() -> None:
    folder = REPOSITORY / "docs" / "adr"
    listed = re.findall(
        r"^\| \[(\d{4})\]\(([\w-]+\.md)\) \| (.+) \|$", text("docs/adr/README.md"), re.M
    )
    titles = {path.name: path.read_text().splitlines()[0] for path in folder.glob("0*.md")}
    assert {name: f"# {number}. {title}" for number, name, title in listed} == titles
    assert [name for _, name, _ in listed] == sorted(titles)


def tracked_files() -> Iterator[Path]:
    """What git tracks; in a copy without git, everything that is not made here."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],  # noqa: S607
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0 and listed.stdout:
        yield from (REPOSITORY / name for name in listed.stdout.split("\0") if name)
        return
    made = {".venv", "instance", "__pycache__"}
    for path in REPOSITORY.rglob("*"):
        parts = path.relative_to(REPOSITORY).parts
        if not made & set(parts) and not any(part.endswith("_cache") for part in parts):
            yield path


def test_nothing_names_a_registrys_host_or_a_place_on_somebodys_machine() -> None:
    # Put together here, so that this file does not name them.
    registries = ("pypi" + ".org", "python" + "hosted", "registry.npm" + "js", "registry." + "yarn")
    machine = re.compile(
        r"(?<![\w./])/(?:" + "|".join(("work", "root", r"home/\w+", "Users")) + ")/"
    )
    named = []
    for path in tracked_files():
        if not path.is_file():
            continue
        try:
            content = path.read_text()
        except UnicodeDecodeError:
            continue
        if any(host in content for host in registries) or machine.search(content):
            named.append(str(path.relative_to(REPOSITORY)))
    assert named == []


if __name__ == "__main__":
    (REPOSITORY / "docs" / "states.md").write_text(states_page())
