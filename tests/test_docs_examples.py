"""The examples of the docs, typed in by somebody who follows the page from its beginning."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests

from tests.e2e.shop import Shop
from tests.signing import shop_webhook
from tests.test_docs import FENCE, REPOSITORY, blocks, text

HERE = "http://127.0.0.1:5000"


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with Shop(CONFIRM_LIMIT="VND:5000000") as running:
        yield running


class Reader:
    """Types what stands in a page, keeps the tokens that come back, and pays where told to."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self.kept: dict[str, str] = {}

    def curl(self, command: str) -> requests.Response:
        words = shlex.split(command.replace("\\\n", " "))
        assert words.pop(0) == "curl"
        url, headers, body = "", {}, None
        while words:
            word = words.pop(0)
            if word == "-H":
                name, _, value = words.pop(0).partition(": ")
                headers[name] = self._filled(value)
            elif word == "-d":
                body = words.pop(0)
            else:
                assert word.startswith(HERE), word
                url = word.replace(HERE, self._shop.url)
        method = "GET" if body is None else "POST"
        answer = requests.request(method, url, headers=headers, data=body, timeout=20)
        said = answer.json()
        self.kept |= {n: said[n] for n in ("token", "watch_token") if n in said}
        return answer

    def _filled(self, value: str) -> str:
        return re.sub(r"\$(\w+)", lambda found: self.kept[found[1]], value)


def steps(page: str) -> Iterator[tuple[list[str], Any]]:
    """Each block of `curl` commands, with the JSON that the page shows next, if any."""
    found = FENCE.findall(text(page))
    for place, (language, block) in enumerate(found):
        commands = re.split(r"\n(?=curl )", block.strip())
        if language == "sh" and all(f" {HERE}" in f" {one}".replace('"', " ") for one in commands):
            after = found[place + 1] if place + 1 < len(found) else ("", "")
            yield commands, json.loads(after[1]) if after[0] == "json" else None


def test_the_examples_of_the_api_are_answered_as_the_page_says(shop: Shop) -> None:
    reader = Reader(shop)
    shop.open_order(9_000_000, id="order-2002")
    typed = 0
    for commands, shown in steps("docs/integrate.md"):
        for command in commands:
            answer = reader.curl(command)
            assert answer.ok, f"{command}\n{answer.text}"
            typed += 1
        said = answer.json()
        if isinstance(shown, list):
            said = said["events"]
            assert [one["event"] for one in said] == [one["event"] for one in shown]
        elif shown is not None:
            assert set(said) == set(shown), commands[-1]
            assert said.get("status") == shown.get("status")
        if "/order-2001/payments" in commands[-1]:
            shop.phone(said["reference"])
            wait_until_paid(shop, "order-2001")
    assert typed >= 9


def test_a_wallet_is_topped_up_spent_and_emptied_as_the_page_says(shop: Shop) -> None:
    reader, typed = Reader(shop), 0
    for commands, shown in steps("docs/wallets.md"):
        (command,) = commands
        if "/order-3001/" in command:
            claims = jwt.decode(reader.kept["token"], options={"verify_signature": False})
            shop.open_order(60_000, id="order-3001", customer={"id": claims["sub"]})
        answer = reader.curl(command)
        assert answer.ok, f"{command}\n{answer.text}"
        said, typed = answer.json(), typed + 1
        assert set(said) == set(shown), command
        for name in {"status", "balances", "version", "amount", "newBalance", "fee"} & set(shown):
            assert said[name] == shown[name], command
        for ours, theirs in zip(said.get("data", []), shown.get("data", []), strict=True):
            assert set(ours) == set(theirs)
            for name in ("amount", "balance", "kind", "currency", "description", "fee"):
                assert ours[name] == theirs[name], name
        if "/payment/deposit" in command:
            shop.phone(said["transactionId"])
            wait_until_paid(shop, said["transactionId"])
    assert typed == 6


def wait_until_paid(shop: Shop, order_id: str) -> None:
    deadline = time.monotonic() + 10
    while shop.order(order_id)["status"] != "paid":
        assert time.monotonic() < deadline, "the pretended MoMo has not called"
        time.sleep(0.1)


def run(script: str, shop: Shop, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    file = folder / "example.py"
    file.write_text(script.replace(HERE, shop.url))
    return subprocess.Popen(
        [sys.executable, str(file), *arguments], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    )


def example(page: str, mark: str) -> str:
    (found,) = (block for where, block in blocks("python") if where == page and mark in block)
    return found


def test_the_readmes_python_prints_the_link_for_the_customer(shop: Shop, tmp_path: Path) -> None:
    with run(example("README.md", "checkout_url"), shop, tmp_path) as running:
        printed, _ = running.communicate(timeout=20)
    assert requests.get(printed.strip(), timeout=10).ok


def test_a_shops_own_system_tells_that_money_came(shop: Shop, tmp_path: Path) -> None:
    shop.open_order(500_000, id="room-12")
    with run(example("docs/integrate.md", "webhook-signature"), shop, tmp_path) as running:
        printed, _ = running.communicate(timeout=20)
    assert printed == '200 {"success": true}\n'
    assert shop.order("room-12")["status"] == "paid"


def test_a_script_hears_an_order_paid_in_two_parts(shop: Shop, tmp_path: Path) -> None:
    order = shop.open_order(50_000)
    script = example("docs/integrate.md", "import socketio")
    with run(script, shop, tmp_path, order["id"], order["watch_token"]) as running:
        assert running.stdout is not None
        heard = [running.stdout.readline()]
        for part, amount in enumerate((20_000, 30_000)):
            body, headers = shop_webhook(
                order["id"], amount, transaction=f"part-{part}", event=f"msg_part_{part}"
            )
            url = f"{shop.url}/webhook/payment"
            assert requests.post(url, data=body, headers=headers, timeout=10).ok
            heard.append(running.stdout.readline())
        running.terminate()
    (shown,) = (block for kind, block in FENCE.findall(text("docs/integrate.md")) if kind == "text")
    assert "".join(heard) == shown
