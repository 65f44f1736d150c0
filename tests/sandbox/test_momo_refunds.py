"""The pretended MoMo answers questions about payments, and returns money."""

import pytest

from .world import Json, World, signature


def test_a_query_waits_and_then_tells_what_the_customer_did(world: World) -> None:
    world.create("A")
    world.create("B")
    told = world.query("A")
    assert (told["resultCode"], told["transId"], told["refundTrans"]) == (1000, 0, [])
    paid = world.decide("pay", "A")
    declined = world.decide("decline", "B")
    told = world.query("A")
    assert (told["resultCode"], told["transId"]) == (0, paid["transId"])
    assert (told["amount"], told["payType"]) == (250_000, "web")
    assert (world.query("B")["resultCode"], declined["resultCode"]) == (1006, 1006)


def test_a_query_must_be_signed(world: World) -> None:
    world.create()
    asked = {"partnerCode": "MOMO", "requestId": "q", "orderId": "DH1042", "signature": "0" * 64}
    assert world.call("query", asked).json()["resultCode"] == 13


def test_a_refund_in_parts_ends_at_what_was_paid(world: World) -> None:
    bought = world.paid()
    first = world.refund(bought, 100_000, "RF1")
    rest = world.refund(bought, 150_000, "RF2")
    more = world.refund(bought, 1_000, "RF3")
    assert [one["resultCode"] for one in (first, rest, more)] == [0, 0, 1081]
    assert len({first["transId"], rest["transId"], bought}) == 3
    listed = world.query()["refundTrans"]
    assert [(one["orderId"], one["amount"], one["resultCode"]) for one in listed] == [
        ("RF1", 100_000, 0),
        ("RF2", 150_000, 0),
    ]
    assert listed[0]["transId"] == first["transId"]


def test_a_refund_may_be_whole_and_is_done_once(world: World) -> None:
    bought = world.paid()
    first = world.refund(bought, 250_000)
    assert first["resultCode"] == 0
    assert world.refund(bought, 250_000) == first
    assert len(world.query()["refundTrans"]) == 1


def test_a_refund_over_the_amount_is_rejected(world: World) -> None:
    assert world.refund(world.paid(), 250_001)["resultCode"] == 1081
    assert world.query()["refundTrans"] == []


def test_a_refund_needs_a_payment_that_was_made(world: World) -> None:
    world.create()
    declined = world.decide("decline", silent=True)
    assert world.refund(declined["transId"], 1_000, "RF1")["resultCode"] == 1088
    assert world.refund(12345, 1_000, "RF2")["resultCode"] == 42


def test_a_refund_has_an_order_id_of_its_own(world: World) -> None:
    bought = world.paid()
    assert world.refund(bought, 1_000, "DH1042", requestId="r")["resultCode"] == 41


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amount": 999}, 22),
        ({"transId": 2**70}, 20),
        ({"transId": "abc"}, 20),
        ({"amount": ""}, 21),
    ],
)
def test_a_refund_that_breaks_a_rule_is_refused(world: World, changes: Json, code: int) -> None:
    assert world.refund(world.paid(), **{"amount": 1_000, **changes})["resultCode"] == code


def test_a_refund_must_be_signed(world: World) -> None:
    asked = {
        "partnerCode": "MOMO",
        "orderId": "RF1",
        "requestId": "RF1",
        "amount": 1_000,
        "transId": world.paid(),
        "description": "",
    }
    forged = {**asked, "signature": signature(asked, "another secret")}
    assert world.call("refund", forged).json()["resultCode"] == 13
