"""What the pretended MoMo tells the merchant after a decision, with each switch."""

import threading
from pathlib import Path

import pytest

from sandbox.courier import Callback

from .world import World, opened, result_signature


def test_a_paid_payment_is_told_once_and_signed(world: World) -> None:
    world.create(extraData="eyJ1c2VybmFtZSI6ICJtb21vIn0=")
    decision = world.decide("pay")
    log = world.settled()
    told = world.merchant.heard[0]
    assert len(world.merchant.heard) == decision["ipns"] == len(log) == 1
    assert told["signature"] == result_signature(told)
    assert (told["resultCode"], told["amount"], told["message"]) == (0, 250_000, "Successful.")
    assert (told["orderId"], told["requestId"]) == ("DH1042", "DH1042-1")
    assert told["extraData"] == "eyJ1c2VybmFtZSI6ICJtb21vIn0="
    assert told["transId"] == decision["transId"]
    for number in ("amount", "transId", "resultCode", "responseTime"):
        assert type(told[number]) is int
    assert world.merchant.content_types[0].startswith("application/json")
    assert [(one["state"], one["tries"][0]["status"]) for one in log] == [("answered", 204)]


def test_a_declined_payment_sends_1006_once(world: World) -> None:
    world.create()
    assert world.decide("decline")["ipns"] == 1
    world.settled()
    (told,) = world.merchant.heard
    assert (told["resultCode"], told["signature"]) == (1006, result_signature(told))
    assert world.query()["resultCode"] == 1006


def test_a_customer_who_leaves_says_nothing_and_may_come_back(world: World) -> None:
    world.create()
    assert world.decide("leave") == {"resultCode": 1000, "transId": 0, "ipns": 0}
    assert world.payment()["left"] is True
    assert world.payment()["ipns"] == []
    assert world.query()["resultCode"] == 1000
    assert world.decide("pay")["resultCode"] == 0


def test_the_message_is_in_the_language_of_the_order(world: World) -> None:
    world.create(lang="vi")
    world.decide("decline")
    world.settled()
    assert world.merchant.heard[0]["message"] == "Giao dịch bị từ chối bởi người dùng."


def test_twice_sends_the_same_notice_two_times(world: World) -> None:
    world.create()
    assert world.decide("pay", twice=True)["ipns"] == 2
    world.settled()
    assert len(world.merchant.heard) == 2
    assert world.merchant.heard[0] == world.merchant.heard[1]


def test_out_of_order_sends_older_states_after_the_success(world: World) -> None:
    world.create()
    assert world.decide("pay", reorder=True)["ipns"] == 3
    world.settled()
    heard = world.merchant.heard
    assert [one["resultCode"] for one in heard] == [0, 7000, 1006]
    assert all(one["signature"] == result_signature(one) for one in heard)
    assert all(one["responseTime"] < heard[0]["responseTime"] for one in heard[1:])
    assert len({one["orderId"] for one in heard}) == 1
    assert world.query()["resultCode"] == 0


def test_out_of_order_never_makes_a_success_of_a_declined_payment(world: World) -> None:
    world.create()
    world.decide("decline", reorder=True)
    world.settled()
    assert [one["resultCode"] for one in world.merchant.heard] == [1006, 7000]


@pytest.mark.parametrize(("amount", "told"), [(250_000, 249_000), (1_000, 2_000), (2_000, 1_000)])
def test_a_wrong_amount_is_properly_signed(world: World, amount: int, told: int) -> None:
    world.create(amount=amount)
    world.decide("pay", wrong_amount=True)
    world.settled()
    (heard,) = world.merchant.heard
    assert (heard["amount"], heard["signature"]) == (told, result_signature(heard))
    assert world.query()["amount"] == amount


def test_a_forged_notice_is_signed_with_another_secret_and_not_repeated(world: World) -> None:
    world.create()
    world.merchant.answers = [401, 401]
    assert world.decide("pay", forged=True)["ipns"] == 1
    (sent,) = world.settled()
    (heard,) = world.merchant.heard
    assert len(bytes.fromhex(heard["signature"])) == 32
    assert heard["signature"] != result_signature(heard)
    assert (sent["state"], sent["tries"][0]["status"]) == ("given up", 401)
    assert world.query()["resultCode"] == 0


def test_silent_sends_nothing_and_a_query_tells_the_truth(world: World) -> None:
    world.create()
    decision = world.decide("pay", silent=True, twice=True, reorder=True)
    assert (decision["resultCode"], decision["ipns"]) == (0, 0)
    assert world.settled() == []
    assert world.query()["transId"] == decision["transId"]
    assert world.merchant.heard == []


