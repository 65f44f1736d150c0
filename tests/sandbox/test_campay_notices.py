"""What the pretended CamPay tells the merchant after a decision, with each switch; its pages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest
import requests
from playwright.sync_api import Browser

from .campay import WEBHOOK_KEY, CampayWorld, Heard, opened_campay

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def world() -> Iterator[CampayWorld]:
    with opened_campay() as one:
        yield one


def heard_after(world: CampayWorld, result: str = "pay", /, **switches: object) -> list[Heard]:
    reference = world.collect()["reference"]
    world.decide(reference, result, **switches)
    world.settled(reference)
    return world.merchant.heard


def claims_of(heard: Heard) -> dict[str, object]:
    """By PyJWT, which the simulator does not sign with."""
    found: dict[str, object] = jwt.decode(
        heard.fields["signature"], WEBHOOK_KEY, algorithms=["HS256"]
    )
    return found


def test_a_payment_is_told_once_and_signed(world: CampayWorld) -> None:
    reference = world.collect()["reference"]
    told = world.decide(reference)
    assert told == {"status": "SUCCESSFUL", "reference": reference, "callbacks": 1}
    world.settled(reference)
    (heard,) = world.merchant.heard
    assert (heard.method, heard.content_type) == ("POST", "application/json")
    assert heard.fields["reference"] == reference
    assert heard.fields["external_reference"] == "P1"
    assert (heard.fields["status"], heard.fields["amount"]) == ("SUCCESSFUL", "4500.00")
    assert all(isinstance(value, str) for value in heard.fields.values())
    assert {"iat", "nbf", "exp"} <= set(claims_of(heard))


def test_both_sets_of_claims_are_sent(world: CampayWorld) -> None:
    for number in range(16):
        reference = world.collect(f"P{number}")["reference"]
        world.decide(reference)
        world.settled(reference)
    assert {"source" in claims_of(heard) for heard in world.merchant.heard} == {True, False}


@pytest.mark.parametrize(
    ("result", "reason"), [("decline", "APPROVAL_REJECTED"), ("no_money", "NOT_ENOUGH_FUNDS")]
)
def test_a_failure_is_told_with_its_reason(world: CampayWorld, result: str, reason: str) -> None:
    (heard,) = heard_after(world, result)
    assert (heard.fields["status"], heard.fields["reason"]) == ("FAILED", reason)
    found = world.transaction(heard.fields["reference"])
    assert (found["status"], found["reason"]) == ("FAILED", reason)


def test_by_get_the_fields_stand_in_the_address(world: CampayWorld) -> None:
    (heard,) = heard_after(world, by_get=True)
    assert (heard.method, heard.body) == ("GET", b"")
    assert heard.fields["external_reference"] == "P1"
    assert claims_of(heard)


def test_twice_sends_the_same_two_times(world: CampayWorld) -> None:
    first, second = heard_after(world, twice=True)
    assert first.fields == second.fields


def test_out_of_order_sends_older_states_after_the_end(world: CampayWorld) -> None:
    statuses = [one.fields["status"] for one in heard_after(world, reorder=True)]
    assert statuses == ["SUCCESSFUL", "PENDING", "FAILED"]
    assert all(claims_of(one) for one in world.merchant.heard)


@pytest.mark.parametrize("switch", ["wrong_amount", "lying"])
def test_a_lie_is_properly_signed_and_a_question_tells_the_truth(
    world: CampayWorld, switch: str
) -> None:
    (heard,) = heard_after(world, **{switch: True})
    assert claims_of(heard)
    true = world.transaction(heard.fields["reference"])
    assert (true["status"], true["amount"]) == ("SUCCESSFUL", "4500.00")
    assert (heard.fields["status"], heard.fields["amount"]) != (true["status"], true["amount"])


def test_a_forged_callback_is_signed_with_another_key_and_not_repeated(world: CampayWorld) -> None:
    world.merchant.answers = [401, 401]
    (heard,) = heard_after(world, forged=True)
    with pytest.raises(jwt.InvalidSignatureError):
        claims_of(heard)


def test_silent_sends_nothing(world: CampayWorld) -> None:
    assert heard_after(world, silent=True, twice=True) == []


def test_late_waits_before_it_tells(world: CampayWorld) -> None:
    reference = world.collect()["reference"]
    world.decide(reference, late=1)
    assert world.transaction(reference)["status"] == "SUCCESSFUL"
    assert world.merchant.heard == []
    world.settled(reference)
    assert len(world.merchant.heard) == 1


def test_a_merchant_who_fails_is_told_again(world: CampayWorld) -> None:
    world.merchant.answers = [500, 302]
    assert len(heard_after(world)) == 3


def test_the_true_result_can_be_sent_again_by_hand(world: CampayWorld) -> None:
    (lied,) = heard_after(world, lying=True)
    path = f"{world.url}/campay/transactions/{lied.fields['reference']}/resend"
    again = requests.post(path, headers={"Accept": "application/json"}, timeout=10)
    assert (again.status_code, again.json()["callbacks"]) == (200, 1)
    world.settled(lied.fields["reference"])
    assert world.merchant.heard[-1].fields["status"] == "SUCCESSFUL"
    waiting = world.collect("P2")["reference"]
    too_soon = requests.post(path.replace(lied.fields["reference"], waiting), timeout=10)
    assert too_soon.status_code == 409


def test_a_prompt_is_decided_once_however_many_press(world: CampayWorld) -> None:
    reference = world.collect()["reference"]
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(world.press(reference, "pay").status_code))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    world.settled(reference)
    assert sorted(answers) == [200] + [409] * 7
    assert len(world.merchant.heard) == 1


@pytest.mark.parametrize(
    "asked",
    [
        *({"result": "steal"}, {"result": "pay", "late": "soon"}, {"result": "pay", "lying": "2"}),
        *({"result": "pay", "by_get": "maybe"}, {}, {"result": ["pay"]}),
    ],
)
def test_a_decision_that_cannot_be_read_changes_nothing(
    world: CampayWorld, asked: dict[str, object]
) -> None:
    reference = world.collect()["reference"]
    path = f"{world.url}/campay/transactions/{reference}/decide"
    answer = requests.post(path, json=asked, timeout=10)
    assert (answer.status_code, "error" in answer.json()) == (400, True)
    assert world.transaction(reference)["status"] == "PENDING"


def test_what_the_book_holds_outlives_a_restart(tmp_path: Path) -> None:
    path = str(tmp_path / "sandbox.sqlite3")
    with opened_campay(path) as before:
        reference = before.collect()["reference"]
        with opened_campay(path) as after:
            after.decide(reference)
            after.settled(reference)
            assert before.transaction(reference)["status"] == "SUCCESSFUL"


def test_what_others_wrote_is_shown_as_text(world: CampayWorld) -> None:
    reference = world.collect(SCRIPT, description=SCRIPT)["reference"]
    waiting = world.collect("P2", description=SCRIPT)["reference"]
    world.decide(reference)
    world.settled(reference)
    for path in ("/campay/", f"/campay/prompts/{reference}", f"/campay/prompts/{waiting}"):
        answer = requests.get(f"{world.url}{path}", timeout=10)
        assert SCRIPT not in answer.text
        assert "&lt;script&gt;" in answer.text
        assert "script-src 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_phone_without_scripts_pays(
    world: CampayWorld, browser: Browser, scheme: str
) -> None:
    reference = world.collect("P" * 64, description="d" * 300)["reference"]
    page = browser.new_context(
        viewport={"width": 320, "height": 568},
        java_script_enabled=False,
        color_scheme="dark" if scheme == "dark" else "light",
    ).new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))

    def fits() -> None:
        content, screen = page.locator("body").bounding_box(), 320
        assert content is not None
        assert content["width"] <= screen
        for target in page.locator("a, button, select, summary, label").all():
            box = target.bounding_box()
            assert box is None or box["height"] >= 44
            assert box is None or box["x"] + box["width"] <= screen

    page.goto(f"{world.url}/campay/?still=1")
    fits()
    page.get_by_role("link", name="Open").click()
    fits()
    page.get_by_label("Twice").check()
    page.get_by_role("button", name="Pay 4,500 FCFA").click()
    page.get_by_text("Paid by 6 77 12 34 56").wait_for()
    world.settled(reference)
    page.goto(f"{world.url}/campay/prompts/{reference}")
    fits()
    assert len(world.merchant.heard) == 2
    assert said == []