def test_late_waits_before_it_tells(world: World) -> None:
    world.create()
    world.decide("pay", late=1)
    assert world.query()["resultCode"] == 0
    assert world.merchant.heard == []
    (sent,) = world.settled()
    assert sent["tries"][0]["time"] >= sent["dueTime"]
    assert sent["dueTime"] - world.merchant.heard[0]["responseTime"] >= 1_000


def test_switches_combine(world: World) -> None:
    world.create()
    assert world.decide("pay", twice="on", reorder=1, wrong_amount="true")["ipns"] == 4
    world.settled()
    assert [(one["resultCode"], one["amount"]) for one in world.merchant.heard] == [
        (0, 249_000),
        (0, 249_000),
        (7000, 249_000),
        (1006, 249_000),
    ]


def test_a_merchant_who_fails_is_asked_again_a_bounded_number_of_times(world: World) -> None:
    world.create("A")
    world.create("B")
    world.merchant.answers = [500, 302, 200]
    world.decide("pay", "A")
    (sent,) = world.settled("A")
    assert [one["status"] for one in sent["tries"]] == [500, 302, 200]
    world.merchant.answers = [500] * 20
    world.decide("pay", "B")
    (sent,) = world.settled("B")
    assert (sent["state"], len(sent["tries"])) == ("given up", 5)


def test_a_merchant_who_is_away_is_written_down_as_no_answer(world: World) -> None:
    world.create(ipnUrl="http://127.0.0.1:9/ipn")
    world.decide("pay")
    (sent,) = world.settled()
    assert sent["tries"][0] == {**sent["tries"][0], "status": None, "note": "ConnectionError"}


def test_the_result_can_be_sent_again_by_hand(world: World) -> None:
    world.create()
    world.decide("pay", forged=True, wrong_amount=True)
    world.settled()
    again = world.resend()
    assert (again.status_code, again.json()["ipns"]) == (200, 1)
    world.settled()
    told = world.merchant.heard[-1]
    assert (told["amount"], told["signature"]) == (250_000, result_signature(told))


def test_nothing_can_be_sent_again_before_a_decision(world: World) -> None:
    world.create()
    assert world.resend().status_code == 409
    assert world.resend("DH9999").status_code == 404


def test_a_payment_is_decided_once_however_many_press(world: World) -> None:
    world.create()
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(world.press("pay", "DH1042").status_code))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    world.settled()
    assert sorted(answers) == [200] + [409] * 7
    assert len(world.merchant.heard) == 1
    late = world.press("decline", "DH1042")
    assert (late.status_code, late.json()["resultCode"]) == (409, 0)


@pytest.mark.parametrize(
    "asked",
    [
        *({"result": "steal"}, {"result": "pay", "late": "soon"}, {"result": "pay", "late": -1}),
        *({"result": "pay", "late": 10**9}, {"result": "pay", "twice": "maybe"}, {}),
        *({"result": ["pay"]}, {"result": "pay", "late": [1]}),
    ],
)
def test_a_decision_that_cannot_be_read_changes_nothing(
    world: World, asked: dict[str, object]
) -> None:
    world.create()
    answer = world.post("/momo/payments/DH1042/decide", json=asked)
    assert answer.status_code == 400
    assert "error" in answer.json()
    assert world.query()["resultCode"] == 1000


def test_a_payment_that_is_not_known_cannot_be_decided(world: World) -> None:
    assert world.press("pay", "DH9999").status_code == 404


def test_a_notice_that_waits_is_sent_after_a_restart(tmp_path: Path) -> None:
    path = str(tmp_path / "sandbox.sqlite3")
    with opened(path) as before:
        before.create()
        kit = before.app.extensions["sandbox"]
        waiting = Callback("momo", "DH1042", "result", f"{before.merchant.url}/ipn", '{"a": 1}')
        with kit.store.transaction() as db:
            kit.courier.schedule(db, [waiting])
        # Here the process ended: it was written down, and nobody carried it.
        with opened(path) as after:
            (sent,) = after.settled()
            assert (sent["state"], before.merchant.heard) == ("answered", [{"a": 1}])


def test_only_the_twelve_fields_are_signed(world: World) -> None:
    """A paymentOption, where there is one, is outside of the signature."""
    orders = [f"DH{number}" for number in range(12)]
    for order in orders:
        world.create(order)
        world.decide("pay", order)
        world.settled(order)
    heard = world.merchant.heard
    assert {"paymentOption" in one for one in heard} == {True, False}
    assert all(one["signature"] == result_signature(one) for one in heard)
